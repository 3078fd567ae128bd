"""How components learn from a corpus: one file for each way of learning.

base.py        the contract: what a learner is told, what it says of itself, own `fit` methods
registry.py    which learner belongs to which class: `prior_learner`, `tokenizer_learner`
the others     one way each, imported when a run first needs it
"""
