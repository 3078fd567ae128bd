"""Maximum likelihood of a mixture of discretized logistics, given the counts of the symbols."""

import numpy as np
import torch

from .logistics import log_pmf

STEPS, LEARNING_RATE = 1500, 0.03


def fit_mixture(counts: np.ndarray, components: int) -> np.ndarray:
    """counts [V] → parameters [3, K] float32 that minimise −Σ_v c(v)·ln p(v). Starts with the means at quantiles."""
    symbols = len(counts)
    share = torch.from_numpy(counts / max(counts.sum(), 1)).float()
    quantiles = np.searchsorted(np.cumsum(share.numpy()), (np.arange(components) + 0.5) / components)
    means = torch.tensor(np.clip(quantiles, 0, symbols - 1) * (2 / (symbols - 1)) - 1).float()
    scale = max(0.5 / components, 1 / symbols)
    parameters = torch.stack([torch.zeros(components), means, torch.full((components,), float(np.log(scale)))])
    parameters.requires_grad_()
    optimizer = torch.optim.Adam([parameters], LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, STEPS)
    for _ in range(STEPS):
        log_weights, centers, log_scales = parameters.unbind(0)
        loss = -(share * log_pmf(log_weights, centers, log_scales, symbols)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return parameters.detach().numpy().copy()
