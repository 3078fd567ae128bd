"""A small file is coded without numpy: its import alone takes longer than all else."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.golden import inputs, make
from tests.limits import LAST_RESORT
from tokpress.native import library

pytestmark = pytest.mark.skipif(not library.is_here(), reason="the twins compute with numpy")

HEAVY = {
    "numpy",
    "torch",
    "tokenizers",
    "constriction",
    "safetensors",
    "threadpoolctl",
    "huggingface_hub",
    "fsspec",
}
CODE = """
import sys
from tokpress.cli import main
try:
    main()
finally:
    print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""
PROSE = (inputs.SOURCES / "prose.txt").read_bytes()
SOURCES = {
    "text": PROSE[:4096],
    "long text": (PROSE * 2)[:20_000],
    "code": Path(make.__file__).read_bytes()[:4096],
    "binary": inputs.binary()[:4096],
    "picture": inputs.picture(),
    "sound": inputs.sound(2, 2),
    "repetition": bytes(4096),
    "noise": inputs.sources()["bytes"][:4096],
    "nothing": b"",
}
#: sources that text models code; others are tried with, or coded by, `context-mixing`
BY_TEXT = ("text", "long text", "code", "nothing")


def imported(place: Path, *words: str) -> set[str]:
    """The top-level modules that a process has imported at its end."""
    command = [sys.executable, "-c", CODE, *words]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=LAST_RESORT)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("kind", SOURCES)
def test_no_command_imports_numpy(kind, tmp_path):
    (tmp_path / "a").write_bytes(SOURCES[kind])
    for words in (["compress", "a"], ["info", "a.tokp"], ["test", "a.tokp"], ["decompress", "-o", "b", "a.tokp"]):
        assert not HEAVY & imported(tmp_path, *words), words[0]
    assert (tmp_path / "b").read_bytes() == SOURCES[kind]
    said = subprocess.run(
        [sys.executable, "-m", "tokpress.cli", "info", "a.tokp"], cwd=tmp_path, capture_output=True, timeout=LAST_RESORT
    ).stdout
    assert (b"model text" in said) == (kind in BY_TEXT[:3])


def test_the_test_sees_numpy(tmp_path):
    (tmp_path / "a").write_bytes(b"again and again")
    assert "numpy" in imported(tmp_path, "score", "a")


def test_the_process_ends_at_once_and_leaves_nothing_undone(tmp_path):
    """What is registered for the end runs, what is printed arrives, and the exit code is the command's."""
    code = "import atexit, sys; from tokpress.cli import process; atexit.register(print, 'at the end'); process()"
    for words, status, said in ((["--version"], 0, "tokpress"), (["info", "nothing"], 1, ""), (["--no"], 2, "")):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True, timeout=LAST_RESORT
        )
        assert done.returncode == status and done.stdout.startswith(said) and done.stdout.endswith("at the end\n")


def test_a_thread_that_works_is_waited_for():
    code = (
        "import sys, threading; from tokpress.cli import process\n"
        "go = threading.Event()\n"
        "threading.Thread(target=lambda: (go.wait(), print('done'))).start()\n"
        "sys.modules['tokpress.cli'].main = go.set\n"
        "process()"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=LAST_RESORT).stdout == b"done\n"
