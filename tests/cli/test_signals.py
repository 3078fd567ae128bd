"""Ctrl-C, SIGTERM and SIGHUP at any moment: a whole output or none, and the source as it was."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

import tokpress
from tests.limits import LAST_RESORT
from tokpress.cli import output, signals
from tokpress.codec import stream

from .conftest import letters

SOURCE = letters(100_000)
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
# as the installed script starts; until it does, Ctrl-C finds Python's own handler, which prints where it was. A signal that the tests
# themselves ignore, SIGHUP under nohup, would be ignored here too.
START = """
import atexit, itertools, os, signal, sys
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
{before}
from tokpress.cli import main, progress
seen, moments = 0, itertools.count(1)
def moment():
    global seen
    seen = now = next(moments)  # of several threads, each sees a number of its own
    if now {when}:
        {what}
def marked(function):
    def call(*args, **more):
        moment()
        try:
            return function(*args, **more)
        finally:
            moment()
    return call
progress.Progress.report = marked(progress.Progress.report)
for name in ("open", "fsync", "fchmod", "link", "unlink"):
    setattr(os, name, marked(getattr(os, name)))
main()
"""


def start(*words, when="< 0", what="pass", before=""):
    """The command as a process, which does `what` at those of its moments: each report of progress, and each step that makes or
    removes a file, before and after it. So it depends on no clock what a signal meets."""
    code = START.format(when=when, what=what, before=before)
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.fixture(scope="module")
def packed(tiny):
    """A file of many frames, so that there are moments between them."""
    return stream.compress(SOURCE[:4000], tiny) * 25


def prepare(folder, words, packed) -> tuple[str, str]:
    """A folder with nothing but the input; its name, and the output's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.chdir(folder)
    if words[0] == "compress":
        (folder / "a").write_bytes(SOURCE)
        return "a", "a.tokp"
    (folder / "a.tokp").write_bytes(packed)
    return "a.tokp", "a"


def check(folder, words, source: str, target: str, before: bytes, model: str, complete: bool) -> None:
    """Nothing but input and output; both whole."""
    there = set(os.listdir(folder))
    assert there <= {source, target} and (source in there or (target in there and "--rm" in words))
    if source in there:
        assert (folder / source).read_bytes() == before
    if complete:
        assert there == ({target} if "--rm" in words else {source, target})
    if target in there:
        data = (folder / target).read_bytes()
        assert (
            tokpress.decompress(data, models=[model]) == SOURCE
            if words[0] == "compress"
            else data == SOURCE[:4000] * 25
        )


COMMANDS = [
    ("compress", "--frame-size", "64K"),
    ("compress", "--rm", "--frame-size", "64K"),
    ("compress", "--rm"),
    ("decompress",),
    ("decompress", "--rm"),
    ("decompress", "--rm", "--keep-going"),
]


def interrupt_at(moments, words, place, tiny, packed) -> list[int]:
    """Interrupt a run at each of these shares of its moments; the exit codes."""
    folder, codes = place / "x", []
    source, target = prepare(folder, words, packed)
    before = (folder / source).read_bytes()
    count = "atexit.register(lambda: print(seen, flush=True))"
    with start(*words, "-m", tiny, source, when="== 1", what=count) as running:
        total = int(running.communicate(timeout=LAST_RESORT)[0])
    check(folder, words, source, target, before, tiny, complete=True)
    assert total > 20
    for number, share in enumerate(moments):
        prepare(folder, words, packed)
        signum = getattr(signal, SIGNALS[number % len(SIGNALS)])
        at, kill = max(1, round(share * total)), f"os.kill(os.getpid(), {int(signum)})"
        with start(*words, "-m", tiny, source, when=f"== {at}", what=kill) as running:
            _, error = running.communicate(timeout=LAST_RESORT)
        code = running.returncode
        assert code in (0, 128 + signum, -signum) and b"Traceback" not in error, (share, code, error.decode())
        # −n: before we had begun
        assert code <= 0 or error.strip() in (b"tokpress: interrupted", b""), (share, error.decode())
        codes.append(code)
        check(folder, words, source, target, before, tiny, complete=code == 0)
    return codes


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_interrupted(place, tiny, packed, words):
    assert all(interrupt_at((0, 0.4, 0.9), words, place, tiny, packed))


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_interrupted_at_many_moments(place, tiny, packed, words):
    codes = interrupt_at([i / 40 for i in range(41)], words, place, tiny, packed)
    assert all(codes[:30])


def test_twice_in_a_row(place, tiny, packed):
    """An impatient user: the second Ctrl-C meets the cleaning up after the first."""
    for number in (1, 3):
        source, target = prepare(place / "x", ("compress",), packed)
        with start("compress", "--rm", "-m", tiny, source, when="== 9", what="print(flush=True)") as running:
            assert running.stdout.readline() == b"\n"
            for _ in range(number + 1):
                running.send_signal(signal.SIGINT)
            _, error = running.communicate(timeout=LAST_RESORT)
        assert b"Traceback" not in error
        check(place / "x", ("compress", "--rm"), source, target, SOURCE, tiny, complete=running.returncode == 0)


def test_another_thread_is_not_waited_for(place):
    """One that compiles, for instance, which takes half a minute; here one that never ends."""
    (place / "a").write_bytes(SOURCE)
    busy = "import threading; from tokpress.codec import stream; ever = threading.Event(); work = threading.Thread(target=ever.wait); "
    busy += "stream.choose_frame = lambda *args: (work.start(), print(flush=True), ever.wait()); from tokpress.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", busy, "compress", "a"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout.readline() == b"\n"
        running.send_signal(signal.SIGTERM)
        _, error = running.communicate(timeout=LAST_RESORT)
    assert running.returncode == 128 + signal.SIGTERM and b"tokpress: interrupted" in error
    assert os.listdir(place) == ["a"]


def test_ignored_signals_stay_ignored(place, tiny):
    """As under nohup."""
    (place / "a").write_bytes(letters(100_000))
    hang_up = "os.kill(os.getpid(), signal.SIGHUP)"
    ignored = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    with start("compress", "-q", "-m", tiny, "a", when="> 0", what=hang_up, before=ignored) as running:
        assert running.communicate(timeout=LAST_RESORT) == (b"", b"") and running.returncode == 0
    assert sorted(os.listdir(place)) == ["a", "a.tokp"]


@pytest.fixture
def fresh(monkeypatch):
    for name, value in (("_received", 0), ("_holding", 0), ("_finished", False)):
        monkeypatch.setattr(signals, name, value)


def test_steps_that_belong_together_are_not_torn(fresh):
    done = []
    with pytest.raises(signals.Interrupted) as stop, signals.held():
        signals.handle(signal.SIGTERM, None)
        done.append("the second step")
    assert done and stop.value.signum == signal.SIGTERM


def test_a_swallowed_interruption_is_not_forgotten(fresh, place):
    """Raised within a finaliser or an import, it may be swallowed: the output must not appear all the same."""
    with pytest.raises(signals.Interrupted), output.create("a") as file:
        file.write(b"text")
        with pytest.raises(signals.Interrupted):
            signals.handle(signal.SIGINT, None)
    assert os.listdir(place) == []


def test_no_hard_links_and_a_failing_rename(place, monkeypatch):
    """The name that was reserved for the output does not stay behind, empty."""

    def refuse(*names, **more):
        raise PermissionError(1, "not here")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError), output.create("a") as file:
        file.write(b"text")
    assert os.listdir(place) == []


FINALISER = """
import os, signal, time
from tokpress.cli import signals

class Last:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            pass

signals.install()
try:
    Last()
    time.sleep(60)
except signals.Interrupted as interrupt:
    print(interrupt.signum)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs a timer")
def test_a_signal_in_a_finaliser_is_not_lost():
    """Python would print the exception and go on."""
    done = subprocess.run([sys.executable, "-c", FINALISER], capture_output=True, text=True, timeout=LAST_RESORT)
    assert (done.stdout, done.stderr) == (f"{int(signal.SIGTERM)}\n", "")
