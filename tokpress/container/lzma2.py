"""The payload of an lzma frame: a byte for the size of the dictionary, then a raw LZMA2 stream as `xz -9e` makes it.

The encoder takes 11.5 bytes for each byte of the dictionary: 190 MB for a frame of 16 MB. So one frame at a time is packed, and no
dictionary is larger than 32 MiB (390 MB), the size of `xz -8e`.

At full strength it is slower than some models. A quick encoder, at the strength of `xz -1` with the same dictionary, takes a tenth of the
time; what the full one could reach is known well enough from its result (`LEAST`) to leave it out where a model is far better. It finds few
copies among few different bytes (bases of DNA): there its result tells nothing.
"""

import lzma
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock

from ..errors import ChecksumError
from .varint import ADVICE, PIECE, size

FULL, QUICK = 9 | lzma.PRESET_EXTREME, 1
#: The full encoder's bytes over the quick one's: more than that for all training texts and test files (docs/notes/text.md).
LEAST = 0.68
#: a stretch of AT_ONCE bytes has few symbols where its first PROBE bytes have 2 to FEW different ones; a source, where a SHARE-th of it has
PROBE, FEW, SHARE = 1 << 11, 10, 16
#: source bytes between two comparisons with the limit
AT_ONCE = 1 << 16
MAX_DICTIONARY = 28  # largest first byte of a payload that is read: 64 MiB, the size of `xz -9`
OUR_DICTIONARY = 26  # largest first byte of a payload that is written: 32 MiB
#: seconds between two calls of `check` while a frame waits for the encoder
LOOK = 0.05

_turn = Lock()


def _after_fork() -> None:
    """Replace the lock: a thread of the parent may hold it, and would never release it in the child."""
    global _turn
    _turn = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def in_turn(check: Callable[[], None] = lambda: None) -> Iterator[None]:
    """A context that one thread at a time enters. `check` is called while it waits, and may raise."""
    turn = _turn
    while not turn.acquire(timeout=LOOK):
        check()
    try:
        yield
    finally:
        turn.release()


class LzmaEncoder:
    """Encodes an lzma payload piece by piece, by default at the strength of `xz -9e`. A known source length saves memory."""

    def __init__(self, source_length: int | None = None, preset: int = FULL) -> None:
        sizes = (n for n in range(OUR_DICTIONARY) if source_length is not None and _dictionary(n) >= source_length)
        self._start = bytes([next(sizes, OUR_DICTIONARY)])
        lzma2 = {"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": _dictionary(self._start[0])}
        self._lzma = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=[lzma2])

    def compress(self, source: bytes | memoryview) -> bytes:
        start, self._start = self._start, b""
        return start + self._lzma.compress(source)

    def finish(self) -> bytes:
        return self._start + self._lzma.flush()


class Packing:
    """An lzma payload that is being encoded. It pauses where it exceeds the limit, and continues where the limit is raised.

    check: called between pieces; it may raise. encoder(length): a new encoder for a source of that length."""

    def __init__(
        self,
        source: bytes,
        check: Callable[[], None] = lambda: None,
        encoder: Callable[[int], LzmaEncoder] = LzmaEncoder,
    ) -> None:
        self._limit = math.inf
        self._source, self._check, self._new_encoder = source, check, encoder
        self._encoder: LzmaEncoder | None = None
        self._at = self._size = 0
        self._pieces: list[bytes] = []
        self._done = False

    def limit_to(self, size: float) -> None:
        """Set the limit: bytes of the largest payload that is of use. Another thread may be packing."""
        self._limit = size

    def go_on(self) -> bytes | None:
        """The payload, or None where it takes more bytes than the limit, which may change meanwhile."""
        if len(self._source) < AT_ONCE:  # takes little memory
            self._pack()
        elif not self._done and self._size <= self._limit:
            with in_turn(self._check):
                self._pack()
        return b"".join(self._pieces) if self._done and self._size <= self._limit else None

    def give_up(self) -> None:
        """Free the memory, at once or after the piece that another thread packs. The payload is not needed any more."""
        self._limit = -1
        self._encoder, self._source, self._pieces = None, b"", []

    def _pack(self) -> None:
        source = self._source
        while not self._done and self._size <= self._limit:  # between pieces, Python can act on a signal
            self._check()
            encoder = self._encoder = self._encoder or self._new_encoder(len(source))
            piece = memoryview(source)[self._at : self._at + AT_ONCE]
            self._at += len(piece)
            packed = encoder.compress(piece)
            if self._at == len(source):
                packed, self._done, self._encoder = packed + encoder.finish(), True, None  # frees its memory
            self._pieces.append(packed)
            self._size += len(packed)


def quick_encoder(source_length: int) -> LzmaEncoder:
    return LzmaEncoder(source_length, QUICK)


def few_symbols(source: bytes) -> int:
    """How many bytes of a source lie in stretches of few symbols, and not in a run of one.

    >>> few_symbols(b"ACGT" * 20_000), few_symbols(bytes(80_000)), few_symbols(bytes(range(200)) * 400)
    (80000, 0, 0)
    """
    starts = range(0, len(source), AT_ONCE)
    few = [at for at in starts if 2 <= len(set(source[at : at + PROBE])) <= FEW]
    return sum(min(AT_ONCE, len(source) - at) for at in few)


def least_size(quick: int, few: int, length: int) -> float:
    """What the full encoder's payload exceeds, where the quick one's has `quick` bytes. few: bytes of the source, of `length`, in
    stretches of few symbols."""
    return 0 if few * SHARE > length else LEAST * quick


def lzma_encode(source: bytes, preset: int = FULL) -> bytes:
    packed = Packing(source, encoder=lambda length: LzmaEncoder(length, preset)).go_on()
    assert packed is not None, "there was no limit"
    return packed


def lzma_decode(payload: Iterable[bytes], source_length: int, where: str = "lzma frame") -> Iterator[bytes]:
    """The source of an lzma payload in pieces of at most 1 MiB, `source_length` bytes at most. An empty piece gives an empty piece.
    Raises ChecksumError."""
    decoder, left = None, source_length
    try:
        for piece in payload:
            if not piece:
                yield piece
                continue
            if decoder is None:
                if piece[0] > MAX_DICTIONARY:
                    raise lzma.LZMAError("its dictionary is larger than 64 MiB")
                size_needed = max(4096, min(_dictionary(piece[0]), source_length))  # no match reaches beyond the start
                lzma2 = {"id": lzma.FILTER_LZMA2, "dict_size": size_needed}
                decoder, piece = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[lzma2]), piece[1:]
            while piece or not (decoder.needs_input or decoder.eof):
                if decoder.eof:
                    raise lzma.LZMAError("bytes follow its end")
                source, piece = decoder.decompress(piece, min(PIECE, left + 1)), decoder.unused_data
                if (left := left - len(source)) < 0:
                    raise lzma.LZMAError("it restores more than its header says")
                if source:
                    yield source
        if decoder is None or not decoder.eof or left:
            raise lzma.LZMAError(f"it ends {size(left)} too early")
    except lzma.LZMAError as error:
        raise ChecksumError(f"{where}: the lzma payload does not decode, {error}: {ADVICE}") from error


def _dictionary(byte: int) -> int:
    """Bytes of the dictionary for a first byte, as in .xz: 2 · 2^n and 3 · 2^n in turn, from 4 KiB."""
    return (2 + byte % 2) << byte // 2 + 11
