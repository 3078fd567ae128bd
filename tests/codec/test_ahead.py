"""Items are worked on several at once, and come in order whatever happens."""

import io
import random
import threading

import pytest

from tokpress.codec import stream
from tokpress.codec.ahead import Ahead, Stopped, TotalProgress
from tokpress.errors import ChecksumError
from tokpress.models import store


def test_results_come_in_order_and_several_are_at_work_at_once():
    together, most = threading.Barrier(3), 3

    def work(n):
        together.wait()  # passes only where three are at work
        return n * n

    with Ahead(iter(range(9)), work, most) as results:
        assert list(results) == [n * n for n in range(9)]


def test_one_item_starts_no_thread():
    with Ahead(iter([1]), lambda n: threading.current_thread(), 8) as results:
        assert list(results) == [threading.current_thread()]


def test_where_no_thread_can_be_started(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with Ahead(iter(range(5)), lambda n: n, 4) as results:
        assert list(results) == list(range(5))


def test_an_error_of_an_item_comes_in_its_place():
    def work(n):
        if n == 3:
            raise ValueError("three")
        return n

    found = []
    with pytest.raises(ValueError, match="three"), Ahead(iter(range(9)), work, 4) as results:
        found.extend(results)  # those before the error stay
    assert found == [0, 1, 2]


def test_an_error_of_the_source_comes_after_the_items_before_it():
    def items():
        yield from range(2)
        raise OSError("the disk is gone")

    found = []
    with pytest.raises(OSError, match="gone"), Ahead(items(), lambda n: n, 4) as results:
        found.extend(results)
    assert found == [0, 1]


def test_whoever_leaves_early_waits_for_no_work_that_nobody_wants():
    stopped = []

    def work(n):
        try:
            while n:
                results.check()
        except Stopped:
            stopped.append(n)
            raise

    with Ahead(iter(range(4)), work, 4) as results:
        next(iter(results))
    assert sorted(stopped) == [1, 2, 3]


def test_an_item_that_must_be_alone_is_through_before_the_next_is_drawn():
    events = []

    def items():
        for n in range(4):
            events.append(("drawn", n))
            yield n

    with Ahead(items(), lambda n: n, 4, is_barrier=lambda n: n == 1) as results:
        events.extend(("through", n) for n in results)
    assert events.index(("through", 1)) < events.index(("drawn", 2))


def test_progress_is_the_sum():
    seen = []
    progress = TotalProgress(seen.append)
    one, other = progress.item_report(), progress.item_report()
    one(5), other(2), one(10)
    assert seen == [5, 7, 12]


WORDS = [b"lane", b"frame", b"prior", b"token", b"coder", b"bits", b"model", b"of", b"the", b"and"]
SOURCE = b" ".join(random.Random(1).choices(WORDS, k=3000))


class Pipe(io.BytesIO):
    """It cannot seek, so lzma is not tried on all of it."""

    def seekable(self):
        return False

    def seek(self, *place):
        raise io.UnsupportedOperation("seek")

    def tell(self):
        raise io.UnsupportedOperation("tell")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_file_does_not_depend_on_the_threads(reported_processors, count):
    made = []
    for n in (1, count):
        reported_processors(n)
        out, done = io.BytesIO(), []
        options = stream.Options(models=[store.load("context-mixing")], frame_size=1500, report=done.append)
        summary = stream.compress_stream(Pipe(SOURCE), out, options)
        assert [frame.stored for frame in summary.frames] == ["context-mixing"] * -(-len(SOURCE) // 1500)
        assert done == sorted(done) and done[-1] == len(SOURCE)
        made.append(out.getvalue())
        assert stream.decompress(made[-1]) == SOURCE
    assert made[0] == made[1]


@pytest.mark.parametrize("count", [1, 4])
def test_damage_is_told_in_its_place(reported_processors, count):
    reported_processors(count)
    out = io.BytesIO()
    options = stream.Options(models=[store.load("context-mixing")], frame_size=1500)
    stream.compress_stream(Pipe(SOURCE), out, options)
    packed = bytearray(out.getvalue())
    packed[len(packed) // 2] ^= 1
    back = io.BytesIO()
    with pytest.raises(ChecksumError, match="frame 6 "):
        stream.decompress_stream(io.BytesIO(packed), back)
    assert back.getvalue() and SOURCE.startswith(back.getvalue()) and len(back.getvalue()) % 1500 == 0
    back = io.BytesIO()
    summary = stream.decompress_stream(io.BytesIO(packed), back, keep_going=True)
    assert summary.damaged and len(back.getvalue()) >= len(SOURCE) - 3000
