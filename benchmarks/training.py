"""The command line as benchmarks call it: runs that can be cut off and resumed."""

import subprocess
import sys
import time
from pathlib import Path

COMMAND = [sys.executable, "-m", "tokpress.cli"]


def tokpress(*words: object) -> float:
    """Run the command line; seconds."""
    begun = time.monotonic()
    subprocess.run([*COMMAND, *map(str, words)], check=True)
    return time.monotonic() - begun


def trained(words: list[str], folder: Path, minutes_left: float) -> bool:
    """Whether `tokpress train …` has made DIR, now or before. SIGTERM makes it save a checkpoint, which the next call
    resumes."""
    if (folder / "config.json").is_file():
        return True
    # what was killed before it began is begun anew
    resumed = ["--resume"] if (folder / ".checkpoint" / "run.json").is_file() else ["-f"]
    process = subprocess.Popen([*COMMAND, *words, *resumed])
    try:
        return process.wait(timeout=60 * minutes_left if minutes_left < 1e6 else None) == 0
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
        return False
