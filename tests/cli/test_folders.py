"""-r takes the files in folders; -1 to -19 are efforts."""

import os

import pytest

from .conftest import letters


@pytest.fixture
def folder(place):
    for name in ("f/a", "f/deep/b", "f/deep/c"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(letters(300))
    (place / "f/link").symlink_to("a")
    (place / "f/out").symlink_to("..")
    return place / "f"


def below(folder) -> set[str]:
    return {os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names}


def test_there_and_back(run, folder, tiny):
    before = below(folder)
    run("compress", "-r", "-m", tiny, "f")
    made = {"a.tokp", "deep/b.tokp", "deep/c.tokp"}
    assert below(folder) == before | made
    run("compress", "-r", "-f", "-m", tiny, "f")  # files that are compressed already are left out
    assert below(folder) == before | made
    assert run("test", "-r", "-m", tiny, "f").stdout.count(": OK") == 3
    for name in ("a", "deep/b", "deep/c"):
        (folder / name).unlink()
    run("decompress", "-r", "-m", tiny, "f")
    assert below(folder) == before | made and (folder / "deep/c").read_bytes() == letters(300)


def test_files_beside_folders_and_errors(run, folder, place, tiny):
    (place / "x").write_bytes(b"x")
    run("compress", "-r", "-m", tiny, "x", "f/deep")
    assert {"deep/b.tokp", "deep/c.tokp"} <= below(folder) and (place / "x.tokp").exists()
    assert "is a directory" in run("compress", "-m", tiny, "f", code=1).stderr
    assert "missing" in run("compress", "-r", "-m", tiny, "missing", code=1).stderr
    (place / "empty").mkdir()
    assert "no files to compress in empty" in run("compress", "-r", "empty").stderr
    assert "exclude each other" in run("compress", "-r", "-c", "-o", "y", "f", code=2).stderr


def test_a_value_is_not_taken_for_a_level(run, place):
    (place / "a").write_bytes(letters(500))
    run("compress", "-fo", "-9", "a")
    assert (place / "-9").is_file()
    assert "-1" in run("compress", "-T", "-1", "-c", "a", code=2).stderr


def test_levels_are_efforts(run, place):
    (place / "a").write_bytes(letters(2000))
    for level, same in (("-1", "--fast"), ("-3", "--fast"), ("--level=9", "-k"), ("-15", "-k")):
        run("compress", "-f", level, "a", "-o", "one")
        run("compress", "-f", same, "a", "-o", "two")
        assert (place / "one").read_bytes() == (place / "two").read_bytes()
    assert "exclude each other" in run("compress", "-1", "--best", "a", code=2).stderr
    assert "1 to 19" in run("compress", "-20", "a", code=2).stderr
    (place / "-5").write_bytes(b"five")
    run("compress", "-f", "-o", "three", "--", "-5")
    assert (place / "three").exists()
