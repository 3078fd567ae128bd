"""Fit a prior: maximum likelihood, by truncated backpropagation through time where it is recurrent.

Loss: mean −ln p(x_t | x_<t) over windows of T tokens; the state is carried from window to window.
Matrices inside the blocks are updated by Muon (Jordan et al. 2024: momentum orthogonalised by
Newton–Schulz), everything else by AdamW. The learning rate warms up, holds, and falls linearly to
zero over the last 60 % of the time allowed, so that a run of any length ends annealed.

Several processes (accelerate launch, torchrun) each draw rows of their own and average gradients; the
first one evaluates, reports and writes. A resumed run reads the batches that the interrupted one would
have read, with the recurrent state it would have had.
"""

import ctypes
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import TokpressError
from ..data.streams import Batch, Items, Source, Streams
from ..nets.quantized import product_dtype, set_product_dtype
from ..options import FitConfig, Progress, Stopped
from .checkpoint import Checkpoint
from .team import make_accelerator

__all__ = ["FitConfig", "Progress", "Source", "Stopped", "fit", "held_out_bits_per_byte"]

#: compiling takes a minute or two
COMPILE_FROM_MINUTES, COMPILE_FROM_TOKENS = 5, 5_000_000


def keep_freed_memory() -> None:
    """A step allocates hundreds of megabytes of logits; giving them back to the kernel each time and
    faulting them in again takes a good part of the step."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(-4, 0)  # M_MMAP_MAX
            libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def make_optimizers(
    net: torch.nn.Module, lr: float, decay: float | None = None, without: str = "\0"
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for embedding, head and vectors.

    decay: of all matrices, towards 0 (Loshchilov & Hutter 2019); None: 0.01 in the blocks, else none. without: parameters
    whose names begin so learn otherwise."""
    blocks: list[torch.nn.Parameter] = []
    matrices: list[torch.nn.Parameter] = []
    rest: list[torch.nn.Parameter] = []
    for name, p in net.named_parameters():
        if name.startswith(without):
            continue
        matrix = p.ndim == 2 and ("embedding" not in name or "grams" in name)
        (blocks if p.ndim == 2 and "blocks." in name else matrices if matrix and decay else rest).append(p)
    groups = [{"params": ps, "weight_decay": wd} for ps, wd in ((rest, 0.0), (matrices, decay or 0.0)) if ps]
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), fused=True)]
    decay = 0.01 if decay is None else decay
    if blocks and hasattr(torch.optim, "Muon"):
        optimizers.insert(0, torch.optim.Muon(blocks, lr=lr, weight_decay=decay, adjust_lr_fn="match_rms_adamw"))
    elif blocks:
        optimizers.insert(0, torch.optim.AdamW(blocks, lr=lr, betas=(0.9, 0.98), weight_decay=decay))
    return optimizers


@torch.no_grad()
def held_out_bits_per_byte(net, batches: Iterable[Batch], token_bytes: np.ndarray, device) -> float:
    """Bits per byte of held-out batches under the rounding network, state carried over windows that follow."""
    inner = getattr(net, "_orig_mod", net)
    state: list[Tensor] = []
    total_nats = source_bytes = 0.0
    inner.eval()
    for batch in batches:
        if batch.fresh.all():
            state = inner.initial_state(len(batch.targets))
        x, y, *given = _on(device, batch)
        loss, state = net(x, y, state, *given)
        total_nats += float(loss) * y.numel()
        source_bytes += float(token_bytes[batch.targets.ravel()].sum())
    inner.train()
    return total_nats / math.log(2) / max(source_bytes, 1.0)


def _on(device: torch.device, batch: Batch) -> list[Tensor]:
    """Inputs, targets and, where there is, what is given."""
    arrays = [batch.inputs, batch.targets, *([] if batch.given is None else [batch.given])]
    return [torch.from_numpy(array).to(device) for array in arrays]


def fraction_over(progress: Progress, config: FitConfig, corpus_tokens: int) -> float:
    """How much of the run is over, 0 … 1 or beyond, by the limit that comes first."""
    by_time = progress.seconds / (60 * config.max_minutes)
    if config.max_steps is not None:
        return max(by_time, progress.step / config.max_steps)
    return max(by_time, progress.tokens / (config.max_passes * corpus_tokens))


def learning_rate(config: FitConfig, step: int, fraction: float) -> float:
    """Up over `warmup` steps (or a tenth of a short run), level, down to 0 over the last `decay` of the run."""
    up = max((step + 1) / config.warmup, fraction / 0.1)
    return config.learning_rate * min(1.0, up, (1 - fraction) / config.decay)


def set_learning_rate(optimizers: list[torch.optim.Optimizer], config: FitConfig, progress: Progress) -> None:
    progress.learning_rate = learning_rate(config, progress.step, progress.fraction)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = progress.learning_rate


def finite(loss: Tensor, step: int) -> float:
    """The loss. Raises TokpressError where it is no number."""
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TokpressError(f"the loss became {value} at step {step}; try again with a lower --learning-rate")
    return value


def _compiles(config: FitConfig, corpus_tokens: int) -> bool:
    if config.compile is not None:
        return config.compile
    long = config.max_minutes >= COMPILE_FROM_MINUTES and config.max_passes * corpus_tokens >= COMPILE_FROM_TOKENS
    return long and config.max_steps is None and shutil.which("g++") is not None


def _compiled(model: torch.nn.Module, inner: torch.nn.Module, device: torch.device) -> Callable[..., Any]:
    """On a GPU one by one, where a network knows its parts: blocks that are alike compile once, in seconds, and what is left
    between them is as fast. On a CPU the whole as one graph."""
    compile_parts: Any = getattr(inner, "compile_parts", None)
    if device.type == "cuda" and compile_parts:
        compile_parts()
        return model
    return torch.compile(model, dynamic=False)


def _agreed(accelerator, values: list[float]) -> list[float]:
    """The largest of each value over all processes, which must all take the same steps and save together."""
    if accelerator.num_processes == 1:
        return values
    shared = torch.tensor(values, dtype=torch.float32, device=accelerator.device)
    torch.distributed.all_reduce(shared, torch.distributed.ReduceOp.MAX)
    return shared.tolist()


def _resumed_state(saved: Checkpoint, fresh: list[Tensor], rank: int) -> list[Tensor]:
    """This process's rows of the recurrent state in the checkpoint; the empty state where it does not fit."""
    rows, whole = len(fresh[0]), saved.state()
    if whole is None or whole[: rows * (rank + 1)].shape[:2] != (rows * (rank + 1), len(fresh)):
        return fresh
    return [s.to(fresh[0].device) for s in whole[rows * rank : rows * (rank + 1)].unbind(1)]


def fit(
    net: torch.nn.Module,
    sources: list[Source],
    token_bytes: np.ndarray,
    config: FitConfig,
    checkpoint: Path,
    resume: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
    given: list[Source] | None = None,
) -> Progress:
    """Train `net` in place. `token_bytes` [V]: how many source bytes each token stands for.

    `net(inputs, targets, state)` gives (loss in nats, new state); `net.initial_state(B)` a list of [B, D].
    `net.item_order`, where it has one, makes the corpus items of that many tokens, drawn in that order; `given` is for each
    source one of what its items are predicted from, `net.given_size` tokens each.
    Raises Stopped after `stop()` said so (the checkpoint is saved), TokpressError where the loss diverges."""
    accelerator = make_accelerator(config.device)
    keep_freed_memory()
    torch.manual_seed(config.seed)
    device, rank, main = accelerator.device, accelerator.process_index, accelerator.is_main_process
    set_product_dtype(net, product_dtype(config.precision, device))
    optimizers = make_optimizers(net, config.learning_rate, config.weight_decay)
    saved = Checkpoint(checkpoint)
    resume = resume and saved.exists()
    progress = saved.load(net, optimizers) if resume else Progress()
    prepared = accelerator.prepare(net, *optimizers)
    model, optimizers = prepared[0], list(prepared[1:])
    inner = accelerator.unwrap_model(model)

    corpus_tokens = sum(len(s.tokens) for s in sources)
    unrolled = getattr(inner, "unrolls", False)  # hundreds of steps one after the other compile for hours
    step_net = _compiled(model, inner, device) if _compiles(config, corpus_tokens) and not unrolled else model
    order, seed = getattr(inner, "item_order", None), [config.seed, rank]
    streams: Streams | Items
    if order is None:
        streams = Streams(sources, config.rows, config.window, config.segment, seed)
    else:
        streams = Items(sources, config.rows, order, seed, given, getattr(inner, "given_size", 0))
    streams.skip(progress.step)
    state = inner.initial_state(config.rows)
    if resume:
        state = _resumed_state(saved, state, rank)
    batch = next(streams)
    started, before = time.monotonic(), progress.seconds
    evaluated = saved_at = started
    while True:
        now = time.monotonic()
        progress.seconds = before + now - started
        told = [fraction_over(progress, config, corpus_tokens), stop(), now - saved_at > config.checkpoint_seconds]
        progress.fraction, stopped, save = _agreed(accelerator, told)
        done = progress.fraction >= 1
        if main and (done or now - evaluated > config.evaluate_seconds):
            alone = step_net if accelerator.num_processes == 1 else inner
            # a graph without gradients compiles longer than these few batches take on a GPU
            stance = "force_eager" if device.type == "cuda" else "default"
            with torch.compiler.set_stance(stance):
                progress.held_out_bits_per_byte = held_out_bits_per_byte(alone, streams.held_out(), token_bytes, device)
            if done:  # no loss has seen what the last step led to
                finite(torch.tensor(progress.held_out_bits_per_byte), progress.step)
            progress.curve.append(progress.point())
            report(progress)
            evaluated = time.monotonic()
        if done or stopped or save:
            whole = accelerator.gather(torch.stack(state, 1))
            if main:
                saved.save(inner, optimizers, progress, config, whole)
            accelerator.wait_for_everyone()
            saved_at = time.monotonic()
        if done:
            return progress
        if stopped:
            raise Stopped(progress.step)

        set_learning_rate(optimizers, config, progress)
        keep = torch.from_numpy(~batch.fresh).to(device)[:, None].float()
        x, y, *from_what = _on(device, batch)
        loss, state = step_net(x, y, [s * keep for s in state], *from_what)
        accelerator.backward(loss)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        batch = next(streams)  # drawn while a GPU still works
        value = finite(loss, progress.step)
        smooth = progress.train_nats
        progress.train_nats = value if math.isnan(smooth) else 0.98 * smooth + 0.02 * value
        progress.step += 1
        progress.tokens += x.numel() * accelerator.num_processes
        if main:
            report(progress)
