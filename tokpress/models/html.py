"""What a notebook shows of a model and of the bits of a source. All content is escaped."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from ..lazy import np
from ..pages.document import escape

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: columns of the strip of bits, its height in pixels of the screen, and the bits of its darkest colour
COLUMNS, HEIGHT, TOP = 600, 24, 12.0
#: colours of few and of many bits
FEW, MANY = (255, 247, 220), (122, 16, 32)


def table(title: str, facts: dict[str, str]) -> str:
    """A title and a table of names and values.

    >>> table("<a>", {"b": "&"}).count("&lt;a&gt;")
    1
    """
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in facts.items()
    )
    return f"<div><p><b>{escape(title)}</b></p><table>{rows}</table></div>"


def strip(bits: NDArray[np.float64]) -> str:
    """The bits of the entries from left to right, as colours: means where there are more entries than columns."""
    from ..pages.views import png

    if not len(bits):
        return ""
    starts = np.arange(min(len(bits), COLUMNS)) * len(bits) // min(len(bits), COLUMNS)
    means = np.add.reduceat(bits, starts) / np.diff(np.append(starts, len(bits)))
    share = np.minimum(means / TOP, 1.0)[None, :, None]
    pixels = np.rint((1 - share) * np.array(FEW) + share * np.array(MANY)).astype(np.uint8)
    data = base64.b64encode(png(pixels)).decode()
    style = f"width:100%;max-width:{COLUMNS}px;height:{HEIGHT}px;image-rendering:pixelated"
    name = f"bits of each token from the first to the last: from 0 (light) to {TOP:.0f} (dark)"
    return f'<img src="data:image/png;base64,{data}" style="{style}" alt="{name}" title="{name}">'
