"""unpack writes all it can, tells what it cannot, and writes nothing outside its folder, nor through a link."""

import contextlib
import errno
import os
import signal
from pathlib import Path

import pytest

from tests.codec.archive.common import packed, picture
from tokpress import compress
from tokpress.cli import signals
from tokpress.cli.tree import Tree
from tokpress.cli.unpacking import Unpacking
from tokpress.codec import archive
from tokpress.codec.archive import Item, ItemKind

from .conftest import leftovers, letters

SYMLINK, HARDLINK, FOLDER = ItemKind.SYMLINK, ItemKind.HARDLINK, ItemKind.FOLDER


def held(*items) -> None:
    Path("all.tokp").write_bytes(packed(items))


def test_all_or_some(run, place):
    held(("in/a/x", b"1"), ("in/a/y", b"2"), ("in/b/x", b"3"), ("one", b"4"))
    run("unpack", "-q", "all.tokp", "in/a/", "one", "-o", "some")
    assert sorted(str(p) for p in Path("some").rglob("*") if p.is_file()) == ["some/in/a/x", "some/in/a/y", "some/one"]
    assert "holds no other" in run("unpack", "all.tokp", "other", code=1).stderr
    assert "holds no in/a/z" in run("unpack", "all.tokp", "in/a/z", "-o", "none", code=1).stderr
    assert not Path("none").exists()
    assert "one: is not a folder" in run("unpack", "all.tokp", "-o", "some/one", code=1).stderr
    listed = run("unpack", "-l", "all.tokp", "in/a").stdout
    assert [line.split()[1] for line in listed.splitlines()] == ["in/a/x", "in/a/y"]


def test_one_failure_is_not_that_of_all(process, place):
    """A name in the way, or one that is too long, was the end of it."""
    held(
        ("a", b"1"),
        ("b", b"2"),
        ("c/x", b"3"),
        ("d" * 300, b"4"),
        ("e/" + "f" * 300 + "/g", b"5"),
        ("h", b"6"),
        ("i", b"7"),
    )
    Path("a").mkdir()
    Path("c").write_bytes(b"in the way")
    Path("b").write_bytes(b"kept")
    Path("h").symlink_to("nowhere")
    for force in ((), ("-f",)):
        said = process("unpack", *force, "all.tokp", code=1).stderr.decode()
        assert Path("i").read_bytes() == b"7" and Path("c").read_bytes() == b"in the way" and Path("a").is_dir()
        assert "c/x: a file or a link stands in the place of a folder" in said and said.count("File name too long") == 2
        assert "./a: " in said and "4 items could not" in said if force else "6 items could not" in said
        assert not Path("nowhere").exists() and leftovers(".") == leftovers("e") == []
        if not force:
            assert said.count("exists already") == 3 and Path("b").read_bytes() == b"kept" and Path("h").is_symlink()
            Path("i").unlink()
    assert Path("b").read_bytes() == b"2" and Path("h").read_bytes() == b"6" and not Path("h").is_symlink()


def test_damage_is_told_and_the_rest_written(process, place):
    held(*[(f"in/{i}", picture(i)) for i in range(5)], ("one.txt", b"one"))
    whole = bytearray(Path("all.tokp").read_bytes())
    whole[-50] ^= 1  # in the group of the pictures, before the last one
    Path("hurt.tokp").write_bytes(whole)
    said = process("unpack", "hurt.tokp", "-o", "rest", code=1).stderr.decode()
    assert "hurt.tokp: 5 files, from in/0 to in/4, are lost: " in said
    assert "5 damaged files not written" in said and "keep going" not in said
    assert sorted(p.name for p in Path("rest").rglob("*") if p.is_file()) == ["one.txt"] and leftovers("rest/in") == []
    whole[-50] ^= 1
    Path("cut.tokp").write_bytes(whole[:-5])
    said = process("unpack", "cut.tokp", "-o", "cut", code=1).stderr.decode()
    assert "truncated" in said and Path("cut/in/4").read_bytes() == picture(4) and leftovers("cut") == []
    assert b"truncated" in process("unpack", "-l", "cut.tokp", code=1).stderr


def test_joined_archives(run, place):
    """All but the first were silently left out."""
    one, two = packed({"a": b"1", "in/x": b"2"}), packed({"b": b"3", "in/y": b"4"})
    Path("all.tokp").write_bytes(one + two)
    run("unpack", "-q", "all.tokp", "-o", "out")
    assert {str(p.relative_to("out")): p.read_bytes() for p in Path("out").rglob("*") if p.is_file()} == {
        "a": b"1", "in/x": b"2", "b": b"3", "in/y": b"4",
    }  # fmt: skip
    Path("all.tokp").write_bytes(one + packed({"in/x": b"5"}))
    assert "two items called in/x" in run("unpack", "all.tokp", "-o", "twice", code=1).stderr
    assert not Path("twice").exists()
    for more in (b"\0", compress(b"something else")):
        Path("all.tokp").write_bytes(one + more)
        said = run("unpack", "all.tokp", "-o", f"more {len(more)}", code=1).stderr
        assert "all later files are lost" in said and Path(f"more {len(more)}/in/x").read_bytes() == b"2"


def test_bits_that_only_some_may_set_are_dropped(process, place):
    held(Item("a", b"1", mode=0o6755), Item("b", kind=FOLDER, mode=0o1777), Item("b/c", b"2", mode=0o666))
    process("unpack", "-q", "all.tokp", umask=0o027)
    assert [os.stat(name).st_mode & 0o7777 for name in ("a", "b", "b/c")] == [0o750, 0o750, 0o640]


OWNED = (Item("a", b"1", uid=12345, gid=54321), Item("b", kind=FOLDER, uid=12345), Item("b/c", b"2", gid=54321))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may give files away")
def test_owners_come_back_for_root(process, place):
    held(*OWNED)
    process("unpack", "-q", "all.tokp", "-o", "same")
    assert [(s.st_uid, s.st_gid) for s in map(os.stat, ("same/a", "same/b", "same/b/c"))] == [
        (12345, 54321), (12345, 0), (0, 54321)
    ]  # fmt: skip
    process("unpack", "-q", "--no-same-owner", "all.tokp", "-o", "mine")
    assert [(s.st_uid, s.st_gid) for s in map(os.stat, ("mine/a", "mine/b", "mine/b/c"))] == [(0, 0)] * 3
    process("pack", "-q", "same", "-o", "again.tokp")
    with open("again.tokp", "rb") as file:
        again = archive.Archive(file)
        assert [(again.entry(f"same/{name}").uid, again.entry(f"same/{name}").gid) for name in ("a", "b", "b/c")] == [
            (12345, 54321), (12345, 0), (0, 54321)
        ]  # fmt: skip


def test_owners_that_cannot_be_set(run, place, monkeypatch):
    """In a container whose root may give nothing away: all is written, and told."""

    def refused(*args):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    held(*OWNED)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", refused)
    said = run("unpack", "all.tokp", code=1).stderr
    assert said.count("its owner cannot be set (Operation not permitted): unpack with --no-same-owner") == 3
    assert Path("a").read_bytes() == b"1" and Path("b/c").read_bytes() == b"2"
    run("unpack", "--no-same-owner", "all.tokp", "-o", "other")


def test_links_are_never_written_through(process, place):
    """Those of the archive, and those that are there."""
    (place / "elsewhere").mkdir()
    (place / "victim").write_bytes(b"victim")
    held(
        Item("way", kind=SYMLINK, target="../elsewhere"), Item("file", kind=SYMLINK, target="../victim"),
        ("out/x", b"x"), ("y", b"y"), Item("z", kind=HARDLINK, target="y"),
    )  # fmt: skip
    (place / "into").mkdir()
    (place / "into/out").symlink_to("../elsewhere")
    for name in ("y", "z", "way", "file"):
        (place / "into" / name).symlink_to("../victim")
    said = process("unpack", "all.tokp", "-o", "into", code=1).stderr.decode()
    assert (
        said.count("exists already") == 3 and "into/out/x: a file or a link" in said and "into/z: the file that" in said
    )
    process("unpack", "-q", "-f", "all.tokp", "-o", "into", code=1)
    assert os.readlink("into/way") == "../elsewhere" and Path("into/y").read_bytes() == b"y"
    assert os.path.samefile("into/y", "into/z") and not Path("into/y").is_symlink() and not Path("into/z").is_symlink()
    assert os.listdir("elsewhere") == [] and Path("victim").read_bytes() == b"victim" and leftovers("into") == []
    assert process("unpack", "-q", "all.tokp", "y", "-o", "into", code=1).stderr.count(b"exists already") == 1


def test_hard_links_alone_are_files(run, place):
    held(("a", b"data"), Item("b", kind=HARDLINK, target="a"), Item("in/c", kind=HARDLINK, target="a"))
    run("unpack", "-q", "all.tokp", "in", "b", "-o", "out")
    assert (
        Path("out/b").read_bytes() == b"data" and os.path.samefile("out/b", "out/in/c") and not Path("out/a").exists()
    )


@pytest.fixture
def swapped(monkeypatch):
    """Once a folder is reached, another process exchanges it for a link."""

    def plant(folder: str, target: str):
        real = Tree.reach

        def reach(self, parts, make=False):
            number = real(self, parts, make)
            if parts and os.fsdecode(b"/".join(parts)) == folder and not os.path.islink(f"out/{folder}"):
                os.rename(f"out/{folder}", "moved away")
                os.symlink(target, f"out/{folder}")
            return number

        monkeypatch.setattr(Tree, "reach", reach)

    return plant


def test_a_folder_that_is_exchanged_for_a_link(run, place, swapped):
    (place / "victim").mkdir(mode=0o711)
    before = os.stat("victim")
    held(
        Item("in", kind=FOLDER, mode=0o777), ("in/a", b"a"), ("in/sub/b", b"b"), Item("in/c", kind=SYMLINK, target="x")
    )
    swapped("in", "../victim")
    said = run("unpack", "all.tokp", "-o", "out", code=1).stderr
    assert os.listdir("victim") == [] and os.stat("victim").st_mode == before.st_mode
    assert os.stat("victim").st_mtime_ns == before.st_mtime_ns and "out/in: was replaced" in said


@pytest.mark.parametrize("plant", ["link", "file"])
def test_a_temporary_file_that_is_exchanged(run, place, monkeypatch, plant):
    """Mode and time went to whatever a planted link led to."""
    (place / "victim").write_bytes(b"victim")
    os.chmod("victim", 0o600)
    os.utime("victim", (5, 5))
    held(Item("a", b"a", mode=0o777, mtime=77))
    real = Unpacking._publish

    def publish(self, folder, temporary, name, number):
        path = os.path.join("out", os.fsdecode(temporary))
        os.unlink(path)
        os.symlink("../victim", path) if plant == "link" else os.link("victim", path)
        return real(self, folder, temporary, name, number)

    monkeypatch.setattr(Unpacking, "_publish", publish)
    assert "out/a: was replaced" in run("unpack", "all.tokp", "-o", "out", code=1).stderr
    assert not os.path.lexists("out/a")
    status = os.stat("victim")
    assert (status.st_mode & 0o777, status.st_mtime, Path("victim").read_bytes()) == (0o600, 5, b"victim")


def test_deep_folders_are_not_opened_anew_for_each_item(place, monkeypatch):
    """3 KB of archive took 37 s: items that alternate between two folders 1,990 deep."""
    opened, real = [], os.open
    monkeypatch.setattr(os, "open", lambda *args, **more: opened.append(1) or real(*args, **more))
    os.mkdir("root")
    way = (b"d",) * 500
    with Tree("root") as tree:
        for i in range(50):
            tree.reach((*way, b"%d" % (i % 2)), make=True)
        assert len(opened) < 2000
        before = len(opened)
        for i in range(50):
            tree.reach((*way, b"%d" % i), make=True)
        assert len(opened) - before < 50 * 80
        held = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert not held or held - len(os.listdir("/proc/self/fd")) <= 50


def test_the_archive_itself_is_not_replaced(process, place):
    held(("all.tokp", b"another"), ("b", b"2"))
    whole = Path("all.tokp").read_bytes()
    said = process("unpack", "-f", "all.tokp", code=1).stderr.decode()
    assert "all.tokp: this command reads it too" in said
    assert Path("all.tokp").read_bytes() == whole and Path("b").read_bytes() == b"2"


def test_no_hard_links_here(run, place, monkeypatch):
    """Some file systems have none: files are written, links are told."""
    held(("a", b"data"), Item("b", kind=HARDLINK, target="a"), ("c", b"c"))
    Path("c").write_bytes(b"kept")

    def refuse(*rest, **more):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    said = run("unpack", "all.tokp", code=1).stderr
    assert "./b: this place has no hard links" in said and Path("a").read_bytes() == b"data"
    assert Path("c").read_bytes() == b"kept" and leftovers(place) == []


def test_no_room(run, place, monkeypatch):
    """Nothing is tried after that."""
    held(*[(f"{i}", bytes([i]) * 99) for i in range(5)])
    real, made = os.fdopen, []

    def full(number, mode):
        made.append(number)
        if len(made) < 3:
            return real(number, mode)
        os.close(number)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tokpress.cli.unpacking.os.fdopen", full)
    said = run("unpack", "all.tokp", "-o", "out", code=1).stderr
    assert "out/2: No space left on device" in said and sorted(os.listdir("out")) == ["0", "1"] and len(made) == 3


def test_an_interrupted_one_leaves_nothing_half_done(run, place, monkeypatch):
    """Files are whole, and folders have the modes that they should."""
    held(Item("in", kind=FOLDER, mode=0o751), *[(f"in/{i}", bytes([i]) * 99) for i in range(5)])
    real, made = Unpacking._publish, []

    def publish(self, *rest):
        made.append(rest)
        if len(made) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, *rest)

    monkeypatch.setattr(Unpacking, "_publish", publish)
    previous = signal.signal(signal.SIGINT, signals.handle)
    monkeypatch.setattr(signals, "_received", 0)
    try:
        run("unpack", "-q", "all.tokp", "-o", "out", code=130)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert sorted(os.listdir("out/in")) == ["0", "1"] and os.stat("out/in").st_mode & 0o777 == 0o751


def test_times_that_no_system_has(run, place):
    held(Item("a", b"1", mtime=1 << 60), Item("b", b"2", mtime=-(1 << 60)), Item("c", kind=FOLDER, mtime=1 << 60))
    run("unpack", "all.tokp")
    assert Path("a").read_bytes() == b"1" and Path("b").read_bytes() == b"2"


def test_deep_folders(process, place):
    """Deeper than a name may be long for the system."""
    name = "d" * 200 + "/"
    held((name * 18 + "x" * 200, b"deep"), ("y", b""))
    process("unpack", "-q", "all.tokp", "-o", "a" * 200 + "/" + "b" * 200)
    with contextlib.chdir("a" * 200 + "/" + "b" * 200):
        for _ in range(18):
            os.chdir("d" * 200)
        assert Path("x" * 200).read_bytes() == b"deep"


def test_a_missing_model_is_told_for_each(process, place, tiny):
    from tokpress.codec.options import Options
    from tokpress.models.store import load

    items = [("a", letters(3000)), ("b", bytes(100))]
    with open("all.tokp", "wb") as out:
        archive.write(items, out, Options([load(tiny)]), 300)
    said = process("unpack", "all.tokp", "-o", "out", code=1).stderr.decode()
    assert "a is lost: " in said and "-m" in said and Path("out/b").read_bytes() == bytes(100)
    process("unpack", "-q", "-m", tiny, "all.tokp", "-o", "all")
    assert Path("all/a").read_bytes() == items[0][1]


def test_from_a_pipe(process, place):
    data = packed({"a": b"1"})
    process("unpack", "-q", "-", "-o", "out", input=data)
    assert Path("out/a").read_bytes() == b"1"
