"""Many small files in one .tokp file that share a model and a stream, and can be taken out one by one.

    index · group · group · …        each a frame (the index one, or more); a group restores the items that it holds

What is alike is stored together: pictures of the same width and channels, or recordings of the same kind, are laid one under
the other, so that the prior over samples sees one large picture; before them stands what their files have around the samples.
Everything else is laid end to end. One item is read by decoding the index and its group alone (`tokpress.open` seeks).

The source of such a file is `MAGIC`, the length of the index (4 bytes, little-endian), the index, then the groups. The index
is JSON: for each group `{"grid": hex or "", "items": [[name, head, samples, tail], …]}`: how many bytes of each item stand
before, among and after the samples. Names are what the system has: where they are not UTF-8, the index is not either. In a group all heads and tails come first, item by item, then all samples.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from . import content
from . import grid as grids
from .choice import Options, choose_frame
from .errors import ChecksumError, FormatError, TokpressError
from .grid import MOST, Grid
from .pipeline import MemberWriter, Summary
from .reader import Frames

MAGIC = b"tokpress archive 1\n"
#: bytes of a group: what has to be decoded for one item, and what one flipped bit can lose (benchmarks/archives.py: larger ones
#: save some more)
GROUP_SIZE = 1 << 17
MOST_INDEX = 1 << 28


@dataclass(frozen=True)
class Item:
    """Where an item's bytes are, from the beginning of its group's source."""

    name: str
    around: int
    head: int
    samples: int
    sample_bytes: int
    tail: int
    #: of its group's source within that of the archive
    start: int = 0

    @property
    def size(self) -> int:
        return self.head + self.sample_bytes + self.tail


def checked_name(name: str) -> str:
    """A relative path that stays below the folder it is unpacked in. Raises FormatError."""
    path = PurePosixPath(name)
    try:  # bytes that are not UTF-8 are, as the system has them, code points of their own
        kept = name.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        kept = ""
    plain = name and kept == name and "\\" not in name and "\0" not in name and ":" not in path.parts[0]
    if not plain or path.is_absolute() or ".." in path.parts or str(path) != name:
        raise FormatError(f"{name!r} is no name for an item of an archive: give files below one folder")
    return name


# --- writing -----------------------------------------------------------------------------------------


def _kind(data: bytes) -> tuple[Any, Grid | None]:
    """(what items of one group have in common, where the samples are)"""
    grid = content.grid_of(data)
    if grid is None or grid.padding:
        return None, None
    return (grid.picture, grid.columns if grid.picture else 0, grid.channels, grid.bits, grid.signed, grid.little), grid


def _groups(items: Iterable[tuple[str, bytes]], size: int) -> Iterator[list[tuple[str, bytes, Grid | None]]]:
    """Items of one kind, in the order in which they come, up to `size` bytes or one item."""
    held: dict[Any, list[tuple[str, bytes, Grid | None]]] = {}
    for name, data in items:
        kind, grid = _kind(data)
        group = held.setdefault(kind, [])
        if group and sum(len(each) for _, each, _ in group) + len(data) > size:
            yield group
            group = held[kind] = []
        group.append((name, data, grid))
    yield from (group for group in held.values() if group)


def _laid(group: list[tuple[str, bytes, Grid | None]]) -> tuple[bytes, Grid | None, list[list[Any]]]:
    """(the group's source, where its samples are, its items for the index)"""
    around, samples, told = [], [], []
    rows = columns = 0
    for name, data, grid in group:
        start, stop = (grid.start, grid.stop) if grid else (len(data), len(data))
        around += [data[:start], data[stop:]]
        samples.append(data[start:stop])
        told.append([name, start, stop - start, len(data) - stop])
        rows, columns = rows + (grid.rows if grid else 0), columns + (grid.columns if grid else 0)
    first = b"".join(around)
    grid = group[0][2]
    if grid:
        together = {"rows": rows} if grid.picture else {"columns": columns}
        grid = replace(grid, start=len(first), **together)  # type: ignore[arg-type]
        grid = grid if max(rows, columns) < MOST else None
    return first + b"".join(samples), grid, told


def write(
    items: Iterable[tuple[str, bytes]],
    out: BinaryIO,
    options: Options | None = None,
    size: int = GROUP_SIZE,
    report: Callable[[int], None] = lambda done: None,
) -> Summary:
    """Items (name, bytes) as an archive. All of them are held in memory. Raises FormatError where two have one name.

    >>> import io
    >>> out = io.BytesIO()
    >>> _ = write([("a.txt", b"one"), ("b/c.txt", b"two")], out)
    >>> archive = Archive(out)
    >>> archive.names(), archive.read("b/c.txt")
    (['a.txt', 'b/c.txt'], b'two')
    """
    options = options or Options()
    if options.lossy or options.completes:
        raise TokpressError("an archive takes models of lossless tokenizers")
    laid, index, seen = [], [], set()
    for group in _groups(items, size):
        for name, _, _ in group:
            if checked_name(name) in seen:
                raise FormatError(f"two items of the archive would be called {name}: rename one, or make two archives")
            seen.add(name)
        source, grid, told = _laid(group)
        laid.append((source, grid))
        index.append({"grid": grid.pack().hex() if grid else "", "items": told})
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogateescape")
    if len(text) > MOST_INDEX:
        raise FormatError(f"an index of {len(text):,} bytes is too large; make several archives")
    laid.insert(0, (MAGIC + len(text).to_bytes(4, "little") + text, None))
    summary, member, done = Summary(), MemberWriter(out), 0
    for number, (source, grid) in enumerate(laid):
        mine = options if number else Options(kernel=options.kernel)
        coded = choose_frame(source, mine, lambda part, before=done: report(before + part), grid)  # type: ignore[misc]
        done += len(source)
        summary.frames.append(member.write(coded, source, last=number == len(laid) - 1))
        report(done)
    return summary


# --- reading -----------------------------------------------------------------------------------------


class Archive:
    """An archive in a file that can seek. Raises FormatError where it is none, or damaged."""

    def __init__(self, stream: BinaryIO, models: list | None = None, kernel: str = "auto") -> None:
        stream.seek(0)
        self._frames = Frames(stream, models or [], kernel)
        if self._take(len(MAGIC)) != MAGIC:
            raise FormatError("it is no archive of several files: decompress it instead")
        size = int.from_bytes(self._take(4), "little")
        if size > MOST_INDEX:
            raise FormatError("the index of the archive is damaged")
        self.items: dict[str, Item] = {}
        try:
            self._index(json.loads(self._take(size).decode("utf-8", "surrogateescape")), len(MAGIC) + 4 + size)
        except (ValueError, KeyError, TypeError, RecursionError, ChecksumError) as error:
            if isinstance(error, FormatError):
                raise
            raise FormatError(f"the index of the archive is damaged: {error}") from None

    def _index(self, groups: list, start: int) -> None:
        for group in groups:
            around = sum(head + tail for _, head, _, tail in group["items"])
            before, samples = 0, around
            for name, head, size, tail in group["items"]:
                if min(head, size, tail) < 0 or not all(type(each) is int for each in (head, size, tail)):
                    raise ValueError("lengths that cannot be")
                if checked_name(name) in self.items:
                    raise ValueError(f"{name} is there twice")
                self.items[name] = Item(name, before, head, samples, size, tail, start)
                before, samples = before + head + tail, samples + size
            if packed := group["grid"]:
                grids.unpack(bytes.fromhex(packed), samples)  # only to be sure
            start += samples

    def names(self) -> list[str]:
        return list(self.items)

    def read(self, name: str) -> bytes:
        """The bytes of one item. Raises KeyError where there is none of that name, FormatError."""
        item = self.items[name]
        around = self._range(item.start + item.around, item.head + item.tail)
        samples = self._range(item.start + item.samples, item.sample_bytes)
        return around[: item.head] + samples + around[item.head :]

    def _range(self, start: int, size: int) -> bytes:
        if self._frames.seek(start) != start:
            raise FormatError("the archive ends before what its index promises")
        return self._take(size)

    def _take(self, size: int) -> bytes:
        out = bytearray()
        while len(out) < size and (piece := self._frames.read(min(size - len(out), 1 << 20))):
            out += piece
        if len(out) < size:
            raise FormatError("it is no archive, or ends before what its index promises")
        return bytes(out)
