"""Ctrl-C, SIGTERM and SIGHUP at any moment: a whole output or none, and the source as it was."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

import tokpress
from tokpress import pipeline
from tokpress.cli import output, signals

from .conftest import letters

SOURCE = letters(500_000)
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
# as the installed script starts; until it does, Ctrl-C finds Python's own handler, which prints where it was
START = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); from tokpress.cli import main; print(flush=True);main()"


def start(*words):
    """The command as a process that has just begun with our own code."""
    running = subprocess.Popen(
        [sys.executable, "-c", START, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout.readline() == b"\n"
    return running


@pytest.fixture(scope="module")
def packed(tiny):
    """A file of many frames, so that decoding takes a while."""
    return pipeline.compress(SOURCE[:4000], tiny) * 500


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
            else data == SOURCE[:4000] * 500
        )


COMMANDS = [
    ("compress", "--frame-size", "64K"),
    ("compress", "--rm", "--frame-size", "64K"),
    ("compress", "--rm"),
    ("decompress",),
    ("decompress", "--rm"),
    ("decompress", "--rm", "--keep-going"),
]


def interrupt_at(moments, words, place, tiny, packed, names=SIGNALS) -> int:
    """Interrupt a fresh run at each share of the time that a whole one takes; how many did not reach their end."""
    folder, stopped = place / "x", 0
    source, target = prepare(folder, words, packed)
    before = (folder / source).read_bytes()
    with start(*words, "-m", tiny, source) as running:
        begin = time.monotonic()
        running.communicate()
        whole = time.monotonic() - begin
    check(folder, words, source, target, before, tiny, complete=True)
    for number, moment in enumerate(moments):
        prepare(folder, words, packed)
        signum = getattr(signal, names[number % len(names)])
        with start(*words, "-m", tiny, source) as running:
            time.sleep(moment * whole)
            running.send_signal(signum)
            _, error = running.communicate(timeout=30)
        code = running.returncode
        # −n: before we had begun, or as Python shut down after the end
        assert code in (0, 128 + signum, -signum) and b"Traceback" not in error, (moment, code, error.decode())
        assert code <= 0 or error.strip() in (b"tokpress: interrupted", b""), (moment, error.decode())
        stopped += code != 0
        check(folder, words, source, target, before, tiny, complete=code == 0)
    return stopped


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_interrupted(place, tiny, packed, words):
    assert interrupt_at((0.2, 0.6, 0.9), words, place, tiny, packed) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_interrupted_at_many_moments(place, tiny, packed, words):
    interrupt_at([i / 20 for i in range(21)], words, place, tiny, packed)


def test_twice_in_a_row(place, tiny, packed):
    """An impatient user: the second Ctrl-C meets the cleaning up after the first."""
    for pause in (0, 0.001, 0.01):
        source, target = prepare(place / "x", ("compress",), packed)
        with start("compress", "--rm", "-m", tiny, source) as running:
            time.sleep(0.4)
            for _ in range(3):
                running.send_signal(signal.SIGINT)
                time.sleep(pause)
            _, error = running.communicate(timeout=30)
        assert b"Traceback" not in error
        check(place / "x", ("compress", "--rm"), source, target, SOURCE, tiny, complete=running.returncode == 0)


def test_another_thread_is_not_waited_for(place):
    """One that compiles, for instance, which takes half a minute."""
    (place / "a").write_bytes(SOURCE)
    busy = (
        "import threading, time; from tokpress import choice; work = threading.Thread(target=time.sleep, args=(300,)); "
    )
    busy += "choice.choose_frame = lambda *args: (work.start(), print(flush=True), time.sleep(300)); from tokpress.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", busy, "compress", "a"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        running.stdout.readline()
        running.send_signal(signal.SIGTERM)
        _, error = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM and b"tokpress: interrupted" in error
    assert os.listdir(place) == ["a"]


def test_ignored_signals_stay_ignored(place, tiny):
    """As under nohup."""
    (place / "a").write_bytes(letters(100_000))
    code = START.replace("signal.signal(signal.SIGINT, signal.SIG_DFL)", "signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    with subprocess.Popen(
        [sys.executable, "-c", code, "compress", "-q", "-m", tiny, "a"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        running.stdout.readline()
        for _ in range(20):
            running.send_signal(signal.SIGHUP)
            time.sleep(0.02)
        assert running.communicate() == (b"", b"") and running.returncode == 0
    assert sorted(os.listdir(place)) == ["a", "a.tokp"]


@pytest.fixture
def fresh(monkeypatch):
    for name, value in (("_asked", 0), ("_holding", 0), ("_over", False)):
        monkeypatch.setattr(signals, name, value)


def test_steps_that_belong_together_are_not_torn(fresh):
    done = []
    with pytest.raises(signals.Interrupted) as stop, signals.held():
        signals._stop(signal.SIGTERM, None)
        done.append("the second step")
    assert done and stop.value.signum == signal.SIGTERM


def test_a_swallowed_interruption_is_not_forgotten(fresh, place):
    """Raised within a finaliser or an import, it may be swallowed: the output must not appear all the same."""
    with pytest.raises(signals.Interrupted), output.create("a") as file:
        file.write(b"text")
        with pytest.raises(signals.Interrupted):
            signals._stop(signal.SIGINT, None)
    assert os.listdir(place) == []


def test_what_a_compiler_calls_back_is_not_interrupted(fresh):
    """There the exception would be printed and forgotten."""
    before = signal.signal(signal.SIGALRM, signals._stop)
    done = []

    def _raw_object_cache_notify():
        signals._stop(signal.SIGHUP, sys._getframe())
        done.append("all of it")

    try:
        with pytest.raises(signals.Interrupted) as stop:
            _raw_object_cache_notify()
            time.sleep(10)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert done and stop.value.signum == signal.SIGHUP


def test_no_hard_links_and_a_failing_rename(place, monkeypatch):
    """The name that was reserved for the output does not stay behind, empty."""

    def refuse(*names, **more):
        raise PermissionError(1, "not here")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError), output.create("a") as file:
        file.write(b"text")
    assert os.listdir(place) == []
