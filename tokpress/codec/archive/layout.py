"""Groups: files of one kind, whose samples are joined into one large picture or recording for the prior over samples.

    head 0 · tail 0 · head 1 · tail 1 · …        the bytes before and after the samples of each file
    samples 0 · samples 1 · …                    pictures of one width and one number of channels, or recordings

Other files are laid end to end; all their bytes are head.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ...media import formats
from ...media.grid import MAX_SIDE, Grid

#: bytes of a group: so many are decoded for one item, and lost by one flipped bit; larger groups take slightly fewer bytes
GROUP_SIZE = 1 << 17


@dataclass
class Group:
    """Files of one kind: (number among the files of the part, bytes, position of the samples) of each."""

    files: list[tuple[int, bytes, Grid | None]] = field(default_factory=list)
    size: int = 0

    def add(self, number: int, data: bytes, grid: Grid | None) -> None:
        self.files.append((number, data, grid))
        self.size += len(data)

    def laid(self) -> tuple[bytes, Grid | None]:
        """(source of the group, position of its samples)"""
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
            grid = grid._replace(start=len(first))
            grid = grid._replace(rows=rows) if grid.picture else grid._replace(columns=columns)
            grid = grid if max(rows, columns) < MAX_SIDE else None
        return first + b"".join(samples), grid

    def lengths(self) -> Iterator[tuple[int, int, int, int]]:
        """(number, bytes of head, samples and tail) of each file."""
        for number, data, grid in self.files:
            start, stop = _span(data, grid)
            yield number, start, stop - start, len(data) - stop


class Groups:
    """Collects files, in order, into groups of up to `size` bytes, or of one larger file."""

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
        """All groups, full or not. None are left."""
        taken = self._ready + [group for group in self._open.values() if group.files]
        self._ready, self._open = [], {}
        return taken


def _kind(data: bytes) -> tuple[Any, Grid | None]:
    """(kind, equal for files of one group; position of the samples)"""
    grid = formats.grid_of(data)
    if grid is None or grid.padding:
        return None, None
    return (grid.picture, grid.columns if grid.picture else 0, grid.channels, grid.bits, grid.signed, grid.little), grid


def _span(data: bytes, grid: Grid | None) -> tuple[int, int]:
    return (grid.start, grid.stop) if grid else (len(data), len(data))
