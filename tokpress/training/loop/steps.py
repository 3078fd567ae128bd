"""The training loop, of priors and of tokenizers: evaluate, save, stop, step.

A `Task` is what the loop trains. Its constructor sets up network, optimizers and batches, and restores them from a checkpoint
where a run is resumed.
"""

import ctypes
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from ...errors import TokpressError
from ..options import FitConfig, Progress, StepResult, Stopped
from .optimizers import learning_rate, set_learning_rate


class Task(Protocol):
    """A network in training, with its data, its optimizers and its checkpoint."""

    config: FitConfig
    progress: Progress
    optimizers: list[torch.optim.Optimizer]
    #: tokens (or values) in one pass over the corpus
    corpus_size: int
    #: whether this process evaluates and reports; one of those that train together does
    main: bool

    def agreed(self, values: list[float]) -> list[float]:
        """The largest of each value over all processes: they take the same steps and save together."""

    def evaluate(self, finished: bool) -> None:
        """Measure held-out data, and note it in `progress`.

        Raises TokpressError where `finished` and the last step made the weights useless."""

    def save(self, finished: bool) -> None:
        """Write a checkpoint. Where `finished`, it is needed only by runs that may be prolonged."""

    def step(self) -> StepResult:
        """Update the weights once. Raises TokpressError where the loss diverges."""


class Timer:
    """`due()` once `seconds` have passed since the last `restart()`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.restart()

    def restart(self) -> None:
        self._started = time.monotonic()

    def due(self) -> bool:
        return time.monotonic() - self._started > self._seconds


def run_steps(task: Task, report: Callable[[Progress], None], stop: Callable[[], bool]) -> Progress:
    """Train until a limit of `task.config` is reached. Returns the progress at the end.

    `stop()` is asked before every step; True raises Stopped, with the checkpoint saved."""
    config, progress = task.config, task.progress
    started = time.monotonic() - progress.seconds
    evaluation, checkpoint = Timer(config.evaluate_seconds), Timer(config.checkpoint_seconds)
    while True:
        seconds = time.monotonic() - started
        fraction = fraction_over(progress, seconds, config, task.corpus_size)
        fraction, stopped, save = task.agreed([fraction, stop(), checkpoint.due()])
        progress.move(seconds, fraction)
        finished = fraction >= 1
        if task.main and (finished or evaluation.due()):
            task.evaluate(finished)
            report(progress)
            evaluation.restart()
        if finished or stopped or save:
            task.save(finished)
            checkpoint.restart()
        if finished:
            return progress
        if stopped:
            raise Stopped(progress.step)

        rate = learning_rate(config, progress.step, fraction)
        set_learning_rate(task.optimizers, rate)
        progress.count(task.step(), rate)
        if task.main:
            report(progress)


def fraction_over(progress: Progress, seconds: float, config: FitConfig, corpus_size: int) -> float:
    """Fraction of the run that is over, from 0 to 1 or more, by the limit that comes first."""
    by_time = seconds / (60 * config.max_minutes)
    if config.max_steps is not None:
        return max(by_time, progress.step / config.max_steps)
    return max(by_time, progress.tokens / (config.max_passes * corpus_size))


def finite(loss: Tensor | float, step: int) -> float:
    """The loss as a number. Raises TokpressError where it is infinite or NaN."""
    value = float(loss.detach() if isinstance(loss, Tensor) else loss)
    if not math.isfinite(value):
        raise TokpressError(f"the loss became {value} at step {step}; try again with a lower --learning-rate")
    return value


def keep_freed_memory() -> None:
    """Tell malloc to keep freed memory. A step allocates hundreds of megabytes of logits; returning them to the kernel and
    faulting them in again takes a good part of the step."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(-4, 0)  # M_MMAP_MAX
            libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
