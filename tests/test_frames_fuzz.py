"""Golden files whose headers and payloads are changed, with checks and links that hold again: an error of ours, or the source."""

import io
from dataclasses import replace

import numpy as np
import pytest

from tests.golden import inputs, make
from tokpress.codec import stream
from tokpress.codec.context import Context
from tokpress.container.frames import Kind, write_frame
from tokpress.container.member import iter_frames
from tokpress.errors import FormatError, TokpressError

FILES = [
    path for path in sorted(make.HERE.glob("*.tokp")) if 13 < path.stat().st_size < 3000
]  # the empty file leaves nothing to lie about
CASES = 8  # a file


def lies(rng: np.random.Generator, header) -> dict:
    """A few header fields, and what they say instead."""
    near = lambda n: int(max(0, n + rng.integers(-3, 4)))  # noqa: E731
    far = lambda n: int(rng.choice([0, 1, 2 * n, 8 * n, n // 2, 1 << 26, (1 << 63) - 1]))  # noqa: E731
    number = lambda n: (near if rng.random() < 0.5 else far)(n or 0)  # noqa: E731
    fields = {
        "kind": lambda: Kind(int(rng.integers(4))),
        "source_length": lambda: number(header.source_length),
        "tokens": lambda: number(header.tokens),
        "lanes": lambda: number(header.lanes or 1),
        "source_crc": lambda: int(rng.integers(1 << 32)),
        "total_length": lambda: number(header.total_length),
        "digest": lambda: rng.bytes(8),
        "last": lambda: not header.last,
        "sequence": lambda: number(header.sequence),
    }
    return {name: fields[name]() for name in rng.choice(sorted(fields), rng.integers(1, 4), replace=False)}


def changed(rng: np.random.Generator, data: bytes) -> bytes:
    """One frame of the file lies, or has another payload; what follows it is linked to it."""
    frames = [(header, payload.read()) for header, payload in iter_frames(io.BytesIO(data))]
    at, out, link = int(rng.integers(len(frames))), io.BytesIO(), b""
    for number, (header, payload) in enumerate(frames):
        fresh: dict = {"link": link} if header.sequence else {}
        if number == at and rng.random() < 0.5:
            fresh |= lies(rng, header)
        elif number == at and payload:
            where, size = int(rng.integers(len(payload))), int(rng.integers(1, 9))
            payload = payload[:where] + rng.bytes(size) + payload[where + int(rng.integers(9)) :]
            fresh |= {"payload_length": len(payload)}
        header = write_frame(out, replace(header, **fresh), payload)
        link = header.next_link()
    return out.getvalue()


def combinations(source: bytes, lengths: list[int]) -> set[bytes]:
    """What is left of a source when some of its frames are lost."""
    pieces, at = [b""], 0
    for length in lengths:
        pieces += [piece + source[at : at + length] for piece in pieces]
        at += length
    return set(pieces)


@pytest.fixture(scope="module")
def models():
    return [inputs.load(folder) for folder in sorted(inputs.MODELS.iterdir())]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_wrong_bytes(path, models):
    data = path.read_bytes()
    context = Context(inputs.sources()[make.CONTEXT]) if path.name.startswith("context-") else None
    source = stream.decompress(data, models=models, context=context)
    lengths = [header.source_length for header, _ in iter_frames(io.BytesIO(data))]
    parts = combinations(source, lengths)
    rng, refused = np.random.default_rng([*path.stem.encode()]), 0
    for _ in range(CASES):
        try:
            hostile = changed(rng, data)
        except (FormatError, ValueError):  # cannot be spelled
            continue
        try:
            assert stream.decompress(hostile, models=models, context=context) == source
        except TokpressError:
            refused += 1
        stream.decompress_stream(io.BytesIO(hostile), out := io.BytesIO(), models, keep_going=True, context=context)
        assert out.getvalue() in parts
    assert refused
