"""The page of `tokpress score --html`: totals, the costliest lines, and a view of the file.

A text is shown to its first SHOWN tokens, samples of the first SAMPLE_BYTES. Totals and costliest lines are those of the whole file.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tokpress.media import formats
from tokpress.models.likeliest import likeliest
from tokpress.pages import document, views
from tokpress.tokenizers.samples import ItemTokenizer

from . import costs
from .terminal import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tokpress.media.formats import Samples
    from tokpress.models.bits import Bits
    from tokpress.models.model import Model

#: tokens of a text that are coloured; bytes of a file of samples that are drawn
SHOWN, SAMPLE_BYTES = 10_000, 1 << 24
LINES = 20
#: alternatives of a token
BEST = 5
#: bits from which on a token has level 1 … 8, and those from which on a key goes to it
LIMITS, COSTLY = (0.5, 1, 2, 4, 6, 8, 12, 16), 8


class Page:
    """Watches the pieces of one file while they are scored."""

    def __init__(self, name: str, model: "Model", lanes: int | None, context: bytes, kernel: str) -> None:
        self._name, self._model, self._lanes = name, model, lanes
        self._likeliest = partial(likeliest, model, best=BEST, lanes=lanes, context=context, kernel=kernel)
        self._totals = costs.Totals()
        self._text = Text()
        self._lines = CostlyLines()
        self._samples: Samples | None = None
        self._source: list[tuple[bytes, NDArray[np.float32]]] = []
        self._offset = self._entries = 0

    @property
    def _of_items(self) -> bool:
        """Whether the bits are those of items, whose samples have no bits of their own."""
        return isinstance(self._model.tokenizer, ItemTokenizer)

    def watch(self, pieces: "Iterable[costs.Piece]") -> "Iterator[costs.Piece]":
        for block, bits in pieces:
            if not self._offset and not self._of_items:
                self._samples = _drawable(block)
            self._totals.add(block, bits)
            if self._samples:
                self._keep_samples(block, bits)
            elif not self._of_items:
                self._lines.add(block, bits)
                self._text.add(block, bits, self._likeliest)
            self._offset += len(block)
            self._entries += len(bits.bits)
            yield block, bits
        self._lines.end()

    def _keep_samples(self, block: bytes, bits: "Bits") -> None:
        room = SAMPLE_BYTES - self._offset
        if room > 0:
            self._source.append((block[:room], costs.per_byte(bits)[:room].astype(np.float32)))

    def html(self) -> bytes:
        view = self._view()
        note = {"picture": picture_note, "sound": sound_note}.get(view["view"], self._text_note)(view)
        shown = _BODIES[view["view"]].format(
            note=document.escape(note),
            likeliest=self._text.likeliest_table(),
            **{key: f"{view[key]:,}" for key in ("top", "of") if key in view},
            levels=_legend(),
        )
        title = f"Bits of {printable(self._name)}"
        return document.page(title, self._head(title) + shown, view, "score.js")

    def _text_note(self, view: dict[str, Any]) -> str:
        """What of a text is shown."""
        if self._entries <= SHOWN:
            return "The whole file."
        return (
            f"The first {SHOWN:,} of {self._entries:,} tokens. Totals and costliest lines are those of the whole file."
        )

    def _view(self) -> dict[str, Any]:
        if self._of_items:
            return {"view": "items"}
        if self._samples and (grid := self._samples.grid()):
            source = b"".join(block for block, _ in self._source)
            per_byte = np.concatenate([bits for _, bits in self._source])
            if grid.picture:
                shown = views.picture(source, per_byte, grid, self._samples.upside_down, self._samples.blue_first)
                return shown | {"steps": views.STEPS}
            return views.sound(source, per_byte, grid)
        return {"view": "text", "limits": LIMITS, "costly": COSTLY} | self._text.values() | self._lines.values()

    def _head(self, title: str) -> str:
        row, model = self._totals.row(), self._model
        lanes = "as many lanes as compress takes" if self._lanes is None else f"lanes: {self._lanes}"
        facts = {
            "bits": f"{row['bits']:,.3f}", "bytes": f"{row['bytes']:,}", "bits per byte": f"{row['bits_per_byte']:.3f}",
            "tokens": f"{row['tokens']:,}", "bits per token": f"{row['bits_per_token']:.3f}",
        }  # fmt: skip
        if not self._samples and not self._of_items:
            facts |= {"lines": f"{row['lines']:,}", "bits per line": f"{row['bits_per_line']:,.3f}"}
        listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
        name = document.escape(f"Model {printable(model.name)} ({model.id.hex()}), {lanes}")
        return f'<h1>{document.escape(title)}</h1>\n<p class="sub">{name}</p>\n<dl class="totals">{listed}</dl>\n'


def _drawable(block: bytes) -> "Samples | None":
    """The samples of a picture or a recording that begins with this block; None where not even a row or a sample is complete."""
    samples = formats.find(block, 1 << 62)
    grid = samples.grid() if samples else None
    if grid is None:
        return None
    first = grid.row_bytes if grid.picture else grid.channels * grid.sample_bytes
    return samples if grid.start + first <= min(len(block), SAMPLE_BYTES) else None


class Text:
    """The first SHOWN tokens of a text, their bits, and the tokens that were likeliest there."""

    def __init__(self) -> None:
        self._tokens: dict[str, list[Any]] = {"text": [], "bits": [], "bytes": []}
        self._hex: dict[int, str] = {}  # bytes of the tokens that are not text of their own
        self._names: dict[str, int] = {}  # text of a symbol → its number
        self._found: dict[str, list[Any]] = {"symbols": [], "likeliest": [], "p": []}
        self._best = 0
        self._before_mixing = False

    def add(self, block: bytes, bits: "Bits", find: Any) -> None:
        done = len(self._tokens["text"])
        count = min(SHOWN - done, len(bits.bits))
        if not count:
            return
        for number, (data, text) in enumerate(token_texts(block, bits.lengths[:count].tolist()), done):
            self._tokens["text"].append(text)
            if text.encode() != data:
                self._hex[number] = data.hex(" ")
        self._tokens["bits"] += np.round(bits.bits[:count], 3).tolist()
        self._tokens["bytes"] += bits.lengths[:count].tolist()
        if found := find(block, count):
            number_of = {v: self._number(data) for v, data in found.names.items()}
            self._best, self._before_mixing = found.p.shape[1], found.before_mixing
            self._found["symbols"] += [number_of[v] for v in found.symbols.tolist()]
            self._found["likeliest"] += [number_of[v] for v in found.likeliest.reshape(-1).tolist()]
            self._found["p"] += np.round(found.p, 6).reshape(-1).tolist()

    def _number(self, data: bytes) -> int:
        ((_, text),) = token_texts(data, [len(data)])
        return self._names.setdefault(text, len(self._names))

    def values(self) -> dict[str, Any]:
        found = self._found | {"best": self._best, "names": list(self._names)} if self._best else None
        return {"tokens": self._tokens | {"hex": self._hex}, "likeliest": found}

    def likeliest_table(self) -> str:
        if not self._best:
            return '<p class="note">No alternatives: this model has no probabilities of whole tokens.</p>'
        caption = f"The {self._best} likeliest tokens here"
        if self._before_mixing:
            caption += (
                " before mixing: the network and its memory alone, in one lane. The bits above are those after mixing."
            )
        return (
            f'<table><caption>{caption}</caption><thead><tr><th class="number" scope="col">p</th><th scope="col">token</th></tr>'
            '</thead><tbody id="likeliest"></tbody></table>'
        )


class CostlyLines:
    """The costliest lines of a file, by bits and by bits per byte, with their tokens."""

    def __init__(self) -> None:
        self._rows = costs.Lines()
        self._highest = {key: costs.Highest(key, LINES) for key in ("bits", "bits_per_byte")}
        self._line_start = 0  # bytes before the next line
        self._block, self._block_start, self._tokens = b"", 0, 0  # tokens: those before the block
        self._bits: NDArray[Any] = np.zeros(0)
        self._ends = self._bits

    def add(self, block: bytes, bits: "Bits") -> None:
        self._block_start += len(self._block)
        self._tokens += len(self._bits)
        self._block, self._bits, self._ends = block, bits.bits, np.cumsum(bits.lengths)
        for row in self._rows.add(block, bits):
            self._take(row)

    def end(self) -> None:
        for row in self._rows.end():
            self._take(row)

    def _take(self, row: costs.Row) -> None:
        start = self._line_start - self._block_start
        self._line_start += row["bytes"]
        takers = [highest for highest in self._highest.values() if highest.takes(row)]
        if takers:
            shown = {key: round(row[key], 3) for key in ("bits", "bits_per_byte")} | {"line": row["line"]}
            entry = row | {"shown": shown | self._excerpt(start, row)}
        for highest in takers:
            highest.add(entry)

    def _excerpt(self, start: int, row: costs.Row) -> dict[str, Any]:
        """The tokens of a line that begins in the block: first and stop, and their text, clipped to the line, with their bits."""
        if start < 0:
            return {"first": None, "stop": None, "tokens": [[row["text"], None]]}
        stop = start + row["bytes"]
        first, last = np.searchsorted(self._ends, [start, stop - 1], "right").tolist()
        end = min(stop, start + costs.TEXT) - (self._block[stop - 1] == 10 and row["bytes"] <= costs.TEXT)
        cuts = [start, *(ends for ends in self._ends[first:last].tolist() if ends < end), end]
        texts = token_texts(self._block[start:end], [b - a for a, b in pairwise(cuts)])
        bits = self._bits[first : last + 1].round(3).tolist()
        tokens = [[text, cost] for (_, text), cost in zip(texts, bits)]
        first, last = first + self._tokens, last + self._tokens
        shown = {"first": first, "stop": min(last + 1, SHOWN)} if first < SHOWN else {"first": None, "stop": None}
        return shown | {"tokens": tokens}

    def values(self) -> dict[str, Any]:
        return {"lines": {key: [row["shown"] for row in highest.rows()] for key, highest in self._highest.items()}}


def token_texts(data: bytes, lengths: list[int]) -> Iterator[tuple[bytes, str]]:
    """The bytes and the text of each token. A character stands in the token of its first byte, "·" in tokens with nothing but further bytes
    of it. Newlines and tabs are kept; bytes that are no UTF-8, and characters that do not print, are escapes.

    >>> [text for _, text in token_texts("a→".encode() + b"\\xff\\x1b", [1, 2, 1, 2])]
    ['a', '→', '·', '\\\\xff\\\\x1b']
    """
    characters = iter(data[: sum(lengths)].decode("utf-8", "surrogateescape"))
    start = reached = 0  # of the token; of the characters so far
    for length in lengths:
        stop, text = start + length, ""
        while reached < stop and (character := next(characters, "")):
            is_byte = "\udc80" <= character <= "\udcff"
            reached += 1 if is_byte else len(character.encode())
            text += f"\\x{ord(character) & 255:02x}" if is_byte else _printed(character)
        yield data[start:stop], text or "·" * bool(length)
        start = stop


def _printed(character: str) -> str:
    return character if character in "\n\t" else printable(character)


def picture_note(view: dict[str, Any]) -> str:
    """What of a picture is shown."""
    note = f"{view['width']:,} × {view['rows']:,} pixels."
    if view["height"] < view["rows"]:
        note += f" The first {view['height']:,} rows are shown."
    return note + (f" A cell is the mean of {view['side']} × {view['side']} pixels." if view["side"] > 1 else "")


def sound_note(view: dict[str, Any]) -> str:
    """What of a recording is shown."""
    shown = "" if view["samples"] == view["of"] else f" The first {view['samples']:,} are shown."
    channels = "1 channel" if view["channels"] == 1 else f"{view['channels']} channels"
    return f"{view['of']:,} samples, {channels}.{shown} The plot has {len(view['starts']):,} columns."


def _legend() -> str:
    edges = [0, *LIMITS]
    names = [f"{low:g} to {high:g}" for low, high in pairwise(edges)] + [f"{edges[-1]:g} or more"]
    return "".join(f'<li class="l{i}">{name}</li>' for i, name in enumerate(names))


_TEXT = """\
<p class="note">{note} Colour and bar below a token: its bits. Italic: escapes, and parts of a character (· for its further bytes). ↵ is a newline.</p>
<div class="columns">
<main>
<ul class="legend" aria-label="Colours by bits per token"><li>bits per token:</li>{levels}</ul>
<div class="tokens" id="tokens" role="listbox" aria-label="Tokens. Arrow keys go to other tokens and lines; n and p to the next and the previous token of 8 bits or more"></div>
</main>
<aside>
<section aria-labelledby="token-head"><h2 id="token-head">Token</h2>
<p class="reading" id="reading">Point at a token, or focus the text and use the arrow keys; n and p go to tokens of 8 bits or more.</p>
{likeliest}</section>
<section aria-labelledby="lines-head"><h2 id="lines-head">Costliest lines</h2>
<label>by <select id="order"><option value="bits">bits</option><option value="bits_per_byte">bits per byte</option></select></label>
<ol class="costly" id="lines"></ol></section>
</aside>
</div>
<noscript><p>This page draws its data with JavaScript, which is turned off.</p></noscript>
"""
_PLACES = """\
<aside>
<section><h2>Reading</h2><p class="reading" id="reading" aria-live="polite">{hint}</p></section>
<section><h2>Costliest places</h2><ol class="costly" id="places"></ol></section>
</aside>
</div>
<noscript><p>This page draws its data with JavaScript, which is turned off.</p></noscript>
"""
_PICTURE = """\
<p class="note">{note}</p>
<div class="columns">
<main>
<div class="legend"><span>bits per pixel: 0</span><span class="ramp"></span><span>{top} or more</span></div>
<div class="pictures">
<figure><div class="frame"><img id="picture" alt="The picture of the file"></div><figcaption>The picture</figcaption></figure>
<figure><div class="frame"><canvas id="heat" tabindex="0" role="img" aria-label="Bits of each pixel. Arrow keys move the reading"></canvas></div><figcaption>Its bits: the brighter, the more</figcaption></figure>
</div>
</main>
""" + _PLACES.replace("{hint}", "Point at a picture, or focus the right one and use the arrow keys.")
_SOUND = """\
<p class="note">{note}</p>
<div class="columns">
<main>
<div class="plot">
<div class="axis" aria-hidden="true"><span>+1</span><span>0</span><span>−1</span></div>
<svg id="wave" preserveAspectRatio="none" role="img" aria-label="Waveform: lowest and highest sample of each column"></svg>
<div class="below"><span>waveform, full scale = 1</span></div>
<div class="axis" aria-hidden="true"><span>{top}</span><span>bits</span><span>0</span></div>
<svg id="cost" preserveAspectRatio="none" tabindex="0" role="img" aria-label="Bits per sample of each column. Arrow keys move the reading"></svg>
<div class="below"><span>sample 0</span><span>bits per sample, mean of each column</span><span>{of}</span></div>
</div>
</main>
""" + _PLACES.replace("{hint}", "Point at a plot, or focus the lower one and use the arrow keys.")
_BODIES = {
    "text": _TEXT, "picture": _PICTURE, "sound": _SOUND,
    "items": '<p class="note">The model codes items, such as pictures of a fixed size: the bits of a single sample are not known.</p>\n',
}  # fmt: skip
