"""Write an archive. Memory is bounded: a batch of small items, or some frames of a large one.

Items are collected up to BATCH_BYTES bytes. Then a part of the index is written, and the groups of these items, a frame each. An item
over max(frame size, group size) ends the part: it is a group of its own, written frame by frame.
"""

import io
from collections.abc import Callable, Iterable
from typing import BinaryIO

from ...container.frames import MAX_SOURCE, Kind
from ...errors import FormatError, TokpressError
from ...media.grid import Grid
from .. import choose, embedding, framing
from ..encoded_frame import EncodedFrame
from ..options import Options
from ..stream import MemberWriter, Summary
from . import index, names
from .index import FREE_INDEX_BYTES, HEAD_BYTES, INDEX_BYTES_PER_FILE_BYTE, MAX_TIME, NOBODY, Row
from .item import Item, ItemKind, Place
from .layout import GROUP_SIZE, Groups

#: bytes of items collected before they are written; an item counts as ITEM_OVERHEAD bytes more than it has
BATCH_BYTES, ITEM_OVERHEAD = 1 << 25, 64

Report = Callable[[int], None]


def write(
    items: Iterable[Item | tuple[str, bytes]],
    out: BinaryIO,
    options: Options | None = None,
    size: int = GROUP_SIZE,
    report: Report = lambda done: None,
    batch: int = BATCH_BYTES,
    joined: bool = False,
    updates: bool = False,
) -> Summary:
    """Write items as an archive. size: bytes of a group. report: called with the bytes of items written so far. batch: bytes of
    items collected before they are written. joined: the archive is to
    follow another in its file. updates: its items replace those of the same names there.

    Raises FormatError for an invalid name, and for two items of one name.

    >>> out = io.BytesIO()
    >>> _ = write([("a.txt", b"one"), ("b/c.txt", b"two"), Item("b/d", kind=ItemKind.SYMLINK, target="../a.txt")], out)
    >>> from tokpress.codec.archive import Archive
    >>> archive = Archive(out)
    >>> archive.names(), archive.read("b/c.txt")
    (['a.txt', 'b/c.txt', 'b/d'], b'two')
    """
    writer = Writer(out, options or Options(), size, report, batch, joined, updates)
    for item in items:
        writer.add(Item(*item))
    return writer.close()


class Writer:
    """An archive in the making."""

    def __init__(
        self, out: BinaryIO, options: Options, size: int, report: Report, batch: int, joined: bool, updates: bool
    ) -> None:
        if options.lossy or options.completes:
            raise TokpressError("an archive needs models with lossless tokenizers")
        if not 1 <= size <= MAX_SOURCE:
            raise ValueError(f"a group must be of 1 … {MAX_SOURCE:,} bytes, not {size:,}")
        self._member, self._options, self._report = MemberWriter(out), options, report
        self._batch, self._batch_item_limit, self._groups = batch, max(size, options.frame_size), Groups(size)
        self._summary, self._done = Summary(), 0
        self._summary.add_models(embedding.write_models(out, options))
        self._free_index_bytes = 0 if joined else FREE_INDEX_BYTES  # a reader grants them once for a file
        self._place = Place.UPDATE if updates else Place.FIRST  # of the part to come
        self._frame: tuple[EncodedFrame, bytes] | None = None  # held until it is known whether another follows
        #: (folder, name) → number of the entry. The folder is that of a row. −1: a file that is not written yet
        self._folders: dict[tuple[int, bytes], int] = {}
        self._numbers: dict[tuple[int, bytes], int] = {}
        self._link_names: set[tuple[int, bytes]] = set()  # links
        self._count = self._index_bytes = self._held = 0  # entries and bytes of index written; bytes collected
        self._folder_rows: list[Row] = []  # of the part to come: folders, files, links
        self._files: list[Row] = []
        self._links: list[tuple[Row, tuple[int, bytes] | None]] = []

    # --- collecting ------------------------------------------------------------------------------

    def add(self, item: Item) -> None:
        parts = names.parts_of(item.name)
        folder = self._folder(parts[:-1])
        place = folder, parts[-1]
        if place in self._numbers or place in self._folders or place in self._link_names:
            raise FormatError(f"two items of the archive would be called {item.name}: rename one, or make two archives")
        if not 0 <= item.mode <= 0o7777:
            raise ValueError(f"mode bits must be 0 … 7777, not {item.mode:o}")
        if abs(item.mtime) > MAX_TIME:
            raise ValueError(f"a time must lie within 2^61 seconds of 1970, not {item.mtime:,}")
        if not 0 <= item.nanoseconds < 10**9:
            raise ValueError(f"nanoseconds must be 0 … 999,999,999, not {item.nanoseconds:,}")
        if not 0 <= min(item.uid, item.gid) <= max(item.uid, item.gid) < NOBODY:
            raise ValueError(f"owner and group must be 0 … 2^32 − 2, not {item.uid:,} and {item.gid:,}")
        row = Row(item.kind, folder, parts[-1], item.mode, item.mtime, item.uid, item.gid, nanoseconds=item.nanoseconds)
        self._held += len(parts[-1]) + ITEM_OVERHEAD
        if item.kind == ItemKind.FILE:
            self._file(row, item.data)
        elif item.kind == ItemKind.FOLDER:
            self._append_folder(row)
        else:
            self._link(row, item)
        if self._held >= self._batch:
            self._flush()

    def _folder(self, parts: tuple[bytes, ...]) -> int:
        """The `parent` of rows in this folder. Folders that are no items get entries of the kind PATH."""
        folder = 0
        for i, part in enumerate(parts):
            if (folder, part) in self._numbers or (folder, part) in self._link_names:
                name = names.to_text(b"/".join(parts[: i + 1]))
                raise FormatError(f"{name} is a file or a link of the archive, and cannot be a folder too")
            if (folder, part) not in self._folders:
                self._append_folder(Row(ItemKind.PATH, folder, part))
            folder = self._folders[folder, part] + 1
        return folder

    def _append_folder(self, row: Row) -> None:
        self._folders[row.parent, row.name] = self._count + len(self._folder_rows)
        self._folder_rows.append(row)

    def _file(self, row: Row, data: bytes | BinaryIO) -> None:
        self._numbers[row.parent, row.name] = -1
        stream = io.BytesIO(data) if isinstance(data, bytes) else data
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        if size > self._batch_item_limit:
            return self._flush((row._replace(head=size), stream))
        self._groups.add(len(self._files), stream.read())
        self._files.append(row)
        self._held += size

    def _link(self, row: Row, item: Item) -> None:
        if item.kind == ItemKind.SYMLINK:
            target = item.target.encode("utf-8", "surrogateescape")
            if not 0 < len(target) <= names.MAX_NAME or b"\0" in target:
                raise FormatError(f"{item.name}: a symbolic link to {item.target[:40]!r} cannot be in an archive")
            self._links.append((row._replace(target=target), None))
            self._held += len(target)
        elif item.kind == ItemKind.HARDLINK:
            self._links.append((row, self._file_called(item)))
        else:
            raise ValueError("an item is a file, a folder or a link")
        self._link_names.add((row.parent, row.name))

    def _file_called(self, item: Item) -> tuple[int, bytes]:
        """(folder, name) of the file that a hard link names."""
        *above, name = names.parts_of(item.target)
        folder = 0
        for part in above:
            folder = self._folders.get((folder, part), -2) + 1
        if (folder, name) not in self._numbers:
            raise FormatError(f"{item.name}: a hard link to {item.target}, which is no file put in before")
        return folder, name

    # --- writing ---------------------------------------------------------------------------------

    def _flush(self, large: tuple[Row, BinaryIO] | None = None) -> None:
        """Write a part of the index, the groups of the collected items, and a large item."""
        groups = self._groups.take()
        coded, counts, within, rows = [], [], 0, list(self._folder_rows)
        while groups:  # a group is freed once it is laid: all bytes are held once
            group = groups.pop(0)
            counts.append(len(group.files))
            source, grid = group.laid()
            coded.append((self._choose(source, self._options, within, grid), source))
            within += len(source)
            for number, head, samples, tail in group.lengths():
                self._number(rows, self._files[number]._replace(head=head, samples=samples, tail=tail))
        if large:
            self._number(rows, large[0])
        rows += [row._replace(target=self._numbers[file]) if file else row for row, file in self._links]
        counts += [1] * bool(large)
        self._put_index(index.pack(rows, counts, self._place), sum(len(frame.payload) for frame, _ in coded))
        self._place = Place.LATER
        for frame, source in coded:
            self._put(frame, source)
        self._count += len(rows)
        self._folder_rows, self._files, self._links, self._held = [], [], [], 0
        if large:
            self._put_large(large[1], large[0].head)

    def _number(self, rows: list[Row], row: Row) -> None:
        self._numbers[row.parent, row.name] = self._count + len(rows)
        rows.append(row)

    def _choose(self, source: bytes, options: Options, within: int = 0, grid: Grid | None = None) -> EncodedFrame:
        return choose.choose_frame(source, options, lambda part: self._report(self._done + within + part), grid)

    def _put_index(self, part: bytes, following: int) -> None:
        """Write a part of the index. A reader refuses an index of more than INDEX_BYTES_PER_FILE_BYTE bytes for each byte of the
        file. Where the index compresses better than that (an archive of empty files), its beginning is stored raw. following:
        bytes of the frames to come."""
        self._index_bytes += len(part) - HEAD_BYTES
        needed_bytes = (
            -(-(self._index_bytes - self._free_index_bytes) // INDEX_BYTES_PER_FILE_BYTE)
            - self._summary.file_bytes
            - following
        )
        raw_bytes = 0
        while True:
            coded = self._choose(part[raw_bytes:], Options(kernel=self._options.kernel, effort="fast"))
            if raw_bytes + len(coded.payload) >= min(needed_bytes, len(part)):
                break
            raw_bytes = min(len(part), max(2 * raw_bytes, needed_bytes - len(coded.payload) + 64))
        if raw_bytes:
            self._put(EncodedFrame(Kind.RAW, raw_bytes, part[:raw_bytes]), part[:raw_bytes])
        if raw_bytes < len(part):
            self._put(coded, part[raw_bytes:])

    def _put_large(self, stream: BinaryIO, size: int) -> None:
        begin = self._done
        for block in framing.blocks(stream, self._options):
            self._put(self._choose(block.source, self._options, 0, block.grid), block.source)
        if self._done - begin != size:
            raise TokpressError(f"an item of {size:,} bytes had {self._done - begin:,} when it was read: try again")

    def _put(self, coded: EncodedFrame, source: bytes) -> None:
        if self._frame:
            self._write(*self._frame, last=False)
        self._frame = coded, source
        self._done += len(source)
        self._report(self._done)

    def _write(self, coded: EncodedFrame, source: bytes, last: bool) -> None:
        self._summary.frames.append(self._member.write(coded, source, last))

    def close(self) -> Summary:
        if self._folder_rows or self._files or self._links or not self._count:
            self._flush()
        if self._frame:
            self._write(*self._frame, last=True)
        return self._summary
