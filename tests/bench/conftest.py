"""A text that every codec shrinks, and a zpaq that lies."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def text(tmp_path) -> Path:
    """Real English: this repository's licence."""
    path = tmp_path / "text"
    path.write_bytes((ROOT / "LICENSE").read_bytes())
    return path


@pytest.fixture
def false_zpaq(tmp_path, monkeypatch):
    """Put a program on PATH that acts as zpaq, but restores one byte more than there was; `code` is its exit code."""

    def make(code: int = 0) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        script = folder / "zpaq"
        script.write_text(
            f"""#!/bin/sh
[ {code} -ne 0 ] && {{ echo "the disk is on fire" >&2; exit {code}; }}
case "$1" in
  add) cp "$3" "$2" ;;
  extract) cp "$2" "$5"; printf x >> "$5" ;;
  *) echo "zpaq v0.00" ;;
esac
"""
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return make
