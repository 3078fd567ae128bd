"""Damaged files, and files that break a rule of docs/format.md, are refused by the second reader and by the package."""

import binascii
import lzma
import zlib
from itertools import pairwise

import pytest

from tests.golden import inputs, make
from tests.second_coding import Cursor
from tests.second_reader import LZMA, MODEL_FILES, Frame, Model, Reader, Refused, blake2b
from tokpress.codec import stream
from tokpress.codec.context import Context
from tokpress.errors import TokpressError
from tokpress.models.loading import load_folder

FILES = {name: (inputs.MODELS / "histogram" / name).read_bytes() for name in ("config.json", "model.safetensors")}
STATIC, ADAPTIVE = (
    Model(FILES),
    Model({MODEL_FILES[0]: (inputs.MODELS / "histogram-adaptive" / "config.json").read_bytes()}),
)
PACKAGE = [load_folder(inputs.MODELS / "histogram-adaptive")]
SOURCE = inputs.sources()["prose"][:100]
CONTEXT = b"hello, hello"
#: frames of a model, lzma, raw, a model, lzma
MEMBER = make.frames(SOURCE, PACKAGE, 20)


def refused(data: bytes, context: bytes | None = None) -> str:
    """Why the second reader refuses a file; "" where it reads it. The package must refuse the same files."""
    reason, sources, restored = "", None, None
    try:
        sources = Reader([ADAPTIVE], context).read(data)
    except Refused as error:
        reason = str(error)
    try:
        restored = stream.decompress(data, models=PACKAGE, context=None if context is None else Context(context))
    except TokpressError as error:
        assert sources is None, error
    assert sources is None or restored == b"".join(sources)
    assert sources is not None or restored is None, reason
    return reason


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]


def frames_of(data: bytes) -> list[bytes]:
    cursor, ends = Cursor(data), [0]
    while cursor.at < len(data):
        Frame(cursor)
        ends.append(cursor.at)
    return [data[begin:end] for begin, end in pairwise(ends)]


def header_of(frame: bytes) -> int:
    return len(Frame(Cursor(frame)).header)


def signed(frame: bytes, size: int) -> bytes:
    """The frame with a check that fits. size: bytes of its header."""
    check = binascii.crc_hqx(frame[4 : size - 2] + frame[size:], 0xFFFF)
    return frame[: size - 2] + check.to_bytes(2, "little") + frame[size:]


def test_the_member_is_read():
    assert not refused(MEMBER) and not refused(MEMBER + MEMBER) and len(frames_of(MEMBER)) == 5


def test_a_flip_anywhere():
    assert all(refused(flipped(MEMBER, at)) for at in range(len(MEMBER)))


def test_a_flip_with_a_new_check():
    """Fields and payloads are tested by their own rules: the check fits again."""
    frames = frames_of(MEMBER)
    for number, frame in enumerate(frames):
        size = header_of(frame)
        first = size + (frame[4] & 7 == LZMA)  # a larger dictionary restores the same
        for at in [*range(4, size - 2), *range(first, len(frame))]:
            frames[number] = signed(flipped(frame, at), size)
            assert refused(b"".join(frames)), (number, at)
        frames[number] = frame


@pytest.mark.parametrize(
    "reason, at",
    [("sequence or link", 5), ("sequence or link", 6), ("total length", 11), ("digest", 12), ("digest", 19)],
)
def test_the_member_is_tested_as_a_whole(reason, at):
    """Bytes of the number, link, total and digest of the last frame, with a check that fits."""
    *before, last = frames_of(MEMBER)
    assert reason in refused(b"".join([*before, signed(flipped(last, at), header_of(last))]))


def test_truncated_and_longer_files():
    assert all(refused(MEMBER[:size]) for size in range(len(MEMBER)))
    assert refused(MEMBER + b"\0")


def test_exchanged_frames():
    frames, others = frames_of(MEMBER), frames_of(make.frames(SOURCE[::-1], PACKAGE, 20))
    for i in range(5):
        assert refused(b"".join(frames[:i] + frames[i + 1 :]))
        assert refused(b"".join([*frames[:i], others[i], *frames[i + 1 :]]))
        for j in range(i):
            assert refused(b"".join([*frames[:j], frames[i], *frames[j + 1 : i], frames[j], *frames[i + 1 :]]))


def test_a_damaged_short_frame():
    packed = make.after_context(SOURCE[:40], PACKAGE[0], CONTEXT)
    assert packed[0] == 0xD1 and not refused(packed, CONTEXT) and not refused(packed + MEMBER, CONTEXT)
    assert refused(packed) and refused(packed, CONTEXT + b".")
    assert all(refused(flipped(packed, at), CONTEXT) and refused(packed[:at], CONTEXT) for at in range(len(packed)))


# --- files that break one rule, written by hand ---


def frame(fields: str, payload: bytes = b"", source: bytes | None = None, sync: str = "d4545001") -> bytes:
    """A frame with these fields, in hexadecimal digits, to the payload length. Its checksums fit."""
    crc = zlib.crc32(payload if source is None else source).to_bytes(4, "little")
    checked = bytes.fromhex(fields) + crc
    return bytes.fromhex(sync) + checked + binascii.crc_hqx(checked + payload, 0xFFFF).to_bytes(2, "little") + payload


def varint(number: int) -> str:
    return f"{number:02x}" if number < 128 else f"{number & 127 | 128:02x}" + varint(number >> 7)


def lzma_frame(dictionary: int = 0, source: bytes = b"hello", more: bytes = b"", shorter: int = 0) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 4096}]
    packed = bytes([dictionary]) + lzma.compress(source, lzma.FORMAT_RAW, filters=filters) + more
    packed = packed[: len(packed) - shorter]
    return frame(f"09 05 {varint(len(packed))}", packed, b"hello")


CODED, IN_LANES = (Frame(Cursor(make.frame(b"hello", PACKAGE[0], lanes=lanes))).payload for lanes in (None, 2))


def model_frame(
    flags: str = "0a", tokens: int = 5, lanes: str = "", payload: bytes = CODED, source: bytes = b"hello"
) -> bytes:
    ids = ADAPTIVE.id.hex()
    return frame(
        f"{flags} {varint(len(source))} {ids} {varint(tokens)} {lanes} {varint(len(payload))}", payload, source
    )


def weights(names=MODEL_FILES, flags: str = "0d 00", id: bytes = STATIC.id, source: bytes = b"") -> bytes:
    named = [(name, FILES.get(name.lower(), b"")) for name in names if name.lower() in FILES]
    packed = b"".join(
        bytes.fromhex(varint(len(name))) + name.encode() + bytes.fromhex(varint(len(data))) + data
        for name, data in named
    )
    return frame(f"{flags} {id.hex()} {varint(len(packed))}", packed, source)


def short_frame(mark: str = "d1", lengths: str = "", payload: bytes = b"") -> bytes:
    header = bytes.fromhex(mark) + blake2b(ADAPTIVE.id + blake2b(CONTEXT))[:2] + bytes.fromhex(lengths)
    return header + binascii.crc_hqx(header + b"hello", 0xFFFF).to_bytes(2, "little") + payload


HELLO = frame("08 05 05", b"hello")
SHORT = make.after_context(b"hello", PACKAGE[0], CONTEXT)[7:]
KEPT = {
    "raw": HELLO,
    "lzma": lzma_frame(),
    "model": model_frame(),
    "two lanes": model_frame("2a", lanes="02", payload=IN_LANES),
    "padded": model_frame(payload=CODED.ljust(104, b"\0")),
    "weights": weights() + HELLO,
    "short": short_frame("d1", f"05 {len(SHORT):02x}", SHORT),
}
BROKEN = {
    "version 2": ("upgrade", frame("08 05 05", b"hello", sync="d4545002")),
    "no sync": ("not a .tokp file", frame("08 05 05", b"hello", sync="d4555001")),
    "reserved bit": ("upgrade", frame("48 05 05", b"hello")),
    "kind 7": ("upgrade", frame("0f 05 05", b"hello")),
    "raw in lanes": ("upgrade", frame("28 05 01 05", b"hello")),
    "long varint": ("short as possible", frame("08 85 00 05", b"hello")),
    "varint of ten bytes": ("nine bytes", frame("08" + "ff" * 9 + "01 05", b"hello")),
    "no LAST": ("truncated", frame("00 05 05", b"hello")),
    "begins late": ("sequence", frame("18 01 00000000 05 05" + blake2b(b"hello").hex() + "05", b"hello")),
    "sequence number 0": (
        "sequence number 0",
        frame("18 00 00000000 05 05" + blake2b(b"hello").hex() + "05", b"hello"),
    ),
    "raw length": ("raw", frame("08 05 04", b"hell", b"hello")),
    "raw above 64 MiB": ("source length", frame("08 81808020 81808020", b"hello")),
    "source CRC": ("source CRC", frame("08 05 05", b"hello", b"hallo")),
    "empty lzma": ("source length 0", frame("09 00 02", b"\0\0")),
    "dictionary": ("dictionary", lzma_frame(29)),
    "no end mark": ("end mark", lzma_frame(shorter=1)),
    "after the end mark": ("end mark", lzma_frame(more=b"\0")),
    "more source": ("end mark", lzma_frame(source=b"hello!")),
    "less source": ("end mark", lzma_frame(source=b"hell")),
    "no tokens": ("token count", model_frame(tokens=0)),
    "41 tokens": ("token count", model_frame(tokens=41)),
    "4 tokens": ("token count", model_frame(tokens=4)),
    "the default lanes": ("lanes", model_frame("2a", lanes="01")),
    "0 lanes": ("lanes", model_frame("2a", lanes="00")),
    "6 lanes": ("lanes", model_frame("2a", lanes="06")),
    "513 lanes": ("lanes", model_frame("2a", 600, "8104", bytes(600), bytes(600))),
    "long payload": ("payload length", model_frame(payload=CODED.ljust(105, b"\0"))),
    "payload for its lanes": ("payload length", model_frame("2a", 600, "20", bytes(15), bytes(600))),
    "payload for its tokens": ("too short", model_frame("2a", 8192, "02", bytes(27), bytes(8192))),
    "words end": ("truncated", model_frame("2a", 600, "02", bytes(1), bytes(600))),
    "no model": ("no model", frame("0a 05 01020304 05 01", b"1", b"hello")),
    "weights that go on": ("weights", weights(flags="05 00") + HELLO),
    "weights of a source": ("weights", weights(flags="0d 01") + HELLO),
    "weights with a CRC": ("weights", weights(source=b"hello") + HELLO),
    "weights in another order": ("name or order", weights(MODEL_FILES[::-1]) + HELLO),
    "weights twice": ("name or order", weights(MODEL_FILES[:1] * 2) + HELLO),
    "weights of another name": ("name or order", weights(["CONFIG.JSON"]) + HELLO),
    "weights of another id": ("its id", weights(id=b"1234") + HELLO),
    "weights in a member": ("sequence", frame("00 02 02", b"he") + weights() + HELLO),
    "short in a member": (
        "not a .tokp file",
        frame("00 02 02", b"he") + short_frame("d1", f"05 {len(SHORT):02x}", SHORT),
    ),
    "another mark": ("short frame", short_frame("d7", f"0500 {len(SHORT):02x}00", SHORT)),
    "short without source": ("short frame", short_frame("d1", f"00 {len(SHORT):02x}", SHORT)),
}


@pytest.mark.parametrize("packed", KEPT.values(), ids=KEPT)
def test_kept_rules(packed):
    assert not refused(packed, CONTEXT)


@pytest.mark.parametrize("reason, packed", BROKEN.values(), ids=BROKEN)
def test_broken_rules(reason, packed):
    assert reason in refused(packed, CONTEXT)
