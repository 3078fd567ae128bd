"""Train a discrete autoencoder: reconstruction, in parts of the data's variance, and what its bottleneck asks for.

    loss = ‖x − x̂‖² / var(x) + bottleneck's loss             (van den Oord et al. 2017, eq. 3)

The network rounds as the exact one does (`training.nets.fields`), so that what is measured in training is what is decoded. The
learning rate and the optimizers are those of priors (`fit`). A curve of held-out items: PSNR, of sound
SNR, and how many codes are used.
"""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...tokenizers.learned.autoencoder import Autoencoder
from ..data.crops import Crops
from ..loop.checkpoint import Checkpoint
from ..loop.fit import finite, fraction_over, keep_freed_memory, make_optimizers, set_learning_rate
from ..nets.fields import TrainedFields
from ..nets.quantized import product_dtype, set_product_dtype
from ..options import Progress, Stopped, TokenizerOptions
from .bottlenecks import bottleneck_of, critic_of

#: of held-out items that are reconstructed at once
EVALUATED = 32


class Net(nn.Module):
    """Encoder, bottleneck and decoder of a tokenizer."""

    def __init__(self, tokenizer: Autoencoder, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.plan = tokenizer
        self.bottleneck = bottleneck_of(tokenizer)
        self.encoder = TrainedFields(tokenizer.encoder, tokenizer.sides, tokenizer.channels, seed)
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


@torch.no_grad()
def held_out(net: Net, items: np.ndarray, dtype_device: torch.device) -> tuple[float, float, float]:
    """(PSNR in dB, of sound SNR, share of codes used, perplexity exp H of their frequencies) on items that are not trained on."""
    net.eval()
    counts, error, whole = np.zeros(net.plan.vocab_size), 0.0, 0.0
    for at in range(0, len(items), EVALUATED):
        x = scaled(items[at : at + EVALUATED]).to(dtype_device)
        made, indices, _ = net(x)
        error += float((made.clamp(-1, 1) - x).square().sum())
        whole += float(x.square().sum()) if net.plan.sound else 4.0 * x.numel()  # pixels lie in −1 … 1
        counts += np.bincount(indices.flatten().cpu().numpy(), minlength=len(counts))
    net.train()
    p = counts[counts > 0] / counts.sum()
    return (
        10 * math.log10(max(whole, 1e-12) / max(error, 1e-12)),
        float((counts > 0).mean()),
        float(np.exp(-(p * np.log(p)).sum())),
    )


def fit_autoencoder(cls: type[Autoencoder], paths: Sequence[Path], options: TokenizerOptions) -> Autoencoder:
    """A tokenizer of this kind. Raises Stopped (the checkpoint is saved), TokpressError where the loss diverges."""
    config = options.config
    plan = cls(options.settings, {})
    items = Crops(paths, options.weights, plan.sides, plan.channels, plan.bits, config.seed)
    keep_freed_memory()
    net = Net(plan, config.seed)
    device = torch.device(config.device if config.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
    net.to(device)
    set_product_dtype(net, product_dtype(config.precision, device))
    learned = [p for name, p in net.named_parameters() if not name.startswith("critic.")]
    optimizers = make_optimizers(net, config.learning_rate, config.weight_decay, "critic.")
    saved = Checkpoint(options.folder / "state") if options.folder else None
    progress = Progress()
    if options.resume and saved and saved.exists():
        progress = saved.load(net, optimizers)
        items.skip(progress.step, config.rows)
    variance = max(float(scaled(items.batch(256)).var()), 1e-6)
    started, before = time.monotonic(), progress.seconds
    evaluated = kept = started
    while True:
        now = time.monotonic()
        progress.seconds = before + now - started
        progress.fraction = fraction_over(progress, config, items.values)
        done, stopped = progress.fraction >= 1, options.stop()
        if len(items.held_out) and (done or now - evaluated > config.evaluate_seconds):
            decibels, used, perplexity = held_out(net, items.held_out, device)
            what = "SNR" if plan.sound else "PSNR"
            progress.told = f"held-out {what} {decibels:.2f} dB, {used:.0%} of {plan.vocab_size:,} codes used there"
            progress.curve.append(_point(progress, what, decibels, used, perplexity))
            replaced = net.bottleneck.take_replaced()
            if replaced is not None:
                progress.curve[-1]["dead_codes_replaced"] = replaced
                progress.told += f", {replaced:,} dead ones replaced since"
            options.step(progress)
            evaluated = time.monotonic()
        if saved and (stopped or now - kept > config.checkpoint_seconds):
            saved.save(net, optimizers, progress, config)
            kept = time.monotonic()
        if done:
            _sound(net, items.batch(config.rows), device, progress.step)
            return cls(plan.settings, net.export())
        if stopped:
            raise Stopped(progress.step)
        set_learning_rate(optimizers, config, progress)
        net.bottleneck.anneal(progress.fraction)
        x = scaled(items.batch(config.rows)).to(device)
        made, _, more = net(x)
        loss = (made - x).square().mean() / variance
        if net.critic:
            pictures = [v.unflatten(1, plan.sides).movedim(-1, 1) for v in (x, made)]
            last = net.decoder.values["decoder/out"]
            more = more + net.critic.decoders(pictures[0], pictures[1], loss, last, progress.fraction)
        loss = loss + more
        loss.backward()
        nn.utils.clip_grad_norm_(learned, 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if net.critic:
            net.critic.learn(*pictures)
        finite(loss, progress.step)
        progress.step += 1
        progress.tokens += x.numel()
        options.step(progress)


@torch.no_grad()
def _sound(net: Net, batch: np.ndarray, device: torch.device, step: int) -> None:
    """Raises TokpressError where the last step led to weights that make no numbers: no loss has seen them yet."""
    net.eval()
    x = scaled(batch).to(device)
    finite((net(x)[0] - x).square().mean(), step)


def _point(progress: Progress, what: str, decibels: float, used: float, perplexity: float) -> dict[str, Any]:
    return {
        "step": progress.step,
        "seconds": round(progress.seconds, 1),
        f"held_out_{what.lower()}": round(decibels, 3),
        "held_out_used": round(used, 4),
        "held_out_perplexity": round(perplexity, 2),
    }
