"""Several files of one call at once: the same files, and the same lines in the same order, as one after another."""

import os
import re
import signal

import pytest

import tokpress
from tests.limits import LAST_RESORT

from .conftest import leftovers, letters, plugin
from .test_signals import start

NAMES = ["a", "b", "c", "d", "e"]
SOURCES = {name: letters(3000 + 1000 * number, number) for number, name in enumerate(NAMES)}
#: the system reports three processors, whatever this machine has
THREE = """
import os
os.sched_getaffinity = lambda process: {0, 1, 2}
os.environ.pop("OMP_NUM_THREADS", None)
"""
#: counts the files that are at work at once
COUNT = """
import atexit, threading, time
from tokpress.codec import stream
lock, now, most, real = threading.Lock(), 0, 0, stream.compress_stream
def counted(source, out, options):
    global now, most
    with lock:
        now += 1
        most = max(most, now)
    {before}
    try:
        return real(source, out, options)
    finally:
        with lock:
            now -= 1
stream.compress_stream = counted
atexit.register(lambda: print(most, "at once", flush=True))
"""


@pytest.fixture
def sources(place):
    for name, source in SOURCES.items():
        (place / name).write_bytes(source)
    return place


def told(done) -> list[str]:
    """Lines of stderr without the times in them."""
    return re.sub(r"[\d.,]+ MB/s", "MB/s", done.stderr.decode()).splitlines()


def three(place, more="") -> tuple[str, str]:
    return plugin(place, THREE + more)


def test_three_are_at_work_at_once(process, sources, tiny):
    barrier = COUNT.format(before="together.wait() if real_turn() else None").replace(
        "lock, now",
        "together, turns = threading.Barrier(3), iter(range(99))\nreal_turn = lambda: next(turns) < 3\nlock, now",
    )
    done = process("compress", "-m", tiny, *three(sources, barrier), *NAMES)  # the barrier waits for ever for a third
    assert done.stdout == b"3 at once\n"
    assert [line.split(":")[0] for line in told(done)] == [*NAMES, "5 files"]
    for name in NAMES:
        assert tokpress.decompress((sources / f"{name}.tokp").read_bytes(), tiny) == SOURCES[name]


@pytest.mark.parametrize("words", [("-T", "1"), ("--frame-size", "1K")])
def test_one_thread_and_large_files_take_one_after_another(process, sources, tiny, words):
    more = COUNT.format(before="time.sleep(0.01)")
    of = plugin(sources, more) if "-T" in words else three(sources, more)
    assert process("compress", "-m", tiny, *words, *of, *NAMES).stdout == b"1 at once\n"


def test_the_first_to_end_waits_for_its_turn(process, sources, tiny):
    """The files behind are done before the first has begun, and their lines come after its."""
    late = """
import threading
from tokpress.codec import stream
real, others, left = stream.compress_stream, threading.Event(), 2
def delayed(source, out, options):
    global left
    if source.name == "a":
        others.wait()
    done = real(source, out, options)
    left -= 1
    if not left:
        others.set()
    return done
stream.compress_stream = delayed
"""
    done = process("compress", "-m", tiny, *three(sources, late), *NAMES)
    assert [line.split(":")[0] for line in told(done)] == [*NAMES, "5 files"]


def outcomes(process, place, *words, code=0):
    """What is told, and all files, with three threads and with one."""
    found = []
    for of in (three(place), ("-T", "1")):
        before = {path: path.read_bytes() for path in place.iterdir() if path.name != "plugin.py"}
        done = process(*words[:1], *of, *words[1:], code=code)
        found.append(
            (told(done), done.stdout, {p.name: p.read_bytes() for p in place.iterdir() if p.name != "plugin.py"})
        )
        for path in place.iterdir():
            path.unlink()
        for path, data in before.items():
            path.write_bytes(data)
        assert not leftovers(place)
    assert found[0] == found[1]
    return found[0]


def test_everything_is_as_one_after_another(process, sources, tiny):
    with_errors = ["a", "nothing", "b", "b", "c", "d"]
    (sources / "c.tokp").write_bytes(b"kept")
    lines, _, files = outcomes(process, sources, "compress", "-m", tiny, "a", "nothing", "b", "c", "d", code=1)
    assert [line.split(": ")[1] if line.startswith("tokpress") else line[0] for line in lines] == [
        "a", "nothing", "b", "c", "d", "3"
    ]  # fmt: skip
    assert files["c.tokp"] == b"kept"
    lines, _, files = outcomes(process, sources, "compress", "-m", tiny, *with_errors, code=1)
    assert "given twice" in lines[0] and set(files) == {*NAMES, "c.tokp"}
    lines, _, files = outcomes(process, sources, "compress", "-m", tiny, "--rm", "-f", *NAMES)
    assert set(files) == {f"{name}.tokp" for name in NAMES}
    _, joined, files = outcomes(process, sources, "compress", "-m", tiny, "-c", *NAMES)
    assert tokpress.decompress(joined, tiny) == b"".join(SOURCES.values()) and set(files) == {*NAMES, "c.tokp"}


def test_back_and_damage(process, sources, tiny):
    for name in NAMES:
        (sources / f"{name}.tokp").write_bytes(tokpress.compress(SOURCES[name], tiny))
        (sources / name).unlink()
    damaged = bytearray((sources / "c.tokp").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (sources / "c.tokp").write_bytes(damaged)
    packed = [f"{name}.tokp" for name in NAMES]
    lines, out, _ = outcomes(process, sources, "test", "-m", tiny, *packed, code=1)
    assert len(lines) == 1 and [line[0] for line in out.decode().splitlines()] == ["a", "b", "d", "e"]
    lines, _, files = outcomes(process, sources, "decompress", "--rm", "-m", tiny, *packed, code=1)
    assert [line.removeprefix("tokpress: ")[0] for line in lines] == NAMES
    assert set(files) == {"a", "b", "c.tokp", "d", "e"} and all(files[n] == SOURCES[n] for n in "abde")


def test_verbose_errors_are_traced_in_their_place(process, sources, tiny):
    failing = "from tokpress.codec import stream\nreal = stream.compress_stream\n"
    failing += "stream.compress_stream = lambda s, *more: 1 // (s.name != 'b') and real(s, *more)"
    words = ["compress", "-v", "-m", tiny, *three(sources, failing), *NAMES]
    lines = [line for line in start_and_end(*words) if not line.startswith((" ", "Traceback"))]
    heads = [line.split(":")[0] if not line.startswith("tokpress") else line[10] for line in lines]
    assert heads == ["a", "ZeroDivisionError", "b", "c", "d", "e", "4 of 5 files"]


def start_and_end(*words, code=1) -> list[str]:
    with start(*words) as running:
        _, error = running.communicate(timeout=LAST_RESORT)
    assert running.returncode == code
    return error.decode().splitlines()


@pytest.mark.parametrize("words", [("compress", "--rm"), ("compress",)], ids=" ".join)
@pytest.mark.parametrize("share", [0.1, 0.35, 0.6, 0.85])
def test_interrupted(sources, tiny, words, share):
    """Each file is whole, packed or not, and nothing else is there."""
    options = *words, "-m", tiny, *three(sources)
    with start(*options, *NAMES, when="== 1", what="atexit.register(lambda: print(seen, flush=True))") as running:
        total = int(running.communicate(timeout=LAST_RESORT)[0])
    for name, source in SOURCES.items():
        (sources / name).write_bytes(source)
        (sources / f"{name}.tokp").unlink()
    kill = f"os.kill(os.getpid(), {int(signal.SIGTERM)})"
    with start(*options, *NAMES, when=f"== {max(1, round(share * total))}", what=kill) as running:
        _, error = running.communicate(timeout=LAST_RESORT)
    assert running.returncode == 128 + signal.SIGTERM and b"Traceback" not in error, error.decode()
    there = set(os.listdir(sources)) - {"plugin.py"}
    assert there <= {*NAMES, *(f"{name}.tokp" for name in NAMES)}
    for name, source in SOURCES.items():
        if name in there:
            assert (sources / name).read_bytes() == source
        if name not in there or f"{name}.tokp" in there:
            assert tokpress.decompress((sources / f"{name}.tokp").read_bytes(), tiny) == source
