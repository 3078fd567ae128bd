"""Optimisation: the loop (`steps`), `optimizers`, what it trains of priors (`fit`), `checkpoint`, the `team` of processes of a run."""
