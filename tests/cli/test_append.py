"""pack --append and --update, and what unpack lists and chooses: as tar does, and never half of it."""

import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import leftovers, plugin
from .test_places import root


@pytest.fixture
def notes(place, run):
    """A folder, and an archive of it."""
    Path("notes/sub").mkdir(parents=True)
    for name, text in (("a.txt", "one"), ("sub/b.txt", "two"), ("c.md", "three")):
        Path("notes", name).write_text(text)
    os.symlink("a.txt", "notes/link")
    for name in ("notes/a.txt", "notes/sub/b.txt", "notes/c.md", "notes/sub", "notes/link", "notes"):
        os.utime(name, (10**9, 10**9), follow_symlinks=False)
    run("pack", "-q", "notes", "-o", "notes.tokp")
    return place


def names(run, *args) -> list[str]:
    listed = run("unpack", "-l", "notes.tokp", *args).stdout.splitlines()
    return sorted(line.split(None, 1)[1] for line in listed)


ALL = ["notes/", "notes/a.txt", "notes/c.md", "notes/link -> a.txt", "notes/sub/", "notes/sub/b.txt"]


def test_append(run, notes):
    os.chmod("notes.tokp", 0o640)
    Path("more.txt").write_text("four")
    assert "1 file added" in run("pack", "--append", "more.txt", "-o", "notes.tokp").stderr
    assert names(run) == ["more.txt", *ALL] and stat.S_IMODE(os.stat("notes.tokp").st_mode) == 0o640
    os.chmod("notes/a.txt", 0o600)
    Path("private").write_text("five")
    os.chmod("private", 0o600)
    run("pack", "-qa", "private", "-o", "notes.tokp")
    assert stat.S_IMODE(os.stat("notes.tokp").st_mode) == 0o600
    run("unpack", "-q", "notes.tokp", "-o", "out")
    assert [Path("out", name).read_text() for name in ("more.txt", "private", "notes/a.txt")] == ["four", "five", "one"]
    assert leftovers(notes) == []


def test_append_refuses_names_that_exist(run, notes):
    before = Path("notes.tokp").read_bytes()
    Path("notes/new").write_text("new")
    assert "holds notes/a.txt already" in run("pack", "-a", "notes", "-o", "notes.tokp", code=1).stderr
    assert Path("notes.tokp").read_bytes() == before and leftovers(notes) == []


def test_append_makes_an_archive(run, notes):
    run("pack", "-qa", "notes", "-o", "other.tokp")
    assert Path("other.tokp").read_bytes() == Path("notes.tokp").read_bytes()


def test_append_follows_a_link(run, notes):
    os.symlink("notes.tokp", "link.tokp")
    Path("more.txt").write_text("four")
    run("pack", "-qa", "more.txt", "-o", "link.tokp")
    assert "more.txt" in names(run) and os.path.islink("link.tokp")


def test_update(run, notes):
    """What tar's update would append: new files, and files that are newer than in the archive."""
    before = Path("notes.tokp").read_bytes()
    assert "unchanged" in run("pack", "-u", "notes", "-o", "notes.tokp").stderr
    Path("notes/a.txt").write_text("older")
    os.utime("notes/a.txt", (5, 5))
    os.utime("notes", (10**9, 10**9))
    run("pack", "-qu", "notes", "-o", "notes.tokp")
    assert Path("notes.tokp").read_bytes() == before
    Path("notes/a.txt").write_text("newer")
    Path("notes/new").write_text("new")
    os.chmod("notes", 0o700)
    for path in ("notes", "notes/link"):
        os.utime(path, (2 * 10**9, 2 * 10**9), follow_symlinks=False)
    run("pack", "-qu", "notes", "-o", "notes.tokp")
    assert Path("notes.tokp").read_bytes().startswith(before)
    assert names(run) == sorted([*ALL, "notes/new"]) and names(run, "notes/a.txt") == ["notes/a.txt"]
    run("test", "notes.tokp")
    run("unpack", "-q", "notes.tokp", "-o", "out")
    assert Path("out/notes/a.txt").read_text() == "newer" and Path("out/notes/sub/b.txt").read_text() == "two"
    assert stat.S_IMODE(os.stat("out/notes").st_mode) == 0o700 and os.lstat("out/notes/link").st_mtime == 2 * 10**9


def test_fractions_of_seconds(run, notes):
    """--nanoseconds keeps them, and an update then compares them."""
    time_ns = 10**18 + 5
    os.utime("notes/a.txt", ns=(time_ns, time_ns))
    assert "unchanged" in run("pack", "-u", "notes", "-o", "notes.tokp").stderr  # by whole seconds
    run("pack", "-q", "--nanoseconds", "notes", "-o", "exact.tokp")
    run("unpack", "-q", "exact.tokp", "-o", "out")
    assert os.stat("out/notes/a.txt").st_mtime_ns == time_ns
    os.utime("notes/a.txt", ns=(time_ns, time_ns + 1))
    assert "1 file added" in run("pack", "-u", "--nanoseconds", "notes", "-o", "exact.tokp").stderr


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_folder_that_became_a_file(run, notes, kind):
    if kind == "file":
        os.unlink("notes/a.txt")
        os.mkdir("notes/a.txt")
    else:
        os.unlink("notes/sub/b.txt")
        os.rmdir("notes/sub")
        Path("notes/sub").write_text("a file")
    before = Path("notes.tokp").read_bytes()
    assert "in the archive: pack it into another one" in run("pack", "-u", "notes", "-o", "notes.tokp", code=1).stderr
    assert Path("notes.tokp").read_bytes() == before


@pytest.mark.parametrize("ending", ["raise OSError(28, 'full')", "os._exit(9)", "os.kill(os.getpid(), 9)"])
def test_an_append_that_ends_early(process, notes, ending):
    """The archive is as it was, also after a process was killed in the middle of writing."""
    before = Path("notes.tokp").read_bytes()
    Path("more.txt").write_text("four")
    code = f"import os\nfrom tokpress.codec.archive.writer import Writer\ndef close(self):\n    self._flush()\n    {ending}\nWriter.close = close\n"
    expected = {"raise": 1, "os._e": 9, "os.ki": -9}[ending[:5]]
    process("pack", "-qa", *plugin(notes, code), "more.txt", "-o", "notes.tokp", code=expected)
    assert Path("notes.tokp").read_bytes() == before
    process("pack", "-qa", "more.txt", "-o", "notes.tokp")
    assert Path("notes.tokp").read_bytes().startswith(before)


def test_what_cannot_be_added_to(run, notes):
    Path("more.txt").write_text("four")
    whole = Path("notes.tokp").read_bytes()
    for data, message in (
        (b"text", "no .tokp file"),
        (whole[:-5], "truncated"),
        (whole + b"x", "no frame begins here"),
    ):
        Path("bad.tokp").write_bytes(data)
        said = run("pack", "-a", "more.txt", "-o", "bad.tokp", code=1).stderr
        assert "bad.tokp" in said and Path("bad.tokp").read_bytes() == data, message
    run("pack", "-a", "-u", "more.txt", "-o", "notes.tokp", code=2)
    run("pack", "-a", "more.txt", "-o", "/dev/stdout", code=2)


def test_content_is_updated_by_its_name_in_the_archive(run, place):
    from PIL import Image

    Image.new("RGB", (9, 9), (1, 2, 3)).save("a.png")
    run("pack", "-q", "--content", "a.png", "-o", "notes.tokp")
    assert "unchanged" in run("pack", "-u", "--content", "a.png", "-o", "notes.tokp").stderr
    os.utime("a.png", (time.time() + 5,) * 2)
    run("pack", "-qu", "--content", "a.png", "-o", "notes.tokp")
    assert names(run) == ["a.ppm"]


# --- listing and choosing


def test_patterns(run, notes):
    """As unzip and tar --wildcards: a star also matches slashes. A file of that very name comes first."""
    assert names(run, "*.txt") == ["notes/a.txt", "notes/sub/b.txt"]
    assert names(run, "notes/[ac].*") == ["notes/a.txt", "notes/c.md"]
    assert names(run, "*/su?") == ["notes/sub/", "notes/sub/b.txt"]
    Path("notes/*.txt").write_text("odd")
    run("pack", "-qu", "notes", "-o", "notes.tokp")
    assert names(run, "notes/*.txt") == ["notes/*.txt"]
    assert "holds no *.png" in run("unpack", "-l", "notes.tokp", "*.png", code=1).stderr
    run("unpack", "-q", "notes.tokp", "-o", "out", "*b.txt")
    assert [str(path) for path in Path("out").rglob("*") if path.is_file()] == ["out/notes/sub/b.txt"]


def test_a_listing_is_that_of_tar(run, notes, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    os.chmod("notes/c.md", 0o4711)
    os.link("notes/c.md", "notes/same")
    run("pack", "-qf", "notes", "-o", "notes.tokp")
    subprocess.run(["tar", "--sort=name", "--numeric-owner", "-cf", "notes.tar", "notes"], check=True)
    listed = subprocess.run(
        ["tar", "--numeric-owner", "-tvf", "notes.tar"], capture_output=True, check=True, text=True
    ).stdout
    expected = [line.replace("link to", "=").split() for line in listed.splitlines()]
    found = [line.split() for line in run("unpack", "-lv", "notes.tokp").stdout.splitlines()]
    assert sorted(found) == sorted(expected)


def test_verbose_names_each_item(run, notes):
    run("pack", "-fv", "notes", "-o", "notes.tokp")
    said = run("pack", "-fv", "notes", "-o", "notes.tokp").stderr.splitlines()
    assert said[:-1] == ["notes", "notes/a.txt", "notes/c.md", "notes/link", "notes/sub", "notes/sub/b.txt"]
    said = run("unpack", "-v", "notes.tokp", "-o", "out").stderr.splitlines()
    assert sorted(said[:-1]) == ["notes", "notes/a.txt", "notes/c.md", "notes/link", "notes/sub", "notes/sub/b.txt"]


@root
def test_all_permission_bits(run, notes):
    """-p: whatever the umask. Bits that lend rights only where the file belongs to whom the archive says."""
    os.chmod("notes/a.txt", 0o4777)
    os.chmod("notes/sub", 0o1777)
    Path("notes/c.md").write_text("of another")
    os.chown("notes/c.md", 4321, 4321)
    os.chmod("notes/c.md", 0o6755)
    run("pack", "-qf", "notes", "-o", "notes.tokp")
    umask = os.umask(0o077)
    try:
        for folder, more in (("plain", ()), ("all", ("-p",)), ("mine", ("-p", "--no-same-owner"))):
            run("unpack", "-q", *more, "notes.tokp", "-o", folder)
    finally:
        os.umask(umask)
    found = {
        folder: [stat.S_IMODE(os.stat(f"{folder}/notes/{name}").st_mode) for name in ("a.txt", "sub", "c.md")]
        for folder in ("plain", "all", "mine")
    }
    assert found == {"plain": [0o700, 0o700, 0o700], "all": [0o4777, 0o1777, 0o6755], "mine": [0o4777, 0o1777, 0o755]}


@root
def test_owners_of_links(run, notes):
    os.chown("notes/link", 4321, 4322, follow_symlinks=False)
    run("pack", "-qf", "notes", "-o", "notes.tokp")
    run("unpack", "-q", "notes.tokp", "-o", "out")
    status = os.lstat("out/notes/link")
    assert (status.st_uid, status.st_gid, status.st_mtime) == (4321, 4322, 10**9)
    os.mkdir("open")
    os.chmod("open", 0o777)
    run("unpack", "-q", "notes.tokp", "-o", "open", "notes/link")
    os.mkdir("open/other")
    assert os.readlink("open/notes/link") == "a.txt"


def test_test_says_how_many_files(run, notes):
    assert "notes.tokp: OK, an archive of 3 files, " in run("test", "notes.tokp").stdout
    data = Path("notes.tokp").read_bytes()
    with open("notes.tokp", "ab") as file:
        file.write(data)
    assert "two items called" in run("test", "notes.tokp", code=1).stderr
