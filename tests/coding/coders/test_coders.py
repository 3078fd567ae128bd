"""The coders: the Python definitions, the core's forms of them, and constriction, which writes the same words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokpress.coding.coders.intervals import WHOLE, edges
from tokpress.coding.coders.range_coder import RangeDecoder, RangeEncoder
from tokpress.coding.coders.stack import Stack, Words
from tokpress.errors import ChecksumError
from tokpress.native import library, range_coder, rows_coder

SETS = library.instruction_sets()


def encoders():
    """The definition, and the core of each instruction set."""
    return [RangeEncoder(), *(rows_coder.RangeEncoder(using=name) for name in SETS)]


def decoders(payload):
    return [RangeDecoder(payload), *(rows_coder.RangeDecoder(payload, using=name) for name in SETS)]


def stacks(words):
    return [Words(words), *(rows_coder.Stack(words, using=name) for name in SETS)]


def rows_and_symbols(seed: int, rows: int, symbols: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    weights = rng.random((rows, symbols)) ** sharpness + 1e-12
    pmf = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    likely = [rng.choice(symbols, p=row / row.sum()) for row in weights]
    return pmf, np.where(rng.random(rows) < 0.8, likely, rng.integers(0, symbols, rows)).astype(np.int32)


def coded(pmf: np.ndarray, symbols: np.ndarray) -> bytes:
    """The payload, after all coders were found to write it, and to read it."""
    payloads = set()
    for encoder in encoders():
        encoder.push(symbols, pmf)
        payloads.add(encoder.finish())
    (payload,) = payloads
    for decoder in decoders(payload):
        assert np.array_equal(decoder.pop(pmf), symbols)
    return payload


CASES = given(st.integers(0, 2**32), st.integers(1, 40), st.integers(2, 140), st.sampled_from([0.0, 1.0, 9.0, 80.0]))


@settings(max_examples=60, deadline=None)
@CASES
def test_the_words_are_constrictions(seed, rows, symbols, sharpness):
    stream = pytest.importorskip("constriction").stream
    family = stream.model.Categorical(perfect=False)
    pmf, chosen = rows_and_symbols(seed, rows, symbols, sharpness)
    queue = stream.queue.RangeEncoder()
    queue.encode(chosen, family, pmf)
    theirs, ours = queue.get_compressed().astype(">u4").tobytes(), coded(pmf, chosen)
    assert len(theirs) - 8 < len(ours) <= len(theirs) and ours[: len(theirs) - 8] == theirs[:-8][: len(ours)]
    padded = np.frombuffer(ours + bytes(len(theirs) - len(ours)), ">u4").astype(np.uint32)
    assert np.array_equal(stream.queue.RangeDecoder(padded).decode(family, pmf), chosen)
    stack = stream.stack.AnsCoder()
    stack.encode_reverse(chosen, family, pmf)
    for ours in stacks(np.zeros(0, np.uint32)):
        ours.push(chosen, pmf)
        assert np.array_equal(ours.words(), stack.get_compressed())


@settings(max_examples=40, deadline=None)
@CASES
def test_noise_pops_as_constrictions_does(seed, rows, symbols, sharpness):
    stream = pytest.importorskip("constriction").stream
    noise = np.random.default_rng(seed).integers(0, 1 << 32, 60, np.uint32)
    pmf, _ = rows_and_symbols(seed, rows, symbols, sharpness)
    theirs = stream.stack.AnsCoder(noise, True)
    wanted = theirs.decode(stream.model.Categorical(perfect=False), pmf)
    for ours in stacks(np.append(noise, np.uint32(1))):
        assert np.array_equal(ours.pop(pmf), wanted) and ours.count() == theirs.num_words()
        ours.push(wanted, pmf)
        assert np.array_equal(ours.words(), np.append(noise, np.uint32(1)))


@settings(max_examples=40, deadline=None)
@CASES
def test_every_symbol_has_an_interval_and_they_meet(seed, rows, symbols, sharpness):
    pmf, _ = rows_and_symbols(seed, rows, symbols, sharpness)
    found = edges(pmf)
    assert (found[:, 0] == 0).all() and (found[:, -1] == WHOLE).all() and (np.diff(found, axis=1) > 0).all()


@pytest.mark.parametrize("symbols", [513, 4096, 50257])
@pytest.mark.parametrize("rows", [1, 9])
def test_large_alphabets_cost_what_they_should(rows, symbols):
    pmf, chosen = rows_and_symbols(rows, rows, symbols, 9.0)
    pmf, chosen = np.tile(pmf, (5, 1)), np.tile(chosen, 5)
    ideal = -np.log2(np.maximum(pmf[np.arange(len(pmf)), chosen], 2.0**-24)).sum()
    assert 8 * len(coded(pmf, chosen)) <= ideal * 1.02 + 64


def test_symbols_that_are_next_to_impossible():
    """Where a memory is sure, the rest of a large vocabulary has probabilities near the least float32, or 0."""
    rows = np.zeros((20, 1024), np.float32)
    rows[:10] = np.float32(1e-44)
    rows[:, 7] = 1
    coded(rows, np.arange(20, dtype=np.int32) * 50)
    coded(rows, np.full(20, 1023, np.int32))


@pytest.mark.parametrize("row", [[np.nan, 1], [-0.5, 1.5], [0, 0], [np.inf, 1], [1, -1]])
def test_a_row_that_is_no_distribution_is_refused(row):
    for encoder in encoders():
        with pytest.raises(ValueError):
            encoder.push(np.array([0], np.int32), np.array([row], np.float32))


@pytest.mark.parametrize("symbol", [-1, 2, 2**31 - 1])
def test_a_symbol_outside_the_alphabet_is_refused(symbol):
    row = np.full((1, 2), 0.5, np.float32)
    for coder in [*encoders(), *(rows_coder.Stack(np.zeros(0, np.uint32), using=name) for name in SETS)]:
        with pytest.raises(ValueError):
            coder.push(np.array([symbol], np.int32), row)


@pytest.mark.parametrize("pmf", [np.ones((1, 2)), np.ones((4, 2), np.float32).T, np.ones(2, np.float32)])
def test_other_arrays_are_refused(pmf):
    for encoder in encoders():
        with pytest.raises(TypeError):
            encoder.push(np.zeros(1, np.int32), pmf)


def test_an_end_that_lies_is_found_out():
    row = np.full((4000, 16), 1 / 16, np.float32)
    payload = coded(row[:100], np.zeros(100, np.int32))
    for decoder in decoders(payload):
        with pytest.raises(ChecksumError):
            decoder.pop(row)


def test_words_that_no_encoder_writes():
    for decoder in decoders(b"\xff" * 40):
        with pytest.raises(ChecksumError):
            for _ in range(40):
                decoder.pop(np.array([[0.9, 0.1]], np.float32))


def test_nothing_is_written_of_nothing():
    assert coded(np.zeros((0, 2), np.float32), np.zeros(0, np.int32)) == b""


def test_noise_that_is_used_up():
    stack, row = Stack(b"abcdefgh", noise=True), np.full((1, 1 << 16), 2.0**-16, np.float32)
    with pytest.raises(ChecksumError):
        for _ in range(10):
            stack.pop(row)


# ── carries ─────────────────────────────────────────────────────────────────────────────────────────

EVEN = [v << 18 for v in range(65)]
SKEWED = [[0, 1, WHOLE], [0, WHOLE - 1, WHOLE], [0, 1, WHOLE - 1, WHOLE], [0, WHOLE >> 1, WHOLE], [0, 5, WHOLE]]


class Straddling:
    """Symbols whose intervals always hold one number, which ends in zeros: below it, words are full of ones."""

    def __init__(self, boundary: int) -> None:
        self.encoder, self.distance = RangeEncoder(), boundary
        self.intervals: list[tuple[int, int]] = []

    def push(self, edges: list[int], beside: int = 0) -> None:
        """The symbol that holds the number, or one beside it."""
        encoder = self.encoder
        scale, used = encoder._range >> 24, len(encoder._words)
        quantile = min(self.distance // scale, WHOLE - 1)
        symbol = min(max(int(np.searchsorted(edges, quantile, side="right")) - 1 + beside, 0), len(edges) - 2)
        self.intervals.append((edges[symbol], edges[symbol + 1]))
        encoder.narrow(*self.intervals[-1])
        self.distance = (self.distance - scale * edges[symbol]) << 32 * (len(encoder._words) - used)

    def check(self) -> None:
        payload = self.encoder.finish()
        for name in SETS:
            assert range_coder.encode(*map(list, zip(*self.intervals)), using=name) == payload
        decoder = RangeDecoder(payload)
        for left, right in self.intervals:
            assert left <= decoder.target() < right
            decoder.narrow(left, right)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(range(len(SKEWED))), st.booleans()), max_size=80),
    st.sampled_from([1 << 63, 1 << 62, 3 << 61, (1 << 64) - (1 << 32), (1 << 63) + (1 << 40)]),
    st.sampled_from([-1, 0, 1]),
)
def test_carries_go_as_far_as_they_must(steps, boundary, end):
    made = Straddling(boundary)
    for number, even in steps:
        made.push(EVEN if even else SKEWED[number])
    made.push(EVEN, end)
    made.check()


@pytest.mark.parametrize("last", [-1, 0, 1])
def test_a_carry_through_many_words(last):
    made = Straddling(1 << 63)
    for _ in range(60):
        made.push(EVEN)
    before = list(made.encoder._words)
    assert before[0] == 2**31 - 1 and set(before[1:]) == {2**32 - 1} and len(before) > 8
    for _ in range(3):
        made.push(EVEN, last)
    carried = made.encoder._words[: len(before)]
    assert (carried == [1 << 31] + [0] * (len(before) - 1)) == (last == 1)
    made.check()
