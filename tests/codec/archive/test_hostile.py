"""An index that lies, grows or repeats itself ends in a FormatError, in memory and time that follow the size of the file."""

import contextlib
import io
import random
import tracemalloc
import zlib

import pytest

from tests.container.frames import frame, member, rewritten
from tests.observe import calls_of
from tokpress.codec import restore
from tokpress.codec.archive import Archive, Item, ItemKind
from tokpress.codec.archive.index import COLUMNS, HEAD_BYTES, Row, pack
from tokpress.codec.archive.item import Place
from tokpress.codec.archive_magic import MAGIC
from tokpress.container.frames import MAX_SOURCE, FrameHeader, Kind
from tokpress.container.lzma2 import lzma_encode
from tokpress.container.member import iter_frames
from tokpress.container.varint import pack_varint
from tokpress.errors import FormatError, TokpressError

from .common import by_hand, opened, packed

FILE, FOLDER, SYMLINK, HARDLINK, PATH = ItemKind


def columns(**changed: bytes) -> bytes:
    """Those of one file a of three bytes in a group of its own, some of them changed."""
    plain = {"kinds": b"\0", "parents": b"\0", "lengths": b"\1", "names": b"a", "modes": b"\0", "times": b"\0"}
    plain |= {"nanoseconds": b"", "owners": b"\0\0"}
    plain |= {"targets": b"", "heads": b"\3", "samples": b"\0", "tails": b"\0", "groups": b"\1"}
    every = plain | changed
    return b"".join(pack_varint(len(every[name])) + every[name] for name in COLUMNS)


def written(*rows: Row, groups: tuple[int, ...] = ()) -> bytes:
    return pack(rows, groups, Place.FIRST)[HEAD_BYTES:]


def read_all(data: bytes) -> int:
    """Whatever is read, it is right or a TokpressError; how many files were."""
    held, right = opened(data, keep_going=True), 0
    for number in held.numbers():
        entry = held.numbered(number)
        assert held.kind(number) in ItemKind and len(entry.name) < 1 << 17
        if entry.kind in (FILE, HARDLINK):
            with contextlib.suppress(TokpressError):
                assert sum(map(len, held.pieces(entry))) == entry.size
                right += 1
    return right


def test_the_index_by_hand_is_right():
    assert opened(by_hand(columns(), b"xyz")).read("a") == b"xyz"


LONG = b"\xff" * 8 + b"\x7f"  # 2^63 − 1


@pytest.mark.parametrize(
    "changed",
    [
        {"kinds": b""}, {"kinds": b"\5"}, {"kinds": b"\xff"}, {"kinds": b"\0\0"}, {"kinds": b"\1"}, {"kinds": b"\2"}, {"kinds": b"\3"}, {"kinds": b"\4"},
        {"parents": b""}, {"parents": b"\2"}, {"parents": b"\3"}, {"parents": LONG}, {"parents": b"\0\0"}, {"parents": b"\x80"}, {"parents": b"\x80\0"},
        {"parents": b"\xff" * 9 + b"\1"}, {"lengths": b""}, {"lengths": b"\0"}, {"lengths": b"\2"}, {"lengths": LONG}, {"names": b""}, {"names": b"ab"},
        {"names": b"."}, {"names": b"/"}, {"names": b"\0"}, {"names": b"..", "lengths": b"\2"}, {"names": b"a" * 66_000, "lengths": pack_varint(66_000)},
        {"modes": b""}, {"modes": b"\x80\x20"}, {"modes": LONG}, {"times": b""}, {"times": LONG}, {"targets": b"\0"},
        {"nanoseconds": b"\0\0"}, {"nanoseconds": b"\x80"}, {"nanoseconds": pack_varint(10**9)}, {"nanoseconds": LONG},
        {"owners": b""}, {"owners": b"\0"}, {"owners": b"\0" + LONG}, {"owners": b"\xff\xff\xff\xff\x0f\0"},
        {"heads": b""}, {"heads": b"\4"}, {"heads": LONG}, {"heads": LONG, "samples": LONG, "tails": LONG}, {"samples": b""}, {"samples": LONG}, {"tails": b""},
        {"tails": b"\1"}, {"groups": b""}, {"groups": b"\0"}, {"groups": b"\2"}, {"groups": b"\1\1"}, {"groups": b"\0\1"}, {"groups": LONG},
    ],
    ids=str,
)  # fmt: skip
def test_an_index_that_lies(changed):
    """Some ended in an IndexError."""
    with pytest.raises(FormatError, match=r"index|archive ends before|upgrade"):
        opened(by_hand(columns(**changed), b"xyz"))


def test_an_index_of_other_columns():
    for data in (b"", b"\0", b"\0" * 10, columns() + b"\0", columns()[:-1], LONG, b"[1]"):
        with pytest.raises(FormatError, match="index"):
            opened(by_hand(data, b"xyz"))


def test_a_head_that_lies():
    good = columns()
    for head in (
        MAGIC[:-1],
        MAGIC,
        MAGIC + b"\0",
        MAGIC + b"\1" + len(good).to_bytes(4, "little"),
        MAGIC + b"\3" + len(good).to_bytes(4, "little"),
        MAGIC + b"\0" + b"\xff" * 4,
        MAGIC + b"\0" + (len(good) + 4).to_bytes(4, "little"),
    ):
        with pytest.raises(FormatError):
            opened(b"".join(member((Kind.RAW, head + good), (Kind.RAW, b"xyz"))))


@pytest.mark.parametrize(
    "rows",
    [
        [Row(FOLDER, 0, b"a"), Row(FOLDER, 0, b"a")],
        [Row(FOLDER, 0, b"a"), Row(PATH, 0, b"a")],
        [Row(SYMLINK, 0, b"a", target=b"x"), Row(FOLDER, 0, b"a")],
        [Row(FOLDER, 0, b"b"), Row(FOLDER, 1, b"a"), Row(SYMLINK, 1, b"a", target=b"x")],
    ],
)
def test_two_of_one_name(rows):
    with pytest.raises(FormatError, match="the archive holds two items called"):
        opened(by_hand(written(*rows)))


@pytest.mark.parametrize(
    "rows",
    [
        [Row(SYMLINK, 0, b"a", target=b"/etc"), Row(FOLDER, 1, b"b")],  # in a link
        [Row(FOLDER, 1, b"b")],  # in itself
        [Row(FOLDER, 2, b"a"), Row(FOLDER, 1, b"b")],  # in one another
        [Row(HARDLINK, 0, b"a", target=0)],
        [Row(FOLDER, 0, b"a"), Row(HARDLINK, 0, b"b", target=0)],
        [Row(HARDLINK, 0, b"a", target=1), Row(FOLDER, 0, b"b")],
        [Row(SYMLINK, 0, b"a", target=b"")],
        [Row(SYMLINK, 0, b"a", target=b"x\0y")],
        [Row(SYMLINK, 0, b"a", target=b"x" * 70_000)],
        [Row(PATH, i, b"x" * 1000) for i in range(7)],
    ],
)
def test_entries_that_lead_elsewhere(rows):
    with pytest.raises(FormatError, match="index of the archive is damaged"):
        opened(by_hand(written(*rows)))


def test_a_group_in_several_frames():
    """Each of its items would decode all of them again."""
    two = written(Row(FILE, 0, b"a", head=2), Row(FILE, 0, b"b", head=4), groups=(2,))
    parts = written(Row(FILE, 0, b"a", head=2, samples=4), groups=(1,))
    for data in (two, parts):
        assert opened(by_hand(data, b"123456")).read("a").startswith(b"12")
        with pytest.raises(FormatError, match="group of several files"):
            opened(by_hand(data, b"123", b"456"))
    apart = written(Row(FILE, 0, b"a", head=4), Row(FILE, 0, b"b", head=2), groups=(1, 1))
    assert opened(by_hand(apart, b"123", b"456")).read("b") == b"56"


def decoded_frames():
    return calls_of(restore.restore_frame, lambda arguments: arguments["header"].number)


def test_each_frame_is_decoded_once():
    """An archive of 12 KB decoded 80 MB for each of its items."""
    with decoded_frames() as decoded:
        held = opened(packed_raw([(f"{i}", b"%06d" % i * 10) for i in range(100)]))
        for entry in held.entries(n for n in held.numbers() if held.kind(n) == FILE):
            assert len(held.read(entry.name)) == 60
    assert decoded == sorted(set(decoded)) and len(decoded) > 9


def packed_raw(items) -> bytes:
    """With raw frames alone."""
    rows = [Row(FILE, 0, name.encode(), head=len(data)) for name, data in items]
    sources = [b"".join(data for _, data in items[i : i + 10]) for i in range(0, 100, 10)]
    return by_hand(written(*rows, groups=(10,) * 10), *sources)


def test_a_frame_that_fails_fails_once():
    data = packed_raw([(f"{i}", b"%06d" % i * 10) for i in range(100)])
    for i in range(0, 100, 10):  # a byte of each group
        data = data.replace(b"%06d" % i * 10, b"?" + (b"%06d" % i * 10)[1:])
    held = opened(data)
    with decoded_frames() as tries:
        for name in held.names():
            with pytest.raises(FormatError, match="damaged, header and payload fail their check"):
                held.read(name)
    assert tries == list(range(2, 12))


def test_frames_that_are_too_large():
    """They would be given out before they are checked."""
    source = MAGIC + b"\0" + len(columns()).to_bytes(4, "little") + columns()
    size = MAX_SOURCE + 1 - len(source)
    large = lzma_encode(whole := source + bytes(size))
    import io

    from tests.container.frames import digest, write_frame

    header = FrameHeader(
        kind=Kind.LZMA,
        source_length=len(whole),
        payload_length=len(large),
        source_crc=zlib.crc32(whole),
        digest=digest(whole),
    )
    write_frame(out := io.BytesIO(), header, large)
    with pytest.raises(FormatError, match="restores more than"):
        Archive(out, keep_going=True)


def test_an_archive_lies_in_one_member():
    """What its index promises is not taken from the next one."""
    data = written(Row(FILE, 0, b"a", head=6), groups=(1,))
    assert opened(by_hand(data, b"123456")).read("a") == b"123456"
    with pytest.raises(FormatError, match="archive ends before"):
        opened(by_hand(data, b"123") + frame(Kind.RAW, b"456"))


def test_empty_frames_are_checked():
    whole = bytearray(by_hand(columns(), b"xyz") + frame(Kind.RAW, b""))
    assert opened(bytes(whole)).read("a") == b"xyz"
    whole[-1] ^= 1
    with pytest.raises(FormatError):
        opened(bytes(whole))


def test_memory_follows_the_file():
    """5 KB of archive took 895 MB, 38 KB over 4 GB."""
    for rows in (
        [Row(PATH, 0, b"%06x" % i) for i in range(500_000)],
        [Row(PATH, 0, b"x" * 60_000 + b"%d" % i) for i in range(100)],
        [Row(SYMLINK, 0, b"%d" % i, target=b"x" * 60_000) for i in range(100)],
    ):
        data = by_hand(written(*rows), kind=Kind.LZMA)
        del rows
        assert len(data) < 300_000
        tracemalloc.start()
        with pytest.raises(FormatError, match="longer than 8 times"):
            opened(data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 30 * len(data) + 1_000_000


def test_an_index_shares_no_frame():
    head = MAGIC + b"\0" + len(columns()).to_bytes(4, "little") + columns()
    with pytest.raises(FormatError, match="shares a frame"):
        opened(frame(Kind.RAW, head + b"xyz"))
    cut = b"".join(member((Kind.RAW, head[:20]), (Kind.RAW, head[20:]), (Kind.RAW, b"xyz")))
    assert opened(cut).read("a") == b"xyz"


def test_memory_of_entries():
    """Of as many as may be in a file of this size."""
    data = by_hand(written(*[Row(PATH, 0, b"%03x" % i) for i in range(4000)]), kind=Kind.LZMA)
    tracemalloc.start()
    assert len(opened(data).numbers()) == 4000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4000 * 300


def test_the_last_part_of_a_folder_is_not_walked_for_ever():
    """Entries deep down: names are as long as folders may be, and no longer."""
    deep = [Row(PATH, i, b"x") for i in range(2049)]
    opened(by_hand(written(*deep[:2048])))
    with pytest.raises(FormatError, match="or a name too long"):
        opened(by_hand(written(*deep, Row(FOLDER, 2049, b"y"))))


# --- fuzzing


def sample() -> list[bytes]:
    """The parts of the columns of an archive of everything."""
    rows = [
        Row(FOLDER, 0, b"f", 0o755, 1_700_000_000), Row(PATH, 1, b"g"), Row(FILE, 2, b"one", 0o644, 1_700_000_001, head=3),
        Row(FILE, 2, b"two", 0o600, -4, head=1, samples=4, tail=2), Row(FILE, 0, b"three", 0o600, 5, head=9, nanoseconds=77_000), Row(FILE, 1, b"e"),
        Row(SYMLINK, 1, b"s", target=b"../x"), Row(HARDLINK, 0, b"h", target=3),
    ]  # fmt: skip
    data, parts = written(*rows, groups=(2, 1, 1)), []
    while data:
        parts.append(data[1 : 1 + data[0]])
        data = data[1 + data[0] :]
    assert len(parts) == len(COLUMNS)
    return parts


SOURCES = b"abcdefghij", b"0123", b"45678"


def test_mutated_columns():
    """Each column lengthened, shortened, exchanged, or with another number in it."""
    rng, parts, accepted = random.Random(1), sample(), 0
    read_all(by_hand(b"".join(pack_varint(len(part)) + part for part in parts), *SOURCES))
    for _ in range(1500):
        mutated = list(parts)
        for _ in range(rng.choice((1, 1, 2, 4))):
            i = rng.randrange(len(mutated))
            part = bytearray(mutated[i])
            at = rng.randrange(len(part) + 1)
            number = rng.choice([rng.randrange(12), rng.randrange(300), 1 << rng.randrange(63), (1 << 63) - 1])
            change = rng.randrange(6)
            if change == 0:
                part[at:at] = pack_varint(number)
            elif change == 1:
                part[at : at + 1] = pack_varint(number)
            elif change == 2:
                del part[at : at + rng.randrange(4)]
            elif change == 3:
                part += part[:at]
            elif change == 4:
                part[at:at] = rng.randbytes(rng.randrange(5))
            else:
                part = bytearray(rng.choice(parts))
            mutated[i] = bytes(part)
        try:
            read_all(by_hand(b"".join(pack_varint(len(part)) + part for part in mutated), *SOURCES))
            accepted += 1
        except FormatError:
            pass
    assert 20 < accepted < 1000  # both ways are gone


def test_mutated_bytes():
    """Of the index, in a frame whose check holds; and of the file."""
    rng = random.Random(2)
    body = b"".join(pack_varint(len(part)) + part for part in sample())
    whole = packed(
        [("a", b"one"), ("b/c", b"two" * 40), Item("d", kind=SYMLINK, target="x"), ("e", b"z" * 5000)], 50, 1000
    )
    read, refused = 0, 0
    for i in range(900):
        data = bytearray(body if i % 3 else whole)
        for _ in range(rng.choice((1, 1, 3))):
            at = rng.randrange(len(data))
            data[at : at + rng.randrange(2)] = rng.randbytes(rng.randrange(3))
        try:
            read += read_all(by_hand(bytes(data), *SOURCES) if i % 3 else bytes(data))
        except FormatError:
            refused += 1
    assert read > 100 and refused > 100


def test_cut_anywhere():
    whole = packed([("a", b"one"), ("b/c", b"two" * 40), ("e", b"z" * 3000)], 50, 1000)
    read = []
    for end in range(len(whole)):
        with pytest.raises(FormatError):
            opened(whole[:end])
        try:
            read.append(read_all(whole[:end]))
        except FormatError:
            read.append(0)
    assert read == sorted(read) and read[0] == 0 and read[-1] > 0  # the longer the part, the more of it is there


def test_groups_of_another_archive():
    """Two archives of one index whose groups have the same sizes: none of the one is read as if it were of the other."""
    index = written(*(Row(FILE, 0, name, head=6) for name in (b"a", b"b", b"c")), groups=(1, 1, 1))
    ours, other = by_hand(index, b"old--1", b"old--2", b"old--3"), by_hand(index, b"new--1", b"new--2", b"new--3")
    cuts = [header.offset for header, _ in iter_frames(io.BytesIO(ours))] + [len(ours)]
    for number in (1, 2, 3):
        spliced = ours[: cuts[number]] + other[cuts[number] : cuts[number + 1]] + ours[cuts[number + 1] :]
        with pytest.raises(FormatError, match="does not belong to the frame before it"):
            opened(spliced)


def test_the_digest_of_an_archive_that_is_read_in_order():
    data = by_hand(columns(), b"xyz")
    *_, (header, payload) = [(header, payload.read()) for header, payload in iter_frames(io.BytesIO(data))]
    held = opened(data[: header.offset] + rewritten(header, payload, digest=bytes(8)))
    with pytest.raises(FormatError, match="the whole is not"):
        held.read("a")
