"""Frames with a context: what is coded after it costs what it costs after the same tokens in one frame."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.coding.test_bitwise import Tree
from tokpress.coding import Frame
from tokpress.coding.bitwise import Bitwise
from tokpress.coding.context import ROOM, ContextTokens
from tokpress.coding.symbolwise import Symbolwise
from tokpress.errors import TokpressError
from tokpress.media.grid import Grid
from tokpress.priors.context_mixing.prior import ContextMixingPrior
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.priors.linear_prediction.prior import LinearPredictionPrior

CODECS = {
    "symbolwise": lambda frame: Symbolwise(HistogramPrior(256), frame),
    "bitwise": lambda frame: Bitwise(Tree(), frame),
}
symbols = st.lists(st.integers(0, 255), max_size=40)


@pytest.mark.parametrize("kind", CODECS)
@given(symbols, symbols)
@settings(max_examples=30)
def test_a_context_is_read_as_if_it_were_coded(kind, before, after):
    context, tokens = np.array(before, np.int32), np.array(after, np.int32)
    codec = CODECS[kind](Frame(len(tokens), 5, context=ContextTokens(context)))
    assert codec.frame.lanes == 1
    payload = codec.encode(tokens)
    assert np.array_equal(codec.decode(payload, len(tokens)), tokens)
    both = CODECS[kind](Frame(len(before) + len(after))).score(np.concatenate([context, tokens]))
    assert np.allclose(codec.score(tokens), both[len(before) :])


@given(st.binary(max_size=60), st.binary(max_size=60))
@settings(max_examples=30)
def test_bytes_by_context_mixing(context, source):
    codec = ContextMixingPrior().codec(Frame(len(source), context=ContextTokens(context, keep=True)))
    payload = codec.encode(source)
    for _ in range(2):
        assert codec.decode(payload, len(source)) == source and codec.encode(source) == payload


def test_a_watch_gets_each_symbol_where_it_is_asked_for():
    tokens, seen = np.arange(50, dtype=np.int32), []
    for make in CODECS.values():
        frame = Frame(50, context=ContextTokens(tokens[:9]), watch_every=1)
        make(frame).decode(make(frame).encode(tokens), 50, lambda block: seen.append(block.size))
    assert seen == [1] * 100


def test_samples_follow_the_context():
    context = ContextTokens(np.full(3000, 7, np.int32))
    for make in CODECS.values():
        assert (make(Frame(50, context=context)).sample(50, seed=1) == 7).mean() > 0.5


def test_codecs_that_read_none_refuse_it():
    with pytest.raises(TokpressError, match="reads no context"):
        LinearPredictionPrior().codec(Frame(9, grid=Grid(True, 0, 3, 3, 1, 8), context=ContextTokens(b"abc")))


class Counts:
    """Makes states that count what happens to them."""

    def __init__(self):
        self.made = self.learned = self.resumed = self.restored = 0

    def __call__(self, room):
        self.made += 1
        return Counted(self, room)


class Counted:
    def __init__(self, counts, room):
        self.counts, self.room = counts, room

    def learn(self, context):
        self.counts.learned += 1

    def save(self):
        """Nothing to remember."""

    def restore(self):
        self.counts.restored += 1

    def key(self, context):
        return context

    def state(self, fresh):
        assert fresh is not self
        return b"state"

    def resume(self, context, state):
        if state != b"state":
            raise TokpressError("no state")
        self.counts.resumed += 1


def test_states_are_kept_for_frames_of_one_room():
    context, counts = ContextTokens(b"abc", keep=True), Counts()
    for tokens in (1, 5, ROOM):
        with context.state(tokens, counts, b"abc") as state:
            assert state.room == 3 + ROOM
    assert (counts.made, counts.learned, counts.restored) == (1, 1, 3)
    with context.state(ROOM + 1, counts, b"abc") as state:
        assert state.room == 3 + ROOM + 1
    with context.state(1, counts, b"abc") as first, context.state(1, counts, b"abc") as second:
        assert first is not second
    assert (counts.made, counts.learned, counts.restored) == (3, 3, 5)
    with pytest.raises(ValueError, match="damage"), context.state(1, counts, b"abc"):
        raise ValueError("damage")
    assert (counts.made, counts.restored) == (3, 6)


class Shelf(dict):
    """States in memory."""

    def find(self, key):
        return self.get(key)

    def keep(self, key, state):
        self[key] = state()


def test_a_state_is_taken_up_where_it_is_found():
    shelf, counts = Shelf(), Counts()
    for _ in range(3):
        with ContextTokens(b"abc", states=shelf).state(1, counts, b"abc"):
            pass
    assert shelf == {b"abc": b"state"} and (counts.learned, counts.resumed) == (1, 2)
    with ContextTokens(b"abc", states=shelf).state(ROOM + 1, counts, b"abc"):  # its tables have another size
        pass
    assert shelf == {b"abc": b"state"} and (counts.learned, counts.resumed) == (2, 2)


def test_a_state_that_is_refused_is_read_anew():
    shelf, counts = Shelf({b"abc": b"another"}), Counts()
    with pytest.warns(UserWarning, match="no state"), ContextTokens(b"abc", states=shelf).state(1, counts, b"abc"):
        assert (counts.learned, counts.resumed) == (1, 0)
    assert shelf == {b"abc": b"state"}
