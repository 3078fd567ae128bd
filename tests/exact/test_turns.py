"""Two threads of compiled code that wait for each other's counts."""

import faulthandler
import sys
import threading
import time

import numba
import numpy as np
import pytest

from tests.limits import LAST_RESORT
from tokpress.exact import threads, turns
from tokpress.exact.threads import run_both, share_after


@pytest.fixture(autouse=True)
def nobody_waits_for_ever():
    faulthandler.dump_traceback_later(LAST_RESORT, exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()


@numba.njit(nogil=True)
def alternate(thread, counts, steps, shared, log):
    """Each writes in its turn what depends on what the other has just written, by plain stores."""
    for t in range(steps):
        if thread == 0:
            turns.wait(counts, 1, t)
        else:
            turns.wait(counts, 0, t + 1)
        shared[0] = (shared[0] * 5 + thread + 1) % 1_000_003
        log[2 * t + thread] = shared[0]
        turns.post(counts, thread, t + 1)


def test_two_threads_take_turns():
    steps, counts, shared = 3000, turns.counts(), np.ones(1, np.int64)
    log = np.zeros(2 * steps, np.int64)
    run_both(lambda thread: alternate(thread, counts, steps, shared, log))
    value, wanted = 1, []
    for at in range(2 * steps):
        value = (value * 5 + at % 2 + 1) % 1_000_003
        wanted.append(value)
    assert log.tolist() == wanted
    assert counts[0] == counts[turns.APART] == steps


def test_whoever_waits_looks_until_the_count_is_there():
    counts = turns.counts()
    assert turns.wait(counts, 0, 0) == 0

    def looks(pause):
        """How often thread 1 looks while thread 0 sleeps."""
        began, counts[0] = threading.Event(), 0

        def work(thread):
            if thread == 0:
                began.wait()
                time.sleep(pause)
                turns.post(counts, 0, 5)
                return 0
            began.set()
            return turns.wait(counts, 0, 3)

        return run_both(work)[1]

    # on a busy machine it may not have been given the time to look
    assert any(looks(pause) > turns.LOOKS for pause in (0.05, 0.5, 5, 50, 500))
    assert turns.wait(counts, 0, 5) == 0 and not turns.over(counts, 0)


@pytest.mark.parametrize("thread", [0, 1])
def test_over_ends_all_waiting(thread):
    counts = turns.counts()

    def work(mine):
        if mine == thread:
            turns.post(counts, mine, turns.OVER)
            return None
        turns.wait(counts, thread, 10**15)
        return turns.over(counts, thread)

    assert True in run_both(work)
    assert turns.over(counts, thread) and not turns.over(counts, 1 - thread)


def test_results_come_in_order_and_errors_from_either():
    assert run_both(lambda thread: 10 + thread) == [10, 11]
    for which in (0, 1):
        with pytest.raises(ZeroDivisionError):
            run_both(lambda thread, which=which: 1 // (thread - which))


class Interrupting(threads.Helper):
    """A thread whose user is interrupted by a signal once the work has been handed over."""

    def submit(self, *args):
        self.begun = super().submit(*args)
        raise KeyboardInterrupt


@pytest.fixture
def interrupted(monkeypatch):
    interrupting = Interrupting()
    monkeypatch.setattr(threads, "_second_thread", lambda: interrupting)
    monkeypatch.setattr(threads, "threads", lambda: 2)
    return interrupting


def test_nobody_is_left_waiting_in_turns_after_a_signal(interrupted):
    counts = turns.counts()
    with pytest.raises(KeyboardInterrupt):
        run_both(lambda thread: turns.wait(counts, 0, 10**15), lambda: turns.end(counts, 0))
    interrupted.begun.result()


def test_nobody_is_left_waiting_for_what_comes_first_after_a_signal(interrupted):
    with pytest.raises(KeyboardInterrupt):
        share_after(lambda: None, lambda some, ready: ready(), 8)
    interrupted.begun.result()
