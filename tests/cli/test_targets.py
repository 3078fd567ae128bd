"""No output takes the place of an input, whatever the two are called; outputs and inputs that are streams."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import tokpress
from tests.limits import wait_until

from .conftest import command, leftovers, letters
from .test_places import fails, sh

DATA = letters(3000)


def contents(folder) -> dict[str, object]:
    """Of everything in it: what a file holds, where a link points."""
    return {
        path.name: os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        for path in folder.iterdir()
    }


@pytest.fixture
def untouched(run, place, tiny):
    """A call that fails and changes nothing."""

    def call(*words, message="would replace"):
        before = contents(place)
        told = run(*words, "-m", tiny, code=1).stderr
        assert message in told and told.count("\n") == 1, told
        assert contents(place) == before

    return call


# --- targets that are inputs


@pytest.mark.parametrize(
    "words",
    [
        ("a", "a.tokp"), ("a.tokp", "a"), ("a", "b", "a.tokp"), ("b", "a", "./a.tokp"), ("a", "folder/../a.tokp"),
        ("a", "link"), ("a", "hard"), ("link/../a", "a.tokp"), ("--rm", "a", "a.tokp"), ("-q", "a", "a.tokp"),
        ("--content", "a", "a.tokp"), ("folder/up/a", "a.tokp"),
    ],
)  # fmt: skip
def test_compress_over_a_later_input(untouched, place, words):
    for name in ("a", "a.tokp", "b"):
        (place / name).write_bytes(name.encode())
    os.mkdir("folder")
    os.symlink("a.tokp", "link")
    os.link("a.tokp", "hard")
    os.symlink("..", "folder/up")
    if words[0] == "link/../a":
        words = ("folder/up/folder/../a", "a.tokp")
    untouched("compress", "-f", *words)


@pytest.mark.parametrize(
    "words", [("x.tokp", "x"), ("x", "x.tokp"), ("y.tokp", "x.tokp", "./x"), ("x.tokp.tokp", "x.tokp")]
)
@pytest.mark.parametrize("more", [("-f",), ("-f", "--rm"), ("-f", "--keep-going")])
def test_decompress_over_another_input(untouched, run, place, tiny, words, more):
    (place / "x").write_bytes(b"mine")
    for name in ("x.tokp", "y.tokp", "x.tokp.tokp"):
        (place / name).write_bytes(tokpress.compress(DATA, tiny))
    untouched("decompress", *more, *words)


def test_a_folder_above_a_link(run, place, tiny):
    """`link/..` is the folder above what the link names, not the one that the link is in."""
    (place / "x" / "deep").mkdir(parents=True)
    os.symlink("x/deep", "link")
    for name in ("a", "x/a"):
        (place / name).write_bytes(DATA)
    run("compress", "--rm", "-m", tiny, "a", "link/../a")
    assert (place / "a.tokp").exists() and (place / "x" / "a.tokp").exists()
    (place / "x" / "a").write_bytes(DATA)
    assert "would replace" in run("compress", "-f", "-m", tiny, "link/../a", "x/a.tokp", code=1).stderr


def test_an_input_that_is_not_there_yet(untouched, place, tiny):
    """The first output would be the second input."""
    (place / "x.tokp.tokp").write_bytes(tokpress.compress(tokpress.compress(DATA, tiny), tiny))
    untouched("decompress", "x.tokp.tokp", "x.tokp")


@pytest.mark.parametrize("words", [("a", "a"), ("a", "./a"), ("a", "folder/../a")])
@pytest.mark.parametrize("more", [(), ("-f",), ("--rm",)])
def test_an_input_given_twice(untouched, place, words, more):
    (place / "a").write_bytes(DATA)
    os.mkdir("folder")
    untouched("compress", *more, *words, message="would both become")


def test_two_inputs_of_one_target(run, untouched, place, tiny):
    pytest.importorskip("PIL.Image")
    (place / "a.tokp").write_bytes(tokpress.compress(DATA, tiny))
    untouched("decompress", "a.tokp", "./a.tokp", message="would both become")
    from PIL import Image

    for name in ("p.png", "p.picture"):
        Image.new("L", (5, 5)).save(name, "PNG")
    told = run(
        "compress", "-f", "--content", "p.png", "p.picture", code=1
    ).stderr  # the name is known when they are opened
    assert "p.picture: its output would replace p.pgm.tokp, the output of p.png: run it alone, with -o" in told


def test_content_over_a_later_input(run, place):
    image = pytest.importorskip("PIL.Image")
    image.new("L", (5, 5)).save("p.png")
    (place / "p.pgm.tokp").write_bytes(b"mine")
    told = run("compress", "-f", "--content", "p.png", "p.pgm.tokp", code=1).stderr
    assert (
        "p.png: its output p.pgm.tokp would replace p.pgm.tokp" in told
        and (place / "p.pgm.tokp").read_bytes() == b"mine"
    )


def test_without_force_the_others_go_on(run, place, tiny):
    """What exists is not replaced, so there is no danger, and a call for all files of a folder can be repeated."""
    for name in "ab":
        (place / name).write_bytes(DATA)
    (place / "a.tokp").write_bytes(b"mine")
    done = run("compress", "-m", tiny, "a", "a.tokp", "b", code=1)
    assert "a.tokp: exists already" in done.stderr and "a.tokp: ends in .tokp already" in done.stderr
    assert (place / "a.tokp").read_bytes() == b"mine" and (place / "b.tokp").exists()


def own_model(tiny) -> None:
    shutil.copytree(tiny, "own")
    Path("imp.py").write_text("")
    Path("a").write_bytes(DATA)


@pytest.mark.parametrize(
    "words",
    [("compress", "-m", "own", "-o", "own/config.json", "a"), ("pack", "-m", "own", "-o", "own/config.json", "a"),
     ("sample", "-m", "own", "-n", "4", "-o", "own/model.safetensors"), ("compress", "--import", "imp.py", "-o", "imp.py", "a"),
     ("decompress", "-m", "own", "-o", "own/config.json", "a.tokp")],
    ids=lambda words: words[0],
)  # fmt: skip
def test_over_a_model_or_a_module(process, place, tiny, words):
    own_model(tiny)
    process("compress", "-q", "-m", "own", "a")
    before = contents(place)
    said = process(*words, "-f", code=1).stderr
    assert (
        b"would replace" if words[-1].startswith("a") and words[0] != "pack" else b"this command reads it too"
    ) in said
    assert contents(place) == before


def test_no_part_of_the_model_is_deleted(process, place, tiny):
    """Without it nothing could restore the file."""
    own_model(tiny)
    before = contents(place)
    for name in ("config.json", "model.safetensors"):
        assert b"is needed to restore it" in process("compress", "--rm", "-m", "own", f"own/{name}", code=1).stderr
    assert contents(place) == before


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="no names of open files here")
def test_over_an_open_file(process, place):
    """An output that a descriptor names is a file too."""
    Path("a").write_bytes(DATA)
    with open("a", "r+b") as file:
        for name in ("/dev/fd/{}", "/proc/self/fd/{}"):
            words = ("compress", "-f", "-o", name.format(file.fileno()), "a")
            assert b"the input itself" in process(*words, code=1, pass_fds=[file.fileno()]).stderr
            assert Path("a").read_bytes() == DATA


@pytest.mark.parametrize("target", ["given", "./given", "link", "hard"])
def test_over_what_else_is_read(untouched, place, target):
    for name in ("a", "given"):
        (place / name).write_bytes(DATA)
    os.symlink("given", "link")
    os.link("given", "hard")
    untouched("compress", "-f", "--given", "given", "a", "-o", target)
    untouched("sample", "-f", "--given", "given", "-o", target, message="this command reads it too")


def test_bench_over_what_it_measures(untouched, run, place):
    pytest.importorskip("rich")
    (place / "a").write_bytes(b"a")
    for words in (("a", "--json", "a"), ("a", "--json", "./a"), (".", "--json", "a")):
        told = run("bench", "-f", "--against", "", *words, code=1).stderr
        assert "a: is one of the files to measure: choose another name" in told
    assert contents(place) == {"a": b"a"}
    run("bench", "a", "-f", "--json", "x.png", "--plot", "x.png", code=2)


def test_stdin_and_stdout_of_one_file(place, tiny):
    (place / "a").write_bytes(DATA)
    (place / "b").write_bytes(DATA)
    for line in (
        "tokpress compress -c -m {0} b a >> a",
        "tokpress compress -m {0} -f -o a < a",
        "tokpress compress -c -m {0} a 1<> a",
    ):
        assert sh(line.format(tiny)).returncode == 1
        assert (place / "a").read_bytes() == DATA
    assert not leftovers(place)


# --- streams


def test_outputs_that_are_streams(place, tiny):
    (place / "a").write_bytes(DATA)
    for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "-"):
        (place / "log").write_bytes(b"before")
        done = sh(f"tokpress compress -q -m {tiny} a -o {name} >> log")
        assert done.returncode == 0, done.stderr
        data = (place / "log").read_bytes()
        assert data.startswith(b"before") and tokpress.decompress(data[6:], models=[tiny]) == DATA
    assert sh(f"tokpress compress -q -m {tiny} a -o /dev/fd/7 7> b").returncode == 0
    assert tokpress.decompress((place / "b").read_bytes(), models=[tiny]) == DATA
    fails(sh(f"tokpress compress -q -m {tiny} a -o /dev/fd/8"), b"/dev/fd/8", b"Bad file descriptor")
    assert sorted(os.listdir(place)) == ["a", "b", "log"]


@pytest.mark.parametrize("name", ["/dev/stdin", "/proc/self/fd/0", "/dev/fd/9"])
def test_inputs_that_are_streams(place, tiny, name):
    (place / "a").write_bytes(DATA)
    (place / "b").write_bytes(tokpress.compress(DATA, tiny))
    for word, file in (("compress", "a"), ("decompress", "b")):
        done = sh(f"tokpress {word} -f -m {tiny} {name} < {file} 9< {file}")
        fails(done, f"{name}: is not a file, so its output has no default name: name one with -o, or use -c".encode())
    assert sorted(os.listdir(place)) == ["a", "b"] and not os.path.exists("/dev/stdin.tokp")
    assert sh(f"tokpress decompress -q -m {tiny} {name} -o c < b 9< b").returncode == 0
    assert (place / "c").read_bytes() == DATA
    assert sh(f"cat b | tokpress decompress -c -q -m {tiny} /dev/stdin").stdout == DATA
    assert sh(f"tokpress test -q -m {tiny} {name} < b 9< b").returncode == 0
    fails(sh(f"tokpress decompress -m {tiny} -c /dev/stdin <&-"), b"/dev/stdin: is closed")


def test_process_substitution(place, tiny):
    (place / "b").write_bytes(tokpress.compress(DATA, tiny))
    assert sh(f"tokpress decompress -q -m {tiny} -c <(cat b)").stdout == DATA
    fails(sh(f"tokpress decompress -m {tiny} <(cat b)"), b"name one with -o, or use -c")
    assert sh(f"tokpress compress -q -m {tiny} <(cat b) -o >(cat > c; touch done)").returncode == 0
    wait_until((place / "done").exists)
    assert tokpress.decompress((place / "c").read_bytes(), models=[tiny]) == (place / "b").read_bytes()


def test_devices_as_inputs(run, place, tiny):
    for words in (("compress", "/dev/null"), ("decompress", "/dev/null")):
        assert "is not a file, so its output has no default name" in run(*words, "-m", tiny, code=1).stderr
    run("compress", "-m", tiny, "/dev/null", "-o", "a")
    assert not os.path.exists("/dev/null.tokp") and tokpress.decompress((place / "a").read_bytes()) == b""


def test_names_of_nothing_but_the_suffix(run, place, tiny):
    (place / ".tokp").write_bytes(tokpress.compress(DATA, tiny))
    told = run("decompress", "-m", tiny, ".tokp", code=1).stderr
    assert ".tokp: the name would be empty without .tokp: name the output with -o, or use -c" in told
    run("decompress", "-m", tiny, ".tokp", "-o", "a")
    assert (place / "a").read_bytes() == DATA


def test_others_write_to_pipes_and_devices(run, process, place, tiny):
    """sample, bench and pack, which make files of their own."""
    run("sample", "-m", tiny, "-n", "9", "-o", "/dev/null")
    run("sample", "-f", "-m", tiny, "-n", "9", "-o", "/dev/null")
    os.mkfifo("pipe")
    with subprocess.Popen(command("sample", "-f", "-m", tiny, "-n", "9", "-o", "pipe")) as writer:
        assert len((place / "pipe").read_bytes()) == 9
    assert writer.returncode == 0 and stat.S_ISFIFO(os.stat("pipe").st_mode)
    assert not os.path.isfile("/dev/null")


def test_the_module_is_the_command(place, tiny):
    (place / "a").write_bytes(DATA)
    done = subprocess.run([sys.executable, "-m", "tokpress", "compress", "-q", "-m", tiny, "a"], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    told = subprocess.run([sys.executable, "-m", "tokpress", "info", "--json", "a.tokp"], capture_output=True)
    assert json.loads(told.stdout)[0]["source_bytes"] == 3000
