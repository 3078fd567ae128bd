"""Symbols coded bit by bit: a path of binary decisions, walked by encoder, decoder, score and sampler alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokpress.coding import Frame
from tokpress.coding.bitwise import Bitwise, Stage
from tokpress.coding.lanes import FrameRules, Layout
from tokpress.errors import ChecksumError


class Tree:
    """Bytes, eight decisions each, in two stages; p of a bit counts the bits seen at its node of the tree, for all lanes together."""

    rules = FrameRules()

    def init(self, lanes, tokens):
        return np.ones((256, 2))

    def stages(self, state, previous, rows):
        nodes = [1] * rows
        for part, stop in enumerate((8, 256)):
            yield Stage(0, part, [self.path(state, nodes, lane, stop) for lane in range(rows)])

    def path(self, state, nodes, lane, stop):
        while nodes[lane] < stop:
            node = nodes[lane]
            bit = yield (state[node] / state[node].sum()).astype(np.float32)[None]
            state[node, bit] += 1
            nodes[lane] = 2 * node + bit
        return nodes[lane] - stop

    def bits(self, symbol):
        bits = [symbol >> place & 1 for place in range(7, -1, -1)]
        return bits[:3], bits[3:]


TEXT = np.frombuffer(b"bit by bit, a path of bits. " * 20, np.uint8).astype(np.int32)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 255), max_size=60), st.integers(1, 9))
def test_round_trip(tokens, lanes):
    symbols = np.array(tokens, np.int32)
    codec = Bitwise(Tree(), Frame(len(symbols), lanes))
    assert np.array_equal(codec.decode(codec.encode(symbols), len(symbols)), symbols)


@pytest.mark.parametrize("lanes", [1, 3])
def test_the_score_is_what_is_coded(lanes):
    codec, done = Bitwise(Tree(), Frame(len(TEXT), lanes)), []
    bits, payload = codec.score(TEXT), codec.encode(TEXT, done.append)
    assert abs(8 * len(payload) - bits.sum()) < 40 and bits.shape == TEXT.shape
    assert done[-1] == len(TEXT) and bits[:4].sum() > bits[-4:].sum() > 0
    # a lane's first symbol sees only the first symbols of the lanes before it
    first = Layout.divide(len(TEXT), lanes).steps * np.arange(lanes)
    assert bits[0] == 8 and all(bits[first[1:]] != 8)


def test_samples():
    codec = Bitwise(Tree(), Frame(300))
    drawn = codec.sample(300, seed=1)
    assert np.array_equal(drawn, codec.sample(300, seed=1)) and len(set(drawn.tolist())) > 50
    cold = codec.sample(300, seed=1, temperature=0.01)
    assert len(set(cold.tolist())) < 5, "the likelier bit of two, once one is"
    with pytest.raises(ValueError, match="above 0"):
        codec.sample(3, temperature=0)


def test_noise_and_damage():
    codec = Bitwise(Tree(), Frame(len(TEXT), 2))
    assert len(codec.decode_noise(np.random.default_rng(0).bytes(200), 100)) == 100
    with pytest.raises(ChecksumError, match="used up"):
        codec.decode_noise(bytes(range(16)), 1000)
    with pytest.raises(ChecksumError):
        codec.decode(codec.encode(TEXT)[:20], len(TEXT))
