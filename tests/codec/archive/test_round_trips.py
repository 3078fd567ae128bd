"""What is put in comes out, one by one too, in less than it takes alone; memory is bounded."""

import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokpress import compress
from tokpress.codec import archive
from tokpress.codec.archive import Entry, Item, ItemKind, write
from tokpress.codec.options import Options
from tokpress.errors import FormatError, TokpressError
from tokpress.models.store import load

from .common import opened, packed, picture


@given(
    sizes=st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["text", "picture", "wide", "cut"])), max_size=12),
    size=st.sampled_from([1, 500, 1 << 20]),
    frame_size=st.sampled_from([300, 1 << 24]),
)
@settings(max_examples=12, deadline=None)
def test_what_goes_in_comes_out(sizes, size, frame_size):
    def made(i: int, length: int, kind: str) -> bytes:
        whole = picture(i, 1 + length, 40 if kind == "wide" else 10)
        return {"text": b"words " * length, "cut": whole[:-3]}.get(kind, whole + b"behind" * (i % 2))

    items = {f"folder {i % 3}/{i}.{kind}": made(i, length, kind) for i, (length, kind) in enumerate(sizes)}
    held = opened(packed(items, size, frame_size))
    assert sorted(held.names()) == sorted(items)
    for name in sorted(items, reverse=True):
        assert held.read(name) == items[name] and held.entry(name).size == len(items[name])
    with pytest.raises(KeyError):
        held.read("another")


def test_folders_links_modes_and_times():
    items = [
        Item("a", b"one", mode=0o4755, mtime=-5),
        Item("empty", kind=ItemKind.FOLDER, mode=0o500, mtime=2**40),
        Item("empty/not", b"", mode=0),
        Item(
            "way/link", mtime=9, uid=3, kind=ItemKind.SYMLINK, target="../é/\udcff/" + "x" * 300, nanoseconds=10**9 - 1
        ),
        Item("way/same", kind=ItemKind.HARDLINK, target="a"),
    ]
    held = opened(packed(items))
    kept = {entry.name: entry._replace(number=0) for entry in held.entries()}
    assert kept == {
        "a": Entry(0, "a", ItemKind.FILE, 3, 0o4755, -5),
        "empty": Entry(0, "empty", ItemKind.FOLDER, 0, 0o500, 2**40),
        "empty/not": Entry(0, "empty/not", ItemKind.FILE),
        "way/link": Entry(0, "way/link", ItemKind.SYMLINK, 0, 0, 9, 3, target=items[3].target, nanoseconds=10**9 - 1),
        "way/same": Entry(0, "way/same", ItemKind.HARDLINK, 3, 0o4755, -5, target="a"),
    }
    assert held.read("way/same") == b"one"
    for name in ("empty", "way/link", "way", "a/", "", "/a", "../a"):
        with pytest.raises(KeyError):
            held.read(name)
    assert [held.numbered(n).name for n in held.within(["empty"])] == ["empty", "empty/not"]


def test_an_archive_of_nothing():
    assert opened(packed({})).names() == [] and opened(packed({"a": b""})).read("a") == b""


def test_an_item_larger_than_a_frame():
    """It ended in an impossible header, after all the work."""
    large = b"abcdefg" * 1000
    items = {"one": b"1", "large": large, "two": b"2", "stream": b"", "picture": picture(1, 100, 30)}
    given = [(name, io.BytesIO(large[1:]) if name == "stream" else data) for name, data in items.items()]
    data = packed(given, 50, 1000)
    held = opened(data)
    assert {name: held.read(name) for name in held.names()} == items | {"stream": large[1:]}
    assert [len(piece) for piece in held.pieces(held.entry("large"))] == [1000] * 7
    assert "".join(sorted(held.names())) == "".join(sorted(items))


class Growing(io.BytesIO):
    """Longer than it says."""

    def seek(self, offset, whence=0):
        return super().seek(offset, whence) - (whence == io.SEEK_END)


def test_a_stream_that_is_not_as_long_as_it_said():
    with pytest.raises(TokpressError, match="try again"):
        packed([("a", Growing(bytes(2000)))], 50, 1000)


def test_many_parts():
    """Each part of the index comes before what it is of; the folders of one are those of the next."""
    items = {f"folder/{i % 7}/{i}": b"%05d" % i * 20 for i in range(300)}
    data = packed(items, 200, batch=1000)
    held = opened(data)
    assert {name: held.read(name) for name in held.names()} == items
    assert len(held.numbers()) == 308
    part = opened(data[: len(data) // 2], keep_going=True)
    assert part.damage and 50 < len(part.names()) < 250
    found = 0
    for entry in part.entries():
        try:
            found += part.read(entry.name) == items[entry.name]
        except FormatError as error:
            assert error is part.damage
    assert found > 50
    with pytest.raises(FormatError, match="truncated"):
        opened(data[: len(data) // 2])


def test_memory_is_bounded(monkeypatch):
    """All items were held in memory, twice."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # each thread has an encoder of its own

    def items():
        for i in range(60):
            yield f"{i}", bytes([i]) * 300_000
        yield "large", Repeated(20_000_000)

    out = io.BytesIO()
    packed([("warm", b"up")])
    tracemalloc.start()
    write(items(), out, Options(frame_size=1 << 18), batch=1 << 20)
    _, peak = tracemalloc.get_traced_memory()
    assert peak < 12_000_000
    held = archive.Archive(out)
    tracemalloc.reset_peak()
    assert sum(len(piece) for piece in held.pieces(held.entry("large"))) == 20_000_000
    assert held.read("59") == bytes([59]) * 300_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


class Repeated(io.RawIOBase):
    """A large file of zeros that takes no memory."""

    def __init__(self, size: int) -> None:
        self._size, self._at = size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (self._size if whence == 2 else self._at if whence == 1 else 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer) -> int:
        count = min(len(buffer), self._size - self._at)
        buffer[:count] = bytes(count)
        self._at += count
        return count


def test_one_item_needs_its_group_alone():
    items = {f"{i}": bytes(np.random.default_rng(i).integers(97, 105, 400, np.uint8)) for i in range(40)}
    whole = bytearray(packed(items, 1000))
    whole[len(whole) // 2] ^= 1  # in some group in the middle
    held = opened(bytes(whole))
    assert held.read("0") == items["0"] and held.read("39") == items["39"]
    broken = 0
    for name, data in items.items():
        try:
            assert held.read(name) == data
        except TokpressError:
            broken += 1
    assert 1 <= broken <= 3


def test_many_small_pictures_take_less_together():
    items = {f"{i}.ppm": picture(i % 50) for i in range(200)}
    write(items.items(), out := io.BytesIO())
    assert len(out.getvalue()) < 0.7 * sum(len(compress(data)) for data in list(items.values())[:20]) * 10


def test_one_of_many_small_ones_needs_a_part():
    """All 1,000 were in one group."""
    items = [(f"{i}.pgm", b"P5 28 28 255\n" + picture(i, 28, 28)[-784:]) for i in range(1000)]
    summary = write(items, io.BytesIO(), Options([load("context-mixing")]))
    assert 6 <= len(summary.frames) <= 21


@pytest.mark.parametrize(
    "name", ["", "/etc/x", "../x", "a/../../x", "a//b", "./a", "a/.", ".", "..", "a/", "a\0", "\ud800", "\udcc3\udca9", "a/" * 40_000 + "b"]
)  # fmt: skip
def test_names_that_no_item_has(name):
    with pytest.raises(FormatError, match=r"no name|longer than"):
        packed({name: b"x"})
    assert opened(packed({"a": b"x"})).within(["a"])


@pytest.mark.parametrize(
    "name", ["a\\b", "C:x", "a\nb", "-", "~", "é", "\udcff", "x" * 3000, "a/" * 2000 + "b", "\x1b[31m"]
)
def test_names_that_are_odd(name):
    """A backslash or a colon refused everything."""
    held = opened(packed({name: b"x", "other": b"y"}))
    assert held.read(name) == b"x" and sorted(held.names()) == sorted([name, "other"])


def test_two_of_one_name():
    for items in (
        [("a", b"1"), ("a", b"2")],
        [("a/b", b"1"), Item("a", kind=ItemKind.FOLDER)],
        [("a/b", b""), ("a", b"")],
        [Item("a", kind=ItemKind.SYMLINK, target="x"), ("a", b"")],
    ):
        with pytest.raises(FormatError, match="two items of the archive would be called a"):
            packed(items)
    with pytest.raises(FormatError, match="a is a file or a link of the archive"):
        packed([("a", b""), ("a/b", b"")])


@pytest.mark.parametrize(
    "item",
    [
        Item("b", kind=ItemKind.HARDLINK, target="other"),
        Item("b", kind=ItemKind.HARDLINK, target="folder"),
        Item("b", kind=ItemKind.HARDLINK, target="link"),
        Item("b", kind=ItemKind.HARDLINK, target="folder/a"),
        Item("b", kind=ItemKind.HARDLINK, target="../a"),
        Item("b", kind=ItemKind.SYMLINK),
        Item("b", kind=ItemKind.SYMLINK, target="a\0b"),
        Item("b", kind=ItemKind.SYMLINK, target="x" * 70_000),
    ],
)
def test_links_that_lead_nowhere(item):
    with pytest.raises(FormatError):
        packed(
            [("a", b""), Item("folder", kind=ItemKind.FOLDER), Item("link", kind=ItemKind.SYMLINK, target="a"), item]
        )


def test_values_that_no_item_has():
    for item in (
        Item("a", mode=0o10000),
        Item("a", mtime=1 << 62),
        Item("a", nanoseconds=10**9),
        Item("a", kind=ItemKind.PATH),
    ):
        with pytest.raises(ValueError):
            packed([item])
    for size in (0, (1 << 26) + 1):
        with pytest.raises(ValueError, match="group"):
            packed({}, size)


def test_joined_archives_are_one():
    """All but the first were silently left out."""
    one = packed([Item("in", kind=ItemKind.FOLDER, mode=0o755), ("in/a", b"1"), ("b", b"2")])
    two = packed(
        [Item("in", kind=ItemKind.FOLDER, mode=0o700), ("in/c", b"3"), Item("d", kind=ItemKind.HARDLINK, target="in/c")]
    )
    held = opened(one + two + packed({}))
    assert {e.name: held.read(e.name) for e in held.entries() if e.kind != ItemKind.FOLDER} == {
        "in/a": b"1", "b": b"2", "in/c": b"3", "d": b"3",
    }  # fmt: skip
    assert [held.numbered(n).name for n in held.within(["in"])] == ["in", "in/a", "in", "in/c"]
    with pytest.raises(FormatError, match="joined hold two items called b:"):
        opened(one + packed({"b": b"4"}))
    with pytest.raises(FormatError, match="joined hold two items called b:"):
        opened(one + packed({"b/x": b"4"}))


def test_an_update_replaces():
    """Only where it says so: archives that are joined by chance do not."""
    folder = Item("in", kind=ItemKind.FOLDER, mode=0o755)
    one = packed([folder, ("in/a", b"old"), Item("h", kind=ItemKind.HARDLINK, target="in/a"), ("b", b"2")])
    link = Item("b", kind=ItemKind.SYMLINK, target="in/a")
    two = packed([folder._replace(mode=0o700), ("in/a", b"new"), link], joined=True, updates=True)
    held = opened(one + two)
    assert held.names() == ["h", "in", "in/a", "b"] and held.read("in/a") == b"new" and held.read("h") == b"old"
    assert held.entry("in").mode == 0o700 and held.entry("b").target == "in/a"
    within = [held.numbered(n).name for n in held.within(["in", "b"]) if held.kind(n) != ItemKind.PATH]
    assert within == ["in", "in/a", "b"]
    three = opened(one + two + packed({"in/a": b"newest"}, joined=True, updates=True))
    assert three.read("in/a") == b"newest" and three.names().count("in/a") == 1
    for more in (packed({"in/a": b"by chance"}, joined=True), packed({"in": b"a file"}, joined=True, updates=True)):
        with pytest.raises(FormatError, match="joined hold two items called in"):
            opened(one + more)


def test_many_joined_indexes_that_shrink_too_well():
    """A reader grants the free bytes of an index once."""
    one = packed(dict.fromkeys((f"{i:05}" for i in range(9000)), b""))
    more = [packed(dict.fromkeys((f"{k}{i:05}" for i in range(3000)), b""), joined=True) for k in "abcdef"]
    assert len(opened(one + b"".join(more)).names()) == 27_000


def test_what_follows_an_archive():
    one = packed({"a": b"1"})
    for more, message in (
        (compress(b"no archive"), "another file was joined with it"),
        (b"garbage", "no frame begins here"),
        (b"\0", "only zero bytes follow"),
        (one[:30], "truncated"),
    ):
        with pytest.raises(FormatError, match=message):
            opened(one + more)
        held = opened(one + more, keep_going=True)
        assert message in str(held.damage) and held.read("a") == b"1"


def test_what_is_no_archive():
    for data in (b"text", b""):
        with pytest.raises(FormatError, match="archive"):
            opened(compress(data), keep_going=True)
    for data in (b"", b"no container"):
        with pytest.raises(FormatError):
            opened(data, keep_going=True)


def test_an_index_that_shrinks_too_well():
    """A reader believes 8 bytes of index for each byte of the file, so the writer makes no archive of fewer."""
    names = [f"{i:06}" for i in range(30_000)]
    held = opened(data := packed(dict.fromkeys(names, b"")))
    assert sorted(held.names()) == names and len(data) < 120_000
