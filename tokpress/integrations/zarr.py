"""A codec for Zarr v3, which finds it by the entry point `zarr.codecs`.

>>> import numpy, zarr
>>> from tokpress.integrations.zarr import TokpressCodec
>>> array = zarr.create_array({}, data=numpy.arange(1000, dtype="i4"), compressors=TokpressCodec())
>>> array.nbytes_stored() < 1500, numpy.array_equal(array[:], numpy.arange(1000))
(True, True)
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zarr.abc.codec import BytesBytesCodec

from ..codec.efforts import Effort
from .settings import CodecSettings

if TYPE_CHECKING:
    from typing import Self

    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer

NAME = "tokpress"


@dataclass(frozen=True)
class TokpressCodec(BytesBytesCodec):
    """A chunk as a .tokp file. The models use the shape of a chunk of integers.

    model: name or directory of a model, which the reader needs too. effort: without a model, "fast", "default" or "best".
    """

    model: str | None = None
    effort: Effort = "default"
    is_fixed_size = False

    def __post_init__(self) -> None:
        self._settings()

    def _settings(self) -> CodecSettings:
        return CodecSettings(self.model, self.effort)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The codec of an entry in an array's metadata. Raises ValueError, TypeError."""
        if data.get("name") != NAME:
            raise ValueError(f"the codec {data.get('name')!r} is not {NAME!r}")
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """The entry in an array's metadata."""
        return {"name": NAME, "configuration": self._settings().config()}

    def _encode_sync(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer:
        dtype = chunk_spec.dtype.to_native_dtype()
        packed = self._settings().encode(chunk_bytes.as_numpy_array(), dtype, chunk_spec.shape)
        return chunk_spec.prototype.buffer.from_bytes(packed)

    def _decode_sync(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer:
        dtype = chunk_spec.dtype.to_native_dtype()
        limit = None if dtype.hasobject or dtype.kind == "T" else dtype.itemsize * math.prod(chunk_spec.shape)
        return chunk_spec.prototype.buffer.from_bytes(self._settings().decode(chunk_bytes.as_numpy_array(), limit))

    async def _encode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer:
        return await asyncio.to_thread(self._encode_sync, chunk_bytes, chunk_spec)

    async def _decode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer:
        return await asyncio.to_thread(self._decode_sync, chunk_bytes, chunk_spec)

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Not known before the data."""
        raise NotImplementedError
