"""The bottlenecks of discrete autoencoders in training: one interface to what vector-quantize-pytorch returns in many forms.

    bottleneck(z [B, T, dim]) ──► codes [B, T, code dim], indices [B, T, Q], loss (a number, weighted)

Gradients pass from the codes to z. `export` gives what the tokenizer keeps. The rounding is that of the tokenizer's own
`indices` and `codes`, which a test compares.
"""

import math
from abc import ABC, abstractmethod

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import TokpressError


def library():
    try:
        import vector_quantize_pytorch
        from loguru import logger

        logger.disable("vector_quantize_pytorch")  # it warns that a small corpus gives few vectors to begin with
    except ModuleNotFoundError as error:
        raise TokpressError(f'training this tokenizer needs {error.name}: pip install "tokpress[train]"') from error
    return vector_quantize_pytorch


class Bottleneck(nn.Module, ABC):
    @abstractmethod
    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]: ...

    #: dead codes, hardly used, that were given another place since `take_replaced`; None where this counts none
    replaced: int | None = None

    def count_replaced(self, quantizers: list) -> None:
        """Of these, from now on."""
        self.replaced = 0
        for quantizer in quantizers:
            book = quantizer._codebook

            def counted(samples: Tensor, batch_mask: Tensor, replace=book.replace, **more) -> None:
                self.replaced = (self.replaced or 0) + int(batch_mask.sum())
                replace(samples, batch_mask=batch_mask, **more)

            book.replace = counted

    def take_replaced(self) -> int | None:
        """How many were, here and in the bottlenecks within, since this was called; None where no code has a place."""
        counting = [m for m in self.modules() if isinstance(m, Bottleneck) and m.replaced is not None]
        counts = [m.replaced or 0 for m in counting]
        for m in counting:
            m.replaced = 0
        return sum(counts) if counting else None

    def anneal(self, fraction: float) -> None:
        """How much of the run is over."""

    def export(self) -> dict[str, np.ndarray]:
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
    """RVQ: each level's code is of what the levels before left (Zeghidour et al. 2021, SoundStream, algorithm 1)."""

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
    """VQ of a picture at several scales, each of what the coarser ones left, with one codebook (Tian et al. 2024, §3.2)."""

    def __init__(self, dim: int, codes: int, scales: list[int], side: int, commitment: float) -> None:
        super().__init__()
        self.scales, self.side = scales, side
        self.nearest = Nearest(dim, codes, commitment)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rest = z.unflatten(1, (self.side, self.side)).permute(0, 3, 1, 2)
        if not self.nearest.inner._codebook.initted:  # by the finest scale: there is not enough of the coarsest
            self.nearest(z)
        total, indices, losses = torch.zeros_like(rest), [], []
        for side in self.scales:
            f = self.side // side
            pooled = F.avg_pool2d(rest, f).flatten(2).transpose(1, 2)
            codes, found, loss = self.nearest(pooled)
            mine = codes.transpose(1, 2).unflatten(2, (side, side))
            mine = mine.repeat_interleave(f, 2).repeat_interleave(f, 3)
            total = total + mine
            # gradients reach z once for each scale, by way of its codes
            rest = rest - mine.detach()
            indices.append(found.flatten(1))
            losses.append(loss)
        codes = total.flatten(2).transpose(1, 2)
        # of all scales together straight to z
        return z + (codes - z).detach(), torch.cat(indices, 1), sum(losses) / len(losses)

    def export(self) -> dict[str, np.ndarray]:
        return self.nearest.export()


class Lattice(Bottleneck):
    """FSQ: each number is rounded to one of a few levels (Mentzer et al. 2024, §3); nothing is learned."""

    def __init__(self, levels: list[int]) -> None:
        super().__init__()
        self.inner = library().FSQ(levels=levels, preserve_symmetry=True)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        codes, indices = self.inner(z)
        return codes, indices[..., None].long(), z.new_zeros(())


class Signs(Bottleneck):
    """LFQ: the signs, with a loss for entropy: of the code of each place little, of all codes much (Yu et al. 2024, §3.1)."""

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
        # cold after three quarters: a decoder needs the time that is left with what it will be given
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
