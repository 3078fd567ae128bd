"""Pictures and recordings beside formats made for them, and archives of many small files.

A picture is a PPM or PGM file of its pixels, compressed byte for byte. Beside it stand JPEG XL (cjxl -d 0 -e 9), lossless WebP
(cwebp -z 9), PNG (Pillow, optimize) of the same pixels, and xz -9e of the bytes. A recording is a WAV file. Beside it stand FLAC
(flac -8), WavPack (wavpack -hhx3), Monkey's Audio (mac -c4000, extra high), Sac (sac --normal, up to 16 bits) and xz. Programs that are not
on PATH are left out. Every file is restored and compared.
"""

import gzip
import io
import lzma
import shutil
import subprocess
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tokpress.bench.report import PACKAGES
from tokpress.codec.archive import Archive

from .pages import markdown, write_part
from .registry import COMMAND, Benchmark, Cases, MeasurementError, Setup, benchmark, tokpress
from .store import Results

#: kind → (folders of its files, unit)
SETS = {
    "Kodak": (("images/kodak/",), "bits per sub-pixel"),
    "other pictures": (("images/skimage/", "images/urban/"), "bits per sub-pixel"),
    "sounds, 44.1 kHz": (("audio/sounds/",), "bits per sample"),
    "speech": (("audio/speech/",), "bits per sample"),
    "stereo, 16 bits": (("audio/stereo/",), "bits per sample"),
    "stereo, 24 bits": (("audio/stereo24/",), "bits per sample"),
}
SUFFIXES = (".png", ".wav", ".flac")

#: kind in README's table → the tool that people know
README_KINDS = {"Kodak": "JPEG XL", "sounds, 44.1 kHz": "FLAC", "speech": "FLAC", "stereo, 16 bits": "FLAC"}


def size_of(command: list[str], source: Path, end: str) -> int:
    """Bytes of the file that a program writes; `{}` in the command: first the source, then the result."""
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
    "sound": {
        "FLAC": lambda p: size_of(["flac", "-8", "-s", "-f", "{}", "-o", "{}"], p, ".flac"),
        "WavPack": lambda p: size_of(["wavpack", "-hhx3", "-q", "{}", "-o", "{}"], p, ".wv"),
        "Monkey's Audio": lambda p: size_of(["mac", "{}", "{}", "-c4000"], p, ".ape"),
        "Sac": lambda p: size_of(["sac", "--encode", "--normal", "{}", "{}"], p, ".sac"),
        "xz": xz,
    },
}
NEEDED = {
    "JPEG XL": "cjxl", "WebP": "cwebp", "FLAC": "flac", "WavPack": "wavpack", "Monkey's Audio": "mac", "Sac": "sac",
}  # fmt: skip
#: the most bytes of a sample that a peer takes
WIDEST = {"Sac": 2}


def ours(source: Path) -> dict[str, float | str]:
    """Size, and seconds of both processes. Raises MeasurementError where other bytes come back."""
    with tempfile.TemporaryDirectory() as folder:
        packed, back = Path(folder) / "packed.tokp", Path(folder) / "back"
        begun = time.perf_counter()
        words = [*COMMAND, "compress", source, "-o", packed]
        printed = subprocess.run(words, check=True, capture_output=True, text=True).stderr
        middle = time.perf_counter()
        subprocess.run([*COMMAND, "decompress", "-q", packed, "-o", back], check=True)
        ended = time.perf_counter()
        if back.read_bytes() != source.read_bytes():
            raise MeasurementError("other bytes came back")
        stored = printed.strip().rpartition("model ")[2].split()[0] if "model" in printed else ""
        return {
            "bytes": packed.stat().st_size,
            "seconds": middle - begun,
            "back_seconds": ended - middle,
            "stored": stored,
        }


def plain(path: Path, scratch: Path) -> tuple[Path, int, int]:
    """(the file to compress, its number of samples, bytes of a sample); a picture as PPM or PGM, a recording as WAV."""
    if path.suffix == ".flac":
        recording = scratch / "plain" / path.with_suffix(".wav").name
        recording.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["flac", "-d", "-s", "-f", str(path), "-o", str(recording)], check=True)
        path = recording
    if path.suffix == ".wav":
        import wave

        with wave.open(str(path)) as file:
            return path, file.getnframes() * file.getnchannels(), file.getsampwidth()
    from PIL import Image

    picture = Image.open(path)
    picture = picture.convert("L" if picture.mode in ("1", "L") else "RGB")
    target = scratch / "plain" / path.with_suffix(".ppm" if picture.mode == "RGB" else ".pgm").name
    target.parent.mkdir(parents=True, exist_ok=True)
    picture.save(target)
    return target, picture.width * picture.height * len(picture.getbands()), 1


def measure(path: Path, scratch: Path) -> dict[str, Any]:
    source, samples, width = plain(path, scratch)
    found: dict[str, Any] = {"samples": samples, "source_bytes": source.stat().st_size, "tokpress": ours(source)}
    seconds: dict[str, float] = {}
    for name, peer in PEERS["sound" if source.suffix == ".wav" else "picture"].items():
        if width <= WIDEST.get(name, 4) and (name not in NEEDED or shutil.which(NEEDED[name])):
            begun = time.perf_counter()
            found[name] = peer(source)
            seconds[name] = time.perf_counter() - begun
    return found | {"peer_seconds": seconds}


@benchmark("pictures_and_sound", page="README.md, docs/pictures_and_sound.md", takes="20 minutes")
class PicturesAndSound(Benchmark):
    """Pictures and recordings, compressed exactly, beside JPEG XL, WebP, PNG, FLAC, Monkey's Audio and Sac."""

    packages = PACKAGES

    def cases(self, setup: Setup) -> Cases:
        names = [
            name
            for folders, _ in reversed(SETS.values())  # the longest last
            for name in setup.bench
            if name.startswith(folders)
            and name.endswith(SUFFIXES)
            and (shutil.which("flac") or not name.endswith(".flac"))
        ]
        return {name: lambda name=name: measure(setup.bench[name], setup.work) for name in names}

    def report(self, results: Results, setup: Setup) -> list[str]:
        if measured := results.values():
            lines = [*by_kind(measured), results.made_by() + " Other work ran beside it."]
            write_part(setup.docs / "pictures_and_sound.md", self.name, lines)
            folders = tuple(folder for kind in README_KINDS for folder in SETS[kind][0])
            shown = [name for name in measured if name.startswith(folders)]
            write_part(
                setup.root / "README.md", self.name, [*for_readme(measured), "", results.made_by(shown)], "media"
            )
        return []


def for_readme(measured: dict[str, Any]) -> list[str]:
    """README's table: photographs and sound beside the tool that people know for each."""
    lines = []
    for kind, peer in README_KINDS.items():
        folders, unit = SETS[kind]
        found = [each for name, each in measured.items() if name.startswith(folders)]
        if not found:
            continue
        samples, size = (sum(each[key] for each in found) for key in ("samples", "source_bytes"))
        out, back = (size / 1e6 / sum(each["tokpress"][key] for each in found) for key in ("seconds", "back_seconds"))
        ours = sum(each["tokpress"]["bytes"] for each in found)
        cells = [f"{8 * ours / samples:.3f}; {out:.2g}, {back:.2g}"]
        for name in (peer, "xz"):
            known = all(name in each for each in found)
            cells.append(f"{8 * sum(each[name] for each in found) / samples:.3f} ({name})" if known else "–")
        lines.append([f"{kind}, {len(found)} files, {size / 1e6:.1f} MB, {unit}", *cells])
    return markdown(["", "tokpress", "the usual tool", "xz -9e"], lines)


def speed(found: dict[str, Any], name: str) -> str:
    """KB/s of a compressor over these files, whole processes; "–" where it was not timed."""
    each = [
        f["tokpress"]["seconds"] if name == "tokpress" else f.get("peer_seconds", {}).get(name) for f in found.values()
    ]
    if None in each:
        return "–"
    return f"{sum(f['source_bytes'] for f in found.values()) / sum(each) / 1000:,.0f}"


def by_kind(measured: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    details: list[str] = []
    for kind, (folders, unit) in SETS.items():
        found = {name: each for name, each in measured.items() if name.startswith(folders)}
        if not found:
            continue
        kinds = PEERS["sound" if folders[0].startswith("audio/") else "picture"]
        peers = [p for p in kinds if all(p in each for each in found.values())]
        samples = sum(each["samples"] for each in found.values())
        total = {p: sum(each[p] for each in found.values()) for p in peers}
        mine = sum(each["tokpress"]["bytes"] for each in found.values())
        size = sum(each["source_bytes"] for each in found.values())
        rows = [["tokpress", f"{mine:,}", f"{8 * mine / samples:.3f}", "", speed(found, "tokpress")]]
        rows += [
            [p, f"{b:,}", f"{8 * b / samples:.3f}", f"{100 * (mine / b - 1):+.1f} %", speed(found, p)]
            for p, b in total.items()
        ]
        there, back = (sum(each["tokpress"][k] for each in found.values()) for k in ("seconds", "back_seconds"))
        lines += [f"### {kind}", "", f"{len(found)} files, {size:,} bytes, {samples:,} samples; tokpress compresses at "
                  f"{size / there / 1000:.0f} KB/s and restores at {size / back / 1000:.0f} KB/s, whole processes.", ""]  # fmt: skip
        lines += [*markdown(["", "bytes", unit, "tokpress against it", "compresses, KB/s"], rows), ""]
        heads = ["file", "tokpress", "by", *peers]
        details += [*markdown(heads, [
            [name, f"{8 * each['tokpress']['bytes'] / each['samples']:.3f}", each["tokpress"]["stored"],
             *(f"{8 * each[p] / each['samples']:.3f}" for p in peers)] for name, each in found.items()
        ]), ""]  # fmt: skip
    return [*lines, "### Every file", "", *details]


# --- archives ------------------------------------------------------------------------------------------------------

DIGITS = 1000


def sprites(data: Path, folder: Path) -> None:
    with zipfile.ZipFile(data / "images/sprites.zip") as held:
        for i, name in enumerate(sorted(n for n in held.namelist() if n.endswith(".png"))):
            (folder / f"{i:03}.png").write_bytes(held.read(name))


def voices(data: Path, folder: Path) -> None:
    with zipfile.ZipFile(data / "audio/spoken_digits.zip") as held:
        for name in sorted(n for n in held.namelist() if n.endswith(".wav")):
            (folder / Path(name).name).write_bytes(held.read(name))


def digits(data: Path, folder: Path) -> None:
    raw = gzip.decompress((data / "images/mnist/t10k-images-idx3-ubyte.gz").read_bytes())
    for i, image in enumerate(np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28 * 28)[:DIGITS]):
        (folder / f"{i:04}.pgm").write_bytes(b"P5 28 28 255\n" + image.tobytes())


#: name → (writes the files, words of pack and compress)
ARCHIVES: dict[str, tuple[Callable[[Path, Path], None], list[str]]] = {
    "sprites, as files": (sprites, []),
    "sprites, --content": (sprites, ["--content"]),
    "digits, 28×28 PGM": (digits, []),
    "spoken digits, WAV": (voices, []),
}


def jpeg_xl(files: list[Path]) -> int | None:
    """Bytes of all files, each by JPEG XL; None where they are no pictures, or cjxl is not on PATH."""
    if files[0].suffix not in (".png", ".pgm") or not shutil.which(NEEDED["JPEG XL"]):
        return None
    return sum(map(PEERS["picture"]["JPEG XL"], files))


def archived(data: Path, write: Callable[[Path, Path], None], words: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "files"
        folder.mkdir()
        write(data, folder)
        files = sorted(folder.iterdir())
        packed = Path(place) / "all.tokp"
        seconds = tokpress("pack", "-q", *words, folder, "-o", packed)
        tokpress("unpack", "-q", packed, "-o", Path(place) / "out")
        out = sorted((Path(place) / "out" / "files").iterdir())
        if not words and [p.read_bytes() for p in out] != [p.read_bytes() for p in files]:
            raise MeasurementError("unpacked files differ from the packed ones")
        begun = time.monotonic()
        with packed.open("rb") as stream:
            archive = Archive(stream)
            archive.read(archive.names()[len(archive.names()) // 2])
        one = time.monotonic() - begun
        tokpress("compress", "-q", *words, *files)
        alone = sum(path.stat().st_size for path in folder.glob("*.tokp"))
        sources = out if words else files
        with tarfile.open(fileobj=(tar := io.BytesIO()), mode="w") as held:
            for path in sources:
                held.add(path, path.name)
        return {
            "files": len(files),
            "file_bytes": sum(path.stat().st_size for path in files),
            "stored_bytes": sum(path.stat().st_size for path in sources),
            "alone": alone,
            "archive": packed.stat().st_size,
            "tar_xz": len(lzma.compress(tar.getvalue(), preset=9 | lzma.PRESET_EXTREME)),
            "jpeg_xl": jpeg_xl(files),
            "pack_seconds": round(seconds, 1),
            "one_seconds": round(one, 2),
        }


@benchmark("archives", page="docs/archives.md", takes="5 minutes")
class Archives(Benchmark):
    """Many small files: one archive of `tokpress pack` beside a compressed file each, and beside tar and xz."""

    def cases(self, setup: Setup) -> Cases:
        return {
            name: lambda write=write, words=words: archived(setup.bench_data, write, words)
            for name, (write, words) in ARCHIVES.items()
        }

    def report(self, results: Results, setup: Setup) -> list[str]:
        head = [
            "files",
            "number",
            "bytes",
            "each in a .tokp",
            "one archive",
            "less by",
            "tar, xz -9e",
            "each by JPEG XL",
            "packing, s",
            "one file, s",
        ]
        rows = [
            [
                name, f"{m['files']:,}", f"{m['file_bytes']:,}", f"{m['alone']:,}", f"{m['archive']:,}",
                f"{1 - m['archive'] / m['alone']:.1%}", f"{m['tar_xz']:,}",
                f"{m['jpeg_xl']:,}" if m["jpeg_xl"] else "–", f"{m['pack_seconds']:g}", f"{m['one_seconds']:g}",
            ]
            for name, m in results.values().items()
        ]  # fmt: skip
        if rows:
            write_part(setup.docs / "archives.md", self.name, [*markdown(head, rows), "", results.made_by()])
        return []
