"""Settings of a training run, and its progress. Nothing heavy is imported: the command line uses this too."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..errors import TokpressError

if TYPE_CHECKING:
    from ..priors.base import Prior
    from .data.streams import Source


@dataclass
class FitConfig:
    """Numbers of a run, kept in its checkpoint. The first of the three limits that is reached ends the run."""

    #: minutes of training steps, with the evaluations and checkpoints between them: not of what comes before and after
    max_minutes: float = 15.0
    max_steps: int | None = None
    #: passes over the corpus, unless max_steps is given: more passes overfit a small corpus
    max_passes: float = 8.0
    #: B: sequences in a step, of each process
    rows: int = 32
    #: T: tokens of each row in a step
    window: int = 256
    #: mean number of windows that a row reads in order before it jumps
    segment: int = 8
    #: peak learning rate
    learning_rate: float = 3e-3
    #: steps over which the learning rate rises
    warmup: int = 100
    #: last fraction of the run, over which the learning rate falls
    decay: float = 0.6
    #: weight decay of matrices; None: 0.01 in the blocks
    weight_decay: float | None = None
    seed: int = 0
    #: torch.compile; None: where there is a compiler and the run is long enough
    compile: bool | None = None
    #: factors of matrix products: bf16, fp32, or auto (bf16 where the hardware multiplies it)
    precision: str = "auto"
    #: cpu, cuda, mps, or auto (the fastest there is)
    device: str = "auto"
    #: seconds between two evaluations, and between two checkpoints
    evaluate_seconds: float = 60.0
    checkpoint_seconds: float = 180.0

    def __post_init__(self) -> None:
        least = {"max_steps": 1, "rows": 1, "window": 1, "segment": 1, "warmup": 0, "seed": 0}
        for name, value in least.items():
            given = getattr(self, name)
            if given is not None and not (isinstance(given, int) and given >= value):
                raise ValueError(f"{name} must be a whole number from {value} on, not {given!r}")
        for name in ("max_minutes", "max_passes", "learning_rate"):
            given = getattr(self, name)
            if not (isinstance(given, int | float) and given > 0) or (name == "learning_rate" and math.isinf(given)):
                raise ValueError(f"{name} must be a number above 0, not {given!r}")


class StepResult(NamedTuple):
    """tokens: seen in a training step (of a tokenizer, values). nats: loss per token of a prior."""

    tokens: int
    nats: float = math.nan
    #: bytes of the source for each token
    token_bytes: float = math.nan


#: weight of the last step in the average loss
SMOOTHING = 0.02


@dataclass
class Progress:
    """How far a run has come."""

    step: int = 0
    #: tokens seen; of a tokenizer in training, values
    tokens: int = 0
    seconds: float = 0.0
    #: loss per token, averaged over about the last 50 steps
    train_nats: float = math.nan
    #: bytes of the source for each token, averaged in the same way
    train_token_bytes: float = math.nan
    held_out_bits_per_byte: float = math.nan
    #: fraction of the run that is over
    fraction: float = 0.0
    learning_rate: float = 0.0
    #: one point per evaluation on held-out data
    curve: list[dict[str, float]] = field(default_factory=list)
    #: result of the last evaluation in words, of a tokenizer
    summary: str = ""

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / max(self.seconds, 1e-9)

    @property
    def seconds_left(self) -> float:
        return self.seconds * (1 - self.fraction) / self.fraction if self.fraction > 0 else math.nan

    @property
    def train_bits_per_byte(self) -> float:
        """The loss in the unit of `held_out_bits_per_byte`."""
        return self.train_nats / math.log(2) / max(self.train_token_bytes, 1e-9)

    def move(self, seconds: float, fraction: float) -> None:
        """Note the time."""
        self.seconds, self.fraction = seconds, fraction

    def count(self, step: StepResult, learning_rate: float) -> None:
        """Count a step."""
        self.step += 1
        self.tokens += step.tokens
        self.learning_rate = learning_rate
        first = math.isnan(self.train_nats)
        share = 1 if first else SMOOTHING
        self.train_nats = share * step.nats + (0 if first else (1 - share) * self.train_nats)
        self.train_token_bytes = share * step.token_bytes + (0 if first else (1 - share) * self.train_token_bytes)

    def add_bits(self, held_out_bits_per_byte: float) -> None:
        """Note an evaluation of a prior."""
        self.held_out_bits_per_byte = held_out_bits_per_byte
        self.curve.append({
            "step": self.step,
            "tokens": self.tokens,
            "seconds": round(self.seconds, 1),
            "learning_rate": self.learning_rate,
            "train_bits_per_byte": round(self.train_bits_per_byte, 5),
            "held_out_bits_per_byte": round(held_out_bits_per_byte, 5),
        })  # fmt: skip

    def add_point(self, values: dict[str, float], summary: str) -> None:
        """Note an evaluation of a tokenizer."""
        self.summary = summary
        self.curve.append({"step": self.step, "seconds": round(self.seconds, 1), **values})


class Stopped(TokpressError):
    """The run was asked to stop. Its checkpoint is complete; `--resume` continues from it."""

    def __init__(self, step: int):
        super().__init__(f"stopped at step {step}; the checkpoint is saved")
        self.step = step


@dataclass
class FitOptions:
    """Arguments of learning a prior, beside the data."""

    #: folder for checkpoints; it may not exist yet
    folder: Path
    config: FitConfig = field(default_factory=FitConfig)
    #: continue from the checkpoint in `folder`, if there is one
    resume: bool = False
    #: prior to start from, of the same tokenizer; only for learners with `warm_start`
    init: "Prior | None" = None
    #: for each source, the source that its items are predicted from (`tokpress train prior --given`)
    given: "list[Source] | None" = None
    #: called after every step and every evaluation
    report: Callable[[Progress], None] = lambda progress: None
    #: called before every step; True ends the run with a checkpoint and `Stopped`
    stop: Callable[[], bool] = lambda: False


@dataclass
class TokenizerOptions:
    """Arguments of learning a tokenizer, beside the data. Those that learn in one pass use only the first five."""

    #: most symbols
    vocab_size: int
    #: weight of each file
    weights: Sequence[float]
    #: called with (bytes read, bytes to read)
    report: Callable[[int, int], None] = lambda done, total: None
    #: the --set settings, whose values may be text (`settings_of` checks them)
    settings: dict[str, Any] = field(default_factory=dict)
    #: seed, and limits of a training run
    config: FitConfig = field(default_factory=FitConfig)
    #: folder for checkpoints
    folder: Path | None = None
    #: file for a sheet of reconstructions, written at each evaluation of a tokenizer of pictures
    sheet: Path | None = None
    resume: bool = False
    #: weight of the bits in the choice of codes, in parts of the mean ‖z‖²
    rate: float = 0.0
    #: `report` and `stop` of FitOptions
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
