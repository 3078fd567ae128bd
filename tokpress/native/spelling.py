"""Frames of tokens that are spelled, in the core (core/spelling.c): `text.Text` predicts a token, and its digits are
mixed and coded.

The twin is `priors.text.bitwise`. Nothing here imports numpy.
"""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

from . import library
from .text import Model, Text

_POINTER, _COUNT = ctypes.c_void_p, ctypes.c_int64
#: `Spelled.score` counts in 2^-20 bits
COST_UNIT = 1 << 20
#: 2^16 / temperature, at most
SHARPEST = 1 << 32


class Spellings:
    """The tokens' bytes as the core takes them, in order of their bytes.

    Raises ValueError where two tokens are spelled alike, or not in 1 to 32 bytes."""

    def __init__(self, spellings: Sequence[bytes]) -> None:
        ranked = sorted(range(len(spellings)), key=spellings.__getitem__)
        sizes = [len(spellings[v]) for v in ranked]
        if len(set(spellings)) < len(spellings) or not all(1 <= size <= 32 for size in sizes):
            raise ValueError("tokens that are spelled are different strings of 1 to 32 bytes")
        self.symbols = (ctypes.c_int32 * len(ranked))(*ranked)
        self.sizes = (ctypes.c_int32 * len(ranked))(*sizes)
        self.bytes = b"".join(spellings[v] for v in ranked)


class Spelled:
    """The state of one frame of `tokens` tokens in `lanes` lanes, under a model that is not class-factored."""

    def __init__(
        self,
        model: Model,
        spellings: Spellings,
        lanes: int,
        tokens: int,
        threads: int = 1,
        using: str | None = None,
        free: Callable[[], int] | None = None,
    ) -> None:
        self.text = Text(model, lanes, tokens, threads, using, free)
        self._free = library.function("spelling_free", _POINTER, result=None, using=using)
        new = library.function("spelling_new", *[_POINTER] * 4, _COUNT, _POINTER, using=using)
        made = _POINTER()
        result = new(
            self.text.handle,
            spellings.symbols,
            spellings.sizes,
            spellings.bytes,
            len(spellings.bytes),
            ctypes.byref(made),
        )
        library.checked(result)
        self._handle = made.value

    def __del__(self) -> None:
        if handle := getattr(self, "_handle", None):
            self._free(handle)  # before the text model's

    def _call(self, name: str, kinds: list[Any], *arguments: Any) -> int:
        function = library.function(name, _POINTER, *kinds, using=self.text.using)
        return library.checked(function(self._handle, *arguments))

    def encode(self, tokens: Any, report: Callable[[int], object] = lambda done: None) -> bytes:
        """tokens: N int32, contiguous → the payload. `report` hears how many are done. Raises CoreError for symbols
        outside V."""
        given = self.text.known(tokens)
        self.text.in_blocks(lambda steps: self._call("spelling_encode", [_POINTER, _COUNT], given, steps), report)
        return self.text.finish()

    def score(self, tokens: Any, report: Callable[[int], object] = lambda done: None) -> Any:
        """What each of N tokens costs, N int64 in units of 2^-20 bits."""
        given, costs = self.text.known(tokens), (ctypes.c_int64 * self.text.tokens)()
        kinds = [_POINTER, _COUNT, _POINTER]
        self.text.in_blocks(lambda steps: self._call("spelling_score", kinds, given, steps, costs), report)
        return costs

    def start(self, payload: bytes) -> None:
        """What `decode` reads."""
        self.text.start(payload)

    def decode(self, out: Any, steps: int, sharpness: int = 1 << 16) -> None:
        """The next steps into out: lanes · steps int32; cells of a lane without a token are left. sharpness: 2^16 /
        temperature where the payload is noise. Raises ChecksumError."""
        to, size = library.writable(out)
        if size != 4 * self.text.lanes * steps:
            raise ValueError(f"{size} bytes have no room for {steps} steps of {self.text.lanes} lanes")
        self.text.share()
        self._call("spelling_decode", [_POINTER, _COUNT, _COUNT], to, steps, sharpness)
        self.text.advance(steps)
