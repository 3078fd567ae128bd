"""Priors made of other priors.

`product` multiplies two; `ensemble` is the mean of joint likelihoods; `memory` adds counts of the frame to any prior (`memory_counts`).
`parts` stores the settings and tensors of the members."""
