"""README.md of a trained model or tokenizer, in the manner of Hugging Face: rates, training, data."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..media.distortion import Distortion
from ..models.model import Model
from ..models.store import model_bytes
from ..priors.base import Prior
from ..storage.files import SHEET
from ..tokenizers.base import Tokenizer
from ..tokenizers.samples import samples_of
from .data.corpus import read_chunks
from .machine import processor, version
from .options import Progress
from .run_dir import Settings

#: files listed one by one, the largest first
LISTED = 100
#: bytes of the corpus on which a vocabulary or palette is measured
MEASURED_BYTES = 1 << 20


@dataclass
class Facts:
    """Contents of a card. Rates are bits per byte of held-out data by exact steps."""

    settings: Settings
    tokenizer: Tokenizer
    prior: Prior
    files: list[Path]
    progress: Progress | None = None
    processes: int = 1
    init_id: str = ""
    minutes: float = 0.0
    exact_bits_per_byte: float = float("nan")
    alone_bits_per_byte: float | None = None


def card(facts: Facts, model: Model) -> str:
    settings = facts.settings
    title = settings.title or f"{settings.prior} prior"
    return "\n".join([
        *_head(title, "compression, lossless"),
        f"A tokpress model: `{model.tokenizer.name}` tokenizer ({model.tokenizer.vocab_size:,} symbols) and "
        f"`{model.prior.name}` prior, {model_bytes(model):,} bytes, id `{model.id.hex()}`.", "",
        "    tokpress compress -m DIR FILE", "    tokpress decompress -m DIR FILE.tokp", "",
        "## Rates", "", *_rates(facts), "",
        "## Training", "", *_training(facts), "",
        "## Data", "", *_data(facts.files, [Path(path) for path in settings.corpus], settings.weights),
        *_curve(facts.progress, PRIOR_CURVE),
        "",
    ])  # fmt: skip


def tokenizer_card(
    settings: Settings, tokenizer: Tokenizer, files: list[Path], progress: Progress | None, minutes: float, size: int,
    has_sheet: bool = False,
) -> str:  # fmt: skip
    """README.md of a tokenizer whose files have `size` bytes. progress: of a tokenizer that is a network. has_sheet: whether it has a sheet of
    reconstructions."""
    fit = settings.fit
    training = _made_by(settings, minutes)
    if config := tokenizer.config():
        training.append(f"- settings: `{config}`")
    if settings.rate:
        training.append(f"- rate: bits weigh {settings.rate:g} · mean‖z‖² each in the choice of codes")
    if progress:
        training += [
            f"- {progress.tokens:,} values seen in {progress.step:,} steps and {progress.seconds / 60:.1f} minutes of training",
            f"- asked for: rows {fit.rows}, learning rate {fit.learning_rate:g}, products in {fit.precision}",
        ]
    curve = progress.curve if progress else []
    what = ", lossy" if not tokenizer.lossless else ""
    sheet = [f"![Held-out pictures above, their reconstructions below; items overlap]({SHEET})", ""] * has_sheet
    return "\n".join([
        *_head(settings.title or f"{tokenizer.name} tokenizer", f"compression, tokenizer{what}"),
        f"A tokpress tokenizer: `{tokenizer.name}` of {tokenizer.vocab_size:,} symbols, {size:,} bytes. It has no prior yet:", "",
        "    tokpress train prior CORPUS -o MODEL --tokenizer DIR", "",
        "## What it does", "", *(_held_out(curve) if curve else _on_corpus(tokenizer, files)), "",
        *sheet, "## Training", "", *training, _machine(), "",
        "## Data", "", *_data(files, [Path(path) for path in settings.corpus], settings.weights),
        *_curve(progress, TOKENIZER_CURVE),
        "",
    ])  # fmt: skip


def _held_out(curve: list[dict[str, float]]) -> list[str]:
    """Distortion and codes used at the end of a training run."""
    last, replaced = curve[-1], [p["dead_codes_replaced"] for p in curve if "dead_codes_replaced" in p]
    rows = [(title, value) for title, key in TOKENIZER_CURVE[2:] if (value := _cell(last, key))]
    rows += [("dead codes replaced while training", f"{sum(replaced):,}")] * bool(replaced)
    lines = [
        "Held-out items, never trained on, by the training network at the end of the run:",
        "",
        "| | |",
        "|---|---|",
    ]
    return lines + [f"| {title} | {value} |" for title, value in rows]


def _on_corpus(tokenizer: Tokenizer, files: list[Path]) -> list[str]:
    """Bytes a token, symbols used and distortion, on the beginnings of the files that it has learned from."""
    total_bytes, total_tokens, distortion = 0, 0, Distortion()
    counts = np.zeros(tokenizer.vocab_size, np.int64)
    for path in files:
        begin = next(read_chunks(path), b"")[: MEASURED_BYTES - total_bytes]
        begin = begin[: len(begin) // tokenizer.sizes.unit_bytes * tokenizer.sizes.unit_bytes]
        begin = bytes(begin[: tokenizer.safe_prefix(bytes(begin))])
        tokens = tokenizer.encode(begin)
        counts += np.bincount(tokens, minlength=len(counts))
        total_bytes, total_tokens = total_bytes + len(begin), total_tokens + len(tokens)
        if not tokenizer.lossless and tokenizer.name != "segments":
            distortion += Distortion.between(begin, tokenizer.decode(tokens), samples_of(tokenizer).sound)
    lines = [
        f"Of the beginnings of the files below, {total_bytes:,} bytes, which it has learned from:",
        "",
        "| | |",
        "|---|---|",
    ]
    lines += [f"| bytes a token | {total_bytes / max(total_tokens, 1):.3f} |"]
    lines += [f"| symbols used | {(counts > 0).mean():.1%} of {len(counts):,} |"]
    return lines + ([f"| distortion | {distortion} |"] if distortion.samples else [])


def _head(title: str, tags: str) -> list[str]:
    return ["---", "library_name: tokpress", f"tags: [{tags}]", "---", "", f"# {title}", ""]


def _rates(facts: Facts) -> list[str]:
    lines = ["Held-out data, never trained on, coded by the exact integer model in parallel lanes:", ""]
    lines += ["| | bits per byte |", "|---|---|"]
    if facts.alone_bits_per_byte is not None:
        lines.append(f"| prior alone | {facts.alone_bits_per_byte:.4f} |")
    lines.append(
        f"| {'with memory and mixing' if facts.alone_bits_per_byte is not None else 'prior'} | {facts.exact_bits_per_byte:.4f} |"
    )
    if facts.progress:
        estimate = facts.progress.held_out_bits_per_byte
        lines.append(f"| estimate of the training network (other cut of the same data) | {estimate:.4f} |")
    return lines


def _training(facts: Facts) -> list[str]:
    fit, progress = facts.settings.fit, facts.progress
    lines = _made_by(facts.settings, facts.minutes)
    lines += [f"- prior settings: `{facts.prior.config()}`"]
    if facts.settings.init:
        lines += [f"- started from the weights of the model `{Path(facts.settings.init).name}`, id `{facts.init_id}`"]
    if progress:
        lines += [
            f"- {progress.tokens:,} tokens seen in {progress.step:,} steps and {progress.seconds / 60:.1f} minutes of "
            f"training, {progress.tokens_per_second:,.0f} tokens/s",
            f"- asked for: rows {fit.rows} × window {fit.window} in each of {facts.processes} process(es), "
            f"learning rate {fit.learning_rate:g}, products in {fit.precision}",
        ]
    return [*lines, _machine()]


def _made_by(settings: Settings, minutes: float) -> list[str]:
    lines = [f"- command: `{settings.command}`"] if settings.command else []
    return [*lines, f"- tokpress {__version__}, seed {settings.fit.seed}, {minutes:.1f} minutes in all (this session)"]


def _machine() -> str:
    return f"- machine: {processor()}, {os.cpu_count()} cores, torch {version('torch')}, numpy {version('numpy')}"


def _data(files: list[Path], corpus: list[Path], weights: list[tuple[str, float]]) -> list[str]:
    rows, all_files = [], hashlib.sha256()
    for path in files:
        digest = _sha256(path)
        all_files.update(bytes.fromhex(digest))
        rows.append((path.stat().st_size, _shown(path, corpus), digest))
    total_bytes = sum(size for size, _, _ in rows)
    lines = [
        f"{len(rows)} file(s), {total_bytes:,} bytes as stored; SHA-256 of all their SHA-256: `{all_files.hexdigest()}`.",
        "",
    ]
    lines += [f"- files matching `{glob}` were drawn {factor:g} times as often" for glob, factor in weights]
    lines += [""] * bool(weights)
    lines += ["| file | bytes | SHA-256 |", "|---|---|---|"]
    rows.sort(key=lambda row: (-row[0], row[1]))
    lines += [f"| {name.replace('|', '&#124;')} | {size:,} | `{digest}` |" for size, name, digest in rows[:LISTED]]
    if len(rows) > LISTED:
        lines.append(f"| … and {len(rows) - LISTED} smaller ones | | |")
    return lines


#: columns of a curve: (title, key of a point and its format); a column without values is left out
PRIOR_CURVE = [("step", "step:,"), ("minutes", "seconds"), ("tokens", "tokens:,"),
               ("train bits/byte", "train_bits_per_byte:.4f"), ("held-out bits/byte", "held_out_bits_per_byte:.4f")]  # fmt: skip
TOKENIZER_CURVE = [("step", "step:,"), ("minutes", "seconds"), ("PSNR, dB", "held_out_psnr:.2f"), ("SNR, dB", "held_out_snr:.2f"),
                   ("codes used", "held_out_used:.1%"), ("perplexity of the codes", "held_out_perplexity:.0f")]  # fmt: skip


def _curve(progress: Progress | None, columns: list[tuple[str, str]]) -> list[str]:
    """About twenty points of the curve; training_curve.json has all."""
    if not progress or not progress.curve:
        return []
    points = progress.curve[:: max(1, len(progress.curve) // 20)]
    if points[-1] is not progress.curve[-1]:
        points.append(progress.curve[-1])
    columns = [column for column in columns if any(_cell(point, column[1]) for point in points)]
    head = [f"| {' | '.join(title for title, _ in columns)} |", "|---" * len(columns) + "|"]
    rows = [f"| {' | '.join(_cell(point, key) for _, key in columns)} |" for point in points]
    return ["", "## Held-out curve", "", *head, *rows]


def _cell(point: dict[str, Any], key: str) -> str:
    name, _, style = key.partition(":")
    if name not in point:
        return ""
    return f"{point[name] / 60:.1f}" if name == "seconds" else f"{point[name]:{style}}"


def _shown(path: Path, corpus: list[Path]) -> str:
    """The path of a file from the corpus argument on, without the folders above: cards are shared."""
    for root in corpus:
        if path == root or root in path.parents:
            return str(Path(root.resolve().name) / path.relative_to(root)) if path != root else path.name
    return path.name


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
