"""A critic for autoencoders of pictures. It learns to tell reconstructions from pictures, patch by patch.

    loss of the critic      mean max(0, 1 − D(x)) + mean max(0, 1 + D(x̂))          hinge (Lim & Ye 2017)
    loss of the decoder     −λ·mean D(x̂),   λ = weight·‖∇_W reconstruction‖ / ‖∇_W −mean D‖,   W the decoder's last layer

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
#: fraction of a run before which the critic adds nothing to the decoder's loss
BEGIN = 1 / 3
WIDTH = 32
MAX_WEIGHT = 1e4


def register_perceptual(name: str, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Register a loss between pictures [B, C, H, W], for `--set perceptual=NAME` (with --import)."""
    _PERCEPTUAL[name] = loss


class Critic(nn.Module):
    def __init__(self, channels: int, weight: float, perceptual: str) -> None:
        super().__init__()
        if perceptual and perceptual not in _PERCEPTUAL:
            registered = ", ".join(_PERCEPTUAL) or "none; register one and say --import"
            raise TokpressError(f"no perceptual loss is called {perceptual!r}; there are: {registered}")
        self.weight, self.perceptual = weight, _PERCEPTUAL.get(perceptual)
        layers: list[Any] = []
        for inputs, outputs in ((channels, WIDTH), (WIDTH, 2 * WIDTH), (2 * WIDTH, 4 * WIDTH)):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.GroupNorm(4, outputs), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(4 * WIDTH, 1, 3, 1, 1))
        self.optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3, betas=(0.5, 0.9))

    def decoder_loss(self, x: Tensor, x_hat: Tensor, error: Tensor, last_layer: Tensor, fraction: float) -> Tensor:
        """Loss of encoder and decoder beside the reconstruction `error`. Pictures x, x̂ [B, C, H, W]; last_layer: W above;
        fraction: of the run that is over."""
        perceptual = self.perceptual(x, x_hat) if self.perceptual else x_hat.new_zeros(())
        if fraction < BEGIN:
            return perceptual
        adversarial = -self.layers(x_hat).mean()
        (error_gradient,) = torch.autograd.grad(error + perceptual, last_layer, retain_graph=True)
        (adversarial_gradient,) = torch.autograd.grad(adversarial, last_layer, retain_graph=True)
        ratio = (error_gradient.norm() / adversarial_gradient.norm().clamp_min(1e-8)).clamp_max(MAX_WEIGHT)
        loss: Tensor = perceptual + self.weight * ratio.detach() * adversarial
        return loss

    def learn(self, x: Tensor, x_hat: Tensor) -> None:
        """One step of the critic's optimizer."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.relu(1 - self.layers(x)).mean() + F.relu(1 + self.layers(x_hat.detach())).mean()
        loss.backward()
        self.optimizer.step()
