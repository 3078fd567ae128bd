"""What chance makes of payloads, tokenizer files, rows and weights, for every decoder of the core: an error of ours, or a result of the right
size. Under the sanitizers (.ci/run) it finds what reads or writes beside its buffers.

The short run has the same cases each time. The long one (`-m slow`) draws a seed and prints it; TOKPRESS_SEED=… repeats it."""

import json
import os
import secrets
import sys
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from tests.native import test_bitwise, test_linear_prediction, test_text
from tests.native.test_bitwise import prior_of
from tests.native.test_text import random_prior, repeating
from tokpress.coding.lanes import Layout
from tokpress.errors import TokenizerError, TokpressError
from tokpress.exact.tensors import SCALE, VECTOR, WEIGHT
from tokpress.native import bpe, context_mixing, library, linear_prediction, rows_coder
from tokpress.native.text import Model, Text

SHORT, LONG = 25, 1500
SEED = "TOKPRESS_SEED"
REFUSED = (TokpressError, ValueError)
Rng = np.random.Generator


def changed(rng: Rng, data: bytes) -> bytes:
    """One change: bits, bytes, a cut, a doubling, zeros, ones, noise."""
    at, size = int(rng.integers(len(data) + 1)), int(rng.integers(1, 1 << rng.integers(1, 7)))
    before, here, after = data[:at], data[at : at + size], data[at + size :]
    noise, same = rng.bytes(size), bytes([rng.choice([0, 255])])
    flipped = bytes([(here or b"\0")[0] ^ 1 << rng.integers(8)])
    return [
        before + noise + after,
        before + flipped + data[at + 1 :],
        before,
        before + after,
        before + here + here + after,
        before + same * size + after,
        before + noise + here + after,
        same * len(data),
        rng.bytes(len(data)),
    ][rng.integers(9)]


def mutated(rng: Rng, data: bytes) -> bytes:
    """A few changes."""
    for _ in range(rng.integers(1, 4)):
        data = changed(rng, data)
    return data


def near(rng: Rng, number: int, most: int) -> int:
    """This number, or one beside it, or any from 1 to `most`."""
    return int(rng.choice([number, np.clip(number + rng.integers(-2, 3), 1, most), rng.integers(1, most + 1)]))


def isa(rng: Rng) -> str:
    return str(rng.choice(library.instruction_sets()))


@cache
def context_mixing_payload(pixels: tuple | None) -> bytes:
    return context_mixing.encode(test_linear_prediction.source(test_linear_prediction.GRIDS["colour"], "walk"), pixels)


def bytes_by_context(rng: Rng) -> None:
    pixels = [None, (5, 323, 3, 54, 51), (44, 300, 2, 4, 4)][rng.integers(3)]
    count = near(rng, 328, 3000)
    found = context_mixing.decode(mutated(rng, context_mixing_payload(pixels)), count, pixels, using=isa(rng))
    assert len(found) == count


@cache
def samples_payload(name: str) -> bytes:
    grid = test_linear_prediction.GRIDS[name]
    return linear_prediction.encode(test_linear_prediction.source(grid, "walk"), grid)


def samples_on_a_grid(rng: Rng) -> None:
    name = str(rng.choice(sorted(test_linear_prediction.GRIDS)))
    grid = test_linear_prediction.GRIDS[name]
    if rng.random() < 0.5:
        field = str(rng.choice(["start", "rows", "columns", "channels", "bits", "padding"]))
        grid = grid._replace(**{field: near(rng, getattr(grid, field), 60)})
    source = bytearray(near(rng, max(1, grid.stop + 5), 20_000))
    try:
        linear_prediction.decode(mutated(rng, samples_payload(name)), source, grid, using=isa(rng))
    except MemoryError as error:  # what a grid that is refused is told as
        assert "refuses their grid" in str(error)


PRIORS: dict[str, Callable] = {
    "plain": lambda: random_prior(0, grams=64, features=5),
    "classes": lambda: random_prior(2, classes=8, grams=64, features=5),
    "two groups of lanes": lambda: random_prior(3, online=0.0, classes=8),
}


@cache
def text_of(name: str):
    prior, tokens = PRIORS[name](), repeating(1, 300, 64)
    return prior, Text(Model({"name": prior.name, **prior.config()}, prior.tensors()), 5, 300).encode(tokens)


def strange(rng: Rng, name: str, tensor: np.ndarray) -> np.ndarray:
    """Weights that no training makes, within the bounds of `exact.tensors`, which are tested before the core has them. A permutation
    may become none."""
    raw = mutated(rng, tensor.tobytes())[: tensor.nbytes].ljust(tensor.nbytes, b"\0")
    values = np.frombuffer(raw, tensor.dtype).reshape(tensor.shape)
    if tensor.dtype == np.int32:
        return values
    kind = WEIGHT if tensor.dtype == np.int8 else SCALE if name.endswith("scale") else VECTOR
    return np.clip(np.nan_to_num(values), kind.least, kind.most).astype(tensor.dtype)


def tokens_of_text(rng: Rng) -> None:
    prior, payload = text_of(str(rng.choice(sorted(PRIORS))))
    tensors = dict(prior.tensors())
    if rng.random() < 0.5:
        name = str(rng.choice(sorted(tensors)))
        tensors[name] = strange(rng, name, tensors[name])
    tokens = near(rng, 300, 2000)
    layout = Layout.divide(tokens, near(rng, 5, 40))
    model = Model({"name": prior.name, **prior.config()}, tensors)
    text = Text(model, layout.lanes, tokens, int(rng.integers(1, 4)), isa(rng))
    found = test_text.decoded(text, layout, mutated(rng, payload), int(rng.integers(1, 50)))
    assert len(found) == tokens and ((found >= 0) & (found < 64)).all()


@cache
def spelled_of(name: str):
    prior, tokens = prior_of(PRIORS[name]()), repeating(1, 300, 64)
    return prior, test_bitwise.core_of(prior, 300, 5, None).encode(tokens)


def tokens_bitwise(rng: Rng) -> None:
    prior, payload = spelled_of(str(rng.choice(sorted(PRIORS))))
    tokens = near(rng, 300, 2000)
    frame = test_bitwise.core_of(prior, tokens, near(rng, 5, 40), isa(rng), int(rng.integers(1, 4)))
    found = test_bitwise.decoded(frame, mutated(rng, payload), int(rng.integers(1, 50)))
    assert len(found) == tokens and ((found >= 0) & (found < 64)).all()


def rows_of(rng: Rng) -> np.ndarray:
    """Distributions, a few of them none."""
    rows = rng.random((rng.integers(1, 30), rng.integers(2, 200)), np.float32) ** np.float32(rng.integers(1, 9))
    rows = np.ascontiguousarray(rows / rows.sum(1, keepdims=True))
    for _ in range(rng.integers(3)):
        bad = rng.choice([np.nan, np.inf, -np.inf, -1, 0, 1e38, -1e-30])
        rows[rng.integers(len(rows)), rng.integers(rows.shape[1])] = bad
    return rows


def rows_popped(rng: Rng) -> None:
    rows = rows_of(rng)
    decoder = rows_coder.RangeDecoder(rng.bytes(rng.integers(60)), using=isa(rng))
    for _ in range(3):
        found = decoder.pop(rows)
        assert ((found >= 0) & (found < rows.shape[1])).all()


def stack_popped(rng: Rng) -> None:
    rows = rows_of(rng)
    words = rng.integers(0, 1 << 32, rng.integers(20), np.uint32)
    stack = rows_coder.Stack(words, using=isa(rng))
    for _ in range(3):
        found = stack.pop(rows)
        assert ((found >= 0) & (found < rows.shape[1])).all()
        stack.push(rng.integers(-1, rows.shape[1] + 1, len(rows)).astype(np.int32), rows)
    assert len(stack.words()) == stack.count()


@cache
def tokenizer_file() -> bytes:
    """A small one, of all bytes and a few merges."""
    vocab = {chr(byte): byte for byte in range(256)} | {
        "th": 256,
        "the": 257,
        "in": 300,
        "ing": 259,
        "aa": 260,
        "aaaa": 261,
    }
    merges = [["t", "h"], ["th", "e"], ["i", "n"], ["in", "g"], ["a", "a"], ["aa", "aa"]]
    return json.dumps({"model": {"type": "BPE", "vocab": vocab, "merges": merges}}).encode()


def byte_pairs(rng: Rng) -> None:
    text = mutated(rng, tokenizer_file()) if rng.random() < 0.6 else tokenizer_file()
    at = near(rng, text.find(b'"vocab": {') + 9, max(1, len(text)))
    if (read := bpe.Tables.read(text, min(at, len(text)), using=isa(rng))) is None:
        return
    tables, end = read
    assert 0 < end <= len(text)
    lengths, words = tables.words()
    assert sum(lengths) == len(words)
    classes = bytes(rng.integers(0, 6, 256, np.uint8)) if rng.random() < 0.5 else None
    source = mutated(rng, b"the thing that is in the string, aaaaaaaa aa aaa, and the end " * 3)
    ids = np.asarray(tables.encode(source, classes, bool(rng.integers(2))), np.int32)
    if not (np.array(lengths)[ids] == 0).any() and tables.vocab_size >= 256:
        tables.decode(ids)
    wild = rng.integers(-2, tables.vocab_size + 2, 20).astype(np.int32)
    try:
        assert len(tables.decode(wild)) == np.array(lengths)[wild].sum()
    except TokenizerError:
        assert ((wild < 0) | (wild >= tables.vocab_size)).any() or (np.array(lengths)[wild] == 0).any()


DECODERS = [
    bytes_by_context, samples_on_a_grid, tokens_of_text, tokens_bitwise, rows_popped, stack_popped, byte_pairs,
]  # fmt: skip
QUICK = rows_popped, stack_popped, byte_pairs


def run(decoder: Callable[[Rng], None], seed: int, cases: int) -> None:
    if not library.is_here():
        pytest.skip("the core is not built here")
    refused = 0
    for case in range(cases):
        try:
            decoder(np.random.default_rng([seed, case]))
        except REFUSED:
            refused += 1
        except BaseException as error:
            error.add_note(f"{decoder.__name__}: case {case} of {SEED}={seed}")
            raise
    assert refused or decoder in (byte_pairs, bytes_by_context)  # most bytes decode to something


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.__name__)
def test_damage_by_chance(decoder):
    run(decoder, 0, SHORT)


@pytest.mark.slow
@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.__name__)
def test_much_damage_by_chance(decoder, capsys):
    seed = int(os.environ.get(SEED) or secrets.randbits(32))
    with capsys.disabled():  # a sanitizer ends the process, and what is captured with it
        sys.stderr.write(f"\n{decoder.__name__}: {SEED}={seed}\n")
    run(decoder, seed, LONG * (8 if decoder in QUICK else 1))
