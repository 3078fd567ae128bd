"""$TOKPRESS_MODELS with a broken folder in it: `models` names it, everything else goes on."""

import os
import shutil
import subprocess
import sys

import pytest

from .conftest import letters


@pytest.fixture
def models(place, tiny, monkeypatch):
    shutil.copytree(tiny, place / "m" / "tiny")
    for name, text in (("ajar", "{"), ("zero", "")):
        (place / "m" / name).mkdir()
        (place / "m" / name / "config.json").write_text(text)
    monkeypatch.setenv("TOKPRESS_MODELS", str(place / "m"))


def test_broken_models(process, models, place):
    listed = process("models", code=1)
    assert b"tokpress: model ajar: " in listed.stderr and b"tokpress: model zero: " in listed.stderr
    assert b"\ntiny " in listed.stdout and b"\ncontext-mixing " in listed.stdout
    (place / "a").write_bytes(letters(3000))
    process("compress", "-q", "-m", "tiny", "a")
    done = process("decompress", "-q", "-f", "a.tokp")
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1 and lines[0].startswith("tokpress: warning: ") and "ajar is not a valid model" in lines[0]
    assert (place / "a").read_bytes() == letters(3000)
    process("info", "a.tokp")


def test_a_folder_is_not_fetched(run, tiny, place):
    shutil.copytree(tiny, place / "user" / "tiny")
    (place / "user" / "empty").mkdir()
    for name in ("user/tiny", "./user/tiny", "user/empty", str(place / "user" / "empty"), "user"):
        said = run("models", "--fetch", name, code=1).stderr
        assert (
            said.startswith(f"tokpress: {name} is a folder here, which is not fetched: ") and "user/model@main" in said
        )


def test_nothing_needs_a_home(process, place):
    """A home that cannot be written to."""
    (place / "a").write_bytes(os.urandom(100) * 3)
    (place / "none").write_bytes(b"")
    where = str(place / "none" / "below")
    environment = os.environ | {"HOME": where, "XDG_CACHE_HOME": where}
    assert (
        process("compress", "-m", "context-mixing", "a", env=environment).stderr.splitlines()[-1].startswith(b"a: 300 ")
    )
    process("decompress", "-f", "a.tokp", env=environment)


def test_a_missing_core_is_told_of_once(process, place):
    """It takes long without; whoever asks for the twins knows."""
    (place / "a").write_bytes(b"to and fro")
    shutil.copy("a", "b")
    said = run_without_core("compress", "-f", "-m", "context-mixing", "a", "b").stderr
    assert said.count("the native core is not installed") == 1
    assert "core" not in run_without_core("compress", "-f", "-q", "-m", "context-mixing", "a", "b").stderr
    environment = os.environ | {"TOKPRESS_CORE": "twin"}
    assert b"core" not in process("compress", "-f", "-m", "context-mixing", "a", "b", env=environment).stderr
    process("decompress", "-f", "a.tokp", "b.tokp")


def run_without_core(*words):
    """The command line in a process that finds no library."""
    code = f"""
import sys
from pathlib import Path
from tokpress.native import library
library.path = lambda: Path("none")
from tokpress.cli import main
sys.argv = ["tokpress", *{words!r}]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def test_efforts(process, place):
    """--fast takes no trained model, --best any; neither goes with a model of one's own."""
    text = b"It was a bright cold day in April, and the clocks were striking thirteen. " + letters(40)
    (place / "a").write_bytes(text)
    stored = {}
    for effort in ("--fast", "--best"):
        stored[effort] = process("compress", "-f", effort, "a").stderr.decode()
        process("decompress", "-q", "-f", "a.tokp")
        assert (place / "a").read_bytes() == text
    assert "model text" not in stored["--fast"] and "model text" in stored["--best"]
    assert b"--best chooses among the shipped models" in process("compress", "--best", "-m", "text", "a", code=2).stderr
