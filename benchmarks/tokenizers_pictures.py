"""Reconstructions to look at: of each kind of test data one picture, the originals beside what the tokenizers leave of them.

What is drawn lies where benchmarks/tokenizers.py has left it: NAME.ppm, or the decoded test files in NAME.files.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from tokenizers_runs import RUNS, clip_size

from tokpress.media import formats

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
    "photographs": _photographs, "cifar": _cifar, "glides": _video, "voices": _voices,
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
