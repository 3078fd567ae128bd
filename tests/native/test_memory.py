"""The memory around priors that Python steps: the core against its twin, bit for bit; bounds; arguments that do not fit."""

import numpy as np
import pytest

from tests.models import tiny_network
from tests.native.test_text import repeating
from tokpress.coding import Frame
from tokpress.native import library
from tokpress.native.memory import Memory
from tokpress.priors.compose import memory_counts
from tokpress.priors.compose.memory import ORDERS, MemoryPrior
from tokpress.priors.compose.memory_counts import Counts
from tokpress.priors.lecture.histogram import HistogramPrior


def follow(core, orders, grid, symbols, tokens=None, ends=None, sharpness=0.3):
    """Both through the symbols [lanes, steps]; from step `ends` on without the last lane. Returns the twin."""
    rng, (lanes, steps) = np.random.default_rng(1), grid.shape
    tokens = grid.size if tokens is None else tokens
    fast, twin = Memory(orders, lanes, tokens, symbols, core), Counts(list(orders), lanes, tokens)
    previous, bases = None, rng.dirichlet(np.full(symbols, sharpness), 7 * lanes).astype(np.float32)
    for t in range(steps):
        rows = lanes if ends is None or t < ends else lanes - 1
        previous = None if previous is None else previous[:rows]
        p0 = bases[t % 7 * lanes :][:rows]
        made, again = twin.step(previous, p0), fast.step(previous, p0)
        assert made.tobytes() == again.tobytes(), f"step {t}"
        previous = np.ascontiguousarray(grid[:rows, t])
    return twin


def grid_of(lanes, steps, symbols, seed=1):
    return repeating(seed, 4 * lanes * steps, symbols)[: lanes * steps].reshape(lanes, steps)


@pytest.mark.parametrize(("lanes", "steps"), [(1, 200), (3, 90), (8, 40), (17, 30), (40, 20)])
@pytest.mark.parametrize("orders", [(1,), (1, 2, 4), ORDERS, (64, 3)], ids=str)
def test_the_conditionals_are_the_twins(core, lanes, steps, orders):
    ends = 2 * steps // 3 if lanes > 1 else None
    twin = follow(core, orders, grid_of(lanes, steps, 64), 64, ends=ends)
    assert twin.seen == steps - 1 and len(twin.learned.table) > (5 if orders != (64, 3) else 0)


@pytest.mark.parametrize("symbols", [1, 2, 255, 5000, 1 << 16])
def test_alphabets_of_any_size(core, symbols):
    follow(core, (1, 3), np.random.default_rng(2).integers(0, symbols, (3, 20)).astype(np.int32), symbols, sharpness=1)


def test_contexts_with_many_successors(core):
    """Blocks of the pool are moved, and counts found anywhere in them."""
    grid = np.random.default_rng(3).integers(0, 300, (9, 250)).astype(np.int32)
    grid[:, ::2] = 7
    twin = follow(core, (1, 2), grid, 300)
    assert max(len(context.successors) for context in twin.learned.table.values()) > 256


@pytest.mark.parametrize("tokens", [0, 1, 5])
def test_full_tables(core, tokens):
    """A frame that is longer than it said keeps its tables within their bounds."""
    grid = np.random.default_rng(4).integers(0, 12, (5, 400)).astype(np.int32)
    twin = follow(core, ORDERS, grid, 12, tokens=tokens)
    assert (
        len(twin.learned.table) == twin.learned.rows - twin.learned.rows // 8
        and twin.learned.pool_used == twin.learned.pool
    )


def test_counts_at_their_limit(core):
    twin = follow(core, (1,), np.zeros((16, memory_counts.MAX_COUNT // 16 + 40), np.int32), 2)
    assert [context.n for context in twin.learned.table.values()] == [memory_counts.MAX_COUNT]


def test_a_base_without_hope(core):
    """Where the base gives a symbol next to nothing, or nothing, the strengths stay."""
    p0 = np.zeros((2, 4), np.float32)
    p0[:, 0], p0[:, 1] = 1, 1e-44
    fast, twin, previous = Memory((1, 2), 2, 100, 4, core), Counts([1, 2], 2, 100), None
    for t in range(60):
        assert fast.step(previous, p0).tobytes() == twin.step(previous, p0).tobytes()
        previous = np.array([0, 0] if t % 9 else [1, 2], np.int32)
    assert np.isfinite(twin.learned.scale).all()


@pytest.mark.parametrize(
    "base", [HistogramPrior(64), tiny_network("lstm", {"width": 12}, 64), MemoryPrior(HistogramPrior(64), (2,))]
)
@pytest.mark.parametrize("lanes", [1, 7])
def test_the_payload_is_the_twins(base, lanes):
    tokens, prior = repeating(5, 150, 64), MemoryPrior(base)
    payload = prior.codec(Frame(150, lanes, kernel="numpy")).encode(tokens)
    codec = prior.codec(Frame(150, lanes))
    assert codec.encode(tokens) == payload and np.array_equal(codec.decode(payload, 150), tokens)


def test_what_the_core_refuses(core):
    p0 = np.full((2, 4), 0.25, np.float32)
    for wrong in ([-1, 0], [0, 4], [1 << 30, 0]):
        made = Memory((1,), 2, 10, 4, core)
        made.step(None, p0)
        with pytest.raises(library.CoreError):
            made.step(np.array(wrong, np.int32), p0)
    made = Memory((1,), 2, 10, 4, core)
    with pytest.raises(library.CoreError):
        made.step(np.zeros(2, np.int32), p0)
    made.step(None, p0[:1])
    with pytest.raises(library.CoreError):
        made.step(np.zeros(2, np.int32), p0)
    with pytest.raises(library.CoreError):
        made.step(None, p0[:1])
    for pmf, previous in ((p0[:, :3], None), (p0, np.zeros(1, np.int32)), (p0[0], None)):
        with pytest.raises(ValueError):
            Memory((1,), 2, 10, 4, core).step(previous, pmf)


@pytest.mark.parametrize(
    ("orders", "lanes", "tokens", "symbols"),
    [
        *[(orders, 1, 1, 2) for orders in ((), (0,), (65,), (1,) * 65)],
        *[((1,), *sizes) for sizes in ((0, 1, 2), (1 << 21, 1, 2), (1, -1, 2), (1, 1 << 41, 2))],
        *[((1,), 1, 1, symbols) for symbols in (0, (1 << 16) + 1)],
    ],
)
def test_sizes_out_of_bounds(core, orders, lanes, tokens, symbols):
    with pytest.raises(MemoryError, match="found no memory"):
        Memory(orders, lanes, tokens, symbols, core)
