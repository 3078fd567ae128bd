"""The command line in the tests' own process, on a small corpus in a folder of its own."""

from pathlib import Path

import numpy as np
from click.testing import CliRunner

from tokpress.cli.main import cli

WORDS = [b"alpha", b" beta", b" gamma,", b" delta", b"\n", b" 0x1f", b" \xc3\xa9t\xc3\xa9"]


def prose(words: int, seed: int) -> bytes:
    return b"".join(WORDS[i] for i in np.random.default_rng(seed).integers(0, len(WORDS), words) ** 2 % len(WORDS))


def run(*args, code: int = 0):
    result = CliRunner().invoke(cli, list(map(str, args)), prog_name="tokpress")
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def round_trip(model: str) -> int:
    """Bytes of new.txt compressed under the model."""
    run("compress", "-q", "-f", "-m", model, "new.txt")
    run("decompress", "-q", "-m", model, "new.txt.tokp", "-o", "back", "-f")
    assert Path("back").read_bytes() == Path("new.txt").read_bytes()
    return Path("new.txt.tokp").stat().st_size


def usable(model: str) -> None:
    """The other commands take the model too."""
    assert "new.txt" in run("score", "-m", model, "new.txt").output
    assert run("sample", "-m", model, "--seed", 1).stdout_bytes
