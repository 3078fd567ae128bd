"""Bits of files, lines, tokens, bytes and segments, from the bits of tokens.

The bits of a token are divided equally among its bytes.
"""

import heapq
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from .terminal import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tokpress.models.bits import Bits
    from tokpress.models.model import Model

    Piece = tuple[bytes, Bits]  # the source of a frame, and its bits

Row = dict[str, Any]
#: bytes of a line or token that are printed
TEXT = 200


def blocks(
    source: BinaryIO, model: "Model", lanes: int | None, context: bytes = b"", kernel: str = "auto"
) -> "Iterator[Piece]":
    """(source, Bits) of each frame that `compress` would write. A model of samples is given the decoded samples of coded pictures and sound.

    lanes: None takes the number of lanes of `compress`. context: bytes that the model reads before each frame; frames are then cut
    without regard to samples."""
    from tokpress.codec import framing
    from tokpress.codec.options import FRAME_SIZE, Options
    from tokpress.errors import ModelError

    lossy = not model.tokenizer.lossless
    if takes_samples(model) and not context:
        source = _decoded(source, model)
    for block in framing.blocks(source, Options([model], frame_size=FRAME_SIZE, lossy=lossy)):
        piece, grid = block.source, None if context else block.grid
        if grid and lossy:
            piece, grid = piece[grid.start : grid.stop], grid._replace(start=0)
        if not piece or not block.suits:
            continue
        bits = model.score(piece, lanes, context, grid, kernel)
        if bits.source_bytes != len(piece):
            raise ModelError(f"the tokenizer of {model.name} does not know the bytes of its tokens: use another model")
        yield piece, bits


def takes_samples(model: "Model") -> bool:
    """Whether a model predicts pixels or sound, so that the bytes of a PNG or FLAC file say nothing to it."""
    rules = model.prior.rules
    return not model.tokenizer.lossless or rules.on_grid or rules.order is not None


def _decoded(source: BinaryIO, model: "Model") -> BinaryIO:
    """The samples of a coded picture or recording; another file as it is. Raises TokpressError where they are not for this model."""
    from tokpress.errors import TokpressError
    from tokpress.media import formats, signatures, unwrap, video
    from tokpress.tokenizers import packed
    from tokpress.tokenizers.samples import samples_of

    if not model.tokenizer.lossless:
        return unwrap.opened(source, samples_of(model.tokenizer)).stream
    start, head = source.tell(), source.read(video.LOOK)
    source.seek(start)
    if signatures.recognised(head) and not formats.find(head, 1 << 62):
        try:
            source = unwrap.opened(source, None).stream
        except TokpressError as error:
            reason = str(error).removesuffix(": leave --content out")
            raise TokpressError(f"the model takes pixels or sound. {reason}: decode the file first") from None
        head = source.read(video.LOOK)
        source.seek(0)
    if model.prior.rules.order is None or not packed.is_of_bits(model.tokenizer):
        return source
    samples = formats.find(head, 1 << 62)
    if samples and packed.has_byte_pixels(samples, model.prior.rules.stride):
        raise TokpressError(packed.ADVICE)
    return source


def by_file(pieces: "Iterable[Piece]") -> Iterator[Row]:
    totals = Totals()
    for block, bits in pieces:
        totals.add(block, bits)
    yield totals.row()


class Totals:
    """The row of a file, from one piece after another."""

    def __init__(self) -> None:
        self._sums = {"bits": 0.0, "bytes": 0, "tokens": 0, "lines": 0}
        self._last = b"\n"

    def add(self, block: bytes, bits: "Bits") -> None:
        self._sums["bits"] += bits.total_bits
        self._sums["bytes"] += len(block)
        self._sums["tokens"] += bits.tokens
        self._sums["lines"] += block.count(b"\n")
        self._last = block[-1:]

    def row(self) -> Row:
        total = self._sums | {"lines": self._sums["lines"] + (self._last != b"\n")}
        return _rated(total) | {f"bits_per_{k[:-1]}": total["bits"] / max(total[k], 1) for k in ("tokens", "lines")}


def by_line(pieces: "Iterable[Piece]") -> Iterator[Row]:
    lines = Lines()
    for block, bits in pieces:
        yield from lines.add(block, bits)
    yield from lines.end()


class Lines:
    """The rows of lines, from one piece after another. A line includes its newline. It may span several blocks."""

    def __init__(self) -> None:
        self._number = 1
        self._start_next()

    def _start_next(self) -> None:
        self._bits, self._bytes, self._text = 0.0, 0, b""

    def add(self, block: bytes, bits: "Bits") -> Iterator[Row]:
        """The rows of the lines that end in this block."""
        import numpy as np

        cumulative = np.concatenate([[0.0], np.cumsum(per_byte(bits))])
        start = 0
        for end in [*(np.flatnonzero(np.frombuffer(block, np.uint8) == 10) + 1).tolist(), len(block)]:
            self._bits, self._bytes = self._bits + float(cumulative[end] - cumulative[start]), self._bytes + end - start
            self._text += block[start : min(end, start + TEXT)] if len(self._text) < TEXT else b""
            if end > start and block[end - 1] == 10:
                yield from self.end()
                self._number += 1
            start = end

    def end(self) -> Iterator[Row]:
        """The row of the line so far, if it has bytes."""
        if self._bytes:
            row = _rated({"bits": self._bits, "bytes": self._bytes})
            yield {"line": self._number} | row | {"text": readable(self._text)}
            self._start_next()


def by_token(pieces: "Iterable[Piece]") -> Iterator[Row]:
    offset = 0
    for block, bits in pieces:
        start = 0
        for cost, length in zip(bits.bits.tolist(), bits.lengths.tolist()):
            text = readable(block[start : start + min(length, TEXT)], strip=False)
            yield {"offset": offset + start} | _rated({"bits": cost, "bytes": length}) | {"text": text}
            start += length
        offset += len(block)


def by_byte(pieces: "Iterable[Piece]") -> Iterator[Row]:
    offset = 0
    for block, bits in pieces:
        for byte, cost in zip(block, per_byte(bits).tolist()):
            yield (
                {"offset": offset} | _rated({"bits": cost, "bytes": 1}) | {"text": readable(bytes([byte]), strip=False)}
            )
            offset += 1


def by_segment(pieces: "Iterable[Piece]") -> Iterator[Row]:
    """Segments of a source of several kinds (`tokpress.media.segments`), each with its head."""
    import numpy as np

    from tokpress.media import segments

    number = 0
    for block, bits in pieces:
        cumulative, start = np.concatenate([[0.0], np.cumsum(per_byte(bits))]), 0
        for kind, data in segments.split(block, segments.MAX_KINDS):
            end, number = start + segments.HEAD + len(data), number + 1
            cost = {"bits": float(cumulative[end] - cumulative[start]), "bytes": len(data)}
            yield {"segment": number, "kind": kind} | _rated(cost)
            start = end


BY = {"file": by_file, "line": by_line, "token": by_token, "byte": by_byte, "segment": by_segment}


def per_byte(bits: "Bits") -> "NDArray[np.float64]":
    """Bits of each byte [n] float64. The bits of a token without bytes are added to the next token that has bytes."""
    import numpy as np

    real = np.flatnonzero(bits.lengths)
    if not len(real):
        return np.zeros(0)
    reached = np.cumsum(bits.bits)[real]
    reached[-1] = bits.total_bits
    out: NDArray[np.float64] = np.repeat(np.diff(reached, prepend=0.0) / bits.lengths[real], bits.lengths[real])
    return out


class Highest:
    """The rows with the highest values of `key`, at most `most`. Of equal rows the first one counts as the higher."""

    def __init__(self, key: str, most: int) -> None:
        self._key, self._most, self._count = key, most, 0
        self._heap: list[tuple[float, int, Row]] = []

    def takes(self, row: Row) -> bool:
        """Whether the next row, this one, is among the highest so far."""
        return len(self._heap) < self._most or row[self._key] > self._heap[0][0]

    def add(self, row: Row) -> None:
        self._count += 1
        entry = (row[self._key], -self._count, row)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def rows(self) -> list[Row]:
        """The highest first."""
        return [row for *_, row in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]


def _rated(row: Row) -> Row:
    return row | {"bits_per_byte": row["bits"] / max(row["bytes"], 1)}


def readable(data: bytes, strip: bool = True) -> str:
    """One printable line of text. strip: without the newline at its end."""
    text = (data.removesuffix(b"\n") if strip else data).decode("utf-8", "backslashreplace")
    return printable(text)
