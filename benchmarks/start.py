"""What a small file costs beside Python's own start: whole processes, in turn with `python -c pass` and `python -c 'import numpy'`.

    python benchmarks/start.py [--runs N] [--text FILE] [--large FILE]

Of each command: the least and the middle wall time, CPU time and peak memory of N runs, and their ratio to `import numpy` of the same
rounds. Rounds go through all commands, so that other work on the machine meets all of them. The first run after an editable
installation, which writes no bytecode of ours (pip does of a wheel), is measured once. This process imports nothing large: a child's peak memory is not below its parent's.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SIZES = {"4 KB": 4096, "20 KB": 20_000}


class Run(NamedTuple):
    wall: float
    cpu: float
    kilobytes: int


def measured(words: list[str]) -> Run:
    """One process. Raises SystemExit where it fails."""
    begin = time.perf_counter()
    nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    child = os.posix_spawn(words[0], words, os.environ, file_actions=nowhere)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{' '.join(words)} failed: run it by hand")
    return Run(time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss)


def english(file: Path | None) -> bytes:
    if file:
        return file.read_bytes()
    return b"".join(path.read_bytes() for path in sorted((ROOT / "docs").glob("*.md")))


def commands(place: Path, text: bytes) -> dict[str, list[str]]:
    """Name → words. What is decompressed is made here, once."""
    python = [sys.executable]
    ours = [*python, "-m", "tokpress"]
    found = {
        "pass": [*python, "-c", "pass"],
        "import numpy": [*python, "-c", "import numpy"],
        "--help": [*ours, "--help"],
    }
    for name, size in SIZES.items():
        source, packed, out = (str(place / f"{size}{suffix}") for suffix in ("", ".tokp", ".out"))
        Path(source).write_bytes(text[:size])
        measured([*ours, "compress", "-f", source])
        found |= {
            f"compress {name}": [*ours, "compress", "-f", source, "-o", packed],
            f"decompress {name}": [*ours, "decompress", "-f", packed, "-o", out],
            f"test {name}": [*ours, "test", packed],
            f"info {name}": [*ours, "info", packed],
        }
        found[f"compress --fast {name}"] = [
            *ours,
            "compress",
            "--fast",
            "-f",
            source,
            "-o",
            str(place / f"{size}.fast"),
        ]
    return found


def table(runs: dict[str, list[Run]]) -> None:
    def both(name: str, field: str) -> tuple[float, float]:
        values = [getattr(run, field) for run in runs[name]]
        return min(values), statistics.median(values)

    print(f"{'':<24} {'wall ms':>15} {'CPU ms':>15} {'× import numpy':>18} {'peak MB':>8}")
    print(f"{'':<24} {'least':>7} {'middle':>7} {'least':>7} {'middle':>7} {'wall':>9} {'CPU':>8}")
    for name, made in runs.items():
        wall, cpu = both(name, "wall"), both(name, "cpu")
        ratios = [both(name, field)[0] / both("import numpy", field)[0] for field in ("wall", "cpu")]
        peak = max(run.kilobytes for run in made) / 1024
        times = " ".join(f"{1000 * value:7.0f}" for value in (*wall, *cpu))
        print(f"{name:<24} {times} {ratios[0]:9.2f} {ratios[1]:8.2f} {peak:8.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--text", type=Path, help="English text to take the beginning of, instead of the documentation")
    parser.add_argument("--large", type=Path, help="also the peak memory of this file, once each way, with --fast")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["PYTHONPYCACHEPREFIX"] = str(place / "bytecode")
        found = commands(place, english(options.text))
        runs: dict[str, list[Run]] = {name: [] for name in found}
        for words in found.values():
            measured(words)  # so that all bytecode is there
        for _ in range(options.runs):
            for name, words in found.items():
                runs[name].append(measured(words))
        table(runs)
        for name in ("compress 20 KB", "decompress 20 KB"):
            for part in ("tokpress", "cli"):
                shutil.rmtree(Path(f"{place / 'bytecode'}{ROOT / part}"), ignore_errors=True)
            first = measured(found[name])
            print(
                f"first {name}, without bytecode of ours: {1000 * first.wall:.0f} ms wall, {1000 * first.cpu:.0f} ms CPU"
            )
        if options.large:
            ours, packed = [sys.executable, "-m", "tokpress"], str(place / "large.tokp")
            size = options.large.stat().st_size
            for words in (["compress", "--fast", str(options.large), "-o", packed], ["test", packed]):
                made = measured([*ours, *words])
                print(f"{words[0]} {size:,} bytes: {made.wall:.0f} s, peak {made.kilobytes / 1024:.0f} MB")


if __name__ == "__main__":
    main()
