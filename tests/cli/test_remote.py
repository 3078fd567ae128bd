"""Names of other file systems, through fsspec: memory://, and HTTP from a local server."""

import os
import subprocess
import sys

import pytest

import tokpress
from tests.cli.conftest import letters
from tests.http_server import serving
from tests.limits import LAST_RESORT

fsspec = pytest.importorskip("fsspec")
DATA = letters(3000)


@pytest.fixture
def memory():
    """The files of memory://, which are those of this process."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pipe("/notes/a.txt", DATA)
    yield system
    system.store.clear()


def names(system) -> list[str]:
    return sorted(system.find("/"))


def test_compress_and_decompress_beside_the_input(run, memory):
    said = run("compress", "memory://notes/a.txt").stderr
    assert "memory://notes/a.txt: 3,000 →" in said and names(memory) == ["/notes/a.txt", "/notes/a.txt.tokp"]
    assert tokpress.decompress(memory.cat("/notes/a.txt.tokp")) == DATA
    memory.rm("/notes/a.txt")
    run("decompress", "memory://notes/a.txt.tokp")
    assert memory.cat("/notes/a.txt") == DATA
    for word in ("test", "info"):
        assert "memory://notes/a.txt.tokp" in run(word, "memory://notes/a.txt.tokp").output


def test_between_here_and_there(run, memory, place):
    (place / "b.txt").write_bytes(DATA)
    run("compress", "b.txt", "-o", "memory://far/b.tokp")
    run("decompress", "memory://far/b.tokp", "-o", "c.txt")
    assert (place / "c.txt").read_bytes() == DATA
    assert run("decompress", "-c", "memory://far/b.tokp").stdout_bytes == DATA
    run("compress", "memory://notes/a.txt", "b.txt")
    assert tokpress.decompress((place / "b.txt.tokp").read_bytes()) == DATA
    assert tokpress.decompress(memory.cat("/notes/a.txt.tokp")) == DATA


def test_a_file_is_overwritten_with_force_only(run, memory):
    memory.pipe("/notes/a.txt.tokp", b"precious")
    said = run("compress", "memory://notes/a.txt", code=1).stderr
    assert "memory://notes/a.txt.tokp: exists already" in said and memory.cat("/notes/a.txt.tokp") == b"precious"
    run("compress", "-f", "memory://notes/a.txt")
    assert tokpress.decompress(memory.cat("/notes/a.txt.tokp")) == DATA


def test_nothing_half_written_gets_the_name(run, memory):
    packed = tokpress.compress(letters(3000) * 2)
    memory.pipe("/notes/b.txt.tokp", packed[:-1])
    before = names(memory)
    assert "truncated" in run("decompress", "memory://notes/b.txt.tokp", code=1).stderr
    assert names(memory) == before


def test_an_output_is_never_its_input(run, memory):
    said = run("compress", "-f", "memory://notes/a.txt", "-o", "memory://notes/a.txt", code=1).stderr
    assert "is the input itself" in said and memory.cat("/notes/a.txt") == DATA


@pytest.mark.parametrize(
    "name, message",
    [
        ("memory://notes/none", "there is no such file"),
        ("nosuch://a", "Protocol not known: nosuch"),
        ("s3://bucket/a", "s3fs"),
    ],
)
def test_what_cannot_be_opened_is_named(run, memory, name, message):
    if name.startswith("s3"):
        try:
            import s3fs  # noqa: F401
        except ImportError:
            pass
        else:
            pytest.skip("s3fs is here")
    said = run("compress", name, code=1).stderr
    assert said.startswith(f"tokpress: {name}: ") and message in said and "unexpected" not in said


def test_without_fsspec(place):
    code = "import sys; sys.modules['fsspec'] = None; from tokpress.cli import main; main()"
    words = [sys.executable, "-c", code, "compress", "memory://a"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LAST_RESORT)
    assert done.returncode == 1
    assert done.stderr == "tokpress: memory://a: this needs fsspec: pip install 'tokpress[fsspec]'\n"


def test_inputs_of_other_systems_are_not_deleted(run, memory, place):
    (place / "b.txt").write_bytes(DATA)
    assert "is a remote file" in run("compress", "--rm", "memory://notes/a.txt", code=2).stderr
    assert "is a remote file" in run("compress", "--rm", "b.txt", "-o", "memory://b", code=2).stderr


def test_http(run, process, place):
    """HTTP has no files to write."""
    pytest.importorskip("aiohttp")
    (place / "a.txt").write_bytes(DATA)
    (place / "b.txt.tokp").write_bytes(tokpress.compress(DATA))
    with serving(place) as address:
        run("compress", f"{address}/a.txt", "-o", "a.tokp")
        assert tokpress.decompress((place / "a.tokp").read_bytes()) == DATA
        assert process("decompress", "-c", f"{address}/b.txt.tokp").stdout == DATA
        assert "HTTP has no files to write" in run("decompress", f"{address}/b.txt.tokp", code=1).stderr
        assert "there is no such file" in run("test", f"{address}/none.tokp", code=1).stderr
    assert f"{address}/b.txt.tokp: cannot be reached: " in run("test", f"{address}/b.txt.tokp", code=1).stderr


def test_archives(run, memory, place):
    (place / "notes").mkdir()
    (place / "notes" / "a.txt").write_bytes(DATA)
    run("pack", "notes", "-o", "memory://notes.tokp")
    assert "exists already" in run("pack", "notes", "-o", "memory://notes.tokp", code=1).stderr
    run("unpack", "memory://notes.tokp", "-o", "restored")
    assert (place / "restored" / "notes" / "a.txt").read_bytes() == DATA


def test_a_file_with_such_a_name_is_still_a_file(run, place):
    os.mkdir("a:")
    (place / "a:" / "b").write_bytes(DATA)
    run("compress", "./a://b")
    assert tokpress.decompress((place / "a:" / "b.tokp").read_bytes()) == DATA
