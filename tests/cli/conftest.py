"""A tiny model on disk, sources that it codes better than lzma, and two ways to run the command."""

import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from tests.limits import LAST_RESORT
from tokpress.cli.main import cli
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.text.bytes import BytesTokenizer

LETTERS = b"abc\n"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    counts = np.bincount(np.frombuffer(LETTERS, np.uint8), minlength=256) * 1000
    Model(BytesTokenizer(), HistogramPrior(256, counts)).save(folder, card="# tiny\n")
    return str(folder)


@pytest.fixture(scope="session")
def other(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "other"
    Model(BytesTokenizer(), HistogramPrior(256, np.arange(256, dtype=np.int64))).save(folder)
    return str(folder)


def letters(count: int, seed: int = 0) -> bytes:
    """Random letters out of four: 2 bits each for the tiny model, more for lzma."""
    return np.random.default_rng(seed).choice(np.frombuffer(LETTERS, np.uint8), count).tobytes()


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(place):
    """The command in this process: run("info", "a.tokp"), with .exit_code, .output, .stdout, .stderr."""

    def call(*args, input=None, code=0):
        result = CliRunner().invoke(cli, [str(a) for a in args], input=input, prog_name="tokpress")
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return call


def command(*args):
    return [sys.executable, "-m", "tokpress.cli", *map(str, args)]


@pytest.fixture
def process(place):
    """The command as a process of its own."""

    def call(*args, input=None, code=0, **settings):
        done = subprocess.run(command(*args), input=input, capture_output=True, timeout=LAST_RESORT, **settings)
        assert done.returncode == code, done.stderr.decode()
        assert b"Traceback" not in done.stderr
        return done

    return call


def plugin(folder, code: str) -> tuple[str, str]:
    """Options that run `code` in the command's process before it begins: what a real one cannot be made to do."""
    (folder / "plugin.py").write_text(code)
    return "--import", str(folder / "plugin.py")


def leftovers(folder) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(".")]
