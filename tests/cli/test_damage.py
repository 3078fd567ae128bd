"""Damage, wrong models, full disks, interruptions: clear errors, and nothing left behind."""

import io
import os
import resource
import subprocess

import pytest

from tokpress.codec import stream
from tokpress.container.member import iter_frames
from tokpress.models.loading import load_folder

from .conftest import command, letters


@pytest.fixture
def packed(tiny):
    """5 frames of 1000 bytes, and where each begins."""
    options = stream.Options(models=[load_folder(tiny)], frame_size=1000)
    stream.compress_stream(io.BytesIO(letters(5000)), out := io.BytesIO(), options)
    data = out.getvalue()
    return bytearray(data), [header.offset for header, _ in iter_frames(io.BytesIO(data))] + [len(data)]


def test_damage_leaves_nothing(run, place, tiny, packed):
    data, at = packed
    data[at[2] + 30] ^= 1
    (place / "a.tokp").write_bytes(data)
    for words in (("decompress", "--rm"), ("test",)):
        error = run(*words, "-m", tiny, "a.tokp", code=1).stderr
        assert error.startswith(f"tokpress: a.tokp: frame 3 (at byte {at[2]:,}): damaged, header and payload fail")
    assert os.listdir(place) == ["a.tokp"]
    assert "damaged" in run("info", "a.tokp", code=1).stderr


def test_keep_going_past_a_damaged_payload(run, place, tiny, packed):
    data, at = packed
    data[at[2] + 30] ^= 1
    (place / "a.tokp").write_bytes(data)
    done = run("decompress", "--keep-going", "--rm", "-m", tiny, "a.tokp", code=1)
    assert f"{at[3] - at[2]:,} bytes skipped, 1,000 bytes of the source are missing" in done.stderr
    assert "damaged: a has the intact frames; see the messages above" in done.stderr
    source = letters(5000)
    assert (place / "a").read_bytes() == source[:2000] + source[3000:]
    assert sorted(os.listdir(place)) == ["a", "a.tokp"]  # the damaged file is not removed
    piped = run("decompress", "-q", "--keep-going", "-m", tiny, input=bytes(data), code=1)
    assert piped.stdout_bytes == source[:2000] + source[3000:] and "stdin" in piped.stderr


def test_keep_going_past_a_damaged_header(run, place, tiny, packed):
    data, at = packed
    data[at[1] + 4] ^= 255
    (place / "a.tokp").write_bytes(data)
    done = run("decompress", "--keep-going", "-m", tiny, "a.tokp", code=1)
    assert "1,000 bytes of the source are missing" in done.stderr  # the last frame tells the total
    assert (place / "a").read_bytes() == letters(5000)[:1000] + letters(5000)[2000:]


def test_keep_going_over_frames_that_were_exchanged(run, place, tiny, packed):
    """What is restored is marked as unverified."""
    data, at = packed
    run("compress", "-q", "-m", tiny, "--frame-size", "1000", "-o", "other.tokp", input=letters(5000)[::-1])
    other = (place / "other.tokp").read_bytes()
    ends = [header.offset for header, _ in iter_frames(io.BytesIO(other))]
    (place / "a.tokp").write_bytes(data[: at[1]] + other[ends[1] : ends[2]] + data[at[2] :])
    said = run("decompress", "--keep-going", "-m", tiny, "a.tokp", code=1).stderr
    assert said.count("may not belong together") >= 1 and "does not belong to the frame before it" in said


def test_keep_going_past_the_end(run, place, tiny, packed):
    data, at = packed
    (place / "a.tokp").write_bytes(data[: at[4] + 40])
    done = run("decompress", "--keep-going", "-m", tiny, "a.tokp", code=1)
    assert "1,000 bytes of the source are missing" in done.stderr
    assert (place / "a").read_bytes() == letters(5000)[:4000]
    (place / "b.tokp").write_bytes(data[: at[3]])
    done = run("decompress", "--keep-going", "-m", tiny, "b.tokp", code=1)
    assert "truncated" in done.stderr and "an unknown number of bytes of the source is missing" in done.stderr
    (place / "c.tokp").write_bytes(b"anything but frames")
    assert "not a .tokp file" in run("decompress", "--keep-going", "c.tokp", code=1).stderr
    assert not (place / "c").exists()


def test_keep_going_with_nothing_wrong(run, place, tiny, packed):
    (place / "a.tokp").write_bytes(packed[0])
    run("decompress", "--keep-going", "-m", tiny, "a.tokp")
    assert (place / "a").read_bytes() == letters(5000)


@pytest.mark.parametrize("data", [b"", b"text", b"\xd4TP", b"\xd4TP\x02more"])
def test_no_tokp_file(run, place, data):
    (place / "a.tokp").write_bytes(data)
    for words in ("decompress", "test", "info"):
        assert run(words, "a.tokp", code=1).stderr.startswith("tokpress: a.tokp: ")
    assert os.listdir(place) == ["a.tokp"]


def test_wrong_model(run, place, tiny, other, packed):
    (place / "a.tokp").write_bytes(packed[0])
    name = load_folder(tiny).id.hex()
    error = run("decompress", "a.tokp", code=1).stderr
    assert error.startswith(f"tokpress: a.tokp: frame 1 (at byte 0): made with model {name}, which is not here")
    assert "with -m" in error
    assert "given: other" in run("decompress", "-m", other, "a.tokp", code=1).stderr
    assert "no model called 'nowhere'" in run("compress", "-m", "nowhere", "a.tokp", code=1).stderr
    run("test", "-m", other, "-m", tiny, "a.tokp")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_full_stdout(place, tiny):
    (place / "a").write_bytes(letters(3000))
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command("compress", "-c", "-m", tiny, "a"), stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (
        1, b"tokpress: a: stdout: No space left on device: write to another place\n"
    )  # fmt: skip


def test_full_disk(process, place, tiny):
    """A limit on file sizes stands in for the disk: the system refuses the write in the same way."""
    (place / "a").write_bytes(letters(300_000))

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = process("compress", "--rm", "-m", tiny, "--frame-size", "10K", "a", code=1, preexec_fn=limit)
    assert done.stderr.startswith(b"tokpress: a: a.tokp: File too large: nothing was left behind; raise the limit")
    assert os.listdir(place) == ["a"] and len((place / "a").read_bytes()) == 300_000


def test_out_of_memory(run, place, tiny, monkeypatch):
    (place / "a").write_bytes(b"text")

    def no_memory(*anything):
        raise MemoryError

    monkeypatch.setattr(stream, "choose_frame", no_memory)
    assert "tokpress: a: not enough memory: try a smaller --frame-size" in run("compress", "a", code=1).stderr
    assert os.listdir(place) == ["a"]
