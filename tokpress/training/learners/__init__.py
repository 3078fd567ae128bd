"""How components learn from a corpus: one file for each way of learning.

base.py        the contract: learners, and the `fit` methods of classes that learn by themselves
registry.py    class → learner: `prior_learner`, `tokenizer_learner`
other files    one way of learning each, imported when a run first needs it
"""
