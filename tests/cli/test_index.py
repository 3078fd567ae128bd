"""tokpress index and compress --index: the side file with the headers of a .tokp file."""

import os

import pytest

import tokpress
from tests.cli.conftest import leftovers, letters

DATA = letters(9000)


@pytest.fixture
def packed(run, place, tiny):
    (place / "a.txt").write_bytes(DATA)
    run("compress", "-m", tiny, "--frame-size", "1K", "--index", "a.txt")
    return place


def part(tiny, start: int, count: int) -> bytes:
    with tokpress.open("a.txt.tokp", model=tiny, index="a.txt.tokp.idx") as file:
        file.seek(start)
        return file.read(count)


def test_an_index_leads_to_a_part(run, packed, tiny):
    assert part(tiny, 5000, 20) == DATA[5000:5020]
    written = (packed / "a.txt.tokp.idx").read_bytes()
    assert "exists already" in run("index", "a.txt.tokp", code=1).stderr
    assert "a.txt.tokp: 9 frames, index of" in run("index", "-f", "a.txt.tokp").stderr
    assert (packed / "a.txt.tokp.idx").read_bytes() == written == run("index", "-c", "a.txt.tokp").stdout_bytes
    assert leftovers(packed) == []


def test_a_file_with_an_index_has_frames_though_lzma_packs_it_smaller_as_a_whole(run, place, tiny):
    (place / "a.txt").write_bytes(DATA + DATA)
    run("compress", "--fast", "--frame-size", "9K", "a.txt", "-o", "whole.tokp")
    run("compress", "--fast", "--frame-size", "9K", "--index", "a.txt")
    assert "whole.tokp: 1 frame, index of" in run("index", "whole.tokp").stderr
    assert "a.txt.tokp: 2 frames, index of" in run("index", "-f", "a.txt.tokp").stderr


def test_an_index_is_as_private_as_its_file(run, place, tiny):
    (place / "a.txt").write_bytes(DATA)
    os.chmod("a.txt", 0o600)
    run("compress", "-m", tiny, "--index", "a.txt")
    assert os.stat("a.txt.tokp.idx").st_mode & 0o777 == 0o600
    run("index", "-f", "a.txt.tokp")
    assert os.stat("a.txt.tokp.idx").st_mode & 0o777 == 0o600


def test_an_index_of_another_version_is_refused(run, packed, tiny):
    (packed / "a.txt").write_bytes(DATA[::-1])
    run("compress", "-f", "-m", tiny, "--frame-size", "1K", "a.txt")
    with pytest.raises(tokpress.FormatError, match="tokpress index"):
        part(tiny, 5000, 20)
    run("index", "-f", "a.txt.tokp")
    assert part(tiny, 5000, 20) == DATA[::-1][5000:5020]


def test_an_index_that_exists_is_kept(run, packed, tiny):
    os.unlink("a.txt.tokp")
    said = run("compress", "-m", tiny, "--index", "a.txt", code=1).stderr
    assert "a.txt.tokp.idx: exists already" in said and not (packed / "a.txt.tokp").exists()


def test_folders(run, packed, tiny):
    os.unlink("a.txt.tokp.idx")
    (packed / "b.txt").write_bytes(DATA)
    run("compress", "-m", tiny, "b.txt")
    run("index", "-r", ".")
    os.unlink("a.txt.tokp")
    os.unlink("b.txt.tokp")
    run("compress", "-m", tiny, "-r", ".")  # indexes are no sources
    names = ["a.txt", "a.txt.tokp", "a.txt.tokp.idx", "b.txt", "b.txt.tokp", "b.txt.tokp.idx"]
    assert sorted(os.listdir()) == names


def test_what_a_killed_process_left_is_no_source(run, packed, tiny):
    os.mkdir("d")
    (packed / "d" / ".tokp-0123").write_bytes(b"half")
    assert "no files to compress" in run("compress", "-m", tiny, "-r", "d").stderr


def test_on_another_file_system(run, packed, tiny):
    fsspec = pytest.importorskip("fsspec")
    run("compress", "-f", "-m", tiny, "--frame-size", "1K", "--index", "a.txt", "-o", "memory://index/a.tokp")
    with (
        fsspec.open("memory://index/a.tokp") as file,
        fsspec.open("memory://index/a.tokp.idx") as index,
        tokpress.open(file, model=tiny, index=index) as source,
    ):
        source.seek(7000)
        assert source.read(10) == DATA[7000:7010]
    run("index", "-f", "memory://index/a.tokp")


@pytest.mark.parametrize("words", [("--index", "-c", "a.txt"), ("--index",)])
def test_an_index_needs_a_name(run, packed, words):
    assert "--index needs an output with a name" in run("compress", *words, input=b"a", code=2).stderr


def test_a_file_that_is_not_complete_gets_no_index(run, packed):
    data = (packed / "a.txt.tokp").read_bytes()
    (packed / "b.tokp").write_bytes(data[:-1])
    (packed / "c.tokp").write_bytes(DATA)
    said = run("index", "b.tokp", "c.tokp", code=1).stderr
    assert "b.tokp: frame 9 " in said and "c.tokp: frame 1 (at byte 0): not a .tokp file" in said
    assert not (packed / "b.tokp.idx").exists() and leftovers(packed) == []
