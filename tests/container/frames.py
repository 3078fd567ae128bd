"""Small files of every kind of frame, and how they are read."""

import hashlib
import io
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace

from hypothesis import strategies as st

from tokpress.container.frames import (
    MAX_LANES,
    MAX_NUMBER,
    MAX_SOURCE,
    Damaged,
    FrameHeader,
    Kind,
    Payload,
    check_source,
    ends_with_digest,
    read_header,
    restore_plain,
    short_check,
    write_frame,
)
from tokpress.container.lzma2 import lzma_encode
from tokpress.container.member import iter_frames
from tokpress.container.proportion import least_payload
from tokpress.container.salvage import iter_frames_keep_going
from tokpress.container.short import MAX_PAYLOAD, MAX_SHORT

MODEL, CONTEXT = bytes.fromhex("cafef00d"), bytes.fromhex("c0ffee00")
#: kinds of frames with sync that restore something
SYNCED = [kind for kind in Kind if kind not in (Kind.SHORT, Kind.WEIGHTS)]


def frame(kind: Kind, source: bytes, **more) -> bytes:
    """One frame. A "model" codes by turning every byte over, so that the tests can decode it."""
    payload = {Kind.RAW: bytes, Kind.LZMA: lzma_encode}.get(kind, turned)(source)
    if kind.model_ids:
        more = {"model_id": MODEL, "tokens": len(source)} | more
    if kind == Kind.RESIDUAL:
        more = {"residual_id": MODEL[::-1]} | more
    if kind.context_bytes:
        more = {"context_id": CONTEXT[: kind.context_bytes]} | more
    header = FrameHeader(kind=kind, source_length=len(source), payload_length=len(payload), **more)
    header = short_check(header, source) if kind == Kind.SHORT else replace(header, source_crc=zlib.crc32(source))
    out = io.BytesIO()
    assert len(write_frame(out, header, payload).pack()) + len(payload) == len(out.getvalue())
    return out.getvalue()


def digest(whole: bytes, last: bool = True, sequence: int = 0, size: int | None = None) -> bytes:
    """The digest that a frame of `size` bytes holds of its member."""
    has = ends_with_digest(last, sequence, len(whole) if size is None else size)
    return hashlib.blake2b(whole, digest_size=8).digest() if has else b""


def turned(source: bytes) -> bytes:
    return bytes(255 - b for b in source)


def member(*parts: tuple[Kind, bytes]) -> list[bytes]:
    """The frames of a member, as a writer of the format makes them."""
    frames: list[bytes] = []
    whole = b"".join(source for _, source in parts)
    for i, (kind, source) in enumerate(parts):
        more: dict = {"last": i == len(parts) - 1, "sequence": i}
        if i:
            before = read_header(io.BytesIO(frames[-1]))
            more |= {"link": before.next_link()}
        if i and more["last"]:
            more |= {"total_length": len(whole)}
        more |= {"digest": digest(whole, more["last"], i, len(source))}
        frames.append(frame(kind, source, **more))
    return frames


def rewritten(header: FrameHeader, payload: bytes, **lies) -> bytes:
    """The frame with other fields in its header, and checks that hold."""
    write_frame(out := io.BytesIO(), replace(header, **lies), payload)
    return out.getvalue()


def restored(header: FrameHeader, payload: Payload) -> bytes:
    if not header.kind.is_coded:
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
#: the first of three frames; then one of each kind of frame, and the empty file
FILES = [b"".join(THREE), *(frame(kind, source) for kind, source in PARTS), frame(Kind.RAW, b"")]

small = st.integers(0, 300)


@st.composite
def headers(draw) -> FrameHeader:
    kind = draw(st.sampled_from(SYNCED))
    most = MAX_NUMBER if kind == Kind.LZMA else MAX_SOURCE
    length = draw(st.one_of(small, st.integers(0, most)))
    length = length if kind == Kind.RAW else max(1, length)
    last, sequence = draw(st.booleans()), draw(st.one_of(small, st.integers(0, MAX_NUMBER)))
    fixed = lambda size: draw(st.binary(min_size=size, max_size=size))  # noqa: E731
    several = {"link": fixed(4)} if sequence else {}
    if last and sequence:
        several |= {"total_length": draw(st.integers(0, MAX_NUMBER))}
    if ends_with_digest(last, sequence, length):
        several |= {"digest": fixed(8)}
    model, least = {}, 0
    if kind.model_ids:
        tokens = draw(st.integers(1, 2 * length))
        lanes = None if kind == Kind.CONTEXT else draw(st.none() | st.integers(1, min(tokens, MAX_LANES)))
        least = least_payload(tokens, lanes or 1)
        model = {"model_id": fixed(4), "tokens": tokens, "lanes": lanes}
        model |= {"residual_id": fixed(4)} if kind == Kind.RESIDUAL else {}
        model |= {"context_id": fixed(4)} if kind in (Kind.CONTEXT, Kind.GIVEN) else {}
    most = 8 * length + 64 if kind.model_ids else MAX_NUMBER
    sizes = st.one_of(st.integers(least, min(most, least + 300)), st.integers(least, most))
    payload = length if kind == Kind.RAW else draw(sizes)
    crc, check = draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, 2**16 - 1))
    return FrameHeader(
        kind=kind, source_length=length, payload_length=payload, source_crc=crc, check=check,
        last=last, sequence=sequence, **several, **model,
    )  # fmt: skip


@st.composite
def short_headers(draw) -> FrameHeader:
    length = draw(st.one_of(st.integers(1, 300), st.integers(1, MAX_SHORT)))
    payload = draw(st.one_of(st.integers(0, 300), st.integers(0, MAX_PAYLOAD)))
    return FrameHeader(
        kind=Kind.SHORT, source_length=length, payload_length=min(payload, 8 * length + 64),
        context_id=draw(st.binary(min_size=2, max_size=2)), check=draw(st.integers(0, 2**16 - 1)),
    )  # fmt: skip


def peak_memory(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
