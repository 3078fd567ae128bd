"""BLAS runs in one thread while a prior is stepped, and as before afterwards."""

import threading
from threading import Barrier, Event, Thread
from typing import ClassVar

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from tests.coding import common as coding
from tests.toy import ToyPrior
from tokpress.coding import Frame
from tokpress.exact import threads
from tokpress.exact.threads import Blas, Crew, one_blas_thread


def blas_threads() -> set[int]:
    return {library.num_threads for library in ThreadpoolController().select(user_api="blas").lib_controllers}


class Watching(ToyPrior):
    def step(self, state, previous, rows):
        self.seen = getattr(self, "seen", set()) | blas_threads()
        self.threads = getattr(self, "threads", set()) | {threads.threads()}
        return super().step(state, previous, rows)


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    if not blas_threads():
        pytest.skip("numpy brings a BLAS that threadpoolctl does not know")
    with ThreadpoolController().select(user_api="blas").limit(limits=2):
        yield


def test_one_while_a_prior_steps(two_threads):
    prior = Watching(256)
    tokens = np.arange(20, dtype=np.int32)
    payload = coding.encode(prior, tokens, 1)
    assert (coding.decode(prior, payload, 20, 1) == tokens).all()
    coding.score(prior, tokens)
    coding.sample(prior, 3)
    assert prior.seen == {1} and blas_threads() == {2}


def test_a_frame_may_limit_threads():
    """In its own thread only, and no longer than it takes."""
    if threads.threads() < 2:
        pytest.skip("there is one processor, or no second thread")
    prior, others = Watching(256), []
    with threads.at_most(1):
        assert threads.threads() == 1
        for more in (0, 2):  # a limit around another one holds
            with threads.at_most(more):
                assert threads.threads() == 1
        other = Thread(target=lambda: others.append(threads.threads()))
        other.start()
        other.join()
    assert others[0] > 1 and threads.threads() > 1
    for limit, seen in ((1, {1}), (0, {threads.threads()})):
        prior.threads = set()
        prior.codec(Frame(20, threads=limit)).encode(np.arange(20, dtype=np.int32))
        assert prior.threads == seen


def test_whoever_leaves_last_lets_go(two_threads):
    """Two at once, in either order, and one that fails."""
    first, second = one_blas_thread(), one_blas_thread()
    first.__enter__()
    other = threading.Thread(target=second.__enter__)
    other.start()
    other.join()
    first.__exit__(None, None, None)
    assert blas_threads() == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == {2}
    with pytest.raises(KeyError), one_blas_thread():
        raise KeyError
    assert blas_threads() == {2}


def crew_of(count: int, **more) -> Crew:
    """On a machine of so many processors, with nothing at work."""
    return Crew(lambda: count, **more)


def test_what_runs_beside_takes_a_processor_until_it_ends():
    crew, go_on = crew_of(2), threading.Event()
    result = crew.start_in_background(lambda: go_on.wait() and 7)
    assert crew.threads() == 1
    second = crew.start_in_background(lambda: threading.get_ident())  # there is no processor left for it
    assert second() == threading.get_ident()
    go_on.set()
    assert result() == 7 and result() == 7 and crew.threads() == 2


def test_an_error_beside_comes_with_the_result():
    crew = crew_of(2)
    with pytest.raises(KeyError):
        crew.start_in_background(lambda: {}["missing"])()
    assert crew.threads() == 2


def test_a_child_of_fork_forgets_the_limits_of_other_threads():
    class Libraries:
        limits: ClassVar[list[int]] = [2]

        def limit(self, limits):
            self.limits.append(limits)
            return self

        def restore_original_limits(self):
            self.limits.pop()

    blas = Blas(libraries := Libraries())
    other = threading.Thread(target=blas.enter)
    other.start()
    other.join()
    mine = blas.enter()
    assert libraries.limits == [2, 1]
    blas._lock.acquire()  # by a thread that the child does not have
    blas.after_fork()
    blas.leave(mine)
    assert libraries.limits == [2]
    blas.leave(blas.enter())
    assert libraries.limits == [2]


def test_to_ask_for_threads_starts_none():
    crew, before = crew_of(2), threading.active_count()
    assert crew.threads() == 2 and threading.active_count() == before


@pytest.mark.parametrize(("patience", "again"), [(0.0, [slice(0, 4), slice(4, 8)]), (1e9, [slice(0, 8)])])
def test_one_thread_where_no_other_can_be_started(monkeypatch, patience, again):
    """And it is asked for again later."""

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    crew = crew_of(2, patience=patience)
    with monkeypatch.context() as refused:
        refused.setattr(threading.Thread, "start", refuse)
        assert crew.share_rows(lambda some: some, 8) == [slice(0, 8)]
    assert crew.threads() == 2 and crew.share_rows(lambda some: some, 8) == again


def test_results_come_in_order_and_errors_from_either():
    crew = crew_of(2)
    assert crew.share_rows(lambda some: some.start, 9) == [0, 4]
    for which in (4, 0):  # the first of them waits for the other thread
        with pytest.raises(ZeroDivisionError):
            crew.share_rows(lambda some, which=which: 1 // (some.start - which), 9)


def test_a_thread_at_work_is_not_waited_for():
    """What runs on the second thread may share its own rows: with nobody."""
    crew, both = crew_of(2), Barrier(2)

    def work(some):
        both.wait()
        shared = crew.share_rows(lambda rows: rows, 8)
        both.wait()  # the second thread is at work until both have asked
        return shared

    assert crew.share_rows(work, 2) == 2 * [[slice(0, 8)]]


def test_a_limit_gives_no_thread_that_is_not_free():
    """The only processor that is left is at work in the background: a limit of 2 was taken for 2 threads."""
    count, done = [2], Event()
    crew = Crew(lambda: count[0])
    finish = crew.start_in_background(done.wait)
    count[0] = 1  # another process has taken the other one
    with threads.at_most(2):
        assert crew.threads() == 1
    done.set()
    assert finish()
