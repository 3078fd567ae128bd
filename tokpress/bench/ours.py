"""tokpress itself as a codec of the bench."""

import os
import time
from pathlib import Path
from typing import Any

from ..training.machine import version
from .codec import InPython


class Tokpress(InPython):
    """`tokpress`: the default effort. `tokpress:fast`, `tokpress:best`: other efforts. `tokpress:NAME`, `tokpress:DIR`: only this model, beside
    lzma and raw."""

    kind = "tokpress"

    def __init__(self, model: str = "") -> None:
        from ..codec.efforts import EFFORTS

        super().__init__(model)
        self.effort = model if model in EFFORTS else "default"
        self.model = None if model in EFFORTS else model or None

    def missing(self) -> str | None:
        return None

    def spec(self) -> str:
        from ..models import store

        if self.model is None or self.model in store.folders():
            return self.name
        return f"{self.kind}:{Path(self.model).resolve()}"

    def describe(self) -> str:
        how = f"model {self.model}" if self.model else f"{self.effort} choice among the shipped models, lzma and raw"
        return f"tokpress {version('tokpress')}, {how}"

    def run(self, action: str, source: Path, target: Path) -> tuple[float, dict[str, Any]]:
        """Code from file to file, as the command does. The facts: models of frames, bytes of headers, and models that decoding needs."""
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as tokpress.cli does
        from ..codec import stream
        from ..codec.options import Options
        from ..models import store

        models = [store.load(self.model)] if self.model else None
        begin = time.perf_counter()
        with source.open("rb") as file, target.open("w+b") as out:
            if action == "compress":
                summary = stream.compress_stream(file, out, Options(models, effort=self.effort))
            else:
                summary = stream.decompress_stream(file, out, models)
        seconds = time.perf_counter() - begin
        if action != "compress":
            return seconds, {}
        frames = [frame.stored for frame in summary.frames]
        stored = {name: frames.count(name) for name in dict.fromkeys(frames)}
        folders = store.folders()
        if self.model and self.model not in folders:
            folders = {models[0].name: Path(self.model)} if models else {}
        sizes = {name: model_bytes(folders[name]) for name in stored if name in folders}
        header_bytes = sum(frame.header_bytes for frame in summary.frames)
        return seconds, {"stored": stored, "models": sizes, "header_bytes": header_bytes}


def model_bytes(folder: Path) -> int:
    """Bytes on disk of the files of a model that decoding needs."""
    from ..models.folder import needed

    return sum(path.stat().st_size for path in needed(folder))
