"""$TOKPRESS_MODELS with a broken folder in it: `models` names it, everything else goes on."""

import os
import shutil

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
    assert b"\ntiny " in listed.stdout and b"\nadaptive " in listed.stdout
    (place / "a").write_bytes(letters(3000))
    process("compress", "-q", "-m", "tiny", "a")
    done = process("decompress", "-q", "-f", "a.tokp")
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1 and lines[0].startswith("tokpress: warning: ") and "ajar is no sound model" in lines[0]
    assert (place / "a").read_bytes() == letters(3000)
    process("info", "a.tokp")


def test_no_place_for_compiled_code(process, place):
    """An installation and a home that cannot be written to: slower, but no error."""
    (place / "a").write_bytes(os.urandom(100) * 3)
    (place / "none").write_bytes(b"")
    where = str(place / "none" / "below")
    environment = os.environ | {"NUMBA_CACHE_DIR": where, "HOME": where, "XDG_CACHE_HOME": where}
    assert process("compress", "-m", "adaptive", "a", env=environment).stderr.startswith(b"a: 300 ")
    process("decompress", "-f", "a.tokp", env=environment)
