"""A text of 4 KB: seconds of the whole command, what it imports, bytes of overhead; and `--help`."""

import json
import statistics
import sys
from pathlib import Path

from data import part
from results import Figure

from tokpress.bench.measure import timed

from . import Bench, Outcome

RUNS = 5
COMPRESS, DECOMPRESS, HELP, OVERHEAD = 0.5, 0.8, 0.15, 24
SOURCE = "text/canterbury/alice29.txt"
TOKPRESS = [sys.executable, "-P", "-m", "tokpress.cli"]
#: the command, and at its end whether torch was imported
WATCHED = (
    "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr)); "
    "from tokpress.cli import main; main()"
)


def run(bench: Bench) -> Outcome:
    if SOURCE not in bench.files:
        return [], [f"{SOURCE} is not in the data folder."]
    part(bench.files[SOURCE], 4096, bench.scratch / "small")
    found = bench.once("4 KB of text", lambda: _measured(bench.scratch))
    figures = []
    for action, asked in (("compress", COMPRESS), ("decompress", DECOMPRESS), ("help", HELP)):
        seconds = found["seconds"][action]
        best, middle = min(seconds), statistics.median(seconds)
        title = "`tokpress --help`" if action == "help" else f"4 KB of text: {action}, whole process"
        figures.append(
            Figure(f"{title}, best of {RUNS}", f"≤ {asked:g} s", f"{best:.2f} s (median {middle:.2f})", best <= asked)
        )
    figures += [
        Figure("4 KB of text: torch is imported", "no", "yes" if found["torch"] else "no", not found["torch"]),
        Figure(
            "4 KB of text: bytes of header and frame", f"≤ {OVERHEAD}", str(found["overhead"]),
            found["overhead"] <= OVERHEAD,
        ),
    ]  # fmt: skip
    return figures, [f"The first 4,096 bytes of {SOURCE} became {found['file_bytes']:,} bytes, {found['kinds']}."]


def _measured(folder: Path) -> dict:
    compress = ["compress", "-q", "-f", "-o", "small.tokp", "small"]
    decompress = ["decompress", "-q", "-f", "-o", "small.back", "small.tokp"]
    seconds = {
        name: [timed([*TOKPRESS, *words], folder)[0] for _ in range(RUNS)]
        for name, words in (("compress", compress), ("decompress", decompress), ("help", ["--help"]))
    }
    if (folder / "small").read_bytes() != (folder / "small.back").read_bytes():
        raise RuntimeError("4 KB of text came back as other bytes")
    torch = False
    for words in (compress, decompress):
        *_, told = timed(["sh", "-c", 'exec "$@" 2>&1', "sh", sys.executable, "-c", WATCHED, *words], folder)
        torch |= told.split()[-1] == b"True"
    facts = json.loads(timed([*TOKPRESS, "info", "--json", "small.tokp"], folder)[2])[0]
    return {
        "seconds": seconds,
        "torch": torch,
        "overhead": facts["file_bytes"] - facts["payload_bytes"],
        "file_bytes": facts["file_bytes"],
        "kinds": ", ".join(frame.get("model") or frame["kind"] for frame in facts["frames"]),
    }
