"""Fit a recurrent prior: maximum likelihood by truncated backpropagation through time.

Loss: mean −ln p(x_t | x_<t) over windows of T tokens; the state is carried from window to window.
Matrices inside the blocks are updated by Muon (Jordan et al. 2024: momentum orthogonalised by
Newton–Schulz), everything else by AdamW. The learning rate warms up, holds, and falls linearly to
zero over the last 60 % of the time allowed, so that a run of any length ends annealed.
"""

import ctypes
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file

from .streams import Source, Streams, validation_batch


@dataclass
class FitConfig:
    max_minutes: float = 15.0
    max_steps: int | None = None
    rows: int = 32
    window: int = 256
    segment: int = 8
    learning_rate: float = 3e-3
    warmup: int = 100
    decay: float = 0.6
    seed: int = 0
    compile: bool | None = None
    evaluate_seconds: float = 60.0
    checkpoint_seconds: float = 180.0


@dataclass
class Progress:
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    train_nats: float = math.nan
    held_out_bits_per_byte: float = math.nan
    fraction: float = 0.0
    learning_rate: float = 0.0

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / max(self.seconds, 1e-9)


def _keep_freed_memory() -> None:
    """A step allocates hundreds of megabytes of logits; giving them back to the kernel each time and
    faulting them in again costs a third of the step (docs/training.md)."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(-4, 0)  # M_MMAP_MAX
            libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def _optimizers(net: torch.nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    matrices, rest = [], []
    for name, p in net.named_parameters():
        (matrices if p.ndim == 2 and "blocks." in name else rest).append(p)
    others = torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.98), weight_decay=0.0)
    if not matrices:
        return [others]
    if hasattr(torch.optim, "Muon"):
        muon = torch.optim.Muon(matrices, lr=lr, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    else:
        muon = torch.optim.AdamW(matrices, lr=lr, betas=(0.9, 0.98), weight_decay=0.01)
    return [muon, others]


class Checkpoint:
    """Weights, optimiser state and progress in one folder; the newest complete one always survives."""

    def __init__(self, folder: Path):
        self.folder = folder

    def save(self, net, optimizers, progress: Progress, config: FitConfig) -> None:
        new = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        save_file({k: v.contiguous() for k, v in net.state_dict().items()}, new / "net.safetensors")
        for i, optimizer in enumerate(optimizers):
            flat = {
                f"{index}.{key}": torch.as_tensor(value)
                for index, part in optimizer.state_dict()["state"].items()
                for key, value in part.items()
            }
            save_file(flat, new / f"optimizer{i}.safetensors")
        (new / "progress.json").write_text(json.dumps({"progress": asdict(progress), "fit": asdict(config)}))
        old = self.folder.with_name(self.folder.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        if self.folder.exists():
            self.folder.rename(old)
        new.rename(self.folder)
        shutil.rmtree(old, ignore_errors=True)

    def load(self, net, optimizers) -> Progress:
        net.load_state_dict(load_file(self.folder / "net.safetensors"))
        for i, optimizer in enumerate(optimizers):
            state: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in load_file(self.folder / f"optimizer{i}.safetensors").items():
                index, name = key.split(".", 1)
                state.setdefault(int(index), {})[name] = value
            whole = optimizer.state_dict()
            optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
        return Progress(**json.loads((self.folder / "progress.json").read_text())["progress"])

    def exists(self) -> bool:
        return (self.folder / "progress.json").is_file()


@torch.no_grad()
def held_out_bits_per_byte(net, batch: np.ndarray, window: int, token_bytes: np.ndarray, device) -> float:
    """Bits per byte of held-out tokens under the rounding network, state carried over the windows."""
    tokens = torch.from_numpy(batch).to(device)
    state = net.initial_state(len(batch))
    total_nats, n = 0.0, 0
    for at in range(0, batch.shape[1] - 1, window):
        x, y = tokens[:, at : at + window], tokens[:, at + 1 : at + window + 1]
        loss, state = net(x, y, state)
        total_nats += float(loss) * y.numel()
        n += y.numel()
    source_bytes = int(token_bytes[batch[:, 1:].ravel()].sum())
    return total_nats / math.log(2) / max(source_bytes, 1)


def fit(
    net: torch.nn.Module,
    sources: list[Source],
    token_bytes: np.ndarray,
    config: FitConfig,
    checkpoint: Path,
    resume: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Train `net` in place. `token_bytes` [V]: how many source bytes each token stands for.

    Several processes (accelerate launch, torchrun) each draw their own rows and average gradients."""
    accelerator = Accelerator()
    _keep_freed_memory()
    torch.manual_seed(config.seed)
    device, rank = accelerator.device, accelerator.process_index
    optimizers = _optimizers(net, config.learning_rate)
    saved = Checkpoint(checkpoint)
    progress = saved.load(net, optimizers) if resume and saved.exists() else Progress()
    prepared = accelerator.prepare(net, *optimizers)
    model, optimizers = prepared[0], list(prepared[1:])
    use_compile = config.compile
    if use_compile is None:
        use_compile = shutil.which("g++") is not None and config.max_minutes >= 5
    step_net = torch.compile(model) if use_compile else model
    streams = Streams(sources, config.rows, config.window, config.segment, [config.seed, rank, progress.step])
    held_out = validation_batch(sources, config.rows, config.window, 4)

    inner = accelerator.unwrap_model(model)
    state = inner.initial_state(config.rows)
    started, before = time.monotonic(), progress.seconds
    evaluated = saved_at = time.monotonic()
    smooth = math.nan
    while True:
        progress.seconds = before + time.monotonic() - started
        progress.fraction = progress.seconds / (60 * config.max_minutes)
        if config.max_steps is not None:
            progress.fraction = max(progress.fraction, progress.step / config.max_steps)
        # every process must take the same number of steps, so the first one decides
        if accelerator.num_processes > 1:
            shared = torch.tensor([progress.fraction], device=device)
            torch.distributed.broadcast(shared, 0)
            progress.fraction = float(shared)
        done = progress.fraction >= 1
        now = time.monotonic()
        if accelerator.is_main_process and (done or now - evaluated > config.evaluate_seconds):
            progress.held_out_bits_per_byte = held_out_bits_per_byte(
                step_net if accelerator.num_processes == 1 else inner, held_out, config.window, token_bytes, device
            )
            progress.train_nats = smooth
            report(progress)
            evaluated = time.monotonic()
        if accelerator.is_main_process and (done or now - saved_at > config.checkpoint_seconds):
            saved.save(inner, optimizers, progress, config)
            saved_at = time.monotonic()
        if done:
            accelerator.wait_for_everyone()
            return progress

        progress.learning_rate = config.learning_rate * min(
            1.0, (progress.step + 1) / config.warmup, (1 - progress.fraction) / config.decay
        )
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = progress.learning_rate
        inputs, targets, fresh = next(streams)
        keep = torch.from_numpy(~fresh).to(device)[:, None].float()
        x, y = torch.from_numpy(inputs).to(device), torch.from_numpy(targets).to(device)
        loss, state = step_net(x, y, [s * keep for s in state])
        accelerator.backward(loss)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(f"the loss became {value} at step {progress.step}; lower --learning-rate")
        smooth = value if math.isnan(smooth) else 0.98 * smooth + 0.02 * value
        progress.step += 1
        progress.tokens += x.numel() * accelerator.num_processes
