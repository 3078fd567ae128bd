"""A critic for autoencoders of pictures: it learns to tell reconstructions from pictures, patch by patch.

    critic's loss     mean max(0, 1 − D(x)) + mean max(0, 1 + D(x̂))          hinge (Lim & Ye 2017)
    decoder's         −λ·mean D(x̂),   λ = weight·‖∇_W reconstruction‖ / ‖∇_W −mean D‖,   W the decoder's last layer

Esser, Rombach & Ommer 2021, §3.1, eq. 7; D is the patch critic of Isola et al. 2017, "Image-to-image translation", §2.2.2.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import TokpressError

#: name → loss(x, x̂) of pictures [B, C, H, W] in −1 … 1
_PERCEPTUAL: dict[str, Callable[[Tensor, Tensor], Tensor]] = {}
#: the part of a run after which the critic is listened to
BEGIN = 1 / 3
WIDTH = 32
MAX_WEIGHT = 1e4


def register_perceptual(name: str, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Make a loss between pictures [B, C, H, W] usable as `--set perceptual=NAME` (with --import)."""
    _PERCEPTUAL[name] = loss


class Critic(nn.Module):
    def __init__(self, channels: int, weight: float, perceptual: str) -> None:
        super().__init__()
        if perceptual and perceptual not in _PERCEPTUAL:
            there = ", ".join(_PERCEPTUAL) or "none; register one and say --import"
            raise TokpressError(f"no perceptual loss is called {perceptual!r}; there are: {there}")
        self.weight, self.perceptual = weight, _PERCEPTUAL.get(perceptual)
        layers: list[Any] = []
        for before, after in ((channels, WIDTH), (WIDTH, 2 * WIDTH), (2 * WIDTH, 4 * WIDTH)):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.GroupNorm(4, after), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(4 * WIDTH, 1, 3, 1, 1))
        self.optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3, betas=(0.5, 0.9))

    def decoders(self, x: Tensor, made: Tensor, reconstruction: Tensor, last: Tensor, fraction: float) -> Tensor:
        """What is added to the loss of encoder and decoder. Pictures [B, C, H, W]."""
        more = self.perceptual(x, made) if self.perceptual else made.new_zeros(())
        if fraction < BEGIN:
            return more
        mine = -self.layers(made).mean()
        (of_reconstruction,) = torch.autograd.grad(reconstruction + more, last, retain_graph=True)
        (of_mine,) = torch.autograd.grad(mine, last, retain_graph=True)
        scale = (of_reconstruction.norm() / of_mine.norm().clamp_min(1e-8)).clamp_max(MAX_WEIGHT)
        return more + self.weight * scale.detach() * mine

    def learn(self, x: Tensor, made: Tensor) -> None:
        """One step of the critic's own."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.relu(1 - self.layers(x)).mean() + F.relu(1 + self.layers(made.detach())).mean()
        loss.backward()
        self.optimizer.step()
