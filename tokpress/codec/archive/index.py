"""The index of an archive: columns of numbers and names, in parts. Each part stands before its groups.

    part = MAGIC · a `Place` (1 byte) · length of the columns (4 bytes, little-endian) · columns
    column = its length in bytes (varint) · its bytes

An entry takes about 130 bytes of memory beside its name (190 while `close` sorts), and at least 4 bytes of index. A reader accepts
FREE_INDEX_BYTES bytes of index, and INDEX_BYTES_PER_FILE_BYTE more for each byte of the file, so memory is bounded by the size of the
file. The writer keeps within this limit.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from ...container.varint import pack_varint, take_varint
from ...errors import FormatError
from ..archive_magic import MAGIC
from . import names
from .item import Entry, ItemKind, Place

#: MAGIC, the place, and the length of the columns
HEAD_BYTES = len(MAGIC) + 5
FREE_INDEX_BYTES, INDEX_BYTES_PER_FILE_BYTE = 1 << 16, 8
#: most seconds before and after 1970: the difference of two times fits a varint of nine bytes
MAX_TIME = 1 << 61
#: numbers of owners and groups are below this one, which means nobody
NOBODY = (1 << 32) - 1
COLUMNS = (
    "kinds", "parents", "lengths", "names", "modes", "times", "nanoseconds", "owners", "targets", "heads", "samples", "tails", "groups"
)  # fmt: skip
FOLDERS = (ItemKind.FOLDER, ItemKind.PATH)
#: those with a time and an owner
TIMED = (ItemKind.FILE, ItemKind.FOLDER, ItemKind.SYMLINK)


class Row(NamedTuple):
    """An entry as it is written. parent: 0, or 1 + the number of its folder. target: the text of a symbolic link, or the number of
    the file that a hard link names."""

    kind: ItemKind
    parent: int
    name: bytes
    mode: int = 0
    mtime: int = 0
    uid: int = 0
    gid: int = 0
    target: bytes | int = 0
    head: int = 0
    samples: int = 0
    tail: int = 0
    nanoseconds: int = 0


def pack(rows: Iterable[Row], groups: Iterable[int], place: Place) -> bytes:
    """A part of the index. groups: number of files in each group."""
    rows = list(rows)
    has_nanoseconds = any(row.nanoseconds for row in rows)
    columns = {name: bytearray() for name in COLUMNS}
    parent = mtime = 0
    for row in rows:
        columns["kinds"].append(row.kind)
        columns["parents"] += pack_varint(0 if row.parent == parent else row.parent + 1)
        columns["lengths"] += pack_varint(len(row.name))
        columns["names"] += row.name
        parent = row.parent
        if row.kind in (ItemKind.FILE, ItemKind.FOLDER):
            columns["modes"] += pack_varint(row.mode)
        if row.kind in TIMED:
            columns["times"] += pack_varint(_zigzag(row.mtime - mtime))
            columns["owners"] += pack_varint(row.uid) + pack_varint(row.gid)
            columns["nanoseconds"] += pack_varint(row.nanoseconds) if has_nanoseconds else b""
            mtime = row.mtime
        if row.kind == ItemKind.FILE:
            columns["heads"] += pack_varint(row.head)
            columns["samples"] += pack_varint(row.samples)
            columns["tails"] += pack_varint(row.tail)
        elif row.kind == ItemKind.HARDLINK and isinstance(row.target, int):
            columns["targets"] += pack_varint(row.target)
        elif isinstance(row.target, bytes):
            columns["lengths"] += pack_varint(len(row.target))
            columns["names"] += row.target
    columns["groups"] += b"".join(map(pack_varint, groups))
    body = b"".join(pack_varint(len(column)) + column for column in columns.values())
    return MAGIC + bytes([place]) + len(body).to_bytes(4, "little") + body


def _zigzag(number: int) -> int:
    return 2 * number if number >= 0 else -2 * number - 1


def damaged(problem: str) -> FormatError:
    return FormatError(f"the index of the archive is damaged, {problem}: get an undamaged copy")


class _Column:
    """A column that is read from its beginning. Raises FormatError where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise damaged("a column ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self) -> int:
        return take_varint(self.take, "the index of the archive")

    @property
    def left(self) -> int:
        return len(self._data) - self._at


class Index:
    """All entries of an archive, or of several that were joined, by number; in arrays, since there may be millions.

    Call `add` for each part in order, then `close` once.
    """

    def __init__(self) -> None:
        self._bases: list[int] = []  # the first number of each of the joined archives
        self._updates: list[bool] = []  # for each of them, whether it replaces items of those before
        self._kinds, self._modes, self._times, self._nanoseconds = bytearray(), array("H"), array("q"), array("I")
        self._uids, self._gids = array("I"), array("I")
        self._parents, self._path_lengths = array("q"), array("I")  # −1: no folder
        self._texts, self._text_ends = bytearray(), array("Q")  # names; of symbolic links also NUL and the target
        self._keys = array("Q")  # hashes of the paths
        self._heads, self._samples, self._tails = array("Q"), array("Q"), array("Q")
        #: positions in the source of heads and tails, and of samples; for a hard link the first is the number of its file
        self._around_at, self._samples_at = array("Q"), array("Q")
        self._sorted_keys, self._sorted_numbers = array("Q"), array("Q")
        self._replaced = bytearray()  # 1: an item of a later archive has its name

    def __len__(self) -> int:
        return len(self._kinds)

    # --- parsing ---------------------------------------------------------------------------------

    def add(self, data: bytes, place: Place, start: int, end: int, in_one_frame: Callable[[int, int], bool]) -> int:
        """Parse the columns of a part. Returns the end of its groups. Raises FormatError.

        start: of its groups; end: of the source of the member. in_one_frame(start, end): whether one frame holds that range. A
        group of several files, or of samples, must be in one frame, so that reading in order decodes it once."""
        body = _Column(data)
        columns = {name: _Column(body.take(body.number())) for name in COLUMNS}
        while body.left:  # columns of later versions: those with an even number may be ignored
            number = body.number()
            if number % 2:
                raise FormatError(f"the index of the archive has a column ({number}) that is unknown: upgrade tokpress")
            body.take(body.number())
        if place != Place.LATER:
            self._bases.append(len(self))
            self._updates.append(place == Place.UPDATE)
        first, parent, mtime, has_nanoseconds = len(self), 0, 0, columns["nanoseconds"].left > 0
        for kind in columns["kinds"].take(columns["kinds"].left):
            if kind > max(ItemKind):
                raise FormatError(f"the archive has an entry of a kind ({kind}) that is unknown: upgrade tokpress")
            if number := columns["parents"].number():
                parent = number - 1
            folder = self._folder(parent)
            name = text = _name(columns)
            mode = uid = gid = nanoseconds = file = 0
            if kind in (ItemKind.FILE, ItemKind.FOLDER):
                mode = columns["modes"].number()
            elif kind == ItemKind.HARDLINK:
                file = self._linked_file(columns)
            elif kind == ItemKind.SYMLINK:
                text = name + b"\0" + _link_target(columns)
            if kind in TIMED:
                step = columns["times"].number()
                mtime += -(step + 1 >> 1) if step & 1 else step >> 1
                nanoseconds = columns["nanoseconds"].number() if has_nanoseconds else 0
                uid, gid = columns["owners"].number(), columns["owners"].number()
            self._append_owner(uid, gid)
            self._append_time(mtime, nanoseconds)
            self._append(kind, folder, name, text, mode, file)
        end_of_groups = self._place(columns, first, start, end, in_one_frame)
        if any(column.left for column in columns.values()):
            raise damaged("a column is longer than its entries")
        return end_of_groups

    def _folder(self, parent: int) -> int:
        """The number of the folder's entry; −1: no folder."""
        number = self._bases[-1] + parent - 1 if parent else -1
        if parent and (number >= len(self) or self._kinds[number] not in FOLDERS):
            raise damaged("an entry lies in no folder before it")
        return number

    def _linked_file(self, columns: dict[str, _Column]) -> int:
        """The number of the entry that a hard link is another name of."""
        file = self._bases[-1] + columns["targets"].number()
        if file >= len(self) or self._kinds[file] != ItemKind.FILE:
            raise damaged("a hard link leads to no file before it")
        return file

    def _append_owner(self, uid: int, gid: int) -> None:
        if max(uid, gid) >= NOBODY:
            raise damaged("the number of an owner is 2^32 − 1 or more")
        self._uids.append(uid)
        self._gids.append(gid)

    def _append_time(self, mtime: int, nanoseconds: int) -> None:
        if abs(mtime) > MAX_TIME or nanoseconds >= 10**9:
            raise damaged("a time is beyond 2^61 seconds, or its fraction is a second or more")
        self._times.append(mtime)
        self._nanoseconds.append(nanoseconds)

    def _append(self, kind: int, folder: int, name: bytes, text: bytes, mode: int, file: int) -> None:
        above = self._path_lengths[folder] if folder >= 0 else 0
        if mode > 0o7777 or len(name) > names.MAX_NAME or above > names.MAX_FOLDER_NAME:
            raise damaged("a mode is above 7777, or a name too long")
        self._kinds.append(kind)
        self._modes.append(mode)
        self._parents.append(folder)
        self._path_lengths.append(above + bool(above) + len(name))
        self._texts += text
        self._text_ends.append(len(self._texts))
        self._keys.append(_key(self._keys[folder] if folder >= 0 else 0, name))
        self._around_at.append(file)
        for column in (self._heads, self._samples, self._tails, self._samples_at):
            column.append(0)

    def _place(
        self, columns: dict[str, _Column], first: int, start: int, end: int, in_one_frame: Callable[[int, int], bool]
    ) -> int:
        """Set the positions of the bytes of each file. Returns the end of the groups."""
        files = (number for number in range(first, len(self)) if self._kinds[number] == ItemKind.FILE)
        for count in _numbers(columns["groups"]):
            group = list(islice(files, count))
            if not count or len(group) < count:
                raise damaged("its groups hold other files than it has")
            around = total = 0
            for number in group:
                for name, column in (("heads", self._heads), ("samples", self._samples), ("tails", self._tails)):
                    column[number] = size = columns[name].number()
                    total += size
                    around += size if name != "samples" else 0
                if total > end - start:
                    raise FormatError("the archive ends before what its index promises: get a complete copy")
            if (len(group) > 1 or total > around) and not in_one_frame(start, start + total):
                raise damaged("a group of several files is in several frames")
            around_at, samples_at = start, start + around
            for number in group:
                self._around_at[number], self._samples_at[number] = around_at, samples_at
                around_at += self._heads[number] + self._tails[number]
                samples_at += self._samples[number]
            start += total
        if next(files, None) is not None:
            raise damaged("a file is in no group")
        return start

    def close(self) -> None:
        """Sort the names, and mark items that later archives replace. Raises FormatError where two items have the same name."""
        self._replaced = bytearray(len(self))
        ordered = sorted(key << 40 | number for number, key in enumerate(self._keys))
        self._sorted_keys = array("Q", (pair >> 40 for pair in ordered))
        self._sorted_numbers = array("Q", (pair & (1 << 40) - 1 for pair in ordered))
        del self._keys
        begin = 0
        for i in range(1, len(self) + 1):
            if i == len(self) or self._sorted_keys[i] != self._sorted_keys[begin]:
                if i - begin > 1:
                    self._settle_same_name(self._sorted_numbers[begin:i])
                begin = i

    def _settle_same_name(self, numbers: Iterable[int]) -> None:
        """Mark the replaced ones among entries with the same hash. Raises FormatError where two of one name are in the same archive, or
        neither folders nor an item and its update."""
        seen: dict[bytes, tuple[int, int]] = {}
        for number in sorted(numbers):
            name, archive = self.name(number), bisect_right(self._bases, number) - 1
            earlier, earlier_archive = seen.get(name, (-1, -1))
            seen[name] = number, archive
            if earlier < 0:
                continue
            is_folder = self._kinds[number] in FOLDERS
            is_update = self._updates[archive]
            if (
                archive == earlier_archive
                or is_folder != (self._kinds[earlier] in FOLDERS)
                or not (is_folder or is_update)
            ):
                holder = "the archives that were joined hold" if archive != earlier_archive else "the archive holds"
                raise FormatError(
                    f"{holder} two items called {names.to_text(name)}: it is not known which one is meant"
                )
            if not is_folder:
                self._replaced[earlier] = 1
            elif is_update and self._kinds[number] == ItemKind.FOLDER:
                self._kinds[earlier] = ItemKind.PATH  # its entries stay

    # --- asking ----------------------------------------------------------------------------------

    def find(self, name: str) -> list[int]:
        """The numbers of the items of this name: none or one; several for a folder in joined archives."""
        try:
            parts, key = names.parts_of(name), 0
        except FormatError:
            return []
        for part in parts:
            key = _key(key, part)
        at, full_name, numbers = bisect_left(self._sorted_keys, key), b"/".join(parts), []
        while at < len(self) and self._sorted_keys[at] == key:
            number = self._sorted_numbers[at]
            if self.name(number) == full_name and not self._replaced[number]:
                numbers.append(number)
            at += 1
        return numbers

    def numbers(self) -> Sequence[int]:
        """The numbers of all entries that are not replaced."""
        if not any(self._replaced):
            return range(len(self))
        return array("Q", (number for number in range(len(self)) if not self._replaced[number]))

    def below(self, chosen: Iterable[int]) -> Iterator[int]:
        """The numbers of these entries, and of all entries in the folders among them, in order."""
        marks = bytearray(len(self))
        for number in chosen:
            marks[number] = 1
        for number in range(len(self)):
            if marks[number] or (self._parents[number] >= 0 and marks[self._parents[number]]):
                marks[number] = 1
                if not self._replaced[number]:
                    yield number

    def kind(self, number: int) -> ItemKind:
        return ItemKind(self._kinds[number])

    def file(self, number: int) -> int:
        """The number of the file that a hard link names; of another entry, its own."""
        return self._around_at[number] if self._kinds[number] == ItemKind.HARDLINK else number

    def name(self, number: int) -> bytes:
        parts = []
        while number >= 0:
            parts.append(self._text(number)[0])
            number = self._parents[number]
        return b"/".join(reversed(parts))

    def _text(self, number: int) -> tuple[bytes, bytes]:
        """(the name within the folder, the target of a symbolic link)"""
        start = self._text_ends[number - 1] if number else 0
        name, _, target = bytes(self._texts[start : self._text_ends[number]]).partition(b"\0")
        return name, target

    def entry(self, number: int) -> Entry:
        kind, file, target = self.kind(number), self.file(number), self._text(number)[1]
        size = self._heads[file] + self._samples[file] + self._tails[file]
        if kind == ItemKind.HARDLINK:
            target = self.name(file)
        name = names.to_text(self.name(number))
        owner = self._uids[file], self._gids[file]
        time, text = self._times[file], names.to_text(target)
        return Entry(number, name, kind, size, self._modes[file], time, *owner, text, self._nanoseconds[file])

    def ranges(self, number: int) -> tuple[tuple[int, int], tuple[int, int], int]:
        """Of a file: ((start, size) of head and tail, (start, size) of the samples, size of the head)."""
        around = self._heads[number] + self._tails[number]
        samples = self._samples_at[number], self._samples[number]
        return (self._around_at[number], around), samples, self._heads[number]


def _key(folder: int, name: bytes) -> int:
    """64-bit hash of a path, from that of its folder. It differs between processes, so nobody can construct a collision."""
    return hash((folder, name)) & (1 << 64) - 1


def _name(columns: dict[str, _Column]) -> bytes:
    """The next name. Raises FormatError where it is invalid."""
    name = columns["names"].take(columns["lengths"].number())
    if not names.is_part(name):
        raise damaged(f"{names.to_text(name)!r} is no name for an item of an archive")
    return name


def _link_target(columns: dict[str, _Column]) -> bytes:
    """The target of the next symbolic link. Raises FormatError where it is invalid."""
    target = columns["names"].take(columns["lengths"].number())
    if not 0 < len(target) <= names.MAX_NAME or b"\0" in target:
        raise damaged("a symbolic link leads nowhere")
    return target


def _numbers(column: _Column) -> Iterator[int]:
    while column.left:
        yield column.number()
