"""Fit a prior by maximum likelihood; a recurrent one by truncated backpropagation through time.

Loss: mean −ln p(x_t | x_<t) over windows of T tokens; the state is carried from window to window. The learning rate rises, stays
and falls linearly to zero over the last 60 % of the run (`optimizers`).

Several processes (accelerate launch, torchrun) each draw rows of their own and average gradients; the first one evaluates,
reports and writes. A resumed run reads the batches that the interrupted run would have read, with the recurrent state it would
have had.
"""

import math
import shutil
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.streams import Batch, Items, Source, Streams
from ..nets.base import PriorNet
from ..nets.quantized import product_dtype, set_product_dtype
from ..options import FitConfig, FitOptions, Progress, StepResult
from .checkpoint import Checkpoint
from .optimizers import make_optimizers
from .steps import finite, keep_freed_memory, run_steps
from .team import make_accelerator

#: compiling takes a minute or two
COMPILE_FROM_MINUTES, COMPILE_FROM_TOKENS = 5, 5_000_000


def fit(net: PriorNet, sources: list[Source], token_bytes: NDArray[np.float64], options: FitOptions) -> Progress:
    """Train `net` in place. token_bytes [V]: source bytes of each token.

    `options.given` has for each source one of `net.given_size` tokens an item, which the items are predicted from. The run
    starts from the weights of `net`: `options.init` is not used.

    Raises Stopped (the checkpoint is saved), TokpressError where the loss diverges."""
    return run_steps(PriorTask(net, sources, token_bytes, options), options.report, options.stop)


class PriorTask:
    """The `Task` of a prior: windows or items of packed tokens, in one process or several."""

    def __init__(
        self, net: PriorNet, sources: list[Source], token_bytes: NDArray[np.float64], options: FitOptions
    ) -> None:
        config = options.config
        self.config, self.token_bytes = config, token_bytes
        self.accelerator = make_accelerator(config.device)
        self.device, self.main = self.accelerator.device, self.accelerator.is_main_process
        keep_freed_memory()
        torch.manual_seed(config.seed)
        set_product_dtype(net, product_dtype(config.precision, self.device))
        optimizers = make_optimizers(net, config.learning_rate, config.weight_decay)

        self.checkpoint = Checkpoint(options.folder)
        resumed = options.resume and self.checkpoint.exists()
        self.progress = self.checkpoint.load(net, optimizers) if resumed else Progress()

        model, *self.optimizers = self.accelerator.prepare(net, *optimizers)
        self.net: PriorNet = self.accelerator.unwrap_model(model)
        self.corpus_size = sum(len(s.tokens) for s in sources)
        self.forward = compiled(model, self.net, self.device) if self._compiles() else model

        self.batches = batches_of(self.net, sources, config, self.accelerator.process_index, options.given)
        self.batches.skip(self.progress.step)
        self.batch = next(self.batches)
        self.state: list[Tensor] = self.net.initial_state(config.rows)
        if resumed:
            self.state = self._saved_state(self.state)

    def _compiles(self) -> bool:
        if self.net.unrolls:  # compiling hundreds of steps takes hours
            return False
        config = self.config
        if config.compile is not None:
            return config.compile
        long = config.max_minutes >= COMPILE_FROM_MINUTES
        long = long and config.max_passes * self.corpus_size >= COMPILE_FROM_TOKENS
        return long and config.max_steps is None and shutil.which("g++") is not None

    def _saved_state(self, fresh: list[Tensor]) -> list[Tensor]:
        """This process's rows of the recurrent state in the checkpoint; `fresh` where their shape differs."""
        saved, rows = self.checkpoint.state(), len(fresh[0])
        first = rows * self.accelerator.process_index
        if saved is None or saved[: first + rows].shape[:2] != (first + rows, len(fresh)):
            return fresh
        return [part.to(self.device) for part in saved[first : first + rows].unbind(1)]

    def agreed(self, values: list[float]) -> list[float]:
        if self.accelerator.num_processes == 1:
            return values
        shared = torch.tensor(values, dtype=torch.float32, device=self.device)
        torch.distributed.all_reduce(shared, torch.distributed.ReduceOp.MAX)
        return shared.tolist()

    def evaluate(self, finished: bool) -> None:
        forward = self.forward if self.accelerator.num_processes == 1 else self.net
        # on a GPU, compiling a graph without gradients takes longer than these few batches
        stance = "force_eager" if self.device.type == "cuda" else "default"
        with torch.compiler.set_stance(stance):
            bits = held_out_bits_per_byte(forward, self.net, self.batches.held_out(), self.token_bytes, self.device)
        if finished:  # no loss has seen the weights after the last step
            finite(bits, self.progress.step)
        self.progress.add_bits(bits)

    def save(self, finished: bool) -> None:
        state = self.accelerator.gather(torch.stack(self.state, 1))
        if self.main:
            self.checkpoint.save(self.net, self.optimizers, self.progress, self.config, state)
        self.accelerator.wait_for_everyone()

    def step(self) -> StepResult:
        batch = self.batch
        inputs, targets, *given = on_device(batch, self.device)
        reads_on = torch.from_numpy(~batch.fresh).to(self.device)[:, None].float()
        loss, self.state = self.forward(inputs, targets, [s * reads_on for s in self.state], *given)
        self.accelerator.backward(loss)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.batch = next(self.batches)  # drawn while a GPU still computes
        token_bytes = float(self.token_bytes[batch.targets].mean())
        return StepResult(
            targets.numel() * self.accelerator.num_processes, finite(loss, self.progress.step), token_bytes
        )


def batches_of(
    net: PriorNet, sources: list[Source], config: FitConfig, rank: int, given: list[Source] | None
) -> Streams | Items:
    """The batches of a process, which draws its own: items where the net has an `item_order`, else windows."""
    seed = [config.seed, rank]
    if net.item_order is None:
        return Streams(sources, config.rows, config.window, config.segment, seed)
    return Items(sources, config.rows, net.item_order, seed, given, net.given_size)


def compiled(model: torch.nn.Module, net: PriorNet, device: torch.device) -> Callable[..., Any]:
    """`model`, compiled: on a CPU as one graph; on a GPU part by part, where `net` has `compile_parts`. Blocks of one shape
    compile once then, in seconds, and run as fast."""
    compile_parts: Any = getattr(net, "compile_parts", None)
    if device.type == "cuda" and compile_parts:
        compile_parts()
        return model
    return torch.compile(model, dynamic=False)


@torch.no_grad()
def held_out_bits_per_byte(
    forward: Callable[..., Any],
    net: PriorNet,
    batches: Iterable[Batch],
    token_bytes: NDArray[np.float64],
    device: torch.device,
) -> float:
    """Bits per byte of held-out batches under the rounding network. `forward` is `net`, possibly compiled; the state is carried
    over windows that follow each other."""
    state: list[Tensor] = []
    total_nats = source_bytes = 0.0
    net.eval()
    for batch in batches:
        if batch.fresh.all():
            state = net.initial_state(len(batch.targets))
        inputs, targets, *given = on_device(batch, device)
        loss, state = forward(inputs, targets, state, *given)
        total_nats += float(loss) * targets.numel()
        source_bytes += float(token_bytes[batch.targets.ravel()].sum())
    net.train()
    return total_nats / math.log(2) / max(source_bytes, 1.0)


def on_device(batch: Batch, device: torch.device) -> list[Tensor]:
    """Inputs, targets and, where the batch has them, the given tokens."""
    arrays = [batch.inputs, batch.targets, *([] if batch.given is None else [batch.given])]
    return [torch.from_numpy(array).to(device) for array in arrays]
