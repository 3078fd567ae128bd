"""Every lossy tokenizer: trained by the command line, its tokens coded into files under a prior, and decoded.

A run compresses every test file with `tokpress compress --lossy`, decodes it, and compares it with the reconstruction.
"""

import json
import shlex
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tokpress.coding import Frame
from tokpress.container.member import iter_frames
from tokpress.media import formats
from tokpress.media.distortion import Distortion
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.models.store import model_bytes
from tokpress.tokenizers.samples import for_grid, samples_of

from ..registry import Benchmark, Cases, MeasurementError, Setup, benchmark, tokpress
from ..store import Results
from .report import report
from .runs import DATA, RUNS, Run


def source_of(path: Path, model: Model) -> tuple[bytes, Any]:
    """(the samples of a test file, the tokenizer for them)"""
    raw = path.read_bytes()
    found = formats.find(raw)
    if found is None:
        return raw, model.tokenizer
    grid = found.grid()
    assert grid is not None
    return raw[found.start : found.stop], for_grid(model.tokenizer, grid._replace(start=0))


def streams(model: Model, files: Iterable[Path]) -> int:
    """Bytes of the token streams in these files: without headers, and without what stands around the samples."""
    total = 0
    for path in files:
        with open(path, "rb") as file:
            total += sum(header.payload_length for header, _ in iter_frames(file) if header.model_id == model.id)
    return total


def measure(run: Run, place: Path, files: list[Path], at: Path) -> dict[str, Any]:
    model = load_folder(place / run.name)
    shutil.rmtree(at, ignore_errors=True)
    at.mkdir(parents=True)
    names = [shutil.copy(path, at / path.name) for path in files]
    encode = tokpress("compress", "-q", "--lossy", "-m", place / run.name, *names)
    coded = {path.name: (at / f"{path.name}.tokp").stat().st_size for path in files}
    for name in names:
        Path(name).unlink()
    decode = tokpress("decompress", "-q", "-m", place / run.name, *(at / f"{path.name}.tokp" for path in files))
    counts, total, wrong, first = np.zeros(model.tokenizer.vocab_size, np.int64), 0, 0, True
    distortion: Distortion | None = None
    for path in files:
        source, tokenizer = source_of(path, model)
        tokens = tokenizer.encode(source)
        restored, _ = source_of(at / path.name, model)
        wrong += restored != tokenizer.decode(tokens)
        if first:  # the symbols themselves, not only what they make
            codec = model.prior.codec(Frame(len(tokens), model.prior.rules.lanes(len(tokens))))
            arranged = model.prior.rules.arrange(tokens)
            wrong += not np.array_equal(codec.decode(codec.encode(arranged), len(tokens)), arranged)
            first = False
        lost = Distortion.between(source, restored, samples_of(model.tokenizer).sound)
        distortion = lost if distortion is None else distortion + lost
        counts += np.bincount(tokens, minlength=len(counts))
        total += len(tokens)
    assert distortion is not None
    p = counts[counts > 0] / total
    found = {
        "data": run.data,
        "tokenizer": run.kind,
        "prior": run.prior,
        "commands": [
            "tokpress " + shlex.join(words)
            for words in (run.tokenizer_words("corpus", Path()), run.prior_words("corpus", Path()))
        ],
        "codes": len(counts),
        "files": len(files),
        "wrong": wrong,
        "source_bytes": sum(path.stat().st_size for path in files),
        "coded_bytes": sum(coded.values()),
        "stream_bytes": streams(model, (at / f"{path.name}.tokp" for path in files)),
        "coded": coded,
        "tokens": total,
        "item_bytes": model.tokenizer.sizes.unit_bytes,
        "item_tokens": model.tokenizer.sizes.unit_tokens,
        "used": int((counts > 0).sum()),
        "perplexity": float(np.exp(-(p * np.log(p)).sum())),
        "decibels": round(distortion.decibels, 3),
        "measure": "SNR" if distortion.sound else "PSNR",
        "encode_seconds": round(encode, 1),
        "decode_seconds": round(decode, 1),
        "model_bytes": model_bytes(model),
    }
    if DATA[run.data].pictures:
        found |= one_picture(place / run.name, files[0], at)
    curve = place / f"{run.tokenizer_of or run.name}.tokenizer" / "training_curve.json"
    if curve.is_file():
        found["curve"] = json.loads(curve.read_text())
    if not found["wrong"] and DATA[run.data].pictures:
        shutil.copy(at / files[0].name, place / f"{run.name}.ppm")
    return found


def one_picture(model: Path, file: Path, at: Path) -> dict[str, Any]:
    """Of the first test picture: without loss, by its tokens and the rest, and directly; and of its middle 256 × 256."""
    from PIL import Image

    sizes: dict[str, Any] = {}
    picture = Image.open(file)
    left, top = (picture.width - 256) // 2, (picture.height - 256) // 2
    picture.crop((left, top, left + 256, top + 256)).save(at / "crop.ppm")
    for name, source, words in (
        ("exact_bytes", file, ["-m", model]),
        ("direct_bytes", file, []),
        ("crop_bytes", at / "crop.ppm", ["--lossy", "-m", model]),
    ):
        tokpress("compress", "-q", "-f", *words, source, "-o", at / "one.tokp")
        sizes[name] = (at / "one.tokp").stat().st_size
        tokpress("decompress", "-q", "-f", *(["-m", model] if words else []), at / "one.tokp", "-o", at / "one.back")
        if "--lossy" not in words and (at / "one.back").read_bytes() != source.read_bytes():
            raise MeasurementError(f"{source} did not come back by {name}")
    _, tokenizer = source_of(at / "crop.ppm", load_folder(model))
    return sizes | {"file": file.name, "file_bytes": file.stat().st_size, "crop_tokens": tokenizer.tokens}


@benchmark("tokenizers", page="docs/tokenizers.md", takes="4 hours of training, 30 minutes with trained models")
class Tokenizers(Benchmark):
    """Every lossy tokenizer with a prior over its tokens, on photographs, CIFAR-10, video and speech: bits and decibels."""

    packages = ("torch", "numpy", "vector-quantize-pytorch")

    def cases(self, setup: Setup) -> Cases:
        return {run.name: lambda run=run: self.one(run, setup) for run in RUNS}

    def one(self, run: Run, setup: Setup) -> dict[str, Any]:
        work = setup.work
        corpus, files = DATA[run.data].prepare(setup.data, work / "data" / run.data)
        if words := run.tokenizer_words(corpus, work):
            setup.train(words, work / f"{run.name}.tokenizer")
        setup.train(run.prior_words(corpus, work), work / run.name)
        return measure(run, work, files, work / f"{run.name}.files")

    def report(self, results: Results, setup: Setup) -> list[str]:
        report(results, setup.docs, setup.work)
        return []
