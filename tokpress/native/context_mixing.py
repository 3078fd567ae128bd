"""Context mixing of bytes in the core (core/context_mixing.c; `priors.context_mixing` is the twin)."""

import ctypes
from array import array
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ChecksumError
from . import library
from .handle import COUNT, POINTER, Handle

#: bytes of a call of the core
BLOCK = 1 << 18
#: `Mixer.score` counts in 2^-20 bits
COST_UNIT = 1 << 20
MAX_BYTES = 2**31 - 1
Progress = Callable[[int], None]


class Mixer(Handle):
    """One pass over n bytes: encode, decode, score or sample them, once.

    pixels: (start, stop, pixel, row, used) where some of the bytes are pixels (`core/pixel_contexts.h`). block: bytes of a call of
    the core, after each of which `progress` hears how many are done, and Ctrl-C is heard.
    Raises MemoryError, and ValueError where n or the pixels make no sense."""

    kind = "context_mixing"

    def __init__(
        self, n: int, pixels: Sequence[int] | None = None, using: str | None = None, block: int = BLOCK
    ) -> None:
        self._n, self._block, self._position = n, block, 0
        if not 0 <= n <= MAX_BYTES:
            raise ValueError(f"context mixing takes 0 to {MAX_BYTES:,} bytes at a time, not {n:,}")
        place = (ctypes.c_int64 * 5)(*pixels) if pixels else None
        if library.function("context_mixing_accepts", COUNT, POINTER, using=using)(n, place) < 0:
            raise ValueError(f"there are no such pixels: {pixels}")
        new = library.function("context_mixing_new", COUNT, POINTER, result=POINTER, using=using)
        self.hold(new(n, place), using)

    def _blocks(self, count: int, step: Callable[[int], int], progress: Progress | None) -> None:
        end = self._position + count
        while self._position < end:
            size = min(self._block, end - self._position)
            library.checked(step(size))
            self._position += size
            if progress:
                progress(self._position)

    def encode(self, source: Any, progress: Progress | None = None) -> bytes:
        """The payload of all n bytes."""
        place, size = library.address(source)
        self._whole(size)
        encode = self.function("encode", POINTER, COUNT)
        self._blocks(size, lambda count: encode(self.pointer, place, count), progress)
        finish = self.function("finish", POINTER, COUNT)
        room = size + size // 8 + 64
        while True:
            payload = (ctypes.c_char * room)()
            result = finish(self.pointer, payload, room)
            if result != library.FULL:
                return memoryview(payload)[: library.checked(result)].tobytes()
            room *= 2

    def decode(self, payload: Any, progress: Progress | None = None, out: bytearray | None = None) -> bytearray:
        """All n bytes, written to `out` [n] where it is given. Raises ChecksumError where the payload ends too early; other damage gives other bytes."""
        out = bytearray(self._n) if out is None else out
        place, size = library.writable(out)
        self._whole(size)
        words, size = library.address(payload)
        self.call("start_decoder", [POINTER, COUNT], words, size)
        decode = self.function("decode", POINTER, COUNT)
        self._blocks(self._n, lambda count: decode(self.pointer, place, count), progress)
        return out

    def score(self, source: Any, progress: Progress | None = None) -> "array[int]":
        """The cost of each of the n bytes, int32, in 2^-20 bits."""
        place, size = library.address(source)
        self._whole(size)
        costs = array("i", bytes(4 * size))
        costs_place, _ = library.writable(costs)
        score = self.function("score", POINTER, POINTER, COUNT)
        self._blocks(size, lambda count: score(self.pointer, place, costs_place, count), progress)
        return costs

    def sample(self, prefix: bytes, uniforms: Callable[[int], Any], sharpness: int = 1 << 16) -> bytearray:
        """n bytes that begin with the prefix, which is learned. uniforms(k): a buffer of k random uint32. sharpness:
        2^16 / temperature, at most 2^32."""
        if len(prefix) > self._n:
            raise ValueError(f"a prefix of {len(prefix):,} bytes is longer than {self._n:,}")
        out = bytearray(prefix) + bytearray(self._n - len(prefix))
        costs = array("i", bytes(4 * self._n))
        place, _ = library.writable(out)
        costs_place, _ = library.writable(costs)
        score = self.function("score", POINTER, POINTER, COUNT)
        self._blocks(len(prefix), lambda count: score(self.pointer, place, costs_place, count), None)
        draw = self.function("sample", POINTER, COUNT, POINTER, COUNT)

        def step(count: int) -> int:
            words = uniforms(8 * count)
            where, size = library.address(words)
            if size < 32 * count:
                raise ValueError(f"{8 * count} random words are {32 * count} bytes, not {size}")
            result: int = draw(self.pointer, place, count, where, sharpness)
            return result

        self._blocks(self._n - len(prefix), step, None)
        return out

    def _whole(self, size: int) -> None:
        if size != self._n or self._position:
            raise ValueError(f"a model for {self._n:,} bytes, of which {self._position:,} are done, is given {size:,}")


def encode(
    source: Any, pixels: Sequence[int] | None = None, progress: Progress | None = None, using: str | None = None
) -> bytes:
    return Mixer(memoryview(source).nbytes, pixels, using).encode(source, progress)


def decode(
    payload: Any,
    n: int,
    pixels: Sequence[int] | None = None,
    progress: Progress | None = None,
    using: str | None = None,
) -> bytearray:
    """Raises ChecksumError where the damage is detected: a payload that is too short, or more than MOST_BYTES bytes."""
    if n > MAX_BYTES:
        raise ChecksumError(f"a frame of context mixing has at most {MAX_BYTES:,} bytes, not {n:,}")
    return Mixer(n, pixels, using).decode(payload, progress)
