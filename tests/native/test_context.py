"""Frames with a context in the core against the twins: the same payloads, whether a state has read the context anew or was restored."""

import numpy as np
import pytest

from tests.native.test_bitwise import BASES, prior_of, table_of
from tests.native.test_text import repeating
from tokpress.coding import Frame
from tokpress.coding.bitwise import Bitwise
from tokpress.coding.context import ROOM, ContextTokens
from tokpress.coding.lanes import Layout
from tokpress.native.bitwise import BitwiseFrame
from tokpress.native.context_mixing import Mixer
from tokpress.native.text import Model, Text
from tokpress.priors.context_mixing import bits
from tokpress.priors.text.core import decode_in_blocks, twin_of
from tokpress.priors.text.token_paths import TokenPaths


def model_of(base) -> Model:
    return Model({"name": base.name, **base.config()}, base.tensors())


def after(handle, context, save=False):
    handle.learn(context)
    if save:
        handle.save()
    return handle


def decoded(handle, payload, count):
    handle.start(payload)
    return np.array(decode_in_blocks(Layout.divide(count, 1), handle.decode, lambda block: None, 5))


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("read", [0, 1, 90])
def test_bitwise_is_the_twins(core, base, read):
    prior = prior_of(BASES[base]())
    tokens = repeating(1, read + 60, prior.vocab_size)
    context, source = ContextTokens(tokens[:read]), tokens[read:]
    frame = Frame(len(source), context=context, kernel="numpy")
    twin = Bitwise(TokenPaths(prior.base.for_frame(frame), prior.tokens, prior.rules, prior.priming), frame)
    payload, room = twin.encode(source), context.room(len(source))
    handle = after(BitwiseFrame(model_of(prior.base), table_of(prior), 1, room, using=core), context.tokens, save=True)
    assert handle.encode(source) == payload
    for _ in range(2):
        handle.restore()
        assert np.array_equal(decoded(handle, payload, len(source)), source)
    handle.restore()
    assert abs(sum(handle.score(source)) / (8 << 20) - len(payload)) < 8
    handle.restore()
    assert handle.encode(source[:7]) == twin.encode(source[:7])


@pytest.mark.parametrize("base", BASES)
def test_text_is_the_twins(core, base):
    prior = BASES[base]()
    tokens = repeating(1, 150, prior.vocab_size)
    context, source = ContextTokens(tokens[:90]), tokens[90:]
    payload = twin_of(prior, Frame(len(source), context=context, kernel="numpy")).encode(source)
    handle = after(Text(model_of(prior), 1, context.room(len(source)), using=core), context.tokens, save=True)
    assert handle.encode(source) == payload
    handle.restore()
    assert np.array_equal(decoded(handle, payload, len(source)), source)
    handle.restore()
    assert handle.encode(source) == payload


LINES = b"".join(b"%d\tGET /item/%d HTTP/1.1\t200\n" % (i * 37 % 101, i * i % 97) for i in range(60))


@pytest.mark.parametrize("read", [0, 1, 700])
def test_context_mixing_is_the_twins(core, read):
    context, source = LINES[:read], LINES[read : read + 200]
    room = ContextTokens(context).room(len(source))
    payload = bits.encode(source, model=bits.after(context, room))
    assert bits.decode(payload, len(source), model=bits.after(context, room)) == source
    mixer = after(Mixer(room, using=core, block=64), context, save=True)
    assert mixer.encode(source) == payload
    for _ in range(2):
        mixer.restore()
        assert mixer.decode(payload, out=bytearray(len(source))) == source
    mixer.restore()
    assert abs(sum(mixer.score(source)) / (8 << 20) - len(payload)) < 8


def test_restored_is_read_anew_after_much(core):
    """A long frame changes most of a state, more than its logs note, and all of it comes back."""
    prior = prior_of(BASES["softmax"]())
    context, source, much = (repeating(seed, count, prior.vocab_size) for seed, count in ((1, 300), (2, 50), (3, 9000)))
    handle = after(BitwiseFrame(model_of(prior.base), table_of(prior), 1, 300 + ROOM, using=core), context, save=True)
    payload = handle.encode(source)
    handle.restore()
    handle.encode(much)
    handle.restore()
    assert handle.encode(source) == payload


def test_a_context_is_read_first(core):
    prior = prior_of(BASES["softmax"]())
    tokens = repeating(1, 20, prior.vocab_size)
    handle = BitwiseFrame(model_of(prior.base), table_of(prior), 1, 10, using=core)
    with pytest.raises(ValueError, match="room"):
        handle.learn(tokens)
    handle.learn(tokens[:6])
    with pytest.raises(ValueError, match="room for 4 tokens"):
        handle.encode(tokens[:5])
    with pytest.raises(ValueError, match="first"):
        handle.learn(tokens[:2])
    with pytest.raises(ValueError, match="single lane"):
        BitwiseFrame(model_of(prior.base), table_of(prior), 2, 10, using=core).learn(tokens[:2])
