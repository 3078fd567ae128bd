"""How one frame is stored: the choice among models, lzma and the bytes as they are, and what a user may decide about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..container.frames import MAX_LANES, MAX_SOURCE, Kind
from ..container.lzma2 import Packing, lzma_encode
from ..errors import TokpressError
from ..exact.threads import start_in_background, threads
from ..media.grid import Grid
from ..models import store
from ..models.model import Model
from ..tokens import TokenBuffer

if TYPE_CHECKING:
    from ..media.distortion import Distortion

FRAME_SIZE = 1 << 24
#: frames up to this size are tried whole with every candidate that is in the running, of larger ones only pieces
TRIAL_SIZE = 1 << 17
#: so many of this size, from all over the frame; of samples, rows from the middle, a sixteenth of the frame where that is more
PIECES, PIECE_SIZE, ROWS_SHARE = 4, 1 << 14, 16
#: a frame from this size on is tried with every candidate, on twice as many pieces
LARGE = 1 << 20
#: what candidates learn from a frame decides: one that begins with nothing gains about so much more than a trained one from the
#: pieces to the whole (benchmarks/trials.py; chosen on nine files of the bench, which are also reported, for want of others that
#: the text model has not read)
STARTS_EMPTY = 0.91
#: where lzma leaves more than this share of a part, a model is tried on it, also if there is no other: perhaps nothing shrinks it
HARDLY = 0.98
#: a model that needs less than this share of lzma's bytes is taken without trying the others
CLEAR_WIN = 0.75
#: what lzma leaves less of than this repeats itself (prose: a third and more): what learns fastest, the last of the shipped ones in the
#: running, is tried first, and where it wins clearly a text model need not even be loaded
REPETITIVE = 0.2
#: prose: a text model finds tokens of so many bytes and more, for each of which lzma takes so many and more. There it is taken untried
#: (it was the better one wherever lzma takes 0.9, but for one file at 0.87: benchmarks/trials.py); so many it takes itself, about
PROSE_BYTES, PROSE_LZMA, PROSE_TEXT = 2.8, 1.0, 0.65
#: sources that lzma shrinks beyond this are stored that way at once: there is nothing left to gain
LZMA_ENOUGH = 200
#: the size of a source that does not tell it
UNKNOWN = 1 << 62
#: a model frame's header is longer than a plain one's, by the model's id and the token count
LONGER = 8

#: what codes the residual of a lossy tokenizer; a frame names it by its id
RESIDUAL_MODEL = "samples"

#: effort → the models in the running; and where there are samples, pixels or sound
EFFORTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "fast": (("adaptive",), ("samples", "adaptive")),
    "default": (("text", "adaptive"), ("samples", "drawings", "adaptive", "text")),
    "best": (("text-best", "text", "adaptive"), ("samples", "drawings", "adaptive", "text", "text-best")),
}

Report = Callable[[int], None]


@dataclass
class Options:
    """How to compress. `models` None: choose among the shipped ones, as many as the effort allows; a list: only these (and
    lzma, raw)."""

    models: list[Model] | None = None
    lanes: int | None = None
    frame_size: int = FRAME_SIZE
    kernel: str = "auto"
    report: Report = lambda done: None
    #: store what the lossy tokenizer of the one model leaves of the source
    lossy: bool = False
    effort: str = "default"

    def __post_init__(self) -> None:
        if self.effort not in EFFORTS:
            raise ValueError(f"effort must be {', '.join(EFFORTS)}, not {self.effort!r}")
        if self.effort != "default" and self.models is not None:
            raise ValueError("an effort chooses among the shipped models; it does not go with models of your own")
        losing = [model for model in self.models or [] if not model.tokenizer.lossless]
        #: a lossy tokenizer whose reconstruction is completed, since nothing else was asked for
        self.completes = not self.lossy and len(self.models or []) == 1 and any(m.tokenizer.wants_grid for m in losing)
        if losing and not (self.lossy or self.completes):
            name = losing[0].name
            raise TokpressError(f"the model {name} loses information: say --lossy if it may, or take another model")
        if self.lossy and (len(self.models or []) != 1 or not losing):
            raise TokpressError(
                "--lossy wants one model, given with -m, whose tokenizer is lossy: a palette, for instance"
            )
        if self.lanes is not None and not 1 <= self.lanes <= MAX_LANES:
            raise ValueError(f"lanes must be 1 … {MAX_LANES:,}, not {self.lanes:,}")
        if not 1 <= self.frame_size <= MAX_SOURCE:
            raise ValueError(f"frame_size must be 1 … {MAX_SOURCE:,} bytes, not {self.frame_size:,}")


class Coded(NamedTuple):
    kind: Kind
    source_length: int
    payload: bytes
    model: Model | None = None
    tokens: int | None = None
    lanes: int | None = None
    #: what codes the residual, of a lossy model's frame that restores its source all the same
    residual_model: Model | None = None
    #: what it restores, where that is not the source, and what is lost
    restores: bytes | None = None
    distortion: Distortion | None = None


def complete(model: Model, source: bytes, options: Options, report: Report, grid: Grid | None) -> Coded:
    """Tokens of a lossy tokenizer, and what their reconstruction lacks (`residual`)."""
    from . import residual  # numpy

    size, residual_model = len(source), store.load(RESIDUAL_MODEL)
    payload, count, lanes = residual.encode(
        model, residual_model, source, options.lanes, lambda share: report(int(share * size)), grid, options.kernel
    )
    coded = _of_model(model, size, payload, count, lanes)
    return coded._replace(kind=Kind.RESIDUAL, residual_model=residual_model)


def encode(
    model: Model,
    source: bytes,
    options: Options,
    report: Report,
    grid: Grid | None = None,
    tokens: TokenBuffer | None = None,
) -> Coded:
    """grid, tokens: of the source, where they are known already."""
    size = len(source)
    payload, count, lanes = model.encode(
        source, options.lanes, lambda share: report(int(share * size)), grid, tokens, options.kernel
    )
    return _of_model(model, size, payload, count, lanes)


def _of_model(model: Model, size: int, payload: bytes, tokens: int, lanes: int) -> Coded:
    """Lanes are told where they are not those of the rule."""
    return Coded(Kind.MODEL, size, payload, model, tokens, None if lanes == model.prior.lanes(tokens) else lanes)


def choose_frame(source: bytes, options: Options, report: Report, grid: Grid | None = None) -> Coded:
    """The smallest way we know to store one frame. grid: where it has samples, pixels or sound."""
    if len(source) <= LONGER:  # nothing can be smaller
        return Coded(Kind.RAW, len(source), source)
    if len(source) > TRIAL_SIZE:
        return _choose_by_part(source, options, report, grid)
    packed = lzma_encode(source)
    if _is_enough(packed, source, options):
        return _packed(packed, source)
    best = _best_trial(source, grid, len(packed), len(source), options, report)
    return _smaller(best.coded if best else None, packed, source, options)


def _choose_by_part(source: bytes, options: Options, report: Report, grid: Grid | None) -> Coded:
    """By trials of a part of the source. lzma packs all of it beside the models where there is a thread for that, else after the
    winner, and goes no further than is needed to see that it is larger."""
    if threads() < 2:
        alone = _Alone(source, report)
        return _by_part(source, alone, alone.go_on, options, alone.report, grid)
    packing = Packing(source)
    try:
        return _by_part(source, packing, start_in_background(packing.go_on), options, report, grid)
    except BaseException:
        packing.limit = -1  # nobody waits for it any more
        raise


class _Alone(Packing):
    """One that is at work while no model is: what was reported last is reported again meanwhile, which tells of signals."""

    def __init__(self, source: bytes, report: Report) -> None:
        super().__init__(source, lambda: report(self._last))
        self._last, self._report = 0, report

    def report(self, done: int) -> None:
        self._last = done
        self._report(done)


def _by_part(
    source: bytes,
    packing: Packing,
    packed: Callable[[], bytes | None],
    options: Options,
    report: Report,
    grid: Grid | None,
) -> Coded:
    """packed: what lzma makes of the source, as far as the limit lets it."""
    part, part_grid = _part(source, grid)
    yardstick = lzma_encode(part)
    if _is_enough(yardstick, part, options) and _is_enough(packed(), source, options):
        return _packed(packed(), source)
    best = _best_trial(part, part_grid, len(yardstick), len(source), options, report)
    winner = None
    if best and (best.coded is None or best.promised < len(part)):
        packing.limit = best.promised / len(part) * len(source)  # lzma makes way once it needs more than that
        winner = encode(best.model, source, options, report, grid)
    packed()  # or a part of it, where there is a limit
    packing.limit = max(len(winner.payload) + LONGER, len(source) // LZMA_ENOUGH) if winner else math.inf
    return _smaller(winner, packing.go_on(), source, options)


def _smaller(winner: Coded | None, packed: bytes | None, source: bytes, options: Options) -> Coded:
    """What a model has made of the source, or what lzma has, which is None where it is larger."""
    best = _packed(packed, source)
    if winner is None or _is_enough(packed, source, options):
        return best
    return winner if len(winner.payload) + LONGER < len(best.payload) else best


def _packed(packed: bytes | None, source: bytes) -> Coded:
    """By lzma, or as it is."""
    if packed is not None and len(packed) < len(source):
        return Coded(Kind.LZMA, len(source), packed)
    return Coded(Kind.RAW, len(source), source)


def _is_enough(packed: bytes | None, source: bytes, options: Options) -> bool:
    return packed is not None and options.models is None and len(packed) * LZMA_ENOUGH < len(source)


class Trial(NamedTuple):
    """What a model has made of a part of a source; None where it was taken untried. promised: bytes that the part takes, about."""

    model: Model
    promised: float
    coded: Coded | None = None


def _best_trial(
    part: bytes, grid: Grid | None, yardstick: int, size: int, options: Options, report: Report
) -> Trial | None:
    """Of the models in the running the one that needs least for this part of a source of `size` bytes. Of a part that is not the whole
    source, untried: the only model, where lzma shrinks the part, and a text model on prose. yardstick: lzma's bytes for the part."""
    shipped = EFFORTS[options.effort][bool(grid)]
    if yardstick < REPETITIVE * len(part):
        shipped = shipped[::-1]
    names: Sequence[Model | str] = shipped if options.models is None else options.models
    large, partly, alone = size >= LARGE, len(part) < size, len(names) == 1
    goes_on = large or (partly and not grid)
    choosing = options.models is None and partly and not grid
    doubtful = options.models is None and yardstick > HARDLY * len(part)
    if alone and partly and not doubtful:
        return Trial(store.load(names[0]), yardstick)
    trials: list[Trial] = []
    for name in names:
        model = store.load(name)  # here, not before: what a clear winner makes needless is never loaded
        if _hopeless(model, part):
            continue
        tokens = model.tokenizer.encode(part) if choosing else None
        if tokens is not None and _is_prose(len(tokens), len(part), yardstick):
            return Trial(model, PROSE_TEXT * len(tokens))
        coded = encode(model, part, options, report if alone else lambda n: None, grid, tokens)
        trials.append(Trial(model, len(coded.payload), coded))
        sure = options.effort != "best" and not large and not grid
        if sure and trials[-1].promised < CLEAR_WIN * yardstick:
            break
    key = lambda t: t.promised * (STARTS_EMPTY if goes_on and t.model.prior.starts_empty else 1)  # noqa: E731
    return min(trials, key=key, default=None)


def _part(source: bytes, grid: Grid | None) -> tuple[bytes, Grid | None]:
    """What is tried of a source, and where its samples are: pieces from all over; of samples, rows from the middle."""
    if grid is None:
        return _pieces(source, 2 * PIECES if len(source) >= LARGE else PIECES), None
    size, middle = max(PIECES * PIECE_SIZE, len(source) // ROWS_SHARE), (grid.start + grid.stop) // 2
    begin = max(0, middle - size // 2)
    return source[begin : begin + size], grid.within(begin, begin + size)


def _pieces(source: bytes, count: int) -> bytes:
    apart = (len(source) - PIECE_SIZE) // (count - 1)
    return b"".join(source[at : at + PIECE_SIZE] for at in range(0, apart * count, apart))


def _is_prose(tokens: int, size: int, yardstick: int) -> bool:
    return tokens * PROSE_BYTES < size and tokens * PROSE_LZMA < yardstick


def _hopeless(model: Model, part: bytes) -> bool:
    """A vocabulary of byte strings that finds hardly any of them is not worth a trial."""
    if model.tokenizer.vocab_size <= 256:
        return False
    probe = part[: 1 << 15]
    return len(model.tokenizer.encode(probe)) > 0.75 * len(probe)
