"""Frames with a context in the core against the twins: the same payloads, whether a state has read the context anew or was restored."""

from functools import partial

import numpy as np
import pytest

from tests.native.test_bitwise import BASES, prior_of, table_of
from tests.native.test_text import repeating
from tokpress.coding import Frame
from tokpress.coding.bitwise import Bitwise
from tokpress.coding.context import ROOM, ContextTokens
from tokpress.coding.lanes import Layout
from tokpress.native import library
from tokpress.native.bitwise import BitwiseFrame, TokenTable
from tokpress.native.context_mixing import Mixer
from tokpress.native.text import Model, Text
from tokpress.priors.context_mixing import bits
from tokpress.priors.text.core import decode_in_blocks, twin_of
from tokpress.priors.text.token_paths import TokenPaths


def model_of(base) -> Model:
    return Model({"name": base.name, **base.config()}, base.tensors())


def resumed(make, handle, context):
    """Another handle made alike, at the state of this one; both have one key."""
    other, state = make(), handle.state(make())
    assert other.key(context) == handle.key(context)
    other.resume(context, state)
    return other


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
    make = partial(BitwiseFrame, model_of(prior.base), table_of(prior), 1, room, using=core)
    handle = after(make(), context.tokens)
    for state in (handle, resumed(make, handle, context.tokens)):
        state.save()
        assert state.encode(source) == payload
        for _ in range(2):
            state.restore()
            assert np.array_equal(decoded(state, payload, len(source)), source)
        state.restore()
        assert abs(sum(state.score(source)) / (8 << 20) - len(payload)) < 8
        state.restore()
        assert state.encode(source[:7]) == twin.encode(source[:7])


@pytest.mark.parametrize("base", BASES)
def test_text_is_the_twins(core, base):
    prior = BASES[base]()
    tokens = repeating(1, 150, prior.vocab_size)
    context, source = ContextTokens(tokens[:90]), tokens[90:]
    payload = twin_of(prior, Frame(len(source), context=context, kernel="numpy")).encode(source)
    make = partial(Text, model_of(prior), 1, context.room(len(source)), using=core)
    handle = after(make(), context.tokens)
    for state in (handle, resumed(make, handle, context.tokens)):
        state.save()
        assert state.encode(source) == payload
        state.restore()
        assert np.array_equal(decoded(state, payload, len(source)), source)
        state.restore()
        assert state.encode(source) == payload


LINES = b"".join(b"%d\tGET /item/%d HTTP/1.1\t200\n" % (i * 37 % 101, i * i % 97) for i in range(60))


@pytest.mark.parametrize("read", [0, 1, 700])
def test_context_mixing_is_the_twins(core, read):
    context, source = LINES[:read], LINES[read : read + 200]
    room = ContextTokens(context).room(len(source))
    payload = bits.encode(source, model=bits.after(context, room))
    assert bits.decode(payload, len(source), model=bits.after(context, room)) == source
    make = partial(Mixer, room, using=core, block=64)
    handle = after(make(), context)
    for mixer in (handle, resumed(make, handle, context)):
        mixer.save()
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


def test_keys_tell_apart_all_that_a_state_depends_on(core):
    """Contexts, sizes, each tensor, the bytes of the tokens, the kind of handle, instruction sets."""
    prior, context = prior_of(BASES["class-factored"]()), repeating(1, 20, 64)
    table, config, tensors = table_of(prior), {"name": prior.base.name, **prior.base.config()}, prior.base.tensors()

    def key(context=context, tokens=90, config=config, tensors=tensors, table=table, using=core):
        return BitwiseFrame(Model(config, tensors), table, 1, tokens, using=using).key(context)

    changed = [{**tensors, name: np.where(np.arange(t.size).reshape(t.shape) == 0, t + 1, t).astype(t.dtype)}
               for name, t in tensors.items() if name != "place"]  # fmt: skip
    symbols = TokenTable(prior.tokens.symbol, [*prior.tokens.bytes[:-1], b"none but this"])
    keys = [
        key(), key(context[1:]), key(tokens=91), key(config={**config, "orders": config["orders"][1:]}), key(table=symbols),
        *(key(tensors=each) for each in changed), Text(Model(config, tensors), 1, 90, using=core).key(context),
        *(key(using=name) for name in library.instruction_sets() if name != core),
        Mixer(90, using=core).key(bytes(context)), Mixer(91, using=core).key(bytes(context)),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys) and key() == keys[0]


@pytest.mark.parametrize("kind", ["bitwise", "text", "context mixing"])
def test_states_of_another_size_are_refused(core, kind):
    prior, context = prior_of(BASES["softmax"]()), repeating(1, 20, 64)
    make = {
        "bitwise": lambda room: BitwiseFrame(model_of(prior.base), table_of(prior), 1, room, using=core),
        "text": lambda room: Text(model_of(prior.base), 1, room, using=core),
        "context mixing": lambda room: Mixer(room, using=core),
    }[kind]
    context = bytes(context) if kind == "context mixing" else context
    handle = after(make(400), context)
    state = handle.state(make(400))
    for wrong in (b"", state[:-1], state[: len(state) // 2], state + b"\0", b"\xff" * len(state), bytes(len(state))):
        with pytest.raises(library.CoreError):
            make(400).resume(context, wrong)
    with pytest.raises(library.CoreError):
        handle.state(make(90))
    with pytest.raises(ValueError, match="room"):
        make(10).resume(context, state)
    with pytest.raises(ValueError, match="first"):
        handle.resume(context, state)
