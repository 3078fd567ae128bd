"""What a training run is told, and what it tells. Nothing heavy is imported: the command line uses this too."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import TokpressError

if TYPE_CHECKING:
    from ..priors.base import Prior
    from .data.streams import Source


@dataclass
class FitConfig:
    """The numbers of a run; they are kept in the checkpoint. Whichever limit comes first ends it."""

    max_minutes: float = 15.0
    max_steps: int | None = None
    #: passes over the corpus, where max_steps is not given: a small corpus is soon known by heart
    max_passes: float = 8.0
    #: B, sequences side by side (of each process)
    rows: int = 32
    #: T, tokens of each row in a step
    window: int = 256
    #: a row reads about this many windows in order before it jumps elsewhere
    segment: int = 8
    learning_rate: float = 3e-3
    warmup: int = 100
    #: the learning rate falls over this last part of the run
    decay: float = 0.6
    #: of matrices, towards 0, in parts of the learning rate; None: a little in the blocks
    weight_decay: float | None = None
    seed: int = 0
    #: torch.compile; None: where a compiler is there and the run is long enough
    compile: bool | None = None
    #: of the matrix products: bf16, fp32, or auto (bf16 where the hardware multiplies it)
    precision: str = "auto"
    #: cpu, cuda, mps, or auto (the best there is)
    device: str = "auto"
    evaluate_seconds: float = 60.0
    checkpoint_seconds: float = 180.0


@dataclass
class Progress:
    """Where a run stands. `curve`: one point per evaluation on held-out data."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    train_nats: float = math.nan
    held_out_bits_per_byte: float = math.nan
    fraction: float = 0.0
    learning_rate: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)
    #: of a tokenizer: how well it does on held-out data, in words
    told: str = ""

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / max(self.seconds, 1e-9)

    @property
    def seconds_left(self) -> float:
        return self.seconds * (1 - self.fraction) / self.fraction if self.fraction > 0 else math.nan

    @property
    def train_bits(self) -> float:
        """Bits per token, averaged over about the last 50 steps."""
        return self.train_nats / math.log(2)

    def point(self) -> dict[str, float]:
        return {
            "step": self.step,
            "tokens": self.tokens,
            "seconds": round(self.seconds, 1),
            "learning_rate": self.learning_rate,
            "train_bits_per_token": round(self.train_bits, 5),
            "held_out_bits_per_byte": round(self.held_out_bits_per_byte, 5),
        }


class Stopped(TokpressError):
    """Someone asked the run to stop. Its checkpoint is complete, and `--resume` goes on from it."""

    def __init__(self, step: int):
        super().__init__(f"stopped at step {step}; the checkpoint is saved")
        self.step = step


@dataclass
class FitOptions:
    """What a prior learns with, beside the data."""

    #: a place for checkpoints (the fit makes it, and need not use it)
    folder: Path
    config: FitConfig = field(default_factory=FitConfig)
    resume: bool = False
    #: start from what this prior knows (its tokenizer is the same); only where its learner has `warm_start`
    init: "Prior | None" = None
    #: for each source, what its items are predicted from (`tokpress train prior --given`)
    given: "list[Source] | None" = None
    #: called after every step
    report: Callable[[Progress], None] = lambda progress: None
    #: asked before every step; True ends the run with a checkpoint and `Stopped`
    stop: Callable[[], bool] = lambda: False


@dataclass
class TokenizerOptions:
    """What a tokenizer learns with, beside the data."""

    #: symbols at most
    vocab_size: int
    #: of the files, one each
    weights: Sequence[float]
    #: bytes read, bytes to read
    report: Callable[[int, int], None] = lambda done, total: None
    #: the --set settings, whose values may be text (`settings_of` checks them)
    settings: dict[str, Any] = field(default_factory=dict)
    #: seed; of tokenizers that are trained, all limits
    config: FitConfig = field(default_factory=FitConfig)
    #: for checkpoints, which tokenizers that are trained leave there
    folder: Path | None = None
    resume: bool = False
    #: called after every step, and asked before every step, as in FitOptions
    step: Callable[[Progress], None] = lambda progress: None
    stop: Callable[[], bool] = lambda: False


class Watcher(Protocol):
    """Sees how a run goes, and may stop it."""

    def phase(self, name: str) -> None:
        """A part of the run begins."""

    def note(self, message: str) -> None:
        """A message for whoever started the run."""

    def bytes(self, done: int, total: int) -> None:
        """This phase has read `done` of `total` bytes of the corpus."""

    def step(self, progress: Progress) -> None:
        """A training step or an evaluation is done."""

    def stop(self) -> bool:
        """Asked before every step; True ends the run with a checkpoint and `Stopped`."""
