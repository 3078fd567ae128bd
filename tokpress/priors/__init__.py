"""Priors: p(x_t | x_<t). `base` is the contract, `registry` finds them by name.

lecture/             the lecture's, a file each        text/              the shipped models of text
context_mixing/      bytes without training            linear_prediction/ pixels and sound without training
compose/             priors made of priors
"""
