"""compress and decompress: names, targets, streams, many files."""

import os
import subprocess
import sys

import pytest

from tokpress.cli import output
from tokpress.container.frames import Kind, read_header
from tokpress.container.member import iter_frames

from .conftest import command, leftovers, letters


def test_round_trip_with_names_mode_and_time(run, place, tiny):
    (place / "a.txt").write_bytes(letters(3000))
    os.chmod("a.txt", 0o640)
    os.utime("a.txt", ns=(10**18, 10**18 + 5 * 10**9))
    done = run("compress", "-m", tiny, "a.txt")
    size = os.path.getsize("a.txt.tokp")
    assert done.stderr.startswith(f"a.txt: 3,000 → {size:,} bytes, ratio {3000 / size:.2f}, ")
    assert f"{8 * size / 3000:.3f} bits per byte, " in done.stderr and "MB/s, model tiny\n" in done.stderr
    with open("a.txt.tokp", "rb") as file:
        assert [header.kind for header, _ in iter_frames(file)] == [Kind.MODEL]
    os.rename("a.txt", "before")
    run("decompress", "-m", tiny, "a.txt.tokp")
    assert (place / "a.txt").read_bytes() == (place / "before").read_bytes()
    for name in ("a.txt", "a.txt.tokp"):
        assert os.stat(name).st_mode & 0o777 == 0o640 and os.stat(name).st_mtime_ns == 10**18 + 5 * 10**9
    assert not leftovers(place)


@pytest.mark.parametrize("data", [b"", b"x", bytes(100_000), os.urandom(5000)])
def test_round_trip_of_odd_sources(run, place, tiny, data):
    (place / "a").write_bytes(data)
    run("compress", "-q", "-m", tiny, "--frame-size", "30K", "a")
    assert run("decompress", "-c", "-m", tiny, "a.tokp").stdout_bytes == data


def test_pipes(process, tiny):
    data = letters(3000)
    packed = process("compress", "-m", tiny, "--frame-size", "1K", input=data)
    assert packed.stderr.startswith(b"stdin: 3,000 \xe2\x86\x92")
    assert process("decompress", "-m", tiny, input=packed.stdout + packed.stdout).stdout == 2 * data
    assert process("decompress", "-q", "-m", tiny, "-", input=packed.stdout).stderr == b""


def test_many_files_go_on_after_an_error(run, place, tiny):
    for name in "acd":
        (place / name).write_bytes(letters(500, ord(name)))
    (place / "d.tokp").write_bytes(b"mine")
    os.mkdir("e")
    done = run("compress", "-m", tiny, "a", "b", "c", "d", "e", code=1)
    assert "tokpress: b: No such file or directory" in done.stderr
    assert "tokpress: d: d.tokp: exists already: overwrite it with -f" in done.stderr
    assert "tokpress: e: is a directory" in done.stderr
    assert "2 of 5 files: 1,000 → " in done.stderr
    assert sorted(os.listdir(place)) == ["a", "a.tokp", "c", "c.tokp", "d", "d.tokp", "e"]
    assert (place / "d.tokp").read_bytes() == b"mine"
    run("decompress", "-f", "-m", tiny, "a.tokp", "c.tokp")
    assert (place / "c").read_bytes() == letters(500, ord("c"))


def test_several_into_one(run, place, tiny):
    for name in "ab":
        (place / name).write_bytes(letters(500, ord(name)))
    (place / "both").write_bytes(run("compress", "-q", "-c", "-m", tiny, "a", "b").stdout_bytes)
    run("decompress", "both", code=1)
    run("decompress", "-m", tiny, "both", "-o", "back")
    assert (place / "back").read_bytes() == letters(500, 97) + letters(500, 98)
    run("compress", "a", "b", "-o", "c", code=2)


def test_force_overwrites_and_packs_again(run, place, tiny):
    (place / "a").write_bytes(b"new")
    (place / "a.tokp").write_bytes(b"old")
    assert "skipped" in run("compress", "-m", tiny, "a.tokp").stderr
    assert sorted(os.listdir(place)) == ["a", "a.tokp"]
    run("compress", "-f", "-m", tiny, "a.tokp")
    run("compress", "-f", "-m", tiny, "a")
    assert run("decompress", "-c", "a.tokp").stdout == "new" and (place / "a.tokp.tokp").exists()


def test_rm_only_after_success(run, place, tiny):
    (place / "a").write_bytes(letters(500))
    run("compress", "--rm", "-m", tiny, "a")
    assert os.listdir(place) == ["a.tokp"]
    run("decompress", "--rm", "a.tokp", code=1)  # the model is not there
    assert os.listdir(place) == ["a.tokp"]
    run("decompress", "--rm", "-m", tiny, "a.tokp")
    assert os.listdir(place) == ["a"]
    run("compress", "--rm", "-k", "a", code=2)
    run("compress", "--rm", "-c", "a", code=2)
    run("compress", "-c", "-o", "b", "a", code=2)


def test_same_input_and_output(run, place, tiny):
    (place / "a").write_bytes(b"text")
    os.link("a", "b")
    os.symlink("a", "c")
    for target in ("a", "./a", "b", "c"):
        assert "is the input itself" in run("compress", "-f", "a", "-o", target, "-m", tiny, code=1).stderr
    assert (place / "a").read_bytes() == b"text"


def test_targets_that_are_refused_before_the_work(run, place, tiny):
    (place / "a").write_bytes(b"text")
    (place / "folder").mkdir()
    assert "is a directory" in run("compress", "-m", tiny, "a", "-o", "folder", code=1).stderr
    assert "there is no folder no" in run("compress", "-m", tiny, "a", "-o", "no/b", code=1).stderr
    assert "does not end in .tokp: name the output with -o" in run("decompress", "a", code=1).stderr
    run("decompress", ".tokp", code=1)


def test_a_target_that_appears_meanwhile_is_spared(place):
    with pytest.raises(output.OutputError, match="exists already"), output.create("a") as file:
        file.write(b"late")
        (place / "a").write_bytes(b"first")
    assert (place / "a").read_bytes() == b"first" and not leftovers(place)


def test_without_hard_links(place, monkeypatch):
    def link(*names, **more):
        raise PermissionError(1, "no hard links here")

    monkeypatch.setattr(os, "link", link)
    with output.create("a") as file:
        file.write(b"one")
    with pytest.raises(output.OutputError, match="exists already"), output.create("a") as file:
        file.write(b"two")
    assert (place / "a").read_bytes() == b"one" and os.listdir(place) == ["a"]


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="no devices here")
def test_a_device_is_written_to_not_replaced(run, place, tiny):
    (place / "a").write_bytes(b"text")
    run("compress", "-m", tiny, "a", "-o", "/dev/null")
    assert os.path.exists("/dev/null") and not os.path.isfile("/dev/null")


def test_unreadable(run, place, tiny, monkeypatch):
    for name in "ab":
        (place / name).write_bytes(letters(500))
    os.chmod("a", 0)
    if os.access("a", os.R_OK):  # root may read everything
        real = open

        def refuse(name, *rest, **more):
            if name == "a":
                raise PermissionError(13, "Permission denied", name)
            return real(name, *rest, **more)

        monkeypatch.setattr("builtins.open", refuse)
    assert "tokpress: a: Permission denied" in run("compress", "-m", tiny, "a", "b", code=1).stderr
    assert sorted(os.listdir(place)) == ["a", "b", "b.tokp"]


def test_append_to_what_is_there(process, place, tiny):
    """>> has no place to go back to: what was in the file stays, even where lzma over the whole source wins."""
    (place / "a").write_bytes(letters(700))
    line = f"{sys.executable} -m tokpress.cli compress -q -c -m {tiny} --frame-size 256 a >> all"
    for _ in range(2):
        assert os.system(line) == 0
    assert process("decompress", "-q", "-m", tiny, "-c", "all").stdout == 2 * letters(700)
    with open("a", "ab") as out:
        done = subprocess.run(command("compress", "-c", "-m", tiny, "a"), stdout=out, stderr=subprocess.PIPE)
    assert done.returncode == 1 and b"both input and output" in done.stderr


def test_threads_and_kernel_do_not_change_the_bytes(process, place, tiny):
    (place / "a").write_bytes(letters(3000))
    runs = [("-T1",), ("-T", "2", "--kernel", "numpy")]
    assert len({process("compress", "-q", "-c", "-m", tiny, *options, "a").stdout for options in runs}) == 1


def test_frames_appear_as_they_are_decoded(place, tiny):
    data = letters(2000)
    packed = subprocess.run(
        command("compress", "-m", tiny, "--frame-size", "1000"), input=data, capture_output=True, check=True
    ).stdout
    (place / "packed").write_bytes(packed)
    with open("packed", "rb") as file:
        first = read_header(file)
    cut = len(first.pack()) + first.payload_length
    with subprocess.Popen(
        command("decompress", "-q", "-m", tiny), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        running.stdin.write(packed[:cut])
        running.stdin.flush()
        assert running.stdout.read(1000) == data[:1000]  # the second frame is not even there
        running.stdin.write(packed[cut:])
        running.stdin.close()
        assert running.stdout.read() == data[1000:]
    assert running.returncode == 0


def test_a_reader_that_leaves_early(process, place, tiny):
    (place / "a").write_bytes(letters(300_000))
    words = f"{sys.executable} -m tokpress.cli decompress -q -m {tiny} -c a.tokp"
    line = f"{words} 2>err | head -c 10 >out; echo ${{PIPESTATUS[0]}}"
    process("compress", "-q", "-m", tiny, "a")
    done = subprocess.run(["bash", "-c", line], capture_output=True)
    assert (
        done.stdout == b"1\n"
        and (place / "err").read_bytes() == b""
        and (place / "out").read_bytes() == letters(300_000)[:10]
    )


@pytest.mark.parametrize("args", [["compress", ""], ["compress", "-m", "", "a"], ["decompress", "-o", "", "a.tokp"]])
def test_empty_names(process, place, args):
    """An unset variable of a script is no wish."""
    (place / "a").write_bytes(b"x")
    assert b"the name is empty" in process(*args, code=2).stderr
    assert os.listdir(place) == ["a"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_one_among_many(run, place, tiny):
    for name in "ab":
        (place / name).write_bytes(letters(500))
    os.chmod("a", 0)
    assert "a: Permission denied" in run("compress", "-m", tiny, "a", "b", code=1).stderr
    assert (place / "b.tokp").exists()


def test_no_name_is_refused_for_its_permissions(run, place, tiny, monkeypatch):
    """The same, whoever runs it: click's own check would end the whole call."""
    (place / "a").write_bytes(letters(500))
    monkeypatch.setattr(os, "access", lambda *args, **more: False)
    run("compress", "-m", tiny, "a")
