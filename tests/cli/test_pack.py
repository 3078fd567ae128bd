"""pack holds what tar would, or says by name what it leaves out, and exits with 1."""

import contextlib
import os
import socket
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest

from tests.codec.archive.common import picture

from .conftest import command, leftovers
from .test_places import NOBODY, nobody, root  # noqa: F401


def tree(folder) -> dict[str, tuple]:
    """What tar keeps of everything below a folder."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        status, name = os.lstat(path), str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.is_dir():
            found[name] = ("folder", status.st_mode & 0o777, int(status.st_mtime))
        elif path.is_file():
            found[name] = ("file", status.st_mode & 0o777, int(status.st_mtime), status.st_nlink, path.read_bytes())
    return found


def planted(place: Path) -> None:
    """A folder of everything that tar keeps."""
    (place / "real").mkdir()
    (place / "real/f").write_bytes(b"data")
    folder = place / "in"
    for name in ("empty", "sub/deep/er", "shut"):
        (folder / name).mkdir(parents=True)
    (folder / "own").write_bytes(b"own")
    os.link(folder / "own", folder / "sub/other name")
    (folder / "linked").symlink_to("../real")
    (folder / "sub/gone").symlink_to("nothing at all")
    (folder / "sub/deep/er/p.ppm").write_bytes(picture(1))
    (folder / "nothing").write_bytes(b"")
    (folder / "shut/x").write_bytes(b"x")
    for name, mode, time in (
        ("own", 0o600, 1), ("nothing", 0o444, 10**9), ("sub/deep/er/p.ppm", 0o755, 2**31 + 5), ("shut/x", 0o400, 5),
        ("shut", 0o500, 6), ("sub/deep", 0o711, -1), ("empty", 0o700, 7),
    ):  # fmt: skip
        os.utime(folder / name, (time, time))
        os.chmod(folder / name, mode)


def test_all_that_tar_keeps(process, place):
    """Linked and empty folders were left out without a word; 600 became 644, scripts lost their x."""
    planted(place)
    process("pack", "-q", "in", "-o", "all.tokp")
    process("unpack", "-q", "all.tokp", "-o", "out")
    assert tree("out") == {"in": ("folder", 0o755, int(os.stat("in").st_mtime))} | {
        f"in/{name}": kept for name, kept in tree("in").items()
    }
    assert os.path.samefile("out/in/own", "out/in/sub/other name")
    with tarfile.open("all.tar", "w") as held:
        held.add("in")
    listed = process("unpack", "-l", "all.tokp").stdout.decode().splitlines()
    with tarfile.open("all.tar") as held:
        assert len(held.getnames()) == len(listed)
    assert sum(line.endswith("in/linked -> ../real") for line in listed) == 1


@root
def test_an_ordinary_user_unpacks_all(run, place, nobody):  # noqa: F811
    """Folders that may not be written to among them."""
    planted(place)
    run("pack", "-q", "in", "-o", "all.tokp")
    os.chmod("all.tokp", 0o644)
    Path("mine").mkdir()
    os.chown("mine", NOBODY, NOBODY)
    run("unpack", "-q", "all.tokp", "-o", "other")  # imports what this user may not
    with nobody():
        run("unpack", "-q", "all.tokp", "-o", "mine")
    assert tree("mine/in") == tree("in")
    assert os.stat("mine/in/own").st_uid == NOBODY


def test_what_it_leaves_out_is_told(process, place):
    planted(place)
    os.mkfifo("in/pipe\x1b[31m")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("in/socket")
        said = process("pack", "in", "missing", "/dev/null", "-o", "all.tokp", code=1).stderr.decode()
    assert "in/pipe\\x1b[31m: is a named pipe, left out" in said and "in/socket: is a socket" in said
    assert "missing: No such file" in said and "/dev/null: is a device" in said
    assert "4 items could not be packed" in said and "5 files" in said
    process("unpack", "-q", "all.tokp", "-o", "out")
    assert tree("out/in") == tree("in")


@root
def test_what_may_not_be_read_is_told(run, place, nobody):  # noqa: F811
    planted(place)
    for name in ("in/shut", "in/own"):
        os.chmod(name, 0)
    os.chmod(place, 0o777)
    with nobody():
        said = run("pack", "in", "-o", "all.tokp", code=1).stderr
    assert "in/own: Permission denied" in said and "in/shut: Permission denied" in said
    assert "in/sub/other name: Permission denied" in said and "in/sub/deep: Permission denied" in said
    assert "in/nothing" in run("unpack", "-l", "all.tokp").stdout


def test_odd_names(process, place):
    """One of them refused everything."""
    names = [
        b"a\\b",
        b"c:d",
        b"\xff\xfe.txt",
        "\u00e9.txt".encode(),
        b"a\nb\x1b[31m",
        b"-",
        b"--rm",
        b" ",
        b"x" * 255,
        b"con",
    ]
    Path("in").mkdir()
    for name in names:
        Path("in", os.fsdecode(name)).write_bytes(name)
    process("pack", "-q", "in", "-o", "all.tokp")
    listed = process("unpack", "-l", "all.tokp").stdout
    assert listed.count(b"\n") == len(names) + 1 and b"\x1b" not in listed and b"in/a\\nb\\x1b[31m" in listed
    process("unpack", "-q", "all.tokp", "-o", "out")
    assert sorted(os.listdir(b"out/in")) == sorted(names)
    assert all(Path("out/in", os.fsdecode(name)).read_bytes() == name for name in names)


def test_no_file_to_pack_is_replaced_by_the_archive(process, place):
    for name in ("x", "y"):
        Path(name).write_bytes(name.encode())
    os.link("x", "z")
    for output in ("x", "./x", "z"):
        assert b"this command reads it too" in process("pack", "-f", "-o", output, "x", "y", code=1).stderr
    assert [Path(name).read_bytes() for name in "xyz"] == [b"x", b"y", b"x"]
    Path("in").mkdir()
    Path("in/precious").write_bytes(b"precious")
    assert b"is one of the files to pack" in process("pack", "-f", "in", "-o", "in/precious", code=1).stderr
    assert Path("in/precious").read_bytes() == b"precious" and leftovers("in") == []


def test_the_archive_itself_is_left_out(run, place):
    """The former one was packed."""
    planted(place)
    for force in ((), ("-f",)):
        said = run("pack", *force, "in", "-o", "in/all.tokp").stderr
        assert said.count("in/all.tokp: the archive itself") == 1 and "5 files" in said
        assert "tokp" not in run("unpack", "-l", "in/all.tokp").stdout
    assert leftovers("in") == []
    os.link("in/all.tokp", "in/second")
    assert "the archive itself" in run("pack", "-f", ".", "-o", "in/all.tokp").stderr


@pytest.mark.parametrize("given", [("in", "in"), ("in", "./in/"), ("in", "other/in"), ("in/own", "real/own")])
def test_two_of_one_name(run, place, given):
    planted(place)
    Path("other/in").mkdir(parents=True)
    Path("real/own").write_bytes(b"")
    said = run("pack", *given, "-o", "all.tokp", code=1).stderr
    assert f"{given[0]} and {given[1]} would both be called" in said and said.count("\n") == 1
    assert not Path("all.tokp").exists()


def test_names_that_are_given(run, place):
    planted(place)
    for given, name in (("in/", "in/"), ("in/.", "in/"), ("in/sub/..", "in/"), (place / "in", "in/"), ("real/f", "f")):
        run("pack", "-q", "-f", given, "-o", "all.tokp")
        assert run("unpack", "-l", "all.tokp").stdout.splitlines()[0].split()[-1] == name
    assert "no name of its own" in run("pack", "/", "-o", "b.tokp", code=1).stderr
    assert "no file could be read" in run("pack", "missing", "-o", "b.tokp", code=1).stderr
    os.symlink("in", "way")
    run("pack", "-q", "-f", "way", "-o", "all.tokp")
    assert "way -> in" in run("unpack", "-l", "all.tokp").stdout
    assert not Path("b.tokp").exists() and leftovers(place) == []


@pytest.mark.parametrize(
    "umask, file, folder, expected",
    [(0o022, 0o644, 0o755, 0o644), (0o022, 0o600, 0o755, 0o600), (0o022, 0o640, 0o755, 0o640), (0o002, 0o664, 0o755, 0o664),
     (0o022, 0o644, 0o700, 0o600), (0o022, 0o644, 0o750, 0o640), (0o077, 0o644, 0o755, 0o600), (0o022, 0o604, 0o755, 0o604)],
)  # fmt: skip
def test_who_may_read_the_archive(place, umask, file, folder, expected):
    """An archive of a file of mode 600 was 644."""
    Path("in").mkdir()
    Path("in/a").write_bytes(b"a")
    Path("in/b").write_bytes(b"b")
    os.chmod("in/a", file)
    os.chmod("in", folder)
    subprocess.run(command("pack", "-q", "in", "-o", "all.tokp"), check=True, umask=umask)
    assert os.stat("all.tokp").st_mode & 0o777 == expected


@root
def test_a_group_of_another_kind_reads_nothing(process, place):
    Path("a").write_bytes(b"a")
    os.chmod("a", 0o640)
    os.chown("a", 0, 12345)
    process("pack", "-q", "a", "-o", "all.tokp")
    assert os.stat("all.tokp").st_mode & 0o777 == 0o600


def test_a_file_that_changes_meanwhile_is_told(run, place, monkeypatch):
    Path("a").write_bytes(b"a" * 100)
    real = os.fstat
    asked = []

    def fstat(number):
        status = real(number)
        if status.st_size == 100:
            asked.append(number)
            if len(asked) == 1:
                with open("a", "ab") as file:
                    file.write(b"more")
        return status

    with monkeypatch.context() as patched:
        patched.setattr("tokpress.cli.packing.os.fstat", fstat)
        said = run("pack", "a", "-o", "all.tokp", code=1).stderr
    assert "a: changed while it was read" in said and "1 item could not" in said, said
    run("unpack", "-q", "all.tokp", "-o", "out")
    assert Path("out/a").read_bytes() == b"a" * 100 + b"more"


def test_a_link_that_is_exchanged_for_a_file_is_not_followed(run, place, monkeypatch):
    """Between the look at it and the opening."""
    planted(place)
    real = os.open

    def opening(path, flags, *rest, **more):
        if path == b"x":
            os.unlink("in/shut/x")
            os.symlink("../../real/f", "in/shut/x")
        return real(path, flags, *rest, **more)

    with monkeypatch.context() as patched:
        patched.setattr("tokpress.cli.packing.os.open", opening)
        said = run("pack", "in", "-o", "all.tokp", code=1).stderr
    assert "in/shut/x: " in said and "shut/x" not in run("unpack", "-l", "all.tokp").stdout


def test_two_contents_of_one_name(run, place):
    Image = pytest.importorskip("PIL.Image")
    Path("in").mkdir()
    for name in ("a.png", "b.bmp", "b.png"):
        Image.frombytes("RGB", (10, 12), picture(1)[-360:]).save(f"in/{name}")
    Path("in/a.ppm").write_bytes(picture(2))
    said = run("pack", "--content", "in", "-o", "all.tokp").stderr
    assert "in/a.png: another file is called in/a.ppm already; packed as it is" in said and "4 files" in said
    run("unpack", "-q", "all.tokp", "-o", "out")
    assert Path("out/in/a.ppm").read_bytes() == picture(2)
    assert Path("out/in/a.png").read_bytes() == Path("in/a.png").read_bytes() and len(os.listdir("out/in")) == 4


def test_large_content_is_packed_as_it_is(run, place, monkeypatch):
    monkeypatch.setattr("tokpress.cli.packing.MAX_CONTENT", 100)
    Path("a.ppm").write_bytes(picture(2))
    assert "a.ppm: is larger than" in run("pack", "--content", "a.ppm", "-o", "all.tokp").stderr
    run("unpack", "-q", "all.tokp", "-o", "out")
    assert Path("out/a.ppm").read_bytes() == picture(2)


def test_folders_that_are_too_deep(run, place):
    Path("in").mkdir()
    with contextlib.chdir("in"):
        for i in range(25):
            Path("a").write_bytes(b"%d" % i)
            Path("d" * 200).mkdir()
            os.chdir("d" * 200)
    said = run("pack", "in", "-o", "all.tokp", code=1).stderr
    assert (
        said.count("d: the name is too long, left out with everything in it") == 1
        and "1 item could not" in said
        and "21 files" in said
    )
    run("unpack", "-q", "all.tokp", "-o", "out")


def test_no_room_for_a_large_file(run, place, monkeypatch):
    """It is left out; the others are packed."""
    Path("in").mkdir()
    with open("in/large", "wb") as file:
        file.truncate((16 << 20) + 1)  # more than is held in memory
    Path("in/small").write_bytes(b"small")

    def full(*rest, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tokpress.cli.packing.tempfile.TemporaryFile", full)
    assert "in/large: No space left" in run("pack", "in", "-o", "all.tokp", code=1).stderr
    assert "small" in run("unpack", "-l", "all.tokp").stdout


@pytest.mark.slow
def test_a_really_large_file(process, place):
    """It took 82 s, and ended in an impossible header of an undamaged file."""
    size = (65 << 20) + 3
    with open("large", "wb") as file:
        file.truncate(size)
        file.write(np.random.default_rng(1).bytes(3 << 20))
    process("pack", "-q", "large", "-o", "all.tokp")
    process("unpack", "-q", "all.tokp", "-o", "out")
    assert Path("out/large").stat().st_size == size
    assert subprocess.run(["cmp", "large", "out/large"]).returncode == 0
