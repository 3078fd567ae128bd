"""What a notebook shows of tokens: the text cut into tokens, or a picture, its reconstruction and its codes.

All content is escaped. Colours are translucent, so they are legible in light and dark notebooks; borders mark tokens too.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..pages.document import escape
from ..pages.views import png
from ..tokenizers.base import Tokenizer
from ..tokenizers.samples import ItemTokenizer, samples_of
from ..tokens import Tokens
from .values import Value, array_of

#: tokens of a text that are shown; codes that are listed; sides of a picture that is shown
TOKENS, CODES, SIDE = 500, 40, 512
#: backgrounds of tokens, in turn
COLOURS = ("#e6a40050", "#3c9be050", "#3fae6450", "#d85a8a50")
#: least side of a shown picture, in pixels of the screen
SHOWN = 192


def html(tokenizer: Tokenizer, value: Value, ids: Tokens) -> str:
    """The tokens of one source as HTML."""
    head = f"{len(ids):,} tokens of the {tokenizer.name} tokenizer ({tokenizer.vocab_size:,} symbols), {len(value.data):,} bytes"
    if samples_of(tokenizer).channels:
        shown = _pictures(tokenizer, value, ids) + _codes(ids)
    elif tokenizer.sizes.unit_tokens > 1:
        shown = _codes(ids)
    else:
        ends = np.cumsum(tokenizer.sizes.lengths(ids[:TOKENS])).tolist()
        shown = text([value.data[start:stop] for start, stop in zip([0, *ends], ends)], ids[:TOKENS], len(ids))
    return f"<div><p>{escape(head)}</p>{shown}</div>"


def text(pieces: list[bytes], ids: NDArray[Any], count: int) -> str:
    """Tokens by their bytes, each with its id as a tooltip."""
    parts = []
    for number, (piece, id) in enumerate(zip(pieces, ids.tolist())):
        style = f"background:{COLOURS[number % len(COLOURS)]};border-right:1px solid #8886"
        parts.append(f'<span title="{id}" style="{style}">{escape(readable(piece))}</span>')
        if b"\n" in piece:
            parts.append("<br>")
    more = f" … ({count - len(ids):,} more)" if count > len(ids) else ""
    return f'<pre style="white-space:pre-wrap">{"".join(parts)}{more}</pre>'


def readable(piece: bytes) -> str:
    r"""A token as text without control characters; bytes that are no UTF-8 as \x...

    >>> print(readable("é\n".encode()), readable(b"\xc3"))
    é⏎ \xc3
    """
    shown = piece.decode("utf-8", "backslashreplace").replace("\n", "⏎").replace("\t", "⇥")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def _codes(ids: Tokens) -> str:
    shown = " ".join(map(str, ids[:CODES].tolist()))
    return f"<p><code>{shown}{' …' if len(ids) > CODES else ''}</code></p>"


def _pictures(tokenizer: Tokenizer, value: Value, ids: Tokens) -> str:
    """A picture, its reconstruction, and its codes as grey levels; nothing for sound, video and other arrays."""
    shape, kind = value.shape, samples_of(tokenizer)
    if shape is None or len(shape) != 3 or kind.sound or kind.video or max(shape) > SIDE:
        return ""
    decoded = array_of(tokenizer, value.tokenizer.decode(ids), shape, value.dtype)
    pictures = [("source", np.frombuffer(value.data, np.uint8).reshape(shape)), ("decoded", decoded)]
    if (codes := _code_map(tokenizer, shape, ids)) is not None:
        pictures.append(("codes", codes))
    return "".join(_figure(name, picture) for name, picture in pictures)


def _code_map(tokenizer: Tokenizer, shape: tuple[int, ...], ids: Tokens) -> NDArray[np.uint8] | None:
    """[rows, columns, 1]: the codes as they lie in the picture, as grey levels; None where they lie in no grid."""
    rows, columns, _ = shape
    scaled = (ids.astype(np.int64) * 255 // max(tokenizer.vocab_size - 1, 1)).astype(np.uint8)
    if not isinstance(tokenizer, ItemTokenizer):
        return scaled.reshape(rows, columns, 1)
    if len(tokenizer.item_shape) != 2:
        return None
    sides, (down, across) = samples_of(tokenizer).sides, tokenizer.item_shape
    high, wide = -(-rows // sides[0]), -(-columns // sides[1])
    return scaled.reshape(high, wide, down, across).transpose(0, 2, 1, 3).reshape(high * down, wide * across, 1)


def _figure(name: str, picture: NDArray[np.uint8]) -> str:
    rows, columns, channels = picture.shape
    plain = picture[:, :, : 3 if channels >= 3 else 1]
    width = columns * max(1, SHOWN // max(rows, columns))
    data = base64.b64encode(png(np.ascontiguousarray(plain))).decode()
    image = f'<img src="data:image/png;base64,{data}" width="{width}" alt="{name}" style="image-rendering:pixelated">'
    return f'<figure style="display:inline-block;margin:0 1em 0 0">{image}<figcaption>{name}, {columns} × {rows}</figcaption></figure>'
