"""Does a transform of capitals in front of the vocabulary pay? Two text models, trained alike, with it and without it.

    "The cat. NASA"  →  F"the cat."G" nasa"

F: a capital and small letters follow; G: capitals follow. Both stand before the space of their word, so that one entry of the vocabulary,
" the", serves both spellings (Abel & Teahan 2005, "Universal text preprocessing for data compression"). A word is a run of ASCII
letters; words of mixed letters stay as they are. The transform can be undone: bytes equal to F, G or E follow an E.
"""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokpress.models.loading import load_folder
from tokpress.models.store import model_bytes

from .lecture.coded import payload_of
from .lecture.sequences import novels
from .pages import markdown, write_page
from .registry import Benchmark, Cases, MeasurementError, Setup, benchmark
from .store import Results
from .training import curve_of

FIRST, ALL, ESCAPE = b"\x01", b"\x02", b"\x03"
_WORD = re.compile(rb"[\x01-\x03]|( ?)([A-Z][a-z]*|[A-Z]{2,})(?![A-Za-z])")
_CODED = re.compile(rb"\x03([\x01-\x03])|([\x01\x02])( ?)([a-z]+)")
FILES = (
    "text/canterbury/alice29.txt",
    "text/canterbury/plrabn12.txt",
    "text/calgary/book1",
    "text/canterbury/lcet10.txt",
    "text/calgary/paper1",
    "text/calgary/news",
)


def transformed(source: bytes) -> bytes:
    def one(found: re.Match[bytes]) -> bytes:
        if found[2] is None:
            return ESCAPE + found[0]
        if source[max(0, found.start(2) - 1) : found.start(2)].isalpha():  # the end of a word of mixed letters
            return found[0]
        return (FIRST if found[2][1:].islower() or len(found[2]) == 1 else ALL) + found[1] + found[2].lower()

    return _WORD.sub(one, source)


def restored(coded: bytes) -> bytes:
    def one(found: re.Match[bytes]) -> bytes:
        if found[1] is not None:
            return found[1]
        return found[3] + (found[4].capitalize() if found[2] == FIRST else found[4].upper())

    return _CODED.sub(one, coded)


#: name → what becomes of a source before the vocabulary, and what undoes it
Change = Callable[[bytes], bytes]
VARIANTS: dict[str, tuple[Change, Change]] = {"as it is": (bytes, bytes), "capitals apart": (transformed, restored)}


def command(corpus: Path, made: Path, minutes: float) -> list[str]:
    limits = ["--max-minutes", f"{minutes:g}", "--max-passes", "1000", "-T", "1"]
    return ["train", str(corpus), "-o", str(made), "--preset", "text", *limits]


@benchmark(
    "case_transform",
    page="docs/case_transform.md",
    takes="1 hour, 25 minutes of training a model",
    settings={"training_minutes": 25.0},
)
class CaseTransform(Benchmark):
    """Capitals told apart from their words before the vocabulary: a text model with it and one without it."""

    packages = ("torch", "numpy", "tokenizers")

    def cases(self, setup: Setup) -> Cases:
        return {name: lambda name=name: self.one(name, setup) for name in VARIANTS}

    def one(self, name: str, setup: Setup) -> dict[str, Any]:
        (change, undo), stem = VARIANTS[name], name.replace(" ", "_")
        corpus = setup.work / f"{stem}.txt"
        source = novels(setup).read_bytes()
        if not corpus.is_file():
            corpus.write_bytes(change(source))
        minutes = setup.settings["training_minutes"]
        setup.train(command(corpus, setup.work / stem, minutes), setup.work / stem)
        model, sizes = load_folder(setup.work / stem), {}
        for file in FILES:
            data = setup.bench[file].read_bytes()
            changed = change(data)
            if undo(changed) != data:
                raise MeasurementError(f"{file}: the transform cannot be undone")
            payload, tokens = payload_of(model, file, changed)
            sizes[file] = [len(data), tokens, len(payload)]
        return {
            "command": "tokpress " + shlex.join(command(Path(corpus.name), Path(stem), minutes)),
            "model_bytes": model_bytes(model),
            "training_tokens": curve_of(setup.work / stem)[-1]["tokens"],
            "sizes": sizes,
        }

    def report(self, results: Results, setup: Setup) -> list[str]:
        found = results.values()
        if set(found) == set(VARIANTS):
            write_page(setup.docs / "case_transform.md", [*page(found), results.made_by()])
        return []


def page(found: dict[str, Any]) -> list[str]:
    plain, apart = (found[name]["sizes"] for name in VARIANTS)
    rows = [
        [file, f"{size:,}", f"{tokens / size:.3f}", f"{apart[file][1] / size:.3f}", f"{8 * made / size:.3f}",
         f"{8 * apart[file][2] / size:.3f}", f"{apart[file][2] / made - 1:+.1%}"]
        for file, (size, tokens, made) in plain.items()
    ]  # fmt: skip
    return [
        "# Capitals apart from words",
        "",
        "Text compressors often replace a capital by a flag and the small letter, so that one entry of the dictionary serves *The* and *the* (Abel &",
        "Teahan 2005). Here two text models of the preset `text` were trained alike, each on its form of 20 MB of English novels, for as long. Both have",
        "memory and bitwise mixing. Bits are those of payloads that were decoded, and the transform was undone; they count bytes of the original.",
        "The shipped models have no such transform: what it gains where sentences are long it loses where names and headings are many.",
        "",
        *markdown(
            ["file", "bytes", "tokens a byte", "tokens a byte, capitals apart", "bits a byte", "bits a byte, capitals apart", ""],
            rows,
        ),
        "",
        *(f"* {name}: `{m['command']}`, {m['training_tokens']:,} tokens seen" for name, m in found.items()),
        "",
    ]  # fmt: skip
