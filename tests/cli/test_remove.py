"""--rm: an input is deleted when its output is a file on disk that was decoded and compared, and not otherwise."""

import errno
import io
import os
import stat
import subprocess

import pytest

from tokpress.cli import output
from tokpress.codec import stream

from .conftest import command, leftovers, letters, plugin

DATA = letters(3000)


def compress_otherwise(monkeypatch, work) -> None:
    """Let `work(data, out, compress)` compress in place of what does."""
    real = stream.compress_stream

    def compress_stream(source, out, options):
        work(source.read(), out, lambda data: real(io.BytesIO(data), out, options))
        return stream.Summary()

    monkeypatch.setattr(stream, "compress_stream", compress_stream)


def then(data, out, compress, seek, whence, more: bytes) -> None:
    compress(data)
    out.seek(seek, whence)
    out.write(more)


# --- verified


WRONG = {
    "last byte": lambda data, out, compress: compress(data[:-1] + b"!"),
    "first byte": lambda data, out, compress: compress(b"!" + data[1:]),
    "too short": lambda data, out, compress: compress(data[:-1]),
    "too long": lambda data, out, compress: compress(data + b"!"),
    "empty": lambda data, out, compress: compress(b""),
    "no frame": lambda data, out, compress: out.write(b"no frame"),
    "something behind": lambda data, out, compress: then(data, out, compress, 0, 2, b"more"),
    "damaged": lambda data, out, compress: then(data, out, compress, 20, 0, b"?"),
    "nothing": lambda data, out, compress: None,
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_file_that_does_not_restore_its_source(run, place, tiny, wrong, monkeypatch):
    (place / "a").write_bytes(DATA)
    compress_otherwise(monkeypatch, WRONG[wrong])
    told = run("compress", "--rm", "-m", tiny, "a", code=1).stderr
    assert told.startswith("tokpress: a: is kept: its output did not decode to the same bytes, and was discarded: ")
    assert told.count("\n") == 1 and os.listdir(place) == ["a"] and (place / "a").read_bytes() == DATA
    (place / "a.tokp").write_bytes(b"before")
    run("compress", "--rm", "-m", tiny, "a", "-f", code=1)
    assert (place / "a.tokp").read_bytes() == b"before" and (place / "a").read_bytes() == DATA


def test_a_process_that_compresses_wrongly(process, place, tiny):
    (place / "a").write_bytes(DATA)
    code = "import tokpress.models.model as m; real = m.Model.encode\n"
    code += "m.Model.encode = lambda self, source, *more, **rest: real(self, source.replace(b'a', b'b'), *more, **rest)"
    told = process("compress", "--rm", "-m", tiny, *plugin(place, code), "a", code=1).stderr
    assert b"a: is kept: its output did not decode" in told and sorted(os.listdir(place)) == ["a", "plugin.py"]


def test_a_picture_that_does_not_come_back(run, place, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (20, 20), (5, 6, 7)).save("a.png")
    words = ("compress", "--rm", "--content", "a.png")
    for wrong in ("last byte", "too short"):
        with monkeypatch.context() as patch:
            compress_otherwise(patch, WRONG[wrong])
            assert "a.png: is kept" in run(*words, code=1).stderr and os.listdir(place) == ["a.png"]
    run(*words)
    assert os.listdir(place) == ["a.ppm.tokp"]


def test_with_a_loss_the_checksums_decide(run, place, monkeypatch):
    from tests.models import tiny_autoencoders

    vq = tiny_autoencoders()["vq"]
    vq.save(place / "vq")
    (place / "a").write_bytes(os.urandom(4 * vq.tokenizer.sizes.unit_bytes))
    words = ("compress", "--rm", "--lossy", "-m", "vq", "a")
    with monkeypatch.context() as patch:
        compress_otherwise(patch, WRONG["damaged"])
        assert "a: is kept" in run(*words, code=1).stderr and sorted(os.listdir(place)) == ["a", "vq"]
    run(*words)
    assert sorted(os.listdir(place)) == ["a.tokp", "vq"]


@pytest.mark.parametrize("size", [0, 1, 3000, 100_000])
def test_several_frames_and_odd_sizes(run, place, tiny, size):
    (place / "a").write_bytes(letters(size))
    run("compress", "--rm", "--frame-size", "30K", "-m", tiny, "a")
    assert os.listdir(place) == ["a.tokp"]
    run("decompress", "--rm", "-m", tiny, "a.tokp")
    assert os.listdir(place) == ["a"] and (place / "a").read_bytes() == letters(size)


# --- on disk


def recorded(monkeypatch) -> list[str]:
    """The names of the calls that matter, in the order in which they come."""
    calls: list[str] = []
    for name in ("fsync", "fchown", "fchmod", "link", "replace", "unlink"):
        real = getattr(os, name)

        def call(*args, name=name, real=real, **more):
            on_folder = name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode)
            told = f"{name} {args[0]}" if name == "unlink" else f"{name} folder" if on_folder else name
            calls.append(told.split("-")[0])
            return real(*args, **more)

        monkeypatch.setattr(os, name, call)
    return calls


def test_the_output_is_on_disk_before_the_input_goes(run, place, tiny, monkeypatch):
    (place / "a").write_bytes(DATA)
    calls = recorded(monkeypatch)
    run("compress", "--rm", "-m", tiny, "a")
    assert calls == ["fchmod", "fsync", "link", "unlink .tokp", "fsync folder", "unlink a"]
    calls.clear()
    run("decompress", "--rm", "-m", tiny, "a.tokp")
    assert calls == ["fchmod", "fsync", "link", "unlink .tokp", "fsync folder", "unlink a.tokp"]


@pytest.mark.parametrize("folder", [False, True])
def test_what_cannot_be_put_on_disk(run, place, tiny, monkeypatch, folder):
    (place / "a").write_bytes(DATA)
    real = os.fsync

    def fsync(file):
        if stat.S_ISDIR(os.fstat(file).st_mode) == folder:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    assert "a: Input/output error" in run("compress", "--rm", "-m", tiny, "a", code=1).stderr
    assert (place / "a").read_bytes() == DATA and not leftovers(place)


# --- outputs that keep nothing


@pytest.fixture
def inputs(process, place, tiny):
    (place / "a").write_bytes(DATA)
    process("compress", "-q", "-m", tiny, "a", "-o", "b.tokp")
    os.mkfifo("pipe")
    return [("compress", "a"), ("decompress", "b.tokp")]


def test_outputs_that_are_no_files(run, place, tiny, inputs):
    """Told before the work, so nothing waits for the other end of a pipe, and nothing is read."""
    os.symlink("/dev/null", "link")
    os.symlink("pipe", "second")
    targets = [
        "/dev/null",
        "pipe",
        "link",
        "second",
        "/dev/full",
        "/dev/stdout",
        "/dev/stderr",
        "/dev/fd/1",
        "/dev/fd/2",
    ]
    targets += ["/proc/self/fd/1", "/dev/../dev/null", "-", "/dev/fd/7"]
    for words in inputs:
        for target in targets:
            for force in ((), ("-f",)):
                assert "--rm" in run(*words, "--rm", *force, "-m", tiny, "-o", target, code=2).stderr
    assert sorted(os.listdir(place)) == ["a", "b.tokp", "link", "pipe", "second"]
    assert os.path.exists("/dev/null") and not os.path.isfile("/dev/null")
    for words in inputs:
        with open("log", "wb") as log:
            done = subprocess.run(
                command(*words, "--rm", "-m", tiny, "-o", "/dev/fd/1"), stdout=log, stderr=subprocess.PIPE
            )
        assert done.returncode == 2 and b"--rm" in done.stderr and (place / "log").read_bytes() == b""
    assert (place / "a").exists() and (place / "b.tokp").exists()


def test_inputs_that_are_no_files(process, place, tiny, inputs):
    (place / "c").write_bytes(DATA)
    for name in ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"):
        with open("c", "rb") as stdin:
            done = subprocess.run(
                command("compress", "--rm", "-m", tiny, name, "-o", "d"), stdin=stdin, capture_output=True
            )
        assert done.returncode == 2 and b"--rm deletes files" in done.stderr and not os.path.exists("d")
    assert os.path.lexists("/dev/stdin") and (place / "c").read_bytes() == DATA


def test_a_derived_name_that_is_no_file(run, place, tiny, inputs):
    (place / "b").unlink(missing_ok=True)
    os.mkfifo("a.tokp")
    os.symlink("/dev/null", "b")
    for words, target in zip(inputs, ("a.tokp: is a named pipe", "b: is a device")):
        for more in ((), ("--rm",), ("-f",), ("--rm", "-f")):
            done = run(*words, *more, "-m", tiny, code=1)
            assert f"{target}: name the output with -o" in done.stderr
    assert os.readlink("b") == "/dev/null" and stat.S_ISFIFO(os.stat("a.tokp").st_mode)


def test_a_device_is_never_replaced(place):
    with pytest.raises(output.OutputError, match="exists already"), output.create("/dev/null"):
        pass
    with pytest.raises(output.OutputError, match="is not a file"), output.create("/dev/null", force=True):
        pass
    assert not os.path.isfile("/dev/null") and not leftovers("/dev")


# --- inputs that are not what they were


def test_a_symbolic_link(run, place, tiny):
    (place / "data").write_bytes(DATA)
    os.symlink("data", "link")
    told = run("compress", "--rm", "-m", tiny, "link", code=1).stderr
    assert "link: is a symbolic link: --rm would delete the link, not the file that it names: add -f" in told
    assert sorted(os.listdir(place)) == ["data", "link"]
    run("compress", "--rm", "-f", "-m", tiny, "link")
    assert sorted(os.listdir(place)) == ["data", "link.tokp"]


def test_one_of_two_hard_links(run, place, tiny):
    (place / "a").write_bytes(DATA)
    os.link("a", "b")
    os.link("a", "a.tokp")
    for words in (("a",), ("a", "-o", "b")):
        assert "is the input itself" in run("compress", "--rm", "-f", "-m", tiny, *words, code=1).stderr
    os.unlink("a.tokp")
    run("compress", "--rm", "-m", tiny, "a")
    assert sorted(os.listdir(place)) == ["a.tokp", "b"] and (place / "b").read_bytes() == DATA


def write(name: str, mode: str, data: bytes) -> None:
    with open(name, mode) as file:
        file.write(data)


CHANGES = {
    "grows": lambda name: write(name, "ab", b"more"),
    "shrinks": lambda name: os.truncate(name, 10),
    "is emptied": lambda name: os.truncate(name, 0),
    "is written over": lambda name: write(name, "r+b", b"!"),
    "is another": lambda name: (write("new", "wb", b"new"), os.replace("new", name)),
}


def changed_by(monkeypatch, function: str, change: str, name: str) -> None:
    """Let `function` of the pipeline be followed by a change of a file."""
    real = getattr(stream, function)
    os.utime(name, (10**9, 10**9))

    def changing(*args, **more):
        done = real(*args, **more)
        CHANGES[change](name)
        return done

    monkeypatch.setattr(stream, function, changing)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("more", [(), ("--rm",), ("--rm", "-f"), ("--rm", "--frame-size", "1K")])
def test_a_source_that_is_written_to_meanwhile(run, place, tiny, change, more, monkeypatch):
    (place / "a").write_bytes(DATA)
    changed_by(monkeypatch, "compress_stream", change, "a")
    if change == "is another" and "--rm" not in more:  # what was read is still whole, and in no danger
        run("compress", *more, "-m", tiny, "a")
        return
    assert "tokpress: a: changed while it was read" in run("compress", *more, "-m", tiny, "a", code=1).stderr
    assert (place / "a").exists() and not leftovers(place)
    assert (change == "is another") == (place / "a.tokp").exists()


@pytest.mark.parametrize("change", CHANGES)
def test_a_compressed_file_that_is_written_to_meanwhile(run, place, tiny, change, monkeypatch):
    (place / "a").write_bytes(DATA)
    run("compress", "--rm", "-q", "-m", tiny, "a")
    changed_by(monkeypatch, "decompress_stream", change, "a.tokp")
    told = run("decompress", "--rm", "-m", tiny, "a.tokp", code=1).stderr
    assert told.startswith("tokpress: a.tokp: changed while it was read, so it is kept")
    assert sorted(os.listdir(place)) == ["a", "a.tokp"] and (place / "a").read_bytes() == DATA


@pytest.mark.parametrize("frames", [(), ("--frame-size", "1K")])
@pytest.mark.parametrize("change", [each for each in CHANGES if each != "is another"])
def test_a_source_that_changes_between_its_frames(run, place, tiny, change, frames, monkeypatch):
    """Whatever was read of it: an error, not a mixture. lzma reads all of it, quickly at first, and so do the models."""
    (place / "a").write_bytes(DATA)
    changed_by(monkeypatch, "choose_frame", change, "a")
    told = run("compress", *frames, "-m", tiny, "a", code=1).stderr
    assert told.startswith("tokpress: a: changed while it was read") and os.listdir(place) == ["a"]
