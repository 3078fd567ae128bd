"""The smallest known way to store one frame. Models are tried on a part of it; `selection` compares their costs.

lzma at full strength packs the frame only where it might be smaller than the best model, as a quick encoder tells (`lzma2`).
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from ..container.lzma2 import Packing, few_symbols, least_size, lzma_encode, quick_encoder
from ..exact.threads import start_in_background, threads
from ..media.grid import Grid
from ..models import store
from ..models.model import Model
from .efforts import EFFORTS
from .encoded_frame import LONGER, EncodedFrame, encode, plain
from .options import Options, Report
from .selection import LARGE, PROSE_TEXT, TRIAL_SIZE, Choice, Cost, Part, Selection, is_prose, may_be_prose

#: a trial takes so many pieces of this size from all over the source; of samples it takes as many bytes of rows from the middle, or
#: a sixteenth of the frame where that is more
PIECES, PIECE_SIZE, ROWS_SHARE = 4, 1 << 14, 16
#: ratio of lzma above which a source is stored by lzma without trials: models could save next to nothing
LZMA_ENOUGH = 200
#: a vocabulary of byte strings is not tried where it makes more than HOPELESS tokens a byte of the first PROBE bytes
HOPELESS, PROBE = 0.75, 1 << 15


def choose_frame(source: bytes, options: Options, report: Report, grid: Grid | None = None) -> EncodedFrame:
    """The smallest known way to store one frame. grid: position of its samples, pixels or sound."""
    if options.context:
        grid = None
    if len(source) <= (0 if options.context else LONGER):  # a model frame would be longer
        return plain(None, source)
    if len(source) > TRIAL_SIZE:
        return _choose_by_part(source, options, report, grid)
    packed = lzma_encode(source)
    if _is_enough(packed, source, options):
        return plain(packed, source)
    trials = _Trials(source, grid, options, report)
    choice = trials.select(len(packed), len(source))
    return _smaller(trials.encoded[choice.number] if choice else None, packed, source, options)


def _choose_by_part(source: bytes, options: Options, report: Report, grid: Grid | None) -> EncodedFrame:
    """Choose by trials of a part of the source. A quick encoder packs all of it beside the trials (`_by_part`)."""
    last = 0

    def report_and_keep(done: int) -> None:
        nonlocal last
        last = done
        report(done)

    # where lzma packs alone, the last report is repeated: that call may raise to stop the work
    check = (lambda: None) if threads() > 1 else (lambda: report(last))
    packings = Packing(source, check, quick_encoder), Packing(source, check)
    try:
        return _by_part(source, *packings, options, report_and_keep, grid)
    finally:
        for packing in packings:
            packing.give_up()


def _by_part(
    source: bytes, quick: Packing, packing: Packing, options: Options, report: Report, grid: Grid | None
) -> EncodedFrame:
    """`packing`, lzma at full strength, is left out where the best model is below `least_size`. It stops where it exceeds its limit."""
    part, part_grid = part_to_try(source, grid)
    part_packed = lzma_encode(part)
    if _is_enough(part_packed, part, options) and _is_enough(whole := packing.go_on(), source, options):
        return plain(whole, source)
    packed_quickly = start_in_background(quick.go_on)
    trials = _Trials(part, part_grid, options, report)
    choice = trials.select(len(part_packed), len(source))
    quick_payload = packed_quickly()
    assert quick_payload is not None, "there was no limit"
    least = least_size(len(quick_payload), few_symbols(source), len(source))
    if choice is None or (choice.number in trials.encoded and choice.payload >= len(part)):
        return _smaller(None, packing.go_on(), source, options)
    expected, packed = choice.payload / len(part) * len(source), packing.go_on
    if choice.number in trials.encoded and expected >= least:
        packing.limit_to(expected)
        packed = start_in_background(packing.go_on)
    winner = encode(trials.model(choice.number), source, options, report, grid)
    size = len(winner.payload) + winner.added_bytes
    if size < least and least >= len(source) / LZMA_ENOUGH:
        return winner
    packing.limit_to(max(size, len(source) // LZMA_ENOUGH))
    packed()  # raises what it met in the background
    return _smaller(winner, packing.go_on(), source, options)


class _Trials:
    """Trials of the candidates on a part of a source. encoded: number of a candidate → the part, encoded by it."""

    def __init__(self, part: bytes, grid: Grid | None, options: Options, report: Report) -> None:
        self._part, self._grid, self._options = part, grid, options
        shipped = EFFORTS[options.effort][bool(grid)]
        self._candidates: Sequence[Model | str] = shipped if options.models is None else options.models
        self._report = report if len(self._candidates) == 1 else lambda done: None
        self._begin = report
        self.encoded: dict[int, EncodedFrame] = {}

    def model(self, number: int) -> Model:
        """A candidate, loaded at its first use: one that is not tried is never loaded. Reports that coding begins."""
        model = store.load(self._candidates[number])
        self._begin(0)
        return model

    def select(self, lzma: int, source_size: int) -> Choice | None:
        """The best candidate. lzma: bytes of the part by lzma."""
        options = self._options
        # lzma reads no context, so what it needs says nothing of the candidates
        by_user, all_tried = options.models is not None, options.effort == "best" or options.context is not None
        part = Part(len(self._part), source_size, lzma, bool(self._grid), by_user, all_tried)
        selection = Selection(len(self._candidates), part)
        for number in selection:
            selection.add(number, self._cost(number, part))
        return selection.best

    def _cost(self, number: int, part: Part) -> Cost | None:
        model = self.model(number)
        if is_hopeless(model, self._part):
            return None
        may_be = may_be_prose(part) and self._options.context is None
        tokens = model.tokenizer.encode(self._part) if may_be else None
        if tokens is not None and is_prose(len(tokens), part):
            return Cost(PROSE_TEXT * len(tokens), final=True)
        encoded = encode(model, self._part, self._options, self._report, self._grid, tokens)
        self.encoded[number] = encoded
        return Cost(len(encoded.payload), model.prior.rules.starts_empty)


def _smaller(winner: EncodedFrame | None, packed: bytes | None, source: bytes, options: Options) -> EncodedFrame:
    """The smallest of the best model's frame, lzma and raw bytes. packed: None where lzma is larger than that model."""
    smallest_plain = plain(packed, source)
    if winner is None or _is_enough(packed, source, options):
        return smallest_plain
    return winner if len(winner.payload) + winner.added_bytes < len(smallest_plain.payload) else smallest_plain


def _is_enough(packed: bytes | None, source: bytes, options: Options) -> bool:
    if options.context:
        return False
    return packed is not None and options.models is None and len(packed) * LZMA_ENOUGH < len(source)


def part_to_try(source: bytes, grid: Grid | None) -> tuple[bytes, Grid | None]:
    """The part of a source that is tried, and the position of its samples: pieces from all over, or rows from the middle."""
    if grid is None:
        return _pieces(source, 2 * PIECES if len(source) >= LARGE else PIECES), None
    size, middle = max(PIECES * PIECE_SIZE, len(source) // ROWS_SHARE), (grid.start + grid.stop) // 2
    begin = max(0, middle - size // 2)
    return source[begin : begin + size], grid.within(begin, begin + size)


def _pieces(source: bytes, count: int) -> bytes:
    apart = (len(source) - PIECE_SIZE) // (count - 1)
    return b"".join(source[at : at + PIECE_SIZE] for at in range(0, apart * count, apart))


def is_hopeless(model: Model, part: bytes) -> bool:
    """Whether the part is no text, and the model's vocabulary of byte strings finds so few of them that a trial is not worth its time."""
    probe = part[:PROBE]
    if model.tokenizer.vocab_size <= 256 or _is_utf8(probe):
        return False
    return len(model.tokenizer.encode(probe)) > HOPELESS * len(probe)


def _is_utf8(probe: bytes) -> bool:
    """Whether it is text in UTF-8, whose last character may be cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(probe)
    except UnicodeDecodeError:
        return False
    return b"\0" not in probe
