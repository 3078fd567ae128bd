"""README.md of a trained model, in the Hugging Face manner: what it is, what it was made of, what it costs."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from .._version import __version__
from ..machine import processor, version
from ..model import Model
from ..types import Prior, Tokenizer
from .options import Progress
from .work import Settings

#: files listed one by one; the rest is in the sum
LISTED = 100


@dataclass
class Facts:
    """What the card tells. Rates are bits per byte of held-out data by exact stepping."""

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
        "---", "library_name: tokpress", "tags: [compression, lossless]", "---", "",
        f"# {title}", "",
        f"A tokpress model: `{model.tokenizer.name}` tokenizer ({model.tokenizer.vocab_size:,} symbols) and "
        f"`{model.prior.name}` prior, {model.size:,} bytes, id `{model.id.hex()}`.", "",
        "    tokpress compress -m DIR FILE", "    tokpress decompress -m DIR FILE.tokp", "",
        "## Rates", "", *_rates(facts), "",
        "## Training", "", *_training(facts), "",
        "## Data", "", *_data(facts.files, [Path(path) for path in settings.corpus], settings.weights),
        *_curve(facts.progress),
        "",
    ])  # fmt: skip


def _rates(facts: Facts) -> list[str]:
    lines = ["Held-out data, never trained on, coded by the exact integer model in parallel lanes:", ""]
    lines += ["| | bits per byte |", "|---|---|"]
    if facts.alone_bits_per_byte is not None:
        lines.append(f"| prior alone | {facts.alone_bits_per_byte:.4f} |")
    lines.append(
        f"| {'with memory' if facts.alone_bits_per_byte is not None else 'prior'} | {facts.exact_bits_per_byte:.4f} |"
    )
    if facts.progress:
        estimate = facts.progress.held_out_bits_per_byte
        lines.append(f"| estimate of the training network (other cut of the same data) | {estimate:.4f} |")
    return lines


def _training(facts: Facts) -> list[str]:
    fit, progress = facts.settings.fit, facts.progress
    lines = [f"- command: `{facts.settings.command}`"] if facts.settings.command else []
    lines += [f"- tokpress {__version__}, seed {fit.seed}, {facts.minutes:.1f} minutes in all (this session)"]
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
    lines += [f"- machine: {processor()}, {os.cpu_count()} cores, torch {version('torch')}, numpy {version('numpy')}"]
    return lines


def _data(files: list[Path], corpus: list[Path], weights: list[tuple[str, float]]) -> list[str]:
    rows, whole = [], hashlib.sha256()
    for path in files:
        digest = _sha256(path)
        whole.update(bytes.fromhex(digest))
        rows.append((path.stat().st_size, _shown(path, corpus), digest))
    total_bytes = sum(size for size, _, _ in rows)
    lines = [
        f"{len(rows)} file(s), {total_bytes:,} bytes as stored; SHA-256 over all their SHA-256: `{whole.hexdigest()}`.",
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


def _curve(progress: Progress | None) -> list[str]:
    """About twenty points of the curve; all are in training_curve.json."""
    if not progress or not progress.curve:
        return []
    points = progress.curve[:: max(1, len(progress.curve) // 20)]
    if points[-1] is not progress.curve[-1]:
        points.append(progress.curve[-1])
    lines = [
        "",
        "## Held-out curve",
        "",
        "| step | minutes | tokens | train bits/token | held-out bits/byte |",
        "|---|---|---|---|---|",
    ]
    return lines + [
        f"| {p['step']:,} | {p['seconds'] / 60:.1f} | {p['tokens']:,} | {p['train_bits_per_token']:.4f} "
        f"| {p['held_out_bits_per_byte']:.4f} |"
        for p in points
    ]


def _shown(path: Path, corpus: list[Path]) -> str:
    """The file as its corpus argument names it, without the folders above: cards travel."""
    for root in corpus:
        if path == root or root in path.parents:
            return str(Path(root.resolve().name) / path.relative_to(root)) if path != root else path.name
    return path.name


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
