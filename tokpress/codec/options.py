"""Settings of a call that compresses. Nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..container.frames import MAX_LANES, MAX_SOURCE
from ..errors import TokpressError
from ..models.model import Model

#: bytes of a frame, unless a call says otherwise
FRAME_SIZE = 1 << 24
#: effort → the shipped models that are candidates, and those for sources with samples (pixels or sound)
EFFORTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "fast": (("adaptive",), ("samples", "adaptive")),
    "default": (("text", "adaptive"), ("samples", "drawings", "adaptive", "text")),
    "best": (("text-best", "text", "adaptive"), ("samples", "drawings", "adaptive", "text", "text-best")),
}

#: hears the number of bytes done
Report = Callable[[int], None]


@dataclass
class Options:
    """How to compress. `models` None: choose among the shipped ones, as many as the effort allows; a list: only these (and
    lzma, raw)."""

    models: list[Model] | None = None
    lanes: int | None = None
    frame_size: int = FRAME_SIZE
    kernel: str = "auto"
    report: Report = lambda done: None
    #: store what the lossy tokenizer of the one model leaves of the source
    lossy: bool = False
    effort: str = "default"

    def __post_init__(self) -> None:
        if self.effort not in EFFORTS:
            raise ValueError(f"effort must be {', '.join(EFFORTS)}, not {self.effort!r}")
        if self.effort != "default" and self.models is not None:
            raise ValueError("an effort chooses among the shipped models; it does not go with models of your own")
        losing = [model for model in self.models or [] if not model.tokenizer.lossless]
        #: a lossy tokenizer whose reconstruction is completed, since nothing else was asked for
        self.completes = not self.lossy and len(self.models or []) == 1 and any(m.tokenizer.wants_grid for m in losing)
        if losing and not (self.lossy or self.completes):
            name = losing[0].name
            raise TokpressError(f"the model {name} loses information: allow it with --lossy, or choose another model")
        if self.lossy and (len(self.models or []) != 1 or not losing):
            raise TokpressError(
                "--lossy needs one model with a lossy tokenizer, a palette for instance: name it with -m"
            )
        if self.lanes is not None and not 1 <= self.lanes <= MAX_LANES:
            raise ValueError(f"lanes must be 1 … {MAX_LANES:,}, not {self.lanes:,}")
        if not 1 <= self.frame_size <= MAX_SOURCE:
            raise ValueError(f"frame_size must be 1 … {MAX_SOURCE:,} bytes, not {self.frame_size:,}")
