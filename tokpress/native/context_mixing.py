"""Context mixing of bytes in the core (core/context_mixing.c; `priors.context_mixing` is the twin)."""

import ctypes
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import ChecksumError
from . import library
from .handle import COUNT, POINTER, SavedHandle

#: bytes of a call of the core
BLOCK = 1 << 18
#: `Mixer.score` counts in 2^-20 bits
COST_UNIT = 1 << 20
MAX_BYTES = 2**31 - 1
Progress = Callable[[int], None]


class Mixer(SavedHandle):
    """One pass over n bytes, which encodes, decodes, scores or samples them.

    pixels: (start, stop, pixel, row, used) if bytes start … stop − 1 are pixels (`core/pixel_contexts.h`). block: bytes per call of the
    core. After each call, `progress` gets the number of bytes done, and Python handles Ctrl-C.
    Raises MemoryError, and ValueError if n or the pixels are impossible."""

    kind = "context_mixing"

    def __init__(
        self, n: int, pixels: Sequence[int] | None = None, using: str | None = None, block: int = BLOCK
    ) -> None:
        self._n, self._pixels, self._block, self._position = n, tuple(pixels or ()), block, 0
        self._context: bytes | None = None
        if not 0 <= n <= MAX_BYTES:
            raise ValueError(f"context mixing takes 0 to {MAX_BYTES:,} bytes at a time, not {n:,}")
        place = (ctypes.c_int64 * 5)(*pixels) if pixels else None
        if library.function("context_mixing_accepts", COUNT, POINTER, using=using)(n, place) < 0:
            raise ValueError(f"impossible pixels: {pixels}")
        new = library.function("context_mixing_new", COUNT, POINTER, result=POINTER, using=using)
        self.hold(new(n, place), using)

    def made_of(self) -> Iterator[bytes]:
        yield repr((self._n, self._pixels)).encode()

    def _room_for(self, context: bytes) -> bytes:
        if self._position or len(context) > self._n:
            raise ValueError("a context is read first, and there is room for it")
        return bytes(context)

    def learn(self, context: bytes) -> None:
        context = self._room_for(context)
        place, size = library.address(context)
        learn = self.function("learn", POINTER, COUNT)
        self._blocks(size, lambda count: learn(self.pointer, place, count), None)
        self._context = context

    def resume(self, context: bytes, state: bytes) -> None:
        self._context = self._room_for(context)
        self._take_up(state)
        self._position = len(self._context)

    def restore(self) -> None:
        super().restore()
        self._position = len(self._context or b"")

    def _blocks(self, count: int, step: Callable[[int], int], progress: Progress | None) -> None:
        """Take `count` bytes in steps. `progress` gets the number of bytes done, without the context."""
        first, end = len(self._context or b""), self._position + count
        while self._position < end:
            size = min(self._block, end - self._position)
            library.checked(step(size))
            self._position += size
            if progress:
                progress(self._position - first)

    def encode(self, source: Any, progress: Progress | None = None) -> bytes:
        """The payload of all n bytes, or of those after the context."""
        size = memoryview(source).nbytes
        place, _ = library.address(source if self._context is None else b"".join([self._context, source]))
        self._check_size(size)
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
        """All n bytes, or as many as `out` has, written to `out` if it is given. Raises ChecksumError if the payload ends too early. Other
        damage gives wrong bytes."""
        out = bytearray(self._n) if out is None else out
        self._check_size(len(out))
        context = self._context or b""
        history = bytearray(context) + out if context else out
        place, _ = library.writable(history)
        words, size = library.address(payload)
        self.call("start_decoder", [POINTER, COUNT], words, size)
        decode, first = self.function("decode", POINTER, COUNT), len(context)

        def step(count: int) -> int:
            result: int = decode(self.pointer, place, count)
            if context:
                at = self._position
                out[at - first : at - first + count] = history[at : at + count]
            return result

        self._blocks(len(out), step, progress)
        return out

    def score(self, source: Any, progress: Progress | None = None) -> "array[int]":
        """The cost of each of the n bytes, or of those after the context, int32, in 2^-20 bits."""
        size, first = memoryview(source).nbytes, len(self._context or b"")
        place, _ = library.address(source if self._context is None else b"".join([self._context, source]))
        self._check_size(size)
        costs = array("i", bytes(4 * (first + size)))
        costs_place, _ = library.writable(costs)
        score = self.function("score", POINTER, POINTER, COUNT)
        self._blocks(size, lambda count: score(self.pointer, place, costs_place, count), progress)
        return costs[first:]

    def sample(self, prefix: bytes, uniforms: Callable[[int], Any], sharpness: int = 1 << 16) -> bytearray:
        """n bytes that begin with the prefix, from which the model learns. uniforms(k): a buffer of k random uint32. sharpness:
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

    def _check_size(self, size: int) -> None:
        """Raises ValueError unless `size` bytes are what is to be coded: all of them, or what there is room for after the context."""
        if self._context is not None and self._position == len(self._context) and size <= self._n - self._position:
            return
        if size != self._n or self._position:
            raise ValueError(
                f"the pass is over {self._n:,} bytes, {self._position:,} of them done; it cannot take {size:,}"
            )


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
    """The n bytes of a payload. Raises ChecksumError if the payload is too short, or n is above MAX_BYTES."""
    if n > MAX_BYTES:
        raise ChecksumError(f"a frame of context mixing has at most {MAX_BYTES:,} bytes, not {n:,}")
    return Mixer(n, pixels, using).decode(payload, progress)
