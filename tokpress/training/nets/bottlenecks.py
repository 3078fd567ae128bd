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
    #: the number of last numbers of z that are 0
    zeros: int = 0

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


#: shares p_k of the codes, and the mean ‖z‖², move by 1 − DECAY in each step; p_k counts as at least LEAST_SHARE / K
DECAY, LEAST_SHARE = 0.99, 1 / 16


class Nearest(Bottleneck):
    """VQ: the nearest code, updated by moving averages (van den Oord et al. 2017, appendix A.1); a code that is hardly used
    is replaced by a vector of the batch (Dhariwal et al. 2020, §3.2).

    rate: λ of entropy-constrained VQ (Chou, Lookabaugh & Gray 1989), in parts of the mean ‖z‖²:

        t = argmin_k ‖z − c_k‖² + λ · mean‖z‖² · log2(1/p_k)        p_k: share of the z that choose code k

    With λ > 0 the last number of z is 0, and the last number of c_k is the root of the term on the right. So t is the nearest code,
    in training and in the tokenizer."""

    #: p_k [K], and the mean ‖z‖²
    shares: Tensor
    power: Tensor

    def __init__(self, dim: int, codes: int, commitment: float, rate: float = 0.0) -> None:
        super().__init__()
        if rate and dim < 2:
            raise TokpressError(f"dim={dim} should be at least 2 with --rate, which takes one number of a code")
        self.inner = library().VectorQuantize(
            dim=dim, codebook_size=codes, decay=0.95, kmeans_init=True, threshold_ema_dead_code=2,
            commitment_weight=commitment,
        )  # fmt: skip
        self.count_replaced([self.inner])
        self.rate, self.zeros = rate, int(rate > 0)
        if rate:
            self.register_buffer("shares", torch.full((codes,), 1 / codes))
            self.register_buffer("power", torch.zeros(()))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z = self.without_last(z)
        codes, indices, loss = self.quantize(z)
        self.weigh(z, indices)
        return codes, indices, loss

    def without_last(self, z: Tensor) -> Tensor:
        """z with 0 as its last number where λ > 0."""
        return F.pad(z[..., :-1], (0, 1)) if self.rate else z

    def quantize(self, z: Tensor, learn: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """(codes, indices, loss) by the codes as they are; then the codes learn."""
        codes, indices, loss = self.inner(z, freeze_codebook=not learn)
        return codes, indices[..., None], loss.sum()

    @torch.no_grad()
    def weigh(self, z: Tensor, indices: Tensor) -> None:
        """Set the last numbers of the codes by the bits of a training step."""
        if not (self.rate and self.training):
            return
        power, codes = z.square().sum(-1).mean(), len(self.shares)
        self.power.copy_(torch.where(self.power > 0, self.power.lerp(power, 1 - DECAY), power))
        counts = indices.flatten().bincount(minlength=codes).float()
        self.shares.lerp_(counts / counts.sum(), 1 - DECAY)
        bits = -self.shares.clamp_min(LEAST_SHARE / codes).log2()
        book, last = self.inner._codebook, (self.rate * self.power * bits).sqrt()
        book.embed[..., -1], book.embed_avg[..., -1] = last, last * book.cluster_size

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
    """VQ of a picture at several scales, each of the residual of the coarser ones, with one codebook (Tian et al. 2024, §3.2).

    The codebook learns once a step, from all scales together: a coarse scale alone has fewer vectors than there are codes. With
    λ > 0 the last numbers of the codes add up in the residual, so the bits of the s-th scale weigh about s · λ."""

    def __init__(
        self, dim: int, codes: int, scales: list[int], side: int, commitment: float, rate: float = 0.0
    ) -> None:
        super().__init__()
        self.scales, self.side = scales, side
        self.nearest = Nearest(dim, codes, commitment, rate)
        self.zeros = self.nearest.zeros

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z = self.nearest.without_last(z)
        residual = z.unflatten(1, (self.side, self.side)).permute(0, 3, 1, 2)
        if not self.nearest.inner._codebook.initted:  # by vectors of the finest scale: the coarsest has too few
            self.nearest.quantize(z)
        total, vectors, indices, losses = torch.zeros_like(residual), [], [], []
        for side in self.scales:
            f = self.side // side
            pooled = F.avg_pool2d(residual, f).flatten(2).transpose(1, 2)
            codes, scale_indices, loss = self.nearest.quantize(pooled, learn=False)
            upsampled = codes.transpose(1, 2).unflatten(2, (side, side))
            upsampled = upsampled.repeat_interleave(f, 2).repeat_interleave(f, 3)
            total = total + upsampled
            # gradients of a scale's loss reach z through its own codes only
            residual = residual - upsampled.detach()
            vectors.append(pooled.detach())
            indices.append(scale_indices.flatten(1))
            losses.append(loss)
        all_indices = torch.cat(indices, 1)
        if self.training:
            self.nearest.quantize(torch.cat(vectors, 1))
            self.nearest.weigh(z, all_indices)
        codes = total.flatten(2).transpose(1, 2)
        # straight-through, of all scales together
        return z + (codes - z).detach(), all_indices, torch.stack(losses).mean()

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
