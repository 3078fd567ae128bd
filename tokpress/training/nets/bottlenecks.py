"""The bottlenecks of discrete autoencoders in training: one interface to the quantizers of vector-quantize-pytorch.

    bottleneck(z [B, T, dim]) ──► codes [B, T, code dim], indices [B, T, Q], loss (weighted, a scalar)

Gradients pass from the codes to z. `export` gives the tensors of the tokenizer. The rounding is that of the tokenizer's
`indices` and `codes`; a test compares both.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import TokpressError


def library() -> ModuleType:
    """vector_quantize_pytorch. Raises TokpressError where it is not installed."""
    try:
        import vector_quantize_pytorch
        from loguru import logger

        logger.disable("vector_quantize_pytorch")  # it warns of few vectors to begin with, which a small corpus has
    except ModuleNotFoundError as error:
        raise TokpressError(f'training this tokenizer needs {error.name}: pip install "tokpress[train]"') from error
    module: ModuleType = vector_quantize_pytorch
    return module


class Bottleneck(nn.Module, ABC):
    #: dead codes (hardly used ones) replaced since the last `take_replaced`; None: not counted
    replaced: int | None = None

    @abstractmethod
    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(codes, indices, loss)"""

    def count_replaced(self, quantizers: Sequence[Any]) -> None:
        """Count the dead codes that these quantizers replace from now on."""
        self.replaced = 0
        for quantizer in quantizers:
            book = quantizer._codebook

            def counted(samples: Tensor, batch_mask: Tensor, replace: Any = book.replace, **more: Any) -> None:
                self.replaced = (self.replaced or 0) + int(batch_mask.sum())
                replace(samples, batch_mask=batch_mask, **more)

            book.replace = counted

    def take_replaced(self) -> int | None:
        """Number of dead codes replaced since the last call, inner bottlenecks included; None where none are counted."""
        counting = [m for m in self.modules() if isinstance(m, Bottleneck) and m.replaced is not None]
        total = sum(m.replaced or 0 for m in counting)
        for m in counting:
            m.replaced = 0
        return total if counting else None

    def anneal(self, fraction: float) -> None:
        """Called before each step with the fraction of the run that is over."""

    def export(self) -> dict[str, np.ndarray]:
        """Tensors of the tokenizer, beside those of encoder and decoder."""
        return {}


class Nearest(Bottleneck):
    """VQ: the nearest code, updated by moving averages (van den Oord et al. 2017, appendix A.1); a code that is hardly used
    is replaced by a vector of the batch (Dhariwal et al. 2020, §3.2)."""

    def __init__(self, dim: int, codes: int, commitment: float) -> None:
        super().__init__()
        self.inner = library().VectorQuantize(
            dim=dim, codebook_size=codes, decay=0.95, kmeans_init=True, threshold_ema_dead_code=2,
            commitment_weight=commitment,
        )  # fmt: skip
        self.count_replaced([self.inner])

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        codes, indices, loss = self.inner(z)
        return codes, indices[..., None], loss.sum()

    def export(self) -> dict[str, np.ndarray]:
        return {"codebook": self.inner.codebook.detach().cpu().numpy()}


class Residual(Bottleneck):
    """RVQ: each level quantizes the residual of the levels before (Zeghidour et al. 2021, SoundStream, algorithm 1)."""

    def __init__(self, dim: int, codes: int, levels: int, commitment: float) -> None:
        super().__init__()
        self.inner = library().ResidualVQ(
            dim=dim, codebook_size=codes, num_quantizers=levels, decay=0.95, kmeans_init=True,
            threshold_ema_dead_code=2, commitment_weight=commitment,
        )  # fmt: skip
        self.count_replaced(list(self.inner.layers))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        codes, indices, loss = self.inner(z)
        return codes, indices, loss.sum()

    def export(self) -> dict[str, np.ndarray]:
        return {"codebook": self.inner.codebooks.detach().cpu().numpy()}


class Scales(Bottleneck):
    """VQ of a picture at several scales, each of the residual of the coarser ones, with one codebook (Tian et al. 2024, §3.2)."""

    def __init__(self, dim: int, codes: int, scales: list[int], side: int, commitment: float) -> None:
        super().__init__()
        self.scales, self.side = scales, side
        self.nearest = Nearest(dim, codes, commitment)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        residual = z.unflatten(1, (self.side, self.side)).permute(0, 3, 1, 2)
        if not self.nearest.inner._codebook.initted:  # by vectors of the finest scale: the coarsest has too few
            self.nearest(z)
        total, indices, losses = torch.zeros_like(residual), [], []
        for side in self.scales:
            f = self.side // side
            pooled = F.avg_pool2d(residual, f).flatten(2).transpose(1, 2)
            codes, scale_indices, loss = self.nearest(pooled)
            upsampled = codes.transpose(1, 2).unflatten(2, (side, side))
            upsampled = upsampled.repeat_interleave(f, 2).repeat_interleave(f, 3)
            total = total + upsampled
            # gradients of a scale's loss reach z through its own codes only
            residual = residual - upsampled.detach()
            indices.append(scale_indices.flatten(1))
            losses.append(loss)
        codes = total.flatten(2).transpose(1, 2)
        # straight-through, of all scales together
        return z + (codes - z).detach(), torch.cat(indices, 1), sum(losses) / len(losses)

    def export(self) -> dict[str, np.ndarray]:
        return self.nearest.export()


class Lattice(Bottleneck):
    """FSQ: each value is rounded to one of a few levels (Mentzer et al. 2024, §3). It has no parameters."""

    def __init__(self, levels: list[int]) -> None:
        super().__init__()
        self.inner = library().FSQ(levels=levels, preserve_symmetry=True)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        codes, indices = self.inner(z)
        return codes, indices[..., None].long(), z.new_zeros(())


class Signs(Bottleneck):
    """LFQ: the signs. The loss asks for a low entropy of the code of each position, a high one over all (Yu et al. 2024, §3.1)."""

    def __init__(self, bits: int, entropy: float, diversity: float, commitment: float) -> None:
        super().__init__()
        self.inner = library().LFQ(
            dim=bits, codebook_size=1 << bits, entropy_loss_weight=entropy, diversity_gamma=diversity,
            commitment_loss_weight=commitment,
        )  # fmt: skip

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        codes, indices, loss = self.inner(z, inv_temperature=1.0)
        return codes, indices[..., None].long(), loss


class Concrete(Bottleneck):
    """Gumbel-softmax: a sample of a softmax over all codes, with a temperature that falls (Jang, Gu & Poole 2017; Maddison,
    Mnih & Teh 2017); the loss is KL(q ‖ uniform), as in Ramesh et al. 2021, §2.1."""

    HOT, COLD = 1.0, 0.1

    def __init__(self, codes: int, dim: int, sharpness: float, kl: float) -> None:
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(codes, dim) * 0.5)
        self.sharpness, self.kl, self.temperature = sharpness, kl, self.HOT

    def anneal(self, fraction: float) -> None:
        # cold after three quarters of the run: the decoder then sees the codes that it will decode
        self.temperature = self.HOT * (self.COLD / self.HOT) ** min(1.0, fraction / 0.75)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        squares = z.square().sum(-1, keepdim=True) + self.codebook.square().sum(-1)
        logits = self.sharpness * (2 * z @ self.codebook.T - squares)
        indices = logits.argmax(-1)
        if self.training:
            chosen = F.gumbel_softmax(logits, tau=self.temperature, dim=-1)
        else:
            chosen = F.one_hot(indices, logits.shape[-1]).to(z.dtype)
        log_q = logits.log_softmax(-1)
        kl = (log_q.exp() * (log_q + math.log(logits.shape[-1]))).sum(-1).mean()
        return chosen @ self.codebook, indices[..., None], self.kl * kl

    def export(self) -> dict[str, np.ndarray]:
        return {"codebook": self.codebook.detach().cpu().numpy()}
