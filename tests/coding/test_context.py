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


class Counted:
    """A state that counts how often it was made and restored."""

    made = restored = 0

    def __init__(self, room):
        self.room = room
        Counted.made += 1

    def save(self):
        """Nothing to remember."""

    def restore(self):
        Counted.restored += 1


def test_states_are_kept_for_frames_of_one_room():
    context = ContextTokens(b"abc", keep=True)
    for tokens in (1, 5, ROOM):
        with context.state(tokens, Counted) as state:
            assert state.room == 3 + ROOM
    assert (Counted.made, Counted.restored) == (1, 3)
    with context.state(ROOM + 1, Counted) as state:
        assert state.room == 3 + ROOM + 1
    with context.state(1, Counted) as first, context.state(1, Counted) as second:
        assert first is not second
    assert (Counted.made, Counted.restored) == (3, 5)
    with pytest.raises(ValueError, match="damage"), context.state(1, Counted):
        raise ValueError("damage")
    assert (Counted.made, Counted.restored) == (3, 6)
