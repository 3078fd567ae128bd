"""Checks of a recording's file: whether its samples are complete, and which of its metadata a WAV file cannot hold.

    inexact(data, file)         why soundfile does not return the exact samples; "" if it does
    altered(data, digest)       whether the digest in a FLAC file contradicts the samples
    left_out(data, tags)        names of the parts that a WAV file with these tags lacks

WAV files of plain PCM are not checked here: `formats` finds their samples, and the file is stored as it is.
"""

import io
import struct
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import TokpressError


class Chunked(NamedTuple):
    #: start of the first chunk; struct format of a chunk's header; alignment of chunks
    start: int
    layout: str
    align: int
    #: name of the chunk of samples; bytes in it before the samples
    samples: bytes
    lead: int
    #: whether a chunk's size includes its header
    size_with_header: bool
    #: names of the chunks that hold samples or are kept
    kept: frozenset[bytes]


RIFF_KEPT = frozenset({b"fmt ", b"data", b"LIST", b"fact", b"PEAK", b"ds64"})
#: texts of WAV that soundfile reads and writes
INFO = {b"INAM", b"ICOP", b"ISFT", b"IART", b"ICMT", b"ICRD", b"IPRD", b"ITRK", b"IGNR"}
FORM_KEPT = frozenset({b"COMM", b"SSND", b"FVER", b"PEAK", b"NAME", b"AUTH", b"ANNO", b"(c) "})
CHUNKED = {
    b"RIFX": Chunked(12, ">4sI", 2, b"data", 0, False, RIFF_KEPT),
    b"RF64": Chunked(12, "<4sI", 2, b"data", 0, False, RIFF_KEPT),
    b"FORM": Chunked(12, ">4sI", 2, b"SSND", 8, False, FORM_KEPT),
    b"caff": Chunked(8, ">4sq", 1, b"data", 4, False, frozenset({b"desc", b"data", b"info", b"free"})),
    b"riff": Chunked(40, "<4s12xQ", 8, b"data", 0, True, frozenset({b"fmt ", b"data", b"fact"})),  # W64
}
#: blocks of FLAC that are neither samples nor texts
FLAC_BLOCKS = {2: "application data", 5: "a cue sheet", 6: "a cover picture"}
COMMENTS = 4
#: keys of FLAC's texts → soundfile's names
KEYS = {"ENCODER": "software", "DESCRIPTION": "comment"} | {
    key.upper(): key
    for key in ("title", "copyright", "artist", "comment", "date", "album", "license", "tracknumber", "genre")
}
#: most chunks, blocks and texts of a file
MAX_PARTS = 10_000
TOO_MANY = f"it has more than {MAX_PARTS:,} chunks, blocks or texts: leave --content out"
#: the size of a chunk of unknown length
UNKNOWN = 0xFFFFFFFF


class Source(io.BytesIO):
    """The bytes of a recording for soundfile. A seek to an impossible place does nothing, since soundfile would print the exception."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):  # the file declares an impossible size
            return self.tell()


def inexact(data: bytes, file: Any) -> str:
    """Why soundfile does not return the exact samples; "" if it does. file: the recording, opened by soundfile."""
    if data.startswith((b"fLaC", b"ID3")) and file.format == "FLAC":
        return "" if file.frames < 1 << 36 else "its header does not give the number of samples"
    if data.startswith(b".snd"):
        start, declared = struct.unpack_from(">II", data, 4)
        size = len(data) - start if declared == UNKNOWN else declared
        ends = start + size == len(data)
    elif data[:4] in CHUNKED:
        kind = CHUNKED[data[:4]]
        chunks, end = _chunks(data, kind)
        size, ends = (
            sum(size for name, _, size in chunks if name == kind.samples) - kind.lead,
            len(data) <= end < len(data) + kind.align,
        )
    else:
        return f"this kind of {file.format} file is not known to be read exactly"
    width = {"PCM_16": 2, "PCM_24": 3}.get(file.subtype, 1)
    if not ends or size != file.frames * file.channels * width:
        return "its chunks do not add up to its length, as in an interrupted recording"
    return ""


def _chunks(data: bytes, kind: Chunked) -> tuple[list[tuple[bytes, int, int]], int]:
    """(name, start, size) of each chunk, and the end of the last one."""
    at, head = kind.start, struct.calcsize(kind.layout)
    chunks: list[tuple[bytes, int, int]] = []
    while at + head <= len(data):
        name, size = struct.unpack_from(kind.layout, data, at)
        at += head
        if kind.size_with_header:
            size -= head
        if name == b"data" and data[:4] == b"RF64" and size == UNKNOWN:
            (size,) = struct.unpack_from("<Q", data, 28)
        if size == -1:  # CAF: up to the end
            size = len(data) - at
        if size < 0:
            return chunks, 0
        chunks.append((name, at, size))
        if len(chunks) > MAX_PARTS:
            raise TokpressError(TOO_MANY)
        at += size + -size % kind.align
    return chunks, at


def altered(data: bytes, digest: bytes) -> bool:
    """Whether a FLAC file's digest contradicts the samples. digest: MD5 of the samples, in bytes as FLAC counts them, low byte first."""
    at = _flac_start(data) + 8 + 18
    digest_stored = data[at : at + 16]
    return any(digest_stored) and digest != digest_stored


def left_out(data: bytes, tags: dict[str, str]) -> list[str]:
    if data[:4] in CHUNKED:
        return _of_chunks(data, CHUNKED[data[:4]])
    if data.startswith(b".snd"):
        return ["an annotation"] if any(data[24 : int.from_bytes(data[4:8], "big")]) else []
    if not data.startswith((b"fLaC", b"ID3")):
        return []
    start, blocks = _flac_start(data), list(_flac_blocks(data))
    lost = ["an ID3 tag before it"] if start else []
    lost += sorted({FLAC_BLOCKS[block] for block, _ in blocks if block in FLAC_BLOCKS})
    lost += [key for block, body in blocks if block == COMMENTS for key in _comments(body, tags)]
    surplus_bytes = len(data) - _flac_end(data)
    return lost + surplus(surplus_bytes)


def _of_chunks(data: bytes, kind: Chunked) -> list[str]:
    chunks, _ = _chunks(data, kind)
    lost = {name for name, count in Counter(name for name, *_ in chunks).items() if name not in kind.kept or count > 1}
    for name, at, size in chunks:
        if name == b"LIST":
            texts, _ = _chunks(data[: at + size], kind._replace(start=at + 4))
            lost_texts = {text for text, *_ in texts} - INFO
            lost |= lost_texts if data[at : at + 4] == b"INFO" else {name}
    return sorted(printable(name.decode("latin-1").strip()) for name in lost)


def _comments(body: bytes, tags: dict[str, str]) -> Iterator[str]:
    """Keys of Vorbis comments whose text is in none of the tags."""
    texts = []
    try:
        (at,) = struct.unpack_from("<I", body)
        (count,) = struct.unpack_from("<I", body, 4 + at)
        at += 8
        if count > MAX_PARTS:
            raise TokpressError(TOO_MANY)
        for _ in range(count):
            (size,) = struct.unpack_from("<I", body, at)
            key, _, text = body[at + 4 : at + 4 + size].decode("utf-8", "replace").partition("=")
            texts.append((key.upper(), text))
            at += 4 + size
    except struct.error:
        yield "damaged texts"
    counted = Counter(key for key, _ in texts)
    for key, count in counted.items():
        kept = any(tags.get(KEYS.get(key, "")) == text for other_key, text in texts if other_key == key)
        if count > kept:
            yield printable(key) + (f" ({count - kept} of {count})" if kept else "")


def _flac_start(data: bytes) -> int:
    if not data.startswith(b"ID3"):
        return 0
    size = sum((byte & 127) << 7 * k for k, byte in enumerate(reversed(data[6:10])))
    return 10 + size + (10 if data[5] & 16 else 0)


def _flac_blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    at, last = _flac_start(data) + 4, False
    for _ in range(MAX_PARTS):
        if last or at + 4 > len(data):
            return
        last, block, size = data[at] > 127, data[at] & 127, int.from_bytes(data[at + 1 : at + 4], "big")
        yield block, data[at + 4 : at + 4 + size]
        at += 4 + size
    raise TokpressError(TOO_MANY)


def _flac_end(data: bytes) -> int:
    """Length of the shortest prefix that holds the last sample. Frames do not state their length, so this searches."""
    import soundfile

    def reaches(size: int) -> bool:
        try:
            with soundfile.SoundFile(Source(data[:size])) as file:
                file.seek(file.frames - 1)
                return len(file.read(1)) == 1
        except (RuntimeError, ValueError):
            return False

    if not reaches(len(data)) or not reaches(len(data) - 1):
        return len(data)
    low, high = 0, len(data) - 1  # reaches(high), not reaches(low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def surplus(count: int) -> list[str]:
    return [f"{count:,} byte{'s' * (count > 1)} after its end"] if count else []


def printable(name: str) -> str:
    """The name without control characters of terminals."""
    return name.encode("unicode_escape").decode()
