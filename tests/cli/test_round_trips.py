"""Real files and real sizes through the command: the same bytes come back."""

import filecmp
import hashlib
import os
import resource
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tokpress

from .conftest import command

BENCH = Path(os.environ.get("TOKPRESS_DATA", "data")) / "bench"
FILES = sorted(path for path in BENCH.rglob("*") if path.is_file()) if BENCH.is_dir() else []
SMALL = 25_000
FEW = 5000  # so much takes no time even while the text model runs as plain Python
needs_bench = pytest.mark.skipif(not FILES, reason="the bench data is not here")


@needs_bench
@pytest.mark.parametrize(("size", "model"), [(FEW, None), (SMALL, "context-mixing")])
def test_small_bench_files_in_one_call(process, place, size, model):
    names = []
    for number, path in enumerate(path for path in FILES if path.stat().st_size <= size):
        shutil.copy(path, name := f"{number}-{path.name}")
        names.append(name)
    assert len(names) >= 4
    done = process("compress", *([] if model is None else ["-m", model]), *names)
    assert len(done.stderr.splitlines()) == len(names) + 1
    os.mkdir("back")
    for name in names:
        shutil.move(name, "back")
    process("decompress", *[f"{name}.tokp" for name in names])
    assert filecmp.cmpfiles(".", "back", names, shallow=False)[0] == names


@needs_bench
@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(BENCH)))
def test_every_bench_file(place, path):
    """And none is larger than what xz -9e makes of it, by more than 64 bytes."""
    with open("packed", "wb") as packed:
        subprocess.run(command("compress", "-q", "-c", path), stdout=packed, check=True)
    xz = subprocess.run(["xz", "-9e", "-c", "-k", path], capture_output=True, check=True)
    assert os.path.getsize("packed") <= len(xz.stdout) + 64
    with open("packed", "rb") as packed, open("back", "wb") as back:
        subprocess.run(command("decompress", "-q"), stdin=packed, stdout=back, check=True)
    assert filecmp.cmp(path, "back", shallow=False)


def measured(*words, **more) -> tuple[int, int]:
    """Exit code and peak memory in bytes."""
    running = subprocess.Popen(command(*words), **more)
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    return running.returncode, used.ru_maxrss * 1024


def digest(path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zeros", "random", "lines"])
def test_100_mb_in_bounded_memory(place, kind):
    rng = np.random.default_rng(1)
    line = b"%06d the same line again and again, but for a number\n"
    with open("a", "wb") as file:
        for part in range(100):
            lines = b"".join(line % (part * 19_000 + i) for i in range(19_000)) if kind == "lines" else b""
            file.write({"zeros": bytes(10**6), "random": rng.bytes(10**6), "lines": lines[: 10**6]}[kind])
    expected = digest("a")
    for words, target in (
        (("compress", "-q", "a"), "a.tokp"),
        (("decompress", "-q", "-f", "a.tokp"), "a"),
        (("decompress", "-q", "--keep-going", "a.tokp", "-o", "b"), "b"),
    ):
        code, memory = measured(*words)
        assert code == 0 and memory <= 10**9, memory
        assert target.endswith(".tokp") or digest(target) == expected
    assert os.path.getsize("a.tokp") <= {"zeros": 20_000, "random": 10**8 + 200, "lines": 10**7}[kind]
    with open("a", "rb") as source, open("piped", "wb") as out:
        code, memory = measured("compress", "-q", stdin=source, stdout=out)
    assert code == 0 and memory <= 10**9


@pytest.mark.slow
def test_zeros_under_a_limit_on_memory(place):
    """Not only is little used: little is asked for. (The code itself is in it, too.)"""
    with open("a", "wb") as file:
        file.truncate(10**8)

    def limited():
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))

    for words in (("compress", "a"), ("decompress", "-f", "a.tokp")):
        subprocess.run(command(*words, "-q"), check=True, preexec_fn=limited)
    with open("a", "rb") as file:
        assert not any(any(piece) for piece in iter(lambda: file.read(1 << 20), b""))


ODD = [
    b"", b"\0", b"\n", b"a", bytes(20_000), b"\xff" * 3000, b"ab" * 4000, bytes(range(256)) * 8,
    b"\xc3\x28 \xf0\x9f\x92 \xed\xa0\x80 \xfe\xff" * 50, "Grüße, 世界! ".encode() * 60, "naïve\n".encode("utf-16") * 90,
    "".join(map(chr, range(0x20, 0x2000))).encode(), b"\r\n" * 500, b" " * 999, b"\x1b[0m" * 300,
]  # fmt: skip


@pytest.mark.parametrize("model", [None, "context-mixing"])
@pytest.mark.parametrize("number", range(len(ODD)))
def test_odd_sources(number, model):
    source = ODD[number] if model else ODD[number][:500]
    packed = tokpress.compress(source, model)
    assert tokpress.decompress(packed) == source and len(packed) <= len(source) + 28


def test_random_bytes():
    for size in (1, 2, 3, 100, 4096, 100_000):
        source = np.random.default_rng(size).bytes(size)
        packed = tokpress.compress(source)
        assert tokpress.decompress(packed) == source and len(packed) <= size + 28


pieces = st.lists(
    st.tuples(st.binary(max_size=40) | st.text(max_size=40).map(str.encode), st.integers(1, 12)), max_size=6
)


@settings(max_examples=40, deadline=None)
@given(pieces, st.sampled_from([None, "context-mixing"]), st.sampled_from([None, 1, 2, 7]))
def test_any_source(parts, model, lanes):
    source = b"".join(part * times for part, times in parts)[: FEW if model else 300]
    assert tokpress.decompress(tokpress.compress(source, model, lanes)) == source


@settings(max_examples=25, deadline=None)
@given(pieces, st.integers(1, 90))
def test_any_source_in_frames(parts, frame_size):
    source = b"".join(part * times for part, times in parts)
    import io

    with tokpress.open(out := io.BytesIO(), "wb", model="context-mixing", frame_size=frame_size) as file:
        file.write(source)
    assert tokpress.decompress(out.getvalue()) == source
