"""The settings of a codec in the metadata of arrays. Metadata may come from anybody: each value is checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..codec.options import EFFORTS, Effort
from ..codec.stream import compress, decompress


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

    def encode(self, data: Any) -> bytes:
        """A .tokp file of the bytes of a contiguous buffer. Raises ModelError."""
        return compress(data, model=self.model, effort=self.effort)

    def decode(self, data: Any) -> bytes:
        """The bytes of a .tokp file. Raises FormatError, ModelMismatchError, ModelError."""
        return decompress(data, model=self.model)

    def config(self) -> dict[str, str]:
        """Settings that are not the defaults."""
        config = {} if self.model is None else {"model": self.model}
        return config if self.effort == "default" else {**config, "effort": self.effort}
