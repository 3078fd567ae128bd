"""Read an archive: names and bytes of its items."""

import fnmatch
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO

from ...errors import FormatError
from ...models.model import Model
from ..archive_magic import ANY_VERSION, MAGIC
from .frames import FrameIndex
from .index import FREE_INDEX_BYTES, HEAD_BYTES, INDEX_BYTES_PER_FILE_BYTE, Index, damaged
from .item import Entry, ItemKind, Place


class Archive:
    """An archive in a seekable file, or several that were joined. Raises FormatError where it is no archive, or damaged.

    Memory is bounded by the size of the file, and one frame. keep_going: open the part before the damage; `damage` is the error then.
    Reading a file of a damaged frame raises FormatError. report: called with the bytes of a frame that are decoded so far.
    """

    def __init__(
        self,
        stream: BinaryIO,
        models: list[Model] | None = None,
        kernel: str = "auto",
        keep_going: bool = False,
        report: Callable[[int], None] = lambda done: None,
    ) -> None:
        self._frames, self._index = FrameIndex(stream, models or [], kernel, report), Index()
        self._left = FREE_INDEX_BYTES + INDEX_BYTES_PER_FILE_BYTE * self._frames.file_size
        position = 0
        try:
            while not position or position < self._frames.end:
                position = self._part(position)
            self.damage = self._frames.damage
        except FormatError as error:
            if not position:
                raise
            self.damage = error
        if self.damage and not keep_going:
            raise self.damage
        self._index.close()

    def _part(self, position: int) -> int:
        """Parse the part of the index at this position. Returns the end of its groups."""
        if not self._frames.is_cut(position):
            raise damaged("it shares a frame with something else")
        end = self._frames.member_end(position)
        if self._frames.length_from(position) > HEAD_BYTES + self._left:  # before it is decoded
            problem = "its index is" if position else "it is no archive of several files, or its index"
            raise FormatError(
                f"{problem} longer than {INDEX_BYTES_PER_FILE_BYTE} times the file: decompress it instead"
            )
        head = self._take(position, min(HEAD_BYTES, self._frames.end - position))
        if len(head) < HEAD_BYTES or not head.startswith(MAGIC):
            if head.startswith(ANY_VERSION):
                raise FormatError(
                    f"it is an archive of another version than {MAGIC[len(ANY_VERSION) : -1].decode()}: upgrade tokpress"
                )
            if not position:
                raise self._frames.damage or FormatError("it is no archive of several files: decompress it instead")
            raise FormatError(
                "after the archive comes something that is no archive: another file was joined with it, or it is damaged"
            )
        place, size = head[len(MAGIC)], int.from_bytes(head[-4:], "little")
        if place > max(Place):
            raise FormatError(f"a part of the archive is of a kind ({place}) that is unknown: upgrade tokpress")
        if (place != Place.LATER) != self._frames.begins_member(position):
            raise damaged("a part of it stands where another should")
        self._left -= size
        if self._left < 0:
            raise damaged(f"it is more than {INDEX_BYTES_PER_FILE_BYTE} times as long as the file")
        position += HEAD_BYTES
        if end is not None and size > end - position:
            raise damaged("it is longer than what follows")
        if not self._frames.is_cut(position + size) and position + size <= self._frames.end:
            raise damaged("it shares a frame with something else")
        columns, position = self._take(position, size), position + size
        beyond = 1 << 62  # longer than any archive; used where damage hides the end
        return self._index.add(columns, Place(place), position, end or beyond, self._frames.is_in_one_frame)

    def _take(self, start: int, size: int) -> bytes:
        return b"".join(self._frames.read(start, size))

    # --- what it holds ---------------------------------------------------------------------------

    def numbers(self) -> Sequence[int]:
        """Numbers of all entries that no later one replaces, in the order of storage."""
        return self._index.numbers()

    def entries(self, numbers: Iterable[int] | None = None) -> Iterator[Entry]:
        """Files, folders and links of these numbers, or all in the order of storage."""
        for number in self.numbers() if numbers is None else numbers:
            if self.kind(number) != ItemKind.PATH:
                yield self._index.entry(number)

    def names(self) -> list[str]:
        return [entry.name for entry in self.entries()]

    def entry(self, name: str) -> Entry:
        """The entry of that name, of an item where there is one. Raises KeyError where there is none."""
        if not (numbers := self._index.find(name)):
            raise KeyError(name)
        return self._index.entry(min(numbers, key=lambda number: self.kind(number) == ItemKind.PATH))

    def within(self, names: Iterable[str]) -> Sequence[int]:
        """Numbers of the items with these names, and of all items in folders among them. Raises KeyError.

        A name that no item has is a pattern: `*` and `?` match any characters, also slashes, and `[a-z]` one of these."""
        chosen: list[int] = []
        for name in names:
            if not (numbers := self._index.find(name) or self._matching(name)):
                raise KeyError(name)
            chosen += numbers
        return array("Q", self._index.below(chosen))

    def _matching(self, pattern: str) -> list[int]:
        if not set(pattern) & set("*?["):
            return []
        matches = re.compile(fnmatch.translate(pattern)).match
        return [entry.number for entry in self.entries() if matches(entry.name)]

    def numbered(self, number: int) -> Entry:
        return self._index.entry(number)

    def kind(self, number: int) -> ItemKind:
        return self._index.kind(number)

    def file(self, number: int) -> int:
        """The number of the entry with the bytes: for a hard link that of its file, else the same number."""
        return self._index.file(number)

    # --- its bytes -------------------------------------------------------------------------------

    def read(self, name: str) -> bytes:
        """The bytes of a file. Raises KeyError, and FormatError where they are damaged."""
        return b"".join(self.pieces(self.entry(name)))

    def pieces(self, entry: Entry) -> Iterator[bytes]:
        """The bytes of a file, a frame at a time. Reading files in the order of `entries` decodes each frame once."""
        if entry.kind not in (ItemKind.FILE, ItemKind.HARDLINK):
            raise KeyError(f"{entry.name} is no file")
        around, samples, head = self._index.ranges(self.file(entry.number))
        if not samples[1]:
            yield from self._frames.read(*around)
            return
        outside, inside = self._take(*around), self._take(*samples)
        yield outside[:head] + inside + outside[head:]
