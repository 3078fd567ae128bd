"""Functions for `ray.data.Dataset.map_batches`, which compress, decompress and score a column of bytes or text.

A batch is a dict of columns, as Ray's default batch format gives it. The functions need no Ray themselves. (`tokpress compress -r FOLDER
--ray` compresses files.)

>>> import numpy as np
>>> batch = {"id": np.array([1, 2]), "bytes": np.array([b"from afar, " * 9, b""], dtype=object)}
>>> packed = compress(batch, effort="fast")
>>> bool(len(packed["bytes"][0]) < 40), packed["id"].tolist()
(True, [1, 2])
>>> decompress(packed)["bytes"][1]
b''
>>> bool(score(batch)["bits"][0] < 300)
True
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..codec import stream
from ..codec.context import Context
from ..codec.efforts import Effort
from ..errors import TokpressError
from ..models import store
from ..models.store import ModelName

#: column → its values
Batch = dict[str, Any]


def compress(
    batch: Batch,
    column: str = "bytes",
    into: str | None = None,
    *,
    model: ModelName | None = None,
    effort: Effort = "default",
    context: bytes | Context | None = None,
) -> Batch:
    """The batch with each value of `column` compressed. into: the column of the results; None: `column`. The rest is as in
    `tokpress.compress`. Text is stored as UTF-8."""
    loaded = None if model is None else store.load(model)
    return _mapped(batch, column, into, lambda data: stream.compress(data, loaded, effort=effort, context=context))


def decompress(
    batch: Batch,
    column: str = "bytes",
    into: str | None = None,
    *,
    models: Iterable[ModelName] = (),
    context: bytes | Context | None = None,
) -> Batch:
    """The batch with each value of `column` restored, as bytes. into: as in `compress`. The rest is as in `tokpress.decompress`.

    Raises FormatError, ModelMismatchError and TypeError, which name the row, and TokpressError without such a column."""
    loaded = [store.load(model) for model in models]
    return _mapped(batch, column, into, lambda data: stream.decompress(data, models=loaded, context=context))


def score(batch: Batch, column: str = "bytes", *, model: ModelName = "text", context: bytes = b"") -> Batch:
    """The batch with the columns `bits` and `bits_per_byte`: the cost of each value of `column` under a model, as `Model.score`
    computes it. An empty value costs 0 bits."""
    loaded = store.load(model)
    values = [_as_bytes(value, row, column) for row, value in enumerate(_values(batch, column))]
    bits = np.array([loaded.score(data, context=context).total_bits if data else 0.0 for data in values], dtype=float)
    lengths = np.array([max(len(data), 1) for data in values], dtype=float)
    return {**batch, "bits": bits, "bits_per_byte": bits / lengths}


def _mapped(batch: Batch, column: str, into: str | None, function: Callable[[bytes], bytes]) -> Batch:
    values = _values(batch, column)
    results = np.empty(len(values), dtype=object)  # numpy's own bytes lose zeros at their end
    for row, value in enumerate(values):
        data = _as_bytes(value, row, column)
        try:
            results[row] = function(data)
        except TokpressError as error:
            raise type(error)(f"row {row} of the batch, column {column}: {error}") from error
    return {**batch, into or column: results}


def _values(batch: Batch, column: str) -> Any:
    if column not in batch:
        raise TokpressError(f"the batch has no column {column!r}; it has: {', '.join(batch)}")
    return batch[column]


def _as_bytes(value: Any, row: int, column: str) -> bytes:
    """The bytes of a value. (bytes(3) would be three zeros.)"""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"row {row} of the batch, column {column}: a value is bytes or text, not {type(value).__name__}")
