"""Who gets an output: owner, mode and times are set on the file that was written, whatever its name has come to mean."""

import errno
import os
import stat

import pytest

from tokpress.cli import output
from tokpress.codec import stream

from .conftest import leftovers, letters, plugin

DATA = letters(3000)
NOBODY = 65534
root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="must be root to give files away")


def status(name) -> tuple[int, int, int, int]:
    found = os.stat(name)
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode), found.st_mtime_ns


@pytest.fixture
def victim(place):
    """A file of ours, in a folder that nobody else may look into."""
    (place / "ours").mkdir(0o700)
    (place / "ours" / "victim").write_bytes(b"secret")
    os.chmod(place / "ours" / "victim", 0o600)
    return place / "ours" / "victim"


@pytest.fixture
def evil(place):
    """A folder of somebody else's, with a file that anybody may write to."""
    folder = place / "evil"
    folder.mkdir()
    (folder / "a").write_bytes(DATA)
    os.chmod(folder / "a", 0o666)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
        os.chown(folder / "a", NOBODY, NOBODY)
    return folder


def temporary(folder):
    (name,) = leftovers(folder)
    return folder / name


def link(at, victim):
    at.unlink()
    os.symlink(victim, at)


def hard_link(at, victim):
    at.unlink()
    os.link(victim, at)


def other_file(at, victim):
    at.unlink()
    at.write_bytes(b"other")


def nothing(at, victim):
    at.unlink()


def other_folder(at, victim):
    """Not its name in the folder: the folder's."""
    os.rename(at.parent, at.parent.parent / "moved")
    os.symlink(victim.parent, at.parent)


EXCHANGES = [link, hard_link, other_file, nothing]


def during(monkeypatch, function: str, what) -> None:
    real = getattr(stream, function)

    def doing(*args, **more):
        done = real(*args, **more)
        what()
        return done

    monkeypatch.setattr(stream, function, doing)


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("more", [(), ("-f",), ("--rm",), ("-f", "--rm")])
def test_a_temporary_name_that_is_exchanged(run, place, tiny, evil, victim, exchange, more, monkeypatch):
    before = status(victim)
    during(monkeypatch, "compress_stream", lambda: exchange(temporary(evil), victim))
    told = run("compress", *more, "-m", tiny, "evil/a", code=1).stderr
    assert "evil/a.tokp: another process replaced the file while it was written" in told
    assert status(victim) == before and victim.read_bytes() == b"secret"
    assert (evil / "a").read_bytes() == DATA and not os.path.lexists(evil / "a.tokp")


@pytest.mark.parametrize("words", ["compress", "decompress"])
def test_a_folder_that_is_exchanged(run, place, tiny, evil, victim, words, monkeypatch):
    """The output stays in the folder that it was begun in; an input is deleted only if it is the one that was read."""
    (victim.parent / "a").write_bytes(b"another a")
    if words == "decompress":
        run("compress", "--rm", "-m", tiny, "evil/a")
        (victim.parent / "a.tokp").write_bytes(b"another a.tokp")
    before = {path: status(path) for path in victim.parent.iterdir()}
    during(monkeypatch, f"{words}_stream", lambda: other_folder(temporary(evil), victim))
    name = "evil/a" if words == "compress" else "evil/a.tokp"
    assert "changed while it was read" in run(words, "--rm", "-m", tiny, name, code=1).stderr
    assert {path: status(path) for path in victim.parent.iterdir()} == before
    assert sorted(os.listdir("moved")) == ["a", "a.tokp"]


def test_a_process_whose_file_is_exchanged(process, place, tiny, evil, victim):
    before = status(victim)
    code = f"""
import glob, os
from tokpress.codec import stream
real = stream.compress_stream
def exchange(*args):
    done = real(*args)
    name, = glob.glob("evil/.tokp-*")
    os.unlink(name), os.symlink({str(victim)!r}, name)
    return done
stream.compress_stream = exchange
"""
    told = process("compress", "-m", tiny, *plugin(place, code), "evil/a", code=1).stderr
    assert b"another process replaced the file" in told and status(victim) == before
    assert not os.path.lexists(evil / "a.tokp")


def test_a_name_that_is_exchanged_as_it_is_published(place, evil, victim, monkeypatch):
    """Between the look and the renaming: what stands under the target's name is not taken for ours."""
    before, real = status(victim), os.replace

    def replace(name, target, **places):
        link(temporary(evil), victim)
        real(name, target, **places)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(output.OutputError, match="another process replaced"), output.create("evil/a", True) as file:
        file.write(b"text")
    assert status(victim) == before


@root
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o666, 0o400])
def test_nobody_may_read_before_the_owner_is_set(run, place, tiny, evil, mode, monkeypatch):
    """While it is written, and between the two steps."""
    os.chmod(evil / "a", mode)
    seen = []
    during(monkeypatch, "compress_stream", lambda: seen.append(status(temporary(evil))[:3]))
    for name in ("fchown", "fchmod", "utime"):
        real = getattr(os, name)

        def call(file, *args, real=real, name=name, **more):
            real(file, *args, **more)
            seen.append((name, *status(file)[:3]))

        monkeypatch.setattr(os, name, call)
    run("compress", "-m", tiny, "evil/a")
    assert seen[0] == (0, 0, 0o600) and seen[1:] == [
        ("fchown", NOBODY, 0, 0o600), ("fchown", NOBODY, NOBODY, 0o600),
        ("fchmod", NOBODY, NOBODY, mode), ("utime", NOBODY, NOBODY, mode),
    ]  # fmt: skip
    assert status(evil / "a.tokp") == status(evil / "a")


@root
def test_no_call_goes_by_a_path(run, place, tiny, evil, monkeypatch):
    def refuse(*args, **more):
        raise AssertionError("by a path")

    for name in ("chown", "chmod", "lchown"):
        monkeypatch.setattr(os, name, refuse)
    real = os.utime
    monkeypatch.setattr(os, "utime", lambda file, **more: real(file, **more) if isinstance(file, int) else refuse())
    run("compress", "--rm", "-m", tiny, "evil/a")
    run("decompress", "--rm", "-m", tiny, "evil/a.tokp")
    assert status(evil / "a")[:3] == (NOBODY, NOBODY, 0o666)


def test_a_file_system_without_owners_and_modes(run, place, tiny, monkeypatch):
    (place / "a").write_bytes(DATA)

    def refuse(*args, **more):
        raise OSError(errno.EPERM, "not here")

    for name in ("fchown", "fchmod"):
        monkeypatch.setattr(os, name, refuse)
    run("compress", "--rm", "-m", tiny, "a")
    assert os.listdir(place) == ["a.tokp"] and stat.S_IMODE(os.stat("a.tokp").st_mode) == 0o600


def test_a_folder_that_may_be_written_to_but_not_listed(run, place, tiny):
    folder = place / "blind"
    folder.mkdir()
    (folder / "a").write_bytes(DATA)
    os.chmod(folder, 0o300)
    try:
        run("compress", "-m", tiny, "blind/a")
        assert (folder / "a.tokp").exists()
    finally:
        os.chmod(folder, 0o700)


@pytest.mark.parametrize("name", ["a", "./a", "../x/a", "/full/a"])
def test_names_of_folders(run, place, tiny, name):
    (place / "x").mkdir()
    os.chdir("x")
    (place / "x" / "a").write_bytes(DATA)
    given = str(place / "x" / "a") if name == "/full/a" else name
    run("compress", "--rm", "-m", tiny, given)
    assert os.listdir(place / "x") == ["a.tokp"]
