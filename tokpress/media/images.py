"""The pixels of a PIL image in memory. Pillow is not imported here: who has an image has imported it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..errors import TokpressError
from ..lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: mode of a picture of so many channels
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def is_image(source: object) -> bool:
    """Whether this is a PIL image."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(source, pillow.Image)


def pixels(picture: Any, channels: int = 0) -> NDArray[np.uint8]:
    """[rows, columns, channels] uint8 of a PIL image; 0: in the channels it has.

    Raises TokpressError where samples have more than 8 bits, or a picture has no so many channels."""
    if picture.mode.startswith(("I", "F")):
        raise TokpressError(f"a picture of mode {picture.mode} has more than 8 bits a sample: convert it first")
    if channels and channels not in MODES:
        raise TokpressError(f"a picture has 1 to 4 channels, not {channels}")
    mode = MODES.get(channels) or {"P": "RGB", "1": "L"}.get(picture.mode, picture.mode)
    array = np.asarray(picture if picture.mode == mode else picture.convert(mode))
    return array.reshape(picture.height, picture.width, -1)
