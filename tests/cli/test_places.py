"""Odd names, odd files, odd places to write to, streams that are closed or full: one clear line, and exit code 1."""

import contextlib
import errno
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
from types import SimpleNamespace

import pytest

import tokpress
from tests.limits import LAST_RESORT

from .conftest import command, leftovers, letters

DATA = letters(3000)
root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="must be root to become somebody")
NOBODY = 65534


def fails(done, *parts: bytes) -> None:
    """One line on stderr that says these things."""
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert done.stderr.count(b"\n") == 1 and done.stderr.startswith(b"tokpress: "), done.stderr.decode()
    for part in parts:
        assert part in done.stderr, done.stderr.decode()


def sh(line, **more):
    """A shell line in which `tokpress` is the command."""
    words = f"{sys.executable} -m tokpress.cli"
    return subprocess.run(
        ["bash", "-c", line.replace("tokpress", words)], capture_output=True, timeout=LAST_RESORT, **more
    )


# --- names

NAMES = [
    "two\nlines", "-dash", "--rm", " ", "tab\t", "\x1b[31mred", "-", "*", "é", "日本", "‮ltr", "a" * 251,
    os.fsdecode(b"\xff\xfe not utf-8"), "with.tokp.inside", ".hidden", "%s{}",
]  # fmt: skip


def test_any_file_name(process, place, tiny):
    for name in NAMES:
        (place / name).write_bytes(DATA)
    done = process("compress", "-m", tiny, "--rm", "--", *[f"./{n}" if n == "-" else n for n in NAMES if len(n) < 251])
    lines = done.stderr.decode().splitlines()
    assert len(lines) == len(NAMES) and all(line.isprintable() for line in lines)  # one each, and a sum
    assert "two\\nlines: 3,000 → " in lines[0] and "\\x1b[31mred" in done.stderr.decode()
    assert sorted(os.listdir(place)) == sorted(f"{n}.tokp" if len(n) < 251 else n for n in NAMES)
    fails(process("compress", "-m", tiny, "a" * 251, code=1), b"File name too long")
    packed = [f"./{name}.tokp" for name in NAMES if len(name) < 251]
    for words in (("test",), ("info",), ("info", "-v"), ("score", "-m", tiny)):
        more = ("-m", tiny) if words[0] == "test" else ()
        shown = process(*words, *more, *packed).stdout.decode()
        assert all(line.isprintable() for line in shown.replace("\t", "").splitlines())
    listed = json.loads(process("info", "--json", *packed).stdout)
    assert [entry["file"] for entry in listed] == packed  # JSON keeps them as they are, even what is no UTF-8
    process("decompress", "-m", tiny, "--rm", *packed)
    assert sorted(os.listdir(place)) == sorted(NAMES)
    assert all((place / name).read_bytes() == DATA for name in NAMES)


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "nonsense"},
    ],
    ids=str,
)
def test_any_locale(process, place, tiny, locale):
    environment = os.environ | locale
    name = os.fsdecode("é日".encode())
    for each in (name, os.fsdecode(b"\xff")):
        (place / each).write_bytes(DATA)
    process("compress", "-m", tiny, name, os.fsdecode(b"\xff"), env=environment)
    for words in (
        ("info", "-v"),
        ("test", "-m", tiny),
        ("models",),
        ("models", "-v"),
        ("--help",),
        ("score", "--help"),
    ):
        files = (name + ".tokp", os.fsdecode(b"\xff.tokp")) if words[0] in ("info", "test") else ()
        assert process(*words, *files, env=environment).stdout
    assert process("score", "-m", tiny, "--by", "line", "--top", "2", name, env=environment).stdout
    fails(process("test", name, code=1, env=environment), b"not a .tokp file")


# --- links, modes, times, owners


def test_links_are_followed_and_kept(run, place, tiny):
    (place / "data").mkdir()
    (place / "data" / "a").write_bytes(DATA)
    os.symlink("data/a", "link")
    run("compress", "-m", tiny, "link")
    assert not os.path.islink("link.tokp") and (place / "link").is_symlink()
    run("compress", "-f", "--rm", "-m", tiny, "link")  # the link is the input: what it points to stays
    assert not os.path.lexists("link") and (place / "data" / "a").read_bytes() == DATA


def test_a_target_that_is_a_link(run, place, tiny):
    (place / "a").write_bytes(DATA)
    (place / "precious").write_bytes(b"precious")
    for name in ("precious", "nothing"):
        os.symlink(name, "a.tokp")
        assert "exists already" in run("compress", "-m", tiny, "a", code=1).stderr
        run("compress", "-f", "-m", tiny, "a")  # the link is replaced, like any other file of that name
        assert not os.path.islink("a.tokp") and (place / "precious").read_bytes() == b"precious"
        assert not os.path.exists("nothing")
        os.remove("a.tokp")


def test_links_in_a_circle(run, place, tiny):
    os.symlink("b", "a")
    os.symlink("a", "b")
    (place / "c").write_bytes(DATA)
    for words in (("a",), ("c", "-o", "a"), ("-f", "c", "-o", "a/b")):
        assert os.strerror(errno.ELOOP) in run("compress", "-m", tiny, *words, code=1).stderr
    assert sorted(os.listdir(place)) == ["a", "b", "c"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o400, 0o755, 0o4755, 0o666])
def test_mode_and_times(run, place, tiny, mode):
    (place / "a").write_bytes(DATA)
    os.chmod("a", mode)
    os.utime("a", ns=(1_234_567_890_123_456_789, 987_654_321_012_345_678))
    run("compress", "--rm", "-m", tiny, "a")
    packed = os.stat("a.tokp")
    run("decompress", "-m", tiny, "a.tokp")
    for found in (packed, os.stat("a")):
        assert stat.S_IMODE(found.st_mode) == mode & 0o777 and found.st_mtime_ns == 987_654_321_012_345_678


@root
def test_owner_and_group(run, place, tiny):
    (place / "a").write_bytes(DATA)
    os.chmod("a", 0o640)
    os.chown("a", NOBODY, NOBODY)
    run("compress", "-m", tiny, "a")
    found = os.stat("a.tokp")
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (NOBODY, NOBODY, 0o640)


def test_a_group_that_cannot_be_kept_gains_nothing(run, place, tiny, monkeypatch):
    """Our own group may not read what only the input's group could."""
    (place / "a").write_bytes(DATA)
    os.chmod("a", 0o664)
    found = os.stat("a")
    names = ("st_mode", "st_uid", "st_atime_ns", "st_mtime_ns")
    like = SimpleNamespace(st_gid=12345, **{name: getattr(found, name) for name in names})

    def refuse(*rest):
        raise PermissionError(errno.EPERM, "not yours")

    monkeypatch.setattr(os, "fchown", refuse)
    from tokpress.cli import output

    with open("a", "rb") as file:
        output._copy_attributes(file.fileno(), like)
    assert os.stat("a").st_mode & 0o777 == 0o644


# --- what is no file


def test_folders(run, place, tiny):
    (place / "folder").mkdir()
    (place / "a").write_bytes(DATA)
    for words in ("compress", "decompress", "test", "info", "score"):
        more = ("-o", "b") if words == "decompress" else ()
        assert "folder: is a directory: name the files in it" in run(words, *more, "folder", code=1).stderr
    (place / "a.tokp").mkdir()
    for more in ((), ("-f",)):
        assert "a.tokp: is a directory" in run("compress", *more, "-m", tiny, "a", code=1).stderr
    assert sorted(os.listdir(place)) == ["a", "a.tokp", "folder"]


def test_a_file_where_a_folder_should_be(run, place, tiny):
    (place / "a").write_bytes(DATA)
    assert "Not a directory" in run("compress", "-m", tiny, "a/b", code=1).stderr
    run("compress", "-m", tiny, "a", "-o", "a/b", code=1)
    assert os.listdir(place) == ["a"]


def test_a_named_pipe(place, tiny):
    os.mkfifo("pipe")
    (place / "a").write_bytes(DATA)
    with subprocess.Popen(command("compress", "-q", "-m", tiny, "a", "-o", "pipe")) as writer:
        assert tokpress.decompress((place / "pipe").read_bytes(), models=[tiny]) == DATA
    assert writer.returncode == 0 and stat.S_ISFIFO(os.stat("pipe").st_mode)
    with subprocess.Popen(command("compress", "-q", "--rm", "-m", tiny, "pipe")) as reader:
        (place / "pipe").write_bytes(DATA)
    assert reader.returncode == 0 and stat.S_ISFIFO(os.stat("pipe").st_mode)  # not removed: it is no file
    assert tokpress.decompress((place / "pipe.tokp").read_bytes(), models=[tiny]) == DATA


def test_dev_stdout_is_stdout(place, tiny):
    (place / "a").write_bytes(DATA)
    done = sh(f"tokpress compress -q -m {tiny} a -o /dev/stdout > b")
    assert done.returncode == 0 and tokpress.decompress((place / "b").read_bytes(), models=[tiny]) == DATA
    assert os.path.islink("/dev/stdout")


def test_files_of_proc(process, place, tiny):
    """They say that they hold 0 bytes."""
    source = "/proc/self/limits"
    with open(source, "rb") as file:
        expected = file.read(9)
    process("compress", "-q", "-m", tiny, source, "-o", "a.tokp")
    assert process("decompress", "-c", "-q", "-m", tiny, "a.tokp").stdout.startswith(expected)


@pytest.fixture
def nobody(place):
    """`with nobody():` an ordinary user, who may look at everything here but owns nothing."""
    for path in [place, *place.parents][:-2]:
        os.chmod(path, 0o755)

    @contextlib.contextmanager
    def become():
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)

    return become


@root
def test_places_where_nothing_may_be_written(run, place, tiny, nobody):
    """No permission to write, to read, to remove."""
    shutil.copytree(tiny, place / "model")
    folder = place / "shut"
    folder.mkdir()
    for name in "ab":
        (folder / name).write_bytes(DATA)
    os.chmod(folder / "b", 0o600)
    run("test", "-m", "model", input=run("compress", "-q", "-m", "model", input=DATA).stdout_bytes)  # import it all
    with nobody():
        words = ("compress", "-m", "model")
        there = "Permission denied: choose another place with -o"
        assert f"shut/a.tokp: {there}" in run(*words, "shut/a", code=1).stderr
        assert "tokpress: shut/b: Permission denied" in run(*words, "-c", "shut/b", code=1).stderr
        assert f"shut/c: {there}" in run(*words, "--rm", "-o", "shut/c", "shut/a", code=1).stderr
        assert sorted(os.listdir(folder)) == ["a", "b"]
    os.chmod(folder, 0o777 | stat.S_ISVTX)
    with nobody():  # may write here, but not remove what is another's
        assert (
            "shut/a: its output is complete, but it cannot be deleted: Operation not permitted"
            in run(*words, "--rm", "shut/a", code=1).stderr
        )
    assert (folder / "a").exists() and tokpress.decompress((folder / "a.tokp").read_bytes(), models=[tiny]) == DATA
    assert not leftovers(folder)


# --- streams


def test_closed_streams(place, tiny):
    (place / "a").write_bytes(DATA)
    fails(sh(f"tokpress compress -m {tiny} - <&-"), b"stdin: is closed")
    assert sh(f"tokpress compress -m {tiny} <&-").returncode == 2
    fails(sh(f"tokpress compress -c -m {tiny} a >&-"), b"stdout: is closed")
    assert sh(f"tokpress compress -q -c -m {tiny} nowhere 2>&-").returncode == 1
    assert sh(f"tokpress compress -m {tiny} a <&- >&- 2>&-").returncode == 0
    assert tokpress.decompress((place / "a.tokp").read_bytes(), models=[tiny]) == DATA
    for words in ("info a.tokp", "models", "--help", "--version", f"score -m {tiny} a"):
        done = sh(f"tokpress {words} >&-")
        assert (done.returncode, done.stderr) == (0, b""), words


def test_a_sample_for_a_closed_stdout(tiny):
    fails(sh(f"tokpress sample -m {tiny} >&-"), b"stdout: is closed")


def test_a_table_for_a_closed_stdout(place):
    (place / "a").write_bytes(DATA)
    done = sh("tokpress bench -q --against '' a >&-")
    assert (done.returncode, done.stderr) == (0, b"")


def test_nothing_strays_into_an_output_opened_as_stderr(place, tiny):
    """With 2 closed, the next file to be opened would be number 2, and get what libraries print there."""
    (place / "a").write_bytes(DATA)
    done = sh(f"tokpress compress -m {tiny} a nowhere 2>&-")
    assert done.returncode == 1 and tokpress.decompress((place / "a.tokp").read_bytes(), models=[tiny]) == DATA


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize(
    "words", ["decompress -c a.tokp", "info a.tokp", "models", "score a", "sample", "--help", "test a.tokp"]
)
def test_a_full_stdout(process, place, tiny, words):
    (place / "a").write_bytes(DATA)
    process("compress", "-q", "-m", tiny, "a")
    model = "" if words[0] in "-im" else f" -m {tiny}"
    fails(sh(f"tokpress {words}{model} > /dev/full"), b"No space left on device")


def test_a_full_stderr(place, tiny):
    (place / "a").write_bytes(DATA)
    assert sh(f"tokpress compress -m {tiny} a 2> /dev/full").returncode == 0
    assert sh(f"tokpress compress -m {tiny} a 2> /dev/full").returncode == 1


@pytest.mark.parametrize("words", ["score --by byte a", "sample -n 100000"])
def test_a_reader_that_leaves(place, tiny, words):
    """Their output is longer than what a pipe holds, 64 KiB, so they cannot end before the reader leaves."""
    (place / "a").write_bytes(letters(60_000))
    done = sh(f"(tokpress {words} -m {tiny}; echo $? >code) | head -c 1")
    assert len(done.stdout) == 1 and done.stderr == b""
    assert (place / "code").read_text() == "1\n"


@pytest.mark.parametrize("words", ["info -v a.tokp", "score --by byte a", "sample -n 100000", "compress -c a"])
def test_a_reader_that_has_left(process, place, tiny, words):
    """Whatever the length of the output."""
    (place / "a").write_bytes(letters(60_000))
    process("compress", "-q", "-m", tiny, "--frame-size", "64", "a")
    model = [] if words[0] == "i" else ["-m", tiny]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as out:
        done = subprocess.run(command(*words.split(), *model), stdout=out, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"")


# --- full disks


@pytest.fixture
def small_disk(place):
    disk = place / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("may not mount a small disk here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_disk_that_fills_up(process, place, small_disk, tiny):
    (place / "a").write_bytes(letters(400_000))
    (small_disk / "b").write_bytes(b"mine")
    process("compress", "-q", "-m", tiny, "a")
    for words in (("compress", "--frame-size", "16K", "a"), ("decompress", "a.tokp"), ("compress", "-f", "a")):
        for target in ("c", "b"):
            if target == "b" and "-f" not in words:
                continue
            done = process(*words, "-m", tiny, "-o", f"disk/{target}", code=1)
            fails(done, b"No space left on device: nothing was left behind", f"disk/{target}".encode())
    assert os.listdir(small_disk) == ["b"] and (small_disk / "b").read_bytes() == b"mine"
    environment = os.environ | {"TMPDIR": str(small_disk)}
    done = process("compress", "--rm", "-f", "--frame-size", "16K", "-m", tiny, "a", code=1, env=environment)
    fails(done, b"free some space here or in $TMPDIR")
    assert sorted(os.listdir(place)) == ["a", "a.tokp", "disk"] and not leftovers(place)


@pytest.mark.parametrize("limit", [1, 10_000, 60_000])
@pytest.mark.parametrize(
    "words", [("compress", "a"), ("compress", "--frame-size", "16K", "a"), ("decompress", "b.tokp")]
)
def test_limits_on_file_sizes(process, place, tiny, words, limit):
    (place / "a").write_bytes(letters(400_000))
    process("compress", "-q", "-m", tiny, "a", "-o", "b.tokp")

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = process(*words, "--rm", "-m", tiny, code=1, preexec_fn=limited)
    fails(done, b"File too large: nothing was left behind")
    assert sorted(os.listdir(place)) == ["a", "b.tokp"]


def test_an_input_that_cannot_be_read_to_its_end(run, place, tiny, monkeypatch):
    """A bad sector: reading fails in the middle."""
    from tokpress.cli import streams

    (place / "a").write_bytes(DATA)
    real = open

    class Bad:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

        def read(self, size=-1):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(streams, "open", lambda *a, **k: Bad(real(*a, **k)), raising=False)
    assert "tokpress: a: Input/output error" in run("compress", "--rm", "-m", tiny, "a", code=1).stderr
    assert os.listdir(place) == ["a"]
