"""Where samples lie in the source, and which neighbours predict a sample (core: prediction_geometry.h).

Samples are coded in the order of the source, except that green precedes red. A window holds the last rows in coding order, with
PAD pixels on each side that repeat the edge pixel, so that neighbours need no bounds checks. A neighbour is an offset backwards in
the window."""

from dataclasses import dataclass

from ...media.grid import Grid

PAD = 4
CHUNK = 4096  # samples of a channel in a row of the window, where the source is a recording
MAX_NEIGHBOURS = 48
#: (columns to the left, rows up) in the sample's own channel, in channels coded before it, and in channels coded after it
OWN = [(1, 0), (0, 1), (1, 1), (-1, 1), (2, 0), (0, 2), (2, 1), (-2, 1), (3, 0), (1, 2), (-1, 2), (2, 2), (-2, 2), (0, 3),
       (3, 1), (-3, 1)]  # fmt: skip
EARLIER = [(0, 0), (1, 0), (0, 1), (1, 1), (-1, 1), (2, 0), (0, 2), (2, 1), (-2, 1)]
LATER = [(1, 0), (0, 1), (1, 1), (-1, 1)]
#: weights of the last errors of a recording
CLOSENESS = [4, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]


@dataclass(frozen=True)
class Geometry:
    """The window of a grid. columns: pixels of a row; pad: pixels added on each side; stride: numbers of a row; window: all numbers."""

    grid: Grid

    @property
    def columns(self) -> int:
        return self.grid.columns if self.grid.picture else CHUNK

    @property
    def pad(self) -> int:
        return PAD if self.grid.picture else 0

    @property
    def stride(self) -> int:
        return (self.columns + 2 * self.pad) * self.grid.channels

    @property
    def window(self) -> int:
        channels = self.grid.channels
        return self.stride + (3 * self.stride + channels if self.grid.picture else 64 * channels)

    def neighbours(self, c: int) -> list[int]:
        """Distances of the neighbours of a sample of channel c."""
        channels, stride = self.grid.channels, self.stride
        if not self.grid.picture:
            same_channel = [channels * (i + 1) for i in range(32)]
            other_channels = [d + channels * i for i in range(16) for d in range(1, channels)]
            return (same_channel + other_channels)[:MAX_NEIGHBOURS]
        near = [channels * left + stride * up for left, up in OWN]
        for other in range(c - 1, max(-1, c - 4), -1):
            near += [c - other + channels * left + stride * up for left, up in EARLIER]
        for other in range(c + 1, min(channels, c + 3)):
            near += [c - other + channels * left + stride * up for left, up in LATER]
        return near[:MAX_NEIGHBOURS]

    def close(self, c: int) -> list[tuple[int, int]]:
        """(distance, weight) of the errors by which guesses are weighed."""
        channels, stride = self.grid.channels, self.stride
        if not self.grid.picture:
            return [(channels * (i + 1), weight) for i, weight in enumerate(CLOSENESS)]
        same_channel = [(channels, 2), (stride, 2), (stride + channels, 1), (stride - channels, 1)]
        return same_channel + [(d, 2) for d in range(1, c + 1)]


def source_channel(grid: Grid, c: int) -> int:
    """The channel of the source that is coded as channel c."""
    return 1 - c if grid.picture and grid.channels >= 3 and c < 2 else c


def place(grid: Grid, done: int) -> int:
    """The number in the source of the sample that is coded after `done` others."""
    pixel, c = divmod(done, grid.channels)
    return pixel * grid.channels + source_channel(grid, c)


def offset(grid: Grid, sample: int) -> int:
    """First byte of a sample in the source."""
    row, column = divmod(sample, grid.columns * grid.channels)
    return grid.start + row * grid.row_bytes + column * grid.sample_bytes


def value_of(grid: Grid, raw: bytes) -> int:
    """A sample's value; the middle of its range is 0."""
    half = 1 << (grid.bits - 1)
    value = int.from_bytes(raw, "little" if grid.little else "big")
    return (value ^ half if grid.signed else value) - half


def bytes_of(grid: Grid, value: int) -> bytes:
    """The reverse of `value_of`."""
    half = 1 << (grid.bits - 1)
    above = value + half
    return (above ^ half if grid.signed else above).to_bytes(grid.sample_bytes, "little" if grid.little else "big")
