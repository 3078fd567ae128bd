"""Pictures and recordings beside the formats that are made for them: docs/pictures_and_sound.md.

    python benchmarks/pictures_and_sound.py [--data FOLDER] [--scratch FOLDER]

Each file is compressed byte for byte by `tokpress compress` and restored by `tokpress decompress`, processes of their own,
and compared. Pictures are the PPM or PGM file of the pixels. Beside: JPEG XL (cjxl -d 0 -e 9), lossless WebP (cwebp -z 9),
PNG (Pillow, optimize), FLAC (flac -8), each of the same pixels or samples, and xz -9e of the bytes. Programs that are not
installed are left out.
"""

import io
import lzma
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
from data import FOLDER, ROOT, SCRATCH, expanded
from results import Results, machine_line, markdown

RESULT = Path(__file__).with_name("results") / "pictures_and_sound.json"
#: kind → (folders of the data that it is of, unit)
SETS = {
    "Kodak": (("images/kodak/",), "bits per sub-pixel"),
    "other pictures": (("images/skimage/", "images/urban/"), "bits per sub-pixel"),
    "sounds, 44.1 kHz": (("audio/sounds/",), "bits per sample"),
    "speech": (("audio/speech/",), "bits per sample"),
}


def size_of(command: list[str], source: Path, end: str) -> int:
    """Of what a program makes of the file; `{}` in the command: first the source, then the result."""
    with tempfile.TemporaryDirectory() as folder:
        names = iter((str(source), str(Path(folder) / f"out{end}")))
        words = [next(names) if word == "{}" else word for word in command]
        subprocess.run(words, check=True, capture_output=True)
        return (Path(folder) / f"out{end}").stat().st_size


def png(source: Path) -> int:
    from PIL import Image

    Image.open(source).save(out := io.BytesIO(), "PNG", optimize=True)
    return len(out.getvalue())


def xz(source: Path) -> int:
    return len(lzma.compress(source.read_bytes(), preset=9 | lzma.PRESET_EXTREME))


PEERS: dict[str, dict[str, Callable[[Path], int]]] = {
    "picture": {
        "JPEG XL": lambda p: size_of(["cjxl", "-d", "0", "-e", "9", "{}", "{}"], p, ".jxl"),
        "WebP": lambda p: size_of(["cwebp", "-quiet", "-lossless", "-z", "9", "{}", "-o", "{}"], p, ".webp"),
        "PNG": png,
        "xz": xz,
    },
    "sound": {"FLAC": lambda p: size_of(["flac", "-8", "-s", "-f", "{}", "-o", "{}"], p, ".flac"), "xz": xz},
}
NEEDED = {"JPEG XL": "cjxl", "WebP": "cwebp", "FLAC": "flac"}


def ours(source: Path) -> dict[str, float | str]:
    """Size, and seconds of both processes; raises where it does not come back."""
    with tempfile.TemporaryDirectory() as folder:
        packed, back = Path(folder) / "packed.tokp", Path(folder) / "back"
        run = [sys.executable, "-m", "tokpress.cli"]
        begun = time.perf_counter()
        told = subprocess.run(
            [*run, "compress", source, "-o", packed], check=True, capture_output=True, text=True
        ).stderr
        middle = time.perf_counter()
        subprocess.run([*run, "decompress", "-q", packed, "-o", back], check=True)
        ended = time.perf_counter()
        if back.read_bytes() != source.read_bytes():
            raise SystemExit(f"{source} did not come back")
        stored = told.strip().rpartition("model ")[2].split()[0] if "model" in told else ""
        return {
            "bytes": packed.stat().st_size,
            "seconds": middle - begun,
            "back_seconds": ended - middle,
            "stored": stored,
        }


def plain(path: Path, scratch: Path) -> tuple[Path, int]:
    """(the file that is compressed, how many samples it holds); a picture as PPM or PGM."""
    if path.suffix == ".wav":
        import wave

        with wave.open(str(path)) as file:
            return path, file.getnframes() * file.getnchannels()
    from PIL import Image

    picture = Image.open(path)
    picture = picture.convert("L" if picture.mode in ("1", "L") else "RGB")
    target = scratch / "plain" / path.with_suffix(".ppm" if picture.mode == "RGB" else ".pgm").name
    target.parent.mkdir(parents=True, exist_ok=True)
    picture.save(target)
    return target, picture.width * picture.height * len(picture.getbands())


def measure(path: Path, scratch: Path) -> dict:
    source, samples = plain(path, scratch)
    found = {"samples": samples, "source_bytes": source.stat().st_size, "tokpress": ours(source)}
    for name, peer in PEERS["sound" if path.suffix == ".wav" else "picture"].items():
        if name not in NEEDED or shutil.which(NEEDED[name]):
            found[name] = peer(source)
    return found


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), default=FOLDER)
@click.option("--scratch", type=click.Path(path_type=Path), default=SCRATCH)
@click.option("--report", is_flag=True, help="Only write the page from what was measured.")
def main(data, scratch, report):
    results = Results(RESULT)
    section = results.section("pictures and sound")
    if not report:
        files = expanded(data, scratch)
        for folders, _ in reversed(SETS.values()):  # the longest last
            for name in (name for name in files if name.startswith(folders) and name.endswith((".png", ".wav"))):
                section.once(name, lambda name=name: measure(files[name], scratch))
    write(results, section.data["measurements"])


def write(results: Results, measured: dict[str, dict]) -> None:
    lines, details = [], []
    for kind, (folders, unit) in SETS.items():
        found = {name: each for name, each in measured.items() if name.startswith(folders)}
        if not found:
            continue
        peers = [p for p in ("JPEG XL", "WebP", "PNG", "FLAC", "xz") if all(p in each for each in found.values())]
        samples = sum(each["samples"] for each in found.values())
        total = {p: sum(each[p] for each in found.values()) for p in peers}
        mine = sum(each["tokpress"]["bytes"] for each in found.values())
        size = sum(each["source_bytes"] for each in found.values())
        rows = [["tokpress", f"{mine:,}", f"{8 * mine / samples:.3f}", ""]]
        rows += [[p, f"{b:,}", f"{8 * b / samples:.3f}", f"{100 * (mine / b - 1):+.1f} %"] for p, b in total.items()]
        there, back = (sum(each["tokpress"][k] for each in found.values()) for k in ("seconds", "back_seconds"))
        lines += [f"### {kind}", "", f"{len(found)} files, {size:,} bytes, {samples:,} samples; tokpress compresses at "
                  f"{size / there / 1000:.0f} KB/s and restores at {size / back / 1000:.0f} KB/s, whole processes.", ""]  # fmt: skip
        lines += [*markdown(["", "bytes", unit, "tokpress against it"], rows), ""]
        heads = ["file", "tokpress", "by", *peers]
        details += [*markdown(heads, [
            [name, f"{8 * each['tokpress']['bytes'] / each['samples']:.3f}", each["tokpress"]["stored"],
             *(f"{8 * each[p] / each['samples']:.3f}" for p in peers)] for name, each in found.items()
        ]), ""]  # fmt: skip
    page = ROOT / "docs" / "pictures_and_sound.md"
    before = page.read_text("utf-8").partition("<!-- measured")[0]
    page.write_text(
        "\n".join(
            [
                before + "<!-- measured: benchmarks/pictures_and_sound.py writes what follows -->",
                "",
                *lines,
                "### Every file",
                "",
                *details,
                f"`python benchmarks/pictures_and_sound.py`; {machine_line(results.data['machine'])}. Other work ran beside it.",
                "",
            ]
        ),
        "utf-8",
    )


if __name__ == "__main__":
    main()
