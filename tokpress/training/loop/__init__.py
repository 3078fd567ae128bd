"""Optimisation: `fit` a prior, `checkpoint`, and the `team` of processes of one run."""
