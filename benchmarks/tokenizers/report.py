"""Write docs/tokenizers.md, its plots and its pictures from the stored runs.

Reconstructions are drawn from the files that lossy.py leaves in its working folder: NAME.ppm, or the decoded test files in NAME.files.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tokpress.media import formats

from ..pages import markdown, write_part
from ..store import Results
from .runs import DATA, RUNS, clip_size

Kept = dict[str, dict[str, Any]]
#: of log₂ K bits a token, that a prior was asked to save
LEAST_SAVED = 0.25
#: of all codes, on the test files, that a tokenizer was asked to use
LEAST_USED = 0.95


def report(results: Results, docs: Path, work: Path) -> None:
    """Write everything anew; nothing where nothing has been measured."""
    stored = results.values()
    kept = {run.name: stored[run.name] for run in RUNS if run.name in stored}
    if not kept:
        return
    lines: list[str] = []
    for name, data in DATA.items():
        mine = {key: m for key, m in kept.items() if m["data"] == name}
        if not mine:
            continue
        lines += [f"### {data.about}", "", *_table(mine), "", *_short(mine)]
        if plot(mine, docs / f"tokenizers_{name}.png"):
            lines += [f"![Held-out decibels while training](tokenizers_{name}.png)", ""]
        if data.pictures:
            lines += _one_picture(mine, results)
        lines += reconstructions(list(mine), name, docs, work)
    wrong = [name for name, m in kept.items() if m["wrong"]]
    lines += [
        f"**Wrong: {', '.join(wrong)} did not come back.**"
        if wrong
        else "Every file decoded to the reconstruction that was stored.",
        "",
    ]
    lines += ["### Commands and machines", ""]
    lines += [
        f"* {name}: {'; '.join(f'`{each}`' for each in m['commands'] if each != 'tokpress ')}"
        for name, m in kept.items()
    ]
    write_part(docs / "tokenizers.md", "tokenizers", [*lines, "", results.made_by(kept)])


def _table(kept: Kept) -> list[str]:
    measure = next(iter(kept.values()))["measure"]
    head = ["run", "codes K", f"used (aim: {LEAST_USED:.0%})", "dead, replaced", "perplexity", f"{measure}, dB", "bytes a token", "tokens an item", "log₂ K", "bits/token, files", "saved",
            "bits/token, streams", f"saved (aim: {LEAST_SAVED:.0%})", "bytes of all files", "model bytes", "encode, s", "decode, s"]  # fmt: skip
    return markdown(head, [_row(name, m) for name, m in kept.items()])


def _row(name: str, m: dict[str, Any]) -> list[str]:
    whole, bits, stream = (
        math.log2(m["codes"]),
        *(8 * m[what] / m["tokens"] for what in ("coded_bytes", "stream_bytes")),
    )
    return [
        name, f"{m['codes']:,}", f"{m['used'] / m['codes']:.1%}", _replaced(m), f"{m['perplexity']:.0f}",
        f"{m['decibels']:.2f}", f"{m['source_bytes'] / m['tokens']:.1f}", f"{m['item_tokens']:,}", f"{whole:.2f}", f"{bits:.3f}", f"{1 - bits / whole:.1%}",
        f"{stream:.3f}", f"{1 - stream / whole:.1%}",
        f"{m['coded_bytes']:,} of {m['source_bytes']:,}", f"{m['model_bytes']:,}", f"{m['encode_seconds']:g}",
        f"{m['decode_seconds']:g}",
    ]  # fmt: skip


def _replaced(m: dict[str, Any]) -> str:
    """Codes that were found dead in training, each time; a dash where that was not counted, or cannot be."""
    counts = [point["dead_codes_replaced"] for point in m.get("curve") or [] if "dead_codes_replaced" in point]
    return f"{sum(counts):,}" if counts else "–"


def _short(kept: Kept) -> list[str]:
    """Which runs use fewer codes, or save less, than was asked for."""
    used = {name: m["used"] / m["codes"] for name, m in kept.items()}
    few = [f"{name} ({part:.1%})" for name, part in used.items() if part < LEAST_USED]
    share = {name: 1 - 8 * m["stream_bytes"] / m["tokens"] / math.log2(m["codes"]) for name, m in kept.items()}
    short = [f"{name} ({saved:.1%})" for name, saved in share.items() if saved < LEAST_SAVED]
    return [
        f"Target for codes used on the test files: {LEAST_USED:.0%}; missed by: {', '.join(few) or 'none'}. Target for bits",
        f"saved, judged by streams: {LEAST_SAVED:.0%} of log₂ K; missed by: {', '.join(short) or 'none'}.",
        "",
    ]


def _one_picture(kept: Kept, results: Results) -> list[str]:
    """Without loss, and the lecture's accounting of one picture."""
    told = {name: m for name, m in kept.items() if "exact_bytes" in m}
    if not told:
        return []
    newest = told[max(told, key=lambda name: results.run_of(name)["finished"])]  # each has measured the picture itself
    head = [
        "run",
        "lossless: tokens and difference",
        "bits/sub-pixel",
        "256 × 256: tokens",
        "symbols, of 196,608",
        "bytes",
        "factor",
    ]
    rows = [
        [
            name, f"{m['exact_bytes']:,}", f"{8 * m['exact_bytes'] / m['file_bytes']:.3f}", f"{m['crop_tokens']:,}",
            f"{196608 / m['crop_tokens']:.0f} times fewer", f"{m['crop_bytes']:,}", f"{196608 / m['crop_bytes']:.0f}",
        ]
        for name, m in told.items()
    ]  # fmt: skip
    return [
        f"One picture, {newest['file']}, has {newest['file_bytes']:,} bytes. Coded without a tokenizer and without loss, it takes "
        f"{newest['direct_bytes']:,} bytes ({8 * newest['direct_bytes'] / newest['file_bytes']:.3f} bits/sub-pixel). The columns on the "
        "right describe its middle 256 × 256 pixels, stored with loss.",
        "",
        *markdown(head, rows),
        "",
    ]


def plot(kept: Kept, path: Path) -> bool:
    """Held-out decibels against minutes; whether there are curves."""
    curves = {name: m["curve"] for name, m in kept.items() if m.get("curve")}
    if not curves:
        return False
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    # runs of sound from before it was told as SNR have the other one: of the same plot, all or none
    what = "snr" if all("held_out_snr" in p for curve in curves.values() for p in curve) else "psnr"
    for name, curve in curves.items():
        points = [p for p in curve if f"held_out_{what}" in p]
        axes.plot([p["seconds"] / 60 for p in points], [p[f"held_out_{what}"] for p in points], label=name)
    axes.set_xlabel("minutes of training, one core")
    axes.set_ylabel("held-out SNR, dB" if what == "snr" else "held-out PSNR, dB, peak to peak")
    axes.legend()
    figure.savefig(path, dpi=100, metadata={"Software": None})
    return True


# --- reconstructions to look at: of each kind of test data one picture, the originals beside what the tokenizers leave -----------

#: of the first photograph: left, top, right, bottom
CROP = (240, 180, 496, 436)
#: images of CIFAR-10, and how much they are enlarged
IMAGES, ZOOM = 16, 2
#: the clip of the video that is shown, and which of the five frames of an item
CLIP, FRAMES = "CiscoVT2people_320x192_12fps.raw", (0, 2, 4)
RECORDING = "7_jackson_*.wav"
GAP = 4


def reconstructions(runs: list[str], data: str, docs: Path, work: Path) -> list[str]:
    """Draw those of these runs that are there, else leave the picture of before; lines of Markdown that show it."""
    target = docs / f"tokenizers_{data}_samples.png"
    if caption := DRAW[data](runs, work, target):
        target.with_suffix(".txt").write_text(caption + "\n")
    if not target.is_file():
        return []
    return [target.with_suffix(".txt").read_text().strip(), "", f"![Reconstructions]({target.name})", ""]


def _photographs(runs: list[str], work: Path, target: Path) -> str:
    """A part of the first test picture, and what each tokenizer leaves of it, side by side."""
    from PIL import Image

    test = sorted((work / "data/photographs/test").glob("*.ppm"))
    made = [(name, work / f"{name}.ppm") for name in runs if (work / f"{name}.ppm").is_file()]
    if not test or not made:
        return ""
    parts = [np.asarray(Image.open(path).crop(CROP)) for path in (test[0], *(path for _, path in made))]
    _save([parts], target)
    return f"From the left: {', '.join(['the picture', *(name for name, _ in made)])}."


def _cifar(runs: list[str], work: Path, target: Path) -> str:
    made = _decoded(runs, work, "cifar", "test.raw")
    if len(made) < 2:
        return ""
    rows = []
    for _, path in made:
        images = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, 32, 32, 3)[:IMAGES]
        rows.append([image.repeat(ZOOM, 0).repeat(ZOOM, 1) for image in images])
    _save(rows, target)
    return f"From above: {', '.join(['the first test images', *(name for name, _ in made[1:])])}."


def _video(runs: list[str], work: Path, target: Path) -> str:
    """Frames of a clip, whose items of 5 × 32 × 32 pixels lie one after the other, put together again."""
    made = _decoded(runs, work, "glides", CLIP)
    if len(made) < 2:
        return ""
    across, down = (side // 32 for side in clip_size(Path(CLIP)))
    rows = []
    for _, path in made:
        items = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, down, across, 5, 32, 32, 3)
        clip = items[0].transpose(2, 0, 3, 1, 4, 5).reshape(5, down * 32, across * 32, 3)
        rows.append([clip[i] for i in FRAMES])
    _save(rows, target)
    names = ", ".join(["a clip", *(name for name, _ in made[1:])])
    return f"Frames {', '.join(str(i + 1) for i in FRAMES)} of {CLIP.removesuffix('.raw')}, from above: {names}."


def _voices(runs: list[str], work: Path, target: Path) -> str:
    """Waveforms on the left, spectrograms on the right."""
    found = sorted((work / "data/voices/test").glob(RECORDING))
    made = _decoded(runs, work, "voices", found[0].name) if found else []
    if len(made) < 2:
        return ""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.6 * len(made)), layout="constrained")
    axes = figure.subplots(len(made), 2, sharex="all", squeeze=False)
    for row, (name, path) in zip(axes, made):
        raw = path.read_bytes()
        samples = formats.values(raw, formats.find(raw))[:, 0] / 2**15
        row[0].plot(np.arange(len(samples)) / 8000, samples, linewidth=0.5)
        row[0].set_ylabel(name)
        row[0].sharey(axes[0][0])
        row[1].specgram(samples + 1e-5, NFFT=128, Fs=8000, noverlap=96, vmin=-120, vmax=-30)
        row[1].set_ylabel("Hz")
    for axis in axes[-1]:
        axis.set_xlabel("seconds")
    figure.savefig(target, dpi=100, metadata={"Software": None})
    return f"{found[0].name}, waveform and spectrogram, from above: {', '.join(name for name, _ in made)}."


#: by the name of the data; each draws `target` and returns what it shows, "" where there is nothing to draw
DRAW: dict[str, Callable[[list[str], Path, Path], str]] = {
    "photographs": _photographs, "moved_photographs": _photographs, "cifar": _cifar, "glides": _video, "voices": _voices,
}  # fmt: skip


def _decoded(runs: list[str], work: Path, data: str, name: str) -> list[tuple[str, Path]]:
    """The original of a test file, then what each tokenizer made of it; runs that share a tokenizer make the same."""
    own = [run.name for run in RUNS if run.name in runs and not run.tokenizer_of]
    paths = [("original", work / "data" / data / "test" / name), *((run, work / f"{run}.files" / name) for run in own)]
    return [(run, path) for run, path in paths if path.is_file()]


def _save(rows: list[list[np.ndarray]], target: Path) -> None:
    """Pictures of one size [height, width, 3] in rows, with gaps."""
    from PIL import Image

    high, wide, _ = rows[0][0].shape
    count = len(rows[0])
    whole = np.full((len(rows) * (high + GAP) - GAP, count * (wide + GAP) - GAP, 3), 255, np.uint8)
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            whole[r * (high + GAP) :, c * (wide + GAP) :][:high, :wide] = picture
    Image.fromarray(whole).save(target, optimize=True)
