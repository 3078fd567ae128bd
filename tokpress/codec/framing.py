"""A source in blocks. A block becomes a frame, or three where other bytes stand around its samples.

    any source                     blocks of `frame_size` bytes, in whole items of the model (pictures, for instance)
    pictures, sound and video,     blocks of as many rows, columns or frames as fit, in whole items of the tokenizer. A long
    by a lossy tokenizer           video becomes many frames of the file, each decoded without the others

A block ends where the tokenizer allows it (`Tokenizer.safe_prefix`), not within a segment. Bytes before the first item, such as the
head of a file, go into the first block.
"""

import io
import math
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ..container.frames import MAX_SOURCE
from ..container.varint import can_seek, read_some
from ..errors import TokpressError
from ..media import formats
from ..media.grid import Grid
from ..tokenizers.base import Tokenizer
from ..tokenizers.samples import for_grid, grid_for
from .options import Options

#: size of a source of unknown size
UNKNOWN = 1 << 62
#: bytes at the beginning that show where the samples are; at least so many are read, for any frame size
LOOK = 1 << 17
#: most bytes of a block's items, with the padding of the last ones
MAX_FILLED = 1 << 27


class Block(NamedTuple):
    source: bytes
    #: whether it ends the source
    last: bool
    #: position of its samples
    grid: Grid | None
    #: whether the lossy tokenizer of the call takes its samples, or all its bytes where `grid` is None
    suits: bool = True


def blocks(source: BinaryIO, options: Options) -> Iterator[Block]:
    """Cut a source into blocks. Raises TokpressError where its samples are to be stored by a lossy tokenizer for other samples."""
    left, reader, done = bytes_left(source), _Reader(source), 0
    size, item = frame_of_items(options)
    lead, grids = (left or 0) % item, Grids(left)
    source_grid, suits = None, True
    if (options.lossy or options.completes) and (samples := formats.find(reader.look(max(size + lead, LOOK)), UNKNOWN)):
        assert options.models  # exactly one
        try:
            source_grid, size = _sample_blocks(samples, options.models[0].tokenizer, options.frame_size, left)
            lead = source_grid.start
        except TokpressError:
            if options.lossy:
                raise
            suits = False
    while True:
        limit = size if done else lead + size
        following = reader.look(limit + 1)
        block = reader.take(frame_end(following[:limit], options) if len(following) > limit else limit)
        grid, last = grids.next(block), not reader.look(1)
        if source_grid:  # None after the samples
            grid = source_grid.within(done, done + len(block))
            suits = grid is not None
        yield Block(block, last, grid, suits)
        done += len(block)
        if last:
            return


def _sample_blocks(
    samples: formats.Samples, tokenizer: Tokenizer, frame_size: int, left: int | None
) -> tuple[Grid, int]:
    """(position of the samples, bytes of them in a block). Raises TokpressError where the tokenizer is for other samples."""
    from ..tokenizers.learned.tiled import Tiled  # only for lossy tokenizers, since it takes milliseconds

    grid = grid_for(tokenizer, samples)
    if left is not None and grid.stop > left:
        raise TokpressError("--lossy takes a whole file: this one is cut off")
    slice_bytes = grid.slice_bytes
    first_slice = grid.within(grid.start, grid.start + slice_bytes)
    tiled = first_slice and for_grid(tokenizer, first_slice._replace(start=0))
    slices = frame_size // slice_bytes
    if isinstance(tiled, Tiled):
        sides = tiled.inner.samples.sides
        side = sides[len(sides) == 3 and grid.frames == 1]  # a single frame is cut along its rows
        slices = max(1, min(frame_size // (side * slice_bytes), MAX_FILLED // tiled.filled)) * side
    size = min(max(1, slices), MAX_SOURCE // slice_bytes) * slice_bytes
    if not size:
        raise TokpressError(f"--lossy takes videos with frames of at most {MAX_SOURCE:,} bytes, not {slice_bytes:,}")
    return grid, size


def frame_of_items(options: Options) -> tuple[int, int]:
    """(bytes of a frame, bytes of an item). A frame holds whole items of the model (pictures, for instance), and at most two
    tokens for each byte of the frame size. Bytes before the first item go into the first frame."""
    if options.models is None or len(options.models) != 1:
        return options.frame_size, 1
    (model,) = options.models
    pieces, size = model.tokenizer.sizes.unit_tokens, model.tokenizer.sizes.unit_bytes
    item = math.lcm(model.prior.rules.stride, pieces) // pieces * size
    limit = min(options.frame_size, MAX_SOURCE - (item - 1))
    limit = min(limit, limit * 2 * size // pieces)
    if item > limit or model.prior.rules.given_size:
        return options.frame_size, 1
    return limit // item * item, item


def frame_end(block: bytes, options: Options) -> int:
    """Bytes of a block that go into a frame where more follows: those before the last place at which the model's tokenizer may be
    cut, or all where there is no such place."""
    if options.models is None or len(options.models) != 1:
        return len(block)
    return options.models[0].tokenizer.safe_prefix(block) or len(block)


def bytes_left(source: BinaryIO) -> int | None:
    """Bytes from here to the end of a source; None where it cannot seek."""
    if not can_seek(source):
        return None
    start = source.tell()
    try:
        length = source.seek(0, io.SEEK_END) - start
    except OSError:  # files in /proc seek, but not to their end
        return None
    source.seek(start)
    return length


class Grids:
    """Position of the samples in each block of a source, from the head in the first one."""

    def __init__(self, size: int | None = None) -> None:
        self._size, self._done = size, 0
        self._grid: Grid | None = None

    def next(self, block: bytes) -> Grid | None:
        """Position of the samples in the next block."""
        if not self._done:
            self._grid = formats.grid_of(block, UNKNOWN if self._size is None else self._size)
        begin, self._done = self._done, self._done + len(block)
        return self._grid and self._grid.within(begin, self._done)


class _Reader:
    """A stream with a look ahead."""

    def __init__(self, source: BinaryIO) -> None:
        self._source, self._held, self._ended = source, b"", False

    def look(self, count: int) -> bytes:
        """The bytes that the next `take(count)` returns."""
        pieces, short = [self._held], count - len(self._held)
        while short > 0 and not self._ended:  # a terminal is not asked again once it has ended
            pieces.append(read_some(self._source, short))
            short -= len(pieces[-1])
            self._ended = not pieces[-1]
        self._held = b"".join(pieces)
        return self._held[:count]

    def take(self, count: int) -> bytes:
        """`count` bytes, fewer only where the stream ends."""
        taken = self.look(count)
        self._held = self._held[len(taken) :]
        return taken
