"""Bits of files, lines, tokens and bytes, from the bits of tokens.

A token may reach over a newline, or cover several bytes: its bits are then split by share of bytes.
"""

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from .terminal import printable

Row = dict[str, Any]
TEXT = 200  # bytes of a line or token that are shown


def blocks(
    source: BinaryIO, model, lanes: int | None, context: bytes = b"", kernel: str = "auto"
) -> Iterator[tuple[bytes, Any]]:
    """(source, Bits) of each piece that `compress` would make a frame of, in as many lanes as it would; of what a lossy
    tokenizer takes, of the samples.

    context: what the model has read before each piece; the source is then taken as it is."""
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
            raise ModelError(f"the tokenizer of {model.name} does not tell which bytes its tokens stand for")
        yield piece, bits


def by_file(pieces: Iterable[tuple[bytes, Any]]) -> Iterator[Row]:
    total = {"bits": 0.0, "bytes": 0, "tokens": 0, "lines": 0}
    last = b"\n"
    for block, bits in pieces:
        total["bits"] += bits.total_bits
        total["bytes"] += len(block)
        total["tokens"] += bits.tokens  # of which an item may take several
        total["lines"] += block.count(b"\n")
        last = block[-1:]
    total["lines"] += last != b"\n"
    yield _rated(total) | {f"bits_per_{k[:-1]}": total["bits"] / max(total[k], 1) for k in ("tokens", "lines")}


def by_line(pieces: Iterable[tuple[bytes, Any]]) -> Iterator[Row]:
    """Lines end after their newline, which counts as theirs. They may reach over blocks."""
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


def by_token(pieces: Iterable[tuple[bytes, Any]]) -> Iterator[Row]:
    offset = 0
    for block, bits in pieces:
        start = 0
        for cost, length in zip(bits.bits.tolist(), bits.lengths.tolist()):
            text = readable(block[start : start + min(length, TEXT)], ends=False)
            yield {"offset": offset + start} | _rated({"bits": cost, "bytes": length}) | {"text": text}
            start += length
        offset += len(block)


def by_byte(pieces: Iterable[tuple[bytes, Any]]) -> Iterator[Row]:
    offset = 0
    for block, bits in pieces:
        for byte, cost in zip(block, per_byte(bits).tolist()):
            yield (
                {"offset": offset} | _rated({"bits": cost, "bytes": 1}) | {"text": readable(bytes([byte]), ends=False)}
            )
            offset += 1


def by_segment(pieces: Iterable[tuple[bytes, Any]]) -> Iterator[Row]:
    """Of a source of several kinds (`tokpress.media.segments`), each with the mark before it."""
    import numpy as np

    from tokpress.media import segments

    number = 0
    for block, bits in pieces:
        cumulative, at = np.concatenate([[0.0], np.cumsum(per_byte(bits))]), 0
        for kind, data in segments.split(block, segments.MAX_KINDS):
            end, number = at + segments.HEAD + len(data), number + 1
            cost = {"bits": float(cumulative[end] - cumulative[at]), "bytes": len(data)}
            yield {"segment": number, "kind": kind} | _rated(cost)
            at = end


BY = {"file": by_file, "line": by_line, "token": by_token, "byte": by_byte, "segment": by_segment}


def per_byte(bits):
    """Bits of each byte [n] float64. A token without bytes of its own is charged to the next one that has some."""
    import numpy as np

    real = np.flatnonzero(bits.lengths)
    if not len(real):
        return np.zeros(0)
    reached = np.cumsum(bits.bits)[real]
    reached[-1] = bits.total_bits
    return np.repeat(np.diff(reached, prepend=0.0) / bits.lengths[real], bits.lengths[real])


def _rated(row: Row) -> Row:
    return row | {"bits_per_byte": row["bits"] / max(row["bytes"], 1)}


def readable(data: bytes, ends: bool = True) -> str:
    """As one line of text, with nothing in it that a terminal would obey. `ends`: without the newline it ends by."""
    text = (data.removesuffix(b"\n") if ends else data).decode("utf-8", "backslashreplace")
    return printable(text)
