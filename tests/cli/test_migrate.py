"""tokpress migrate: files are coded again in their places, verified, or kept."""

import os
from pathlib import Path

import pytest

import tokpress
from tokpress.codec import archive
from tokpress.codec.options import Options
from tokpress.models import store

from .conftest import leftovers, letters

DATA = letters(9000)


@pytest.fixture
def old(tiny):
    """A model that is no part of the release."""
    return store.load(tiny)


def test_a_file_of_another_model_becomes_one_of_ours(process, old, tiny):
    Path("a.tokp").write_bytes(packed := tokpress.compress(DATA, old))
    os.utime("a.tokp", (5, 5))
    os.chmod("a.tokp", 0o640)
    refused = process("migrate", "a.tokp", code=1)
    assert old.id.hex() in refused.stderr.decode() and Path("a.tokp").read_bytes() == packed
    assert b"verified" in process("migrate", "-m", tiny, "--fast", "a.tokp").stderr
    assert tokpress.decompress(Path("a.tokp").read_bytes()) == DATA
    status = os.stat("a.tokp")
    assert (status.st_mtime, status.st_mode & 0o777) == (5, 0o640)
    assert os.listdir() == ["a.tokp"]


def test_a_file_of_this_release_is_kept(run, tiny):
    Path("a.tokp").write_bytes(packed := tokpress.compress(DATA, "context-mixing"))
    assert "is kept" in run("migrate", "a.tokp").stderr and Path("a.tokp").read_bytes() == packed
    run("migrate", "-f", "--to", tiny, "--embed", "a.tokp")
    assert tokpress.decompress(Path("a.tokp").read_bytes()) == DATA, "it holds its model now"
    run("migrate", "--fast", "a.tokp")
    assert tokpress.decompress(Path("a.tokp").read_bytes()) == DATA
    assert len(Path("a.tokp").read_bytes()) <= len(packed) + 64


def test_joined_files_and_archives(run, old, tiny):
    with open("a.tokp", "wb") as file:
        archive.write([("b", DATA), ("c/d", DATA[:5000])], file, Options([old]), size=4000)
    joined = tokpress.compress(b"", old) + tokpress.compress(DATA, old) + tokpress.compress(DATA[:50], old)
    Path("two.tokp").write_bytes(joined)
    run("migrate", "-m", tiny, "--fast", "a.tokp", "two.tokp")
    with open("a.tokp", "rb") as file:
        opened = archive.Archive(file)
        assert opened.read("b") == DATA and opened.read("c/d") == DATA[:5000]
    assert tokpress.decompress(Path("two.tokp").read_bytes()) == DATA + DATA[:50]


def test_a_context_stays_one(run, old, tiny):
    Path("before").write_bytes(context := DATA[:500])
    Path("a.tokp").write_bytes(tokpress.compress(DATA, old, context=context))
    run("migrate", "-m", tiny, "--fast", "a.tokp", code=1)
    run("migrate", "-m", tiny, "--fast", "--context", "before", "a.tokp")
    assert tokpress.decompress(Path("a.tokp").read_bytes(), context=context) == DATA


def test_what_cannot_be_migrated_is_kept(run, old, tiny, place):
    damaged = bytearray(tokpress.compress(DATA, old))
    damaged[len(damaged) // 2] ^= 1
    Path("damaged.tokp").write_bytes(damaged)
    Path("text.tokp").write_bytes(b"no frames")
    told = run("migrate", "-m", tiny, "damaged.tokp", "text.tokp", "missing.tokp", code=1).stderr
    assert all(name in told for name in ("damaged", "text", "missing"))
    assert Path("damaged.tokp").read_bytes() == damaged and Path("text.tokp").read_bytes() == b"no frames"
    assert not leftovers(place)
    run("migrate", "--fast", "--best", "damaged.tokp", code=2)
    run("migrate", "-", code=2)


def test_an_approximation_is_not_taken_for_a_source(run, place):
    from PIL import Image

    Image.new("RGB", (64, 64), (200, 30, 90)).save("a.png")
    run("compress", "--lossy", "a.png")
    before = Path("a.ppm.tokp").read_bytes()
    assert "approximation" in run("migrate", "-f", "a.ppm.tokp", code=1).stderr
    assert Path("a.ppm.tokp").read_bytes() == before
