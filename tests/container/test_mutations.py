"""Files that chance has worked over: an error, or nothing but bytes that were once compressed."""

import io
from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tokpress.container.frames import SYNC, Damaged, Kind, read_header, write_frame
from tokpress.container.member import iter_frames
from tokpress.container.salvage import iter_frames_keep_going
from tokpress.errors import FormatError

from .frames import decoded, member, restored

SOURCES = [
    b"It was the age of wisdom",
    b"it was the age of foolishness " * 5,
    b"it was the epoch of belief",
    b"x",
    b"yz",
]
MEMBERS = [
    member((Kind.MODEL, SOURCES[0]), (Kind.LZMA, SOURCES[1]), (Kind.RAW, SOURCES[2])),
    member((Kind.RAW, SOURCES[3])),
    member((Kind.LZMA, SOURCES[4]), (Kind.MODEL, SOURCES[0])),
]
FRAMES = [frame for each in MEMBERS for frame in each]
RESTORED = [SOURCES[i] for i in (0, 1, 2, 3, 4, 0)]

number = st.one_of(st.integers(0, 300), st.integers(0, 1 << 26), st.integers(0, (1 << 63) - 1))
FIELDS = {
    "kind": st.sampled_from(Kind),
    "source_length": number,
    "payload_length": number,
    "source_crc": st.integers(0, (1 << 32) - 1),
    "last": st.booleans(),
    "sequence": number,
    "link": st.sampled_from([b"", bytes(4), b"link"]),
    "total_length": st.none() | number,
    "digest": st.sampled_from([b"", bytes(8), b"digest.."]),
    "model_id": st.none() | st.binary(min_size=4, max_size=4),
    "residual_id": st.none() | st.binary(min_size=4, max_size=4),
    "tokens": st.none() | number,
    "lanes": st.none() | number,
}


@st.composite
def lying(draw, frame: bytes) -> bytes | None:
    """A frame with other header fields, and a check that holds wherever it can."""
    (header, payload), *_ = [
        item for item in iter_frames_keep_going(io.BytesIO(frame)) if not isinstance(item, Damaged)
    ]
    payload = payload.read()
    lies = {name: draw(FIELDS[name]) for name in draw(st.sets(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=3))}
    try:
        header = replace(header, **lies)
        if header.payload_length == len(payload):
            write_frame(out := io.BytesIO(), header, payload)
            return out.getvalue()
        return header.pack() + payload
    except FormatError:  # cannot be spelled
        return None


@st.composite
def worked_over(draw) -> tuple[bytes, list[bytes]]:
    """A file, and the sources of the frames in it that nothing happened to, in order."""
    parts: list[tuple[bytes, bytes | None]] = list(zip(FRAMES, RESTORED))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(parts) - 1))
        frame, source = parts[at]
        what = draw(st.sampled_from(["flip", "cut", "insert", "remove", "repeat", "move", "lie", "junk"]))
        if what in ("flip", "cut", "insert"):
            where = draw(st.integers(0, max(len(frame) - 1, 0)))
            size = draw(st.integers(1, 9))
            new = {
                "flip": frame[:where] + bytes([frame[where] ^ draw(st.integers(1, 255))]) + frame[where + 1 :]
                if frame
                else b"",
                "cut": frame[:where] + frame[where + size :],
                "insert": frame[:where] + draw(st.binary(min_size=1, max_size=9)) + frame[where:],
            }[what]
            parts[at] = (new, None if new != frame else source)
        elif what == "remove" and len(parts) > 1:
            del parts[at]
        elif what == "repeat":
            parts.insert(draw(st.integers(0, len(parts))), parts[at])
        elif what == "move":
            parts.insert(draw(st.integers(0, len(parts) - 1)), parts.pop(at))
        elif what == "lie" and source is not None and (lie := draw(lying(frame))):
            parts[at] = (lie, None)
        elif what == "junk":
            parts.insert(at, (draw(st.binary(max_size=60)), None))
    return b"".join(frame for frame, _ in parts), [source for _, source in parts if source is not None]


def test_what_this_starts_from():
    assert decoded(b"".join(FRAMES)) == RESTORED
    assert [b"".join(map(bytes, p)) for _, p in iter_frames(io.BytesIO(FRAMES[3]))] == [b"x"]


@settings(max_examples=400, deadline=None)
@given(worked_over())
def test_wrong_bytes_are_never_passed_off(work):
    file, _ = work
    pieces = []
    try:
        for header, payload in iter_frames(io.BytesIO(file)):
            pieces.append(restored(header, payload))
    except FormatError:
        pass
    assert all(piece in SOURCES or piece == b"" for piece in pieces)


@settings(max_examples=400, deadline=None)
@given(worked_over())
def test_what_nothing_happened_to_is_recovered(work):
    file, intact = work
    found, holes, damaged = [], 0, []
    for item in iter_frames_keep_going(io.BytesIO(file)):
        if isinstance(item, Damaged):
            holes += 1
            damaged.append(item)
            assert 0 <= item.offset <= item.offset + item.length <= len(file)
            continue
        try:
            found.append(restored(*item))
        except FormatError:  # the check held, the source's did not
            holes += 1
    assert all(piece in SOURCES or piece == b"" for piece in found)
    rest = iter(found)
    if not all(source in rest for source in intact):  # in order, with what was mended by chance in between
        assume(not any(reaches_exactly(file, hole) for hole in damaged))
        raise AssertionError(f"{intact} were there, and {found} came back")
    if decoded_cleanly(file):
        assert not holes


def test_a_stray_mark_before_a_sync_hides_no_frame():
    """d1 and two bytes before a sync are the header of a short frame of 84 bytes ("T"), here up to where another frame begins."""
    sources = [b"x", b"y" * 61, b"z"]
    file = b"\xd1\0\0" + b"".join(member((Kind.RAW, source))[0] for source in sources)
    assert read_header(io.BytesIO(file)).kind == Kind.SHORT and file[7 + 84 :].startswith(b"\xd4TP\x01")
    found = [restored(*item) for item in iter_frames_keep_going(io.BytesIO(file)) if not isinstance(item, Damaged)]
    assert found == sources


def reaches_exactly(file: bytes, hole: Damaged) -> bool:
    """Whether a header tells that its payload ends where the hole does, or in it before a sync whose frame is damaged too: it is believed,
    whatever it covers (docs/format.md, "Around damage")."""
    try:
        header = read_header(io.BytesIO(file[hole.offset :]))
    except FormatError:
        return False
    if header is None:
        return False
    length = len(header.pack()) + header.payload_length
    return length == hole.length or (length < hole.length and file[hole.offset + length :].startswith(SYNC))


def decoded_cleanly(file: bytes) -> bool:
    try:
        decoded(file)
    except FormatError:
        return False
    return True
