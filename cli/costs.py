"""Bits of files, lines, tokens, bytes and segments, from the bits of tokens.

The bits of a token are divided equally among its bytes.
"""

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
    """(source, Bits) of each frame that `compress` would write. With a lossy tokenizer, frames hold decoded samples.

    lanes: None takes the number of lanes of `compress`. context: bytes that the model reads before each frame; frames are then cut
    without regard to samples."""
    from tokpress.codec import framing
    from tokpress.codec.options import FRAME_SIZE, Options
    from tokpress.errors import ModelError
    from tokpress.media import unwrap
    from tokpress.tokenizers.samples import samples_of

    lossy = not model.tokenizer.lossless
    if lossy and not context:
        source = unwrap.opened(source, samples_of(model.tokenizer)).stream
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


def by_file(pieces: "Iterable[Piece]") -> Iterator[Row]:
    total = {"bits": 0.0, "bytes": 0, "tokens": 0, "lines": 0}
    last = b"\n"
    for block, bits in pieces:
        total["bits"] += bits.total_bits
        total["bytes"] += len(block)
        total["tokens"] += bits.tokens
        total["lines"] += block.count(b"\n")
        last = block[-1:]
    total["lines"] += last != b"\n"
    yield _rated(total) | {f"bits_per_{k[:-1]}": total["bits"] / max(total[k], 1) for k in ("tokens", "lines")}


def by_line(pieces: "Iterable[Piece]") -> Iterator[Row]:
    """A line includes its newline. It may span several blocks."""
    import numpy as np

    number, cost, length, text = 1, 0.0, 0, b""
    for block, bits in pieces:
        cumulative = np.concatenate([[0.0], np.cumsum(per_byte(bits))])
        start = 0
        for end in [*(np.flatnonzero(np.frombuffer(block, np.uint8) == 10) + 1).tolist(), len(block)]:
            cost, length = cost + float(cumulative[end] - cumulative[start]), length + end - start
            text += block[start : min(end, start + TEXT)] if len(text) < TEXT else b""
            if end > start and block[end - 1] == 10:
                yield {"line": number} | _rated({"bits": cost, "bytes": length}) | {"text": readable(text)}
                number, cost, length, text = number + 1, 0.0, 0, b""
            start = end
    if length:
        yield {"line": number} | _rated({"bits": cost, "bytes": length}) | {"text": readable(text)}


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


def _rated(row: Row) -> Row:
    return row | {"bits_per_byte": row["bits"] / max(row["bytes"], 1)}


def readable(data: bytes, strip: bool = True) -> str:
    """One printable line of text. strip: without the newline at its end."""
    text = (data.removesuffix(b"\n") if strip else data).decode("utf-8", "backslashreplace")
    return printable(text)
