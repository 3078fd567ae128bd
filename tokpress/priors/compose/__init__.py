"""Priors made of priors: `product` of two, `ensemble` (a mean of joint likelihoods), `memory` (counts of the frame around any prior,
`memory_counts`); `parts` says how their settings and tensors are kept."""
