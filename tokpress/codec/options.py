"""Settings of a call that compresses. Nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..arguments import whole
from ..container.frames import MAX_LANES, MAX_SOURCE
from ..errors import TokpressError
from ..models.model import Model
from ..tokenizers.samples import ItemTokenizer
from .efforts import BEST_LANES, EFFORTS, Effort

if TYPE_CHECKING:
    from .context import Context

#: default number of bytes in a frame
FRAME_SIZE = 1 << 24
#: the shipped model with a lossy tokenizer, of pictures in colour
LOSSY = "photo-tokens"

#: called with the number of bytes done so far
Report = Callable[[int], None]


@dataclass
class Options:
    """Settings of compression. models: the candidates, beside lzma and raw; None: the shipped models that `effort` names."""

    models: list[Model] | None = None
    lanes: int | None = None
    frame_size: int = FRAME_SIZE
    kernel: str = "auto"
    report: Report = lambda done: None
    #: store only the tokens of the one model's lossy tokenizer
    lossy: bool = False
    effort: Effort = "default"
    #: what the models read first; the decoder needs it too
    context: Context | None = None
    #: write the models into the file, before its frames
    embed: bool = False
    #: whether lzma may pack the source as one frame, which cannot be read in parts
    whole: bool = True

    def __post_init__(self) -> None:
        if self.effort not in EFFORTS:
            raise ValueError(f"effort must be {', '.join(EFFORTS)}, not {self.effort!r}")
        if self.effort != "default" and self.models is not None:
            raise ValueError("an effort chooses among the shipped models: it does not go with models of your own")
        if self.lanes is not None and not 1 <= whole("lanes", self.lanes) <= MAX_LANES:
            raise ValueError(f"lanes must be 1 … {MAX_LANES:,}, not {self.lanes:,}")
        if not 1 <= whole("frame_size", self.frame_size) <= MAX_SOURCE:
            raise ValueError(f"frame_size must be 1 … {MAX_SOURCE:,} bytes, not {self.frame_size:,}")
        losing = [model for model in self.models or [] if not model.tokenizer.lossless]
        lossy_items = [model for model in losing if isinstance(model.tokenizer, ItemTokenizer)]
        #: whether frames hold the tokens of a lossy tokenizer and a residual (`residual`)
        self.completes = not self.lossy and len(self.models or []) == 1 and bool(lossy_items)
        self._check_losses(losing)
        if self.context and ((self.lanes or 1) != 1 or self.lossy or self.completes):
            raise TokpressError("a context needs one lane and a lossless model: leave --lanes and --lossy out")

    @property
    def most_lanes(self) -> int:
        """The most lanes of a frame where `lanes` is None."""
        return BEST_LANES if self.effort == "best" else MAX_LANES

    def _check_losses(self, losing: list[Model]) -> None:
        """`losing`: the models whose tokenizers lose information. Raises TokpressError where that was not asked for."""
        if losing and not (self.lossy or self.completes):
            name = losing[0].name
            raise TokpressError(f"the model {name} loses information: allow it with --lossy, or choose another model")
        if self.lossy and (len(self.models or []) != 1 or not losing):
            raise TokpressError(
                "--lossy needs one model with a lossy tokenizer, a palette for instance: name it with -m"
            )
