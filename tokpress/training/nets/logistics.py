"""Log pmf of a mixture of discretized logistics (`exact.logistics`), with gradients."""

import torch
from torch import Tensor

from ...exact.logistics import MAX_LOG_SCALE, MIN_LOG_SCALE


def log_pmf(log_weights: Tensor, means: Tensor, log_scales: Tensor, symbols: int) -> Tensor:
    """Parameters [..., K] → ln p [..., V]. Each symbol has at least the coder's 2^−23."""
    edges = (torch.arange(1, symbols, device=means.device) - 0.5) * (2 / (symbols - 1)) - 1
    inverse = torch.exp(-log_scales.clamp(MIN_LOG_SCALE, MAX_LOG_SCALE))
    below = torch.sigmoid((edges - means[..., None]) * inverse[..., None])
    mass = torch.diff(below, dim=-1, prepend=torch.zeros_like(below[..., :1]), append=torch.ones_like(below[..., :1]))
    total = (log_weights.softmax(-1)[..., None] * mass).sum(-2)
    return torch.log(total + 2.0**-23)


def log_mass(log_weights: Tensor, means: Tensor, log_scales: Tensor, targets: Tensor, symbols: int) -> Tensor:
    """ln p [...] of the symbols `targets` [...] alone: for 8-bit symbols, a 256th of the work of `log_pmf`."""
    targets = targets[..., None]
    inverse = torch.exp(-log_scales.clamp(MIN_LOG_SCALE, MAX_LOG_SCALE))
    low = ((targets - 0.5) * (2 / (symbols - 1)) - 1 - means) * inverse
    high = ((targets + 0.5) * (2 / (symbols - 1)) - 1 - means) * inverse
    below = torch.where(targets == 0, 0.0, torch.sigmoid(low))
    until = torch.where(targets == symbols - 1, 1.0, torch.sigmoid(high))
    return torch.log((log_weights.softmax(-1) * (until - below)).sum(-1) + 2.0**-23)
