"""Train a discrete autoencoder: reconstruction error, in parts of the data's variance, plus the loss of its bottleneck.

    loss = ‖x − x̂‖² / var(x) + bottleneck's loss             (van den Oord et al. 2017, eq. 3)

The network rounds as the exact one does (`training.nets.fields`), so the distortion measured in training is that of decoding.
The loop, the optimizers and the learning rate are those of priors (`training.loop`). The curve has PSNR (of sound, SNR) and the
share of codes used, on held-out items; a sheet shows held-out pictures (`training.sheets`).
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ...tokenizers.learned.autoencoder import Autoencoder
from .. import sheets
from ..data.crops import Crops
from ..loop.checkpoint import Checkpoint
from ..loop.optimizers import make_optimizers
from ..loop.steps import finite, keep_freed_memory, run_steps
from ..nets.fields import TrainedFields
from ..nets.quantized import product_dtype, set_product_dtype
from ..options import Progress, StepResult, TokenizerOptions
from .bottlenecks import bottleneck_of, critic_of

#: held-out items reconstructed at a time
HELD_OUT_BATCH = 32
#: items whose variance scales the reconstruction error
VARIANCE_ITEMS = 256
MAX_GRADIENT_NORM = 1.0


def fit_autoencoder(cls: type[Autoencoder], paths: Sequence[Path], options: TokenizerOptions) -> Autoencoder:
    """A tokenizer of this class. Raises Stopped (the checkpoint is saved), TokpressError where the loss diverges."""
    task = AutoencoderTask(cls(options.settings, {}), paths, options)
    run_steps(task, options.step, options.stop)
    return cls(task.net.plan.settings, task.net.export())


class Net(nn.Module):
    """Encoder, bottleneck and decoder of a tokenizer."""

    def __init__(self, tokenizer: Autoencoder, seed: int, rate: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.plan = tokenizer
        self.bottleneck = bottleneck_of(tokenizer, rate)
        self.encoder = TrainedFields(tokenizer.encoder, tokenizer.sides, tokenizer.channels, seed)
        if zeros := self.bottleneck.zeros:  # these weights get no gradient, so they stay 0
            self.encoder.values["encoder/out"].data[-zeros:] = 0
        self.critic = critic_of(tokenizer)
        self.decoder = TrainedFields(tokenizer.decoder, tokenizer.shape_of_codes(), tokenizer.code_dim(), seed + 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(x̂ [B, places, channels], indices [B, …], the bottleneck's loss)"""
        z = self.encoder.run(self.plan.encoder, x, self.plan.sides)
        codes, indices, loss = self.bottleneck(z)
        return self.decoder.run(self.plan.decoder, codes, self.plan.shape_of_codes()), indices, loss

    def export(self) -> dict[str, np.ndarray]:
        return self.encoder.export() | self.decoder.export() | self.bottleneck.export()


def scaled(items: np.ndarray) -> Tensor:
    """[B, places, channels] of samples → −1 … 1, as `Autoencoder.items`."""
    x = torch.from_numpy(items.astype(np.float32))
    return x / 127.5 - 1 if items.dtype == np.uint8 else x / (1 << 15)


class HeldOut(NamedTuple):
    """Distortion and codebook use on held-out items."""

    decibels: float  # PSNR; of sound, SNR
    used: float  # share of the codes that occur
    perplexity: float  # exp H of their frequencies


@torch.no_grad()
def held_out(net: Net, items: np.ndarray, device: torch.device) -> HeldOut:
    net.eval()
    counts, error, signal = np.zeros(net.plan.vocab_size), 0.0, 0.0
    for at in range(0, len(items), HELD_OUT_BATCH):
        x = scaled(items[at : at + HELD_OUT_BATCH]).to(device)
        decoded, indices, _ = net(x)
        error += float((decoded.clamp(-1, 1) - x).square().sum())
        signal += float(x.square().sum()) if net.plan.sound else 4.0 * x.numel()  # a peak of 2: pixels lie in −1 … 1
        counts += np.bincount(indices.flatten().cpu().numpy(), minlength=len(counts))
    net.train()
    p = counts[counts > 0] / counts.sum()
    return HeldOut(
        10 * math.log10(max(signal, 1e-12) / max(error, 1e-12)),
        float((counts > 0).mean()),
        float(np.exp(-(p * np.log(p)).sum())),
    )


class AutoencoderTask:
    """The `Task` of a discrete autoencoder (`training.loop.steps`), in one process."""

    main = True

    def __init__(self, plan: Autoencoder, paths: Sequence[Path], options: TokenizerOptions) -> None:
        config = options.config
        self.config = config
        self.items = Crops(paths, options.weights, plan.sides, plan.channels, plan.bits, config.seed)
        self.corpus_size = self.items.values
        keep_freed_memory()
        self.net = Net(plan, config.seed, options.rate)
        gpu = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(gpu if config.device == "auto" else config.device)
        self.net.to(self.device)
        set_product_dtype(self.net, product_dtype(config.precision, self.device))
        self.optimizers = make_optimizers(self.net, config.learning_rate, config.weight_decay, exclude="critic.")
        self.clipped = [p for name, p in self.net.named_parameters() if not name.startswith("critic.")]

        self.checkpoint = Checkpoint(options.folder / "state") if options.folder else None
        self.progress = Progress()
        if options.resume and self.checkpoint and self.checkpoint.exists():
            self.progress = self.checkpoint.load(self.net, self.optimizers)
            self.items.skip(self.progress.step, config.rows)
        self.sheet = options.sheet if plan.spatial == 2 and plan.bits == 8 else None
        self.areas = sheets.areas(self.items.held_out_arrays, plan.sides) if self.sheet else []
        self.variance = max(float(scaled(self.items.batch(VARIANCE_ITEMS)).var()), 1e-6)

    def agreed(self, values: list[float]) -> list[float]:
        return values

    def evaluate(self, finished: bool) -> None:
        if finished:
            self._check_weights()
        if not len(self.items.held_out):
            return
        net = self.net
        measured, ratio = held_out(net, self.items.held_out, self.device), "SNR" if net.plan.sound else "PSNR"
        values: dict[str, float] = {
            f"held_out_{ratio.lower()}": round(measured.decibels, 3),
            "held_out_used": round(measured.used, 4),
            "held_out_perplexity": round(measured.perplexity, 2),
        }
        codes = f"{measured.used:.0%} of {net.plan.vocab_size:,} codes used there"
        summary = f"held-out {ratio} {measured.decibels:.2f} dB, {codes}"
        replaced = net.bottleneck.take_replaced()
        if replaced is not None:
            values["dead_codes_replaced"] = replaced
            summary += f", {replaced:,} dead ones replaced since"
        self.progress.add_point(values, summary)
        if self.sheet and self.areas:
            sheets.write(self.sheet, self.areas, net.plan.sides, self._decoded)

    @torch.no_grad()
    def _decoded(self, items: np.ndarray) -> np.ndarray:
        """Reconstructions of items [n, rows, columns, channels] by the network as it is now."""
        self.net.eval()
        parts = []
        for at in range(0, len(items), HELD_OUT_BATCH):
            part = items[at : at + HELD_OUT_BATCH]
            decoded, _, _ = self.net(scaled(part.reshape(len(part), -1, self.net.plan.channels)).to(self.device))
            values = (decoded.clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)
            parts.append(values.cpu().numpy().reshape(part.shape))
        self.net.train()
        return np.concatenate(parts)

    @torch.no_grad()
    def _check_weights(self) -> None:
        """Raises TokpressError where the last step made the weights useless: no loss has seen them yet."""
        self.net.eval()
        x = scaled(self.items.batch(self.config.rows)).to(self.device)
        finite((self.net(x)[0] - x).square().mean(), self.progress.step)

    def save(self, finished: bool) -> None:
        if self.checkpoint and not finished:
            self.checkpoint.save(self.net, self.optimizers, self.progress, self.config)

    def step(self) -> StepResult:
        net, fraction = self.net, self.progress.fraction
        net.bottleneck.anneal(fraction)
        x = scaled(self.items.batch(self.config.rows)).to(self.device)
        decoded, _, penalty = net(x)
        error = (decoded - x).square().mean() / self.variance
        if net.critic:
            pictures, reconstructions = (v.unflatten(1, net.plan.sides).movedim(-1, 1) for v in (x, decoded))
            last_layer = net.decoder.values["decoder/out"]
            adversarial = net.critic.decoder_loss(pictures, reconstructions, error, last_layer, fraction)
            penalty = penalty + adversarial
        loss = error + penalty
        loss.backward()
        nn.utils.clip_grad_norm_(self.clipped, MAX_GRADIENT_NORM)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if net.critic:
            net.critic.learn(pictures, reconstructions)
        finite(loss, self.progress.step)
        return StepResult(x.numel())
