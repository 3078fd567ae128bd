"""The settings of a codec in the metadata of arrays. Metadata may come from anybody: each value is checked."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import numpy as np

from ..codec.efforts import EFFORTS, Effort
from ..codec.stream import compress, decompress_stream
from ..container.varint import as_bytes
from ..errors import FormatError
from ..models import store
from .arrays import bytes_of, source_of

#: bytes that a chunk may have beyond twice its array: what other codecs add
SLACK = 1 << 20


@dataclass(frozen=True)
class CodecSettings:
    """model: name or directory of a model; effort: without it, the candidates, as in `tokpress.compress`.

    Raises TypeError, ValueError."""

    model: str | None = None
    effort: Effort = "default"

    def __post_init__(self) -> None:
        if not isinstance(self.model, str | None):
            raise TypeError(f"model must be the name of a model, not {self.model!r}")
        if not isinstance(self.effort, str) or self.effort not in EFFORTS:
            raise ValueError(f"effort must be {', '.join(EFFORTS)}, not {self.effort!r}")
        if self.model is not None and self.effort != "default":
            raise ValueError("an effort chooses among the shipped models: it does not go with a model")

    def encode(self, data: Any, dtype: np.dtype | None = None, shape: tuple[int, ...] = ()) -> bytes:
        """A .tokp file of a contiguous buffer, the bytes of an array of this type and shape in C order. Raises ModelError."""
        return compress(source_of(as_bytes(data), dtype, shape), model=self.model, effort=self.effort)

    def decode(self, data: Any, limit: int | None = None) -> bytes:
        """The bytes of the array. Raises FormatError, also where they are many more than `limit`; ModelMismatchError, ModelError."""
        room = _Room(math.inf if limit is None else 2 * limit + SLACK)
        models = [] if self.model is None else [store.load(self.model)]
        decompress_stream(io.BytesIO(as_bytes(data)), cast(BinaryIO, room), models)
        return bytes_of(bytes(room.taken))

    def config(self) -> dict[str, str]:
        """Settings that are not the defaults."""
        config = {} if self.model is None else {"model": self.model}
        return config if self.effort == "default" else {**config, "effort": self.effort}


class _Room:
    """Takes at most `limit` bytes: a small damaged or hostile chunk may restore gigabytes."""

    def __init__(self, limit: float) -> None:
        self.taken, self._limit = bytearray(), limit

    def write(self, data: bytes) -> int:
        if len(self.taken) + len(data) > self._limit:
            raise FormatError("the chunk restores far more bytes than its array has: get an undamaged copy")
        self.taken += data
        return len(data)
