"""What a training run is told, and what it tells. Nothing heavy is imported: the command line uses this too."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    """What `Prior.fit` is given beside the data."""

    #: a place for checkpoints (the fit makes it, and need not use it)
    folder: Path
    config: FitConfig = field(default_factory=FitConfig)
    resume: bool = False
    #: start from what this prior knows (its tokenizer is the same); only asked of priors with `warm_start`
    init: "Prior | None" = None
    #: for each source, what its items are predicted from (`tokpress train prior --given`)
    given: "list[Source] | None" = None
    #: called after every step
    report: Callable[[Progress], None] = lambda progress: None
    #: asked before every step; True ends the run with a checkpoint and `Stopped`
    stop: Callable[[], bool] = lambda: False


@dataclass
class TokenizerOptions:
    """What `Tokenizer.fit` is given beside the data."""

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


#: of a setting; of those not named, 65,536
MAX_SETTINGS = {"depth": 256, "grams": 1 << 20}


def _of_kind(value: Any, kind: type) -> Any:
    """Text as what it spells, or a value that is of that type. Raises ValueError, OverflowError."""
    if isinstance(value, str):
        return value.lower() in ("1", "true", "yes") if kind is bool else kind(value)
    if type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return float(value)
    if kind is str and type(value) is int:
        return str(value)
    raise ValueError


def settings_of(name: str, given: dict[str, Any], defaults: dict[str, Any], what: str = "the prior") -> dict[str, Any]:
    """`defaults` with what was `given`, whose values may be text; TokpressError names what does not fit.

    >>> settings_of("mingru", {"width": "64"}, {"width": 256, "depth": 4})
    {'width': 64, 'depth': 4}
    """
    out = dict(defaults)
    for key, value in given.items():
        if key not in defaults:
            raise TokpressError(f"{what} {name!r} has no setting {key!r}; it has: {', '.join(defaults) or 'none'}")
        kind = type(defaults[key])
        try:
            out[key] = _of_kind(value, kind)
        except (ValueError, OverflowError):
            raise TokpressError(
                f"{key}={str(value)[:60]} of {what} {name!r} should be of type {kind.__name__}"
            ) from None
        if kind is int and out[key] > MAX_SETTINGS.get(key, 1 << 16):
            raise TokpressError(
                f"{key}={value} of {what} {name!r} should be at most {MAX_SETTINGS.get(key, 1 << 16):,}"
            )
        if kind is float and not math.isfinite(out[key]):
            raise TokpressError(f"{key}={value} of {what} {name!r} should be a finite number")
        if key == "dropout" and out[key] >= 1:
            raise TokpressError(f"{key}={value} of {what} {name!r} should be below 1")
        least = min(1, defaults[key]) if kind is int else 0
        if kind in (int, float) and out[key] < least:
            raise TokpressError(f"{key}={value} of {what} {name!r} should be at least {least}")
    return out
