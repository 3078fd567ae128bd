"""The optimizers of a run and the schedule of their learning rate."""

from typing import Any

import torch

from ..options import FitConfig


def make_optimizers(
    net: torch.nn.Module, learning_rate: float, weight_decay: float | None = None, exclude: str | None = None
) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the matrices of the blocks, AdamW for embedding, head and vectors.

    weight_decay: of every matrix (Loshchilov & Hutter 2019); None: 0.01 in the blocks, else 0. exclude: prefix of the names of
    parameters that another optimizer updates."""
    blocks: list[torch.nn.Parameter] = []
    matrices: list[torch.nn.Parameter] = []
    rest: list[torch.nn.Parameter] = []
    for name, p in net.named_parameters():
        if exclude is not None and name.startswith(exclude):
            continue
        matrix = p.ndim == 2 and ("embedding" not in name or "grams" in name)
        (blocks if p.ndim == 2 and "blocks." in name else matrices if matrix and weight_decay else rest).append(p)
    groups: list[dict[str, Any]] = [
        {"params": ps, "weight_decay": wd} for ps, wd in ((rest, 0.0), (matrices, weight_decay or 0.0)) if ps
    ]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98), fused=True)
    ]
    block_decay = 0.01 if weight_decay is None else weight_decay
    if blocks and hasattr(torch.optim, "Muon"):
        muon = torch.optim.Muon(blocks, lr=learning_rate, weight_decay=block_decay, adjust_lr_fn="match_rms_adamw")
        optimizers.insert(0, muon)
    elif blocks:
        adamw = torch.optim.AdamW(blocks, lr=learning_rate, betas=(0.9, 0.98), weight_decay=block_decay)
        optimizers.insert(0, adamw)
    return optimizers


def learning_rate(config: FitConfig, step: int, fraction: float) -> float:
    """Rises over `warmup` steps (or a tenth of a short run), stays, falls to 0 over the last `decay` of the run."""
    rise = max((step + 1) / config.warmup, fraction / 0.1)
    return config.learning_rate * min(1.0, rise, (1 - fraction) / config.decay)


def set_learning_rate(optimizers: list[torch.optim.Optimizer], rate: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate
