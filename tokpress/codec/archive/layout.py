"""Groups: files of one kind, so laid out that a prior over samples sees one large picture or recording.

    head 0 · tail 0 · head 1 · tail 1 · …        what the files hold around their samples
    samples 0 · samples 1 · …                    pictures of the same width and channels, or recordings

A file without samples is one head. Such files follow each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ...media import formats
from ...media.grid import MAX_SIDE, Grid

#: bytes of a group: to read one item, all of them are decoded; one flipped bit may lose all of them. Larger groups save a little more
#: (`python -m benchmarks archives`).
GROUP_SIZE = 1 << 17


@dataclass
class Group:
    """Files of one kind. files: for each, its number in the part of the index, its bytes, and its grid."""

    files: list[tuple[int, bytes, Grid | None]] = field(default_factory=list)
    size: int = 0

    def add(self, number: int, data: bytes, grid: Grid | None) -> None:
        self.files.append((number, data, grid))
        self.size += len(data)

    def laid(self) -> tuple[bytes, Grid | None]:
        """(the group's source, its grid)."""
        around, samples = [], []
        rows = columns = 0
        for _, data, grid in self.files:
            start, stop = _span(data, grid)
            around += [data[:start], data[stop:]]
            samples.append(data[start:stop])
            rows, columns = rows + (grid.rows if grid else 0), columns + (grid.columns if grid else 0)
        first = b"".join(around)
        grid = self.files[0][2]
        if grid:
            together = {"rows": rows} if grid.picture else {"columns": columns}
            grid = grid._replace(start=len(first), **together)  # type: ignore[arg-type]
            grid = grid if max(rows, columns) < MAX_SIDE else None
        return first + b"".join(samples), grid

    def lengths(self) -> Iterator[tuple[int, int, int, int]]:
        """(number, bytes before, among and after the samples) of each file."""
        for number, data, grid in self.files:
            start, stop = _span(data, grid)
            yield number, start, stop - start, len(data) - stop


class Groups:
    """Collects files into groups of up to `size` bytes, or of one larger file, in the order in which they come."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ready: list[Group] = []
        self._open: dict[Any, Group] = {}

    def add(self, number: int, data: bytes) -> None:
        kind, grid = _kind(data)
        group = self._open.setdefault(kind, Group())
        if group.files and group.size + len(data) > self._size:
            self._ready.append(group)
            group = self._open[kind] = Group()
        group.add(number, data, grid)

    def take(self) -> list[Group]:
        """Remove and return all groups, also those that are not full."""
        taken = self._ready + [group for group in self._open.values() if group.files]
        self._ready, self._open = [], {}
        return taken


def _kind(data: bytes) -> tuple[Any, Grid | None]:
    """(what the files of one group have in common, the grid of this file)."""
    grid = formats.grid_of(data)
    if grid is None or grid.padding:
        return None, None
    return (grid.picture, grid.columns if grid.picture else 0, grid.channels, grid.bits, grid.signed, grid.little), grid


def _span(data: bytes, grid: Grid | None) -> tuple[int, int]:
    return (grid.start, grid.stop) if grid else (len(data), len(data))
