"""A codec for numcodecs, which finds it by the entry point `numcodecs.codecs`.

>>> import numcodecs, numpy
>>> codec = numcodecs.get_codec({"id": "tokpress"})
>>> packed = codec.encode(numpy.arange(1000, dtype="i4"))
>>> len(packed) < 400, numpy.array_equal(numpy.frombuffer(codec.decode(packed), "i4"), numpy.arange(1000))
(True, True)
"""

from typing import Any

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_contiguous_ndarray, ndarray_copy

from ..codec.efforts import Effort
from .settings import CodecSettings


class Tokpress(Codec):
    """An array as a .tokp file. Zarr v2, kerchunk and others find it under the id "tokpress".

    model: name or directory of a model, which the reader needs too. effort: without a model, "fast", "default" or "best".
    """

    codec_id = "tokpress"

    def __init__(self, model: str | None = None, effort: Effort = "default") -> None:
        self._settings = CodecSettings(model, effort)

    def encode(self, buf: Any) -> bytes:
        """A .tokp file of `buf`, any object with a contiguous buffer. The models use the shape of an array of integers. Raises ModelError."""
        if not isinstance(buf, np.ndarray):
            return self._settings.encode(ensure_contiguous_ndarray(buf))
        shape = buf.shape if buf.flags.c_contiguous else buf.shape[::-1]  # in the order of its bytes
        return self._settings.encode(ensure_contiguous_ndarray(buf), buf.dtype, shape)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The bytes of a .tokp file, or `out`, which must have their size, filled with them.

        Raises FormatError, ModelMismatchError, ModelError; ValueError where `out` has another size."""
        packed = ensure_contiguous_ndarray(buf)
        if out is None:
            return self._settings.decode(packed)
        out = ensure_contiguous_ndarray(out)
        return ndarray_copy(self._settings.decode(packed, out.nbytes), out)

    def get_config(self) -> dict[str, str]:
        """The settings, as JSON holds them."""
        return {"id": self.codec_id, **self._settings.config()}

    def __repr__(self) -> str:
        return f"Tokpress({', '.join(f'{name}={value!r}' for name, value in self._settings.config().items())})"
