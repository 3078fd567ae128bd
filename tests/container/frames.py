"""Small files of every kind of frame, and how they are read."""

import io
import tracemalloc
import zlib
from collections.abc import Callable

from hypothesis import strategies as st

from tokpress.container import (
    MAX_LANES,
    MAX_NUMBER,
    MAX_SOURCE,
    Damaged,
    FrameHeader,
    Kind,
    Payload,
    check_source,
    iter_frames,
    iter_frames_keep_going,
    restore_plain,
    write_frame,
)
from tokpress.lzma2 import lzma_encode

MODEL = bytes.fromhex("cafef00d")


def frame(kind: Kind, source: bytes, **more) -> bytes:
    """One frame. A "model" codes by turning every byte over, so that the tests can decode it."""
    payload = {Kind.RAW: bytes, Kind.LZMA: lzma_encode, Kind.MODEL: turned}[kind](source)
    if kind == Kind.MODEL:
        more = {"model_id": MODEL, "tokens": len(source)} | more
    header = FrameHeader(
        kind=kind, source_length=len(source), payload_length=len(payload), source_crc=zlib.crc32(source), **more
    )
    out = io.BytesIO()
    assert write_frame(out, header, payload) == len(out.getvalue())
    return out.getvalue()


def turned(source: bytes) -> bytes:
    return bytes(255 - b for b in source)


def member(*parts: tuple[Kind, bytes]) -> list[bytes]:
    total = sum(len(source) for _, source in parts)
    end = len(parts) - 1
    return [
        frame(kind, source, last=i == end, sequence=i, total_length=total if i == end and i else None)
        for i, (kind, source) in enumerate(parts)
    ]


def restored(header: FrameHeader, payload: Payload) -> bytes:
    if header.kind != Kind.MODEL:
        return b"".join(restore_plain(header, payload))
    source = turned(payload.read())
    check_source(header, source)
    return source


def decoded(file: bytes) -> list[bytes]:
    return [restored(*item) for item in iter_frames(io.BytesIO(file))]


def recovered(file: bytes) -> list[bytes | Damaged]:
    items = iter_frames_keep_going(io.BytesIO(file))
    return [item if isinstance(item, Damaged) else restored(*item) for item in items]


PARTS = [(Kind.MODEL, b"It was the best of times, "), (Kind.RAW, b"it was the worst"), (Kind.LZMA, b" of times" * 9)]
THREE = member(*PARTS)
SOURCES = [source for _, source in PARTS]
FILES = [b"".join(THREE), *(frame(kind, source) for kind, source in PARTS), frame(Kind.RAW, b"")]

small = st.integers(0, 300)


@st.composite
def headers(draw) -> FrameHeader:
    kind = draw(st.sampled_from(Kind))
    most = MAX_NUMBER if kind == Kind.LZMA else MAX_SOURCE
    length = draw(st.one_of(small, st.integers(0, most)))
    length = length if kind == Kind.RAW else max(1, length)
    last, sequence = draw(st.booleans()), draw(st.one_of(small, st.integers(0, MAX_NUMBER)))
    total = draw(st.integers(0, MAX_NUMBER)) if last and sequence else None
    model = {}
    if kind == Kind.MODEL:
        tokens = draw(st.integers(1, 2 * length))
        lanes = draw(st.none() | st.integers(1, min(tokens, MAX_LANES)))
        model = {"model_id": draw(st.binary(min_size=4, max_size=4)), "tokens": tokens, "lanes": lanes}
    most = 8 * length + 64 if kind == Kind.MODEL else MAX_NUMBER
    payload = length if kind == Kind.RAW else draw(st.one_of(small.filter(lambda n: n <= most), st.integers(0, most)))
    crc, check = draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, 2**16 - 1))
    return FrameHeader(
        kind=kind, source_length=length, payload_length=payload, source_crc=crc, check=check,
        last=last, sequence=sequence, total_length=total, **model,
    )  # fmt: skip


def peak_memory(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
