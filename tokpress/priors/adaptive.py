"""Context mixing: a prior that needs no training, for any file (tokens are nibbles, two per byte).

Many simple models each guess the next bit from their own context; an online logistic regression
weighs the guesses by how well each has done so far. After Mahoney, *Adaptive Weighing of Context
Models for Lossless Data Compression* (Florida Tech CS-2005-16), with the parts of his lpaq1 and zpaq:

    context i    hash(some of the last bytes, the nibbles of this byte) → slot of 15 bit histories
    history      counts of zeros and ones seen there, as one byte (zpaq's state table)
    p_i          what followed such a history before: an adaptive table per context
    mixing       p = squash(Σ_i w_i · stretch(p_i)),   stretch(p) = ln(p / (1 − p)),   squash = stretch⁻¹
    learning     w_i += rate · (bit − p) · stretch(p_i)          (gradient of the code length of the bit)

Two mixers choose their weights by (length of the match) and (last byte), a third mixes the two, and
a table corrects its answer by what happened when it said so before (an APM, or SSE). A nibble
is a path of 4 bits through a tree of 15 nodes; p at every node gives the pmf of all 16 nibbles.

All lanes share every table, so a lane profits at once from what the others have seen. A match model
follows the last place, in any lane, where the last bytes occurred. Integers only; the one float
operation is weight · 2^-30, which is exact up to the rounding of the weight to float32.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..coding import Codec, Frame
from ..coding.symbolwise import Symbolwise
from ..errors import ChecksumError, ModelError
from ..exact.tensors import nothing_else
from ..grid import Grid
from ..model_files import check_settings
from ..types import Config, Pmf, Prior, Tokens

#: most 16-byte slots the hash table may have (2^22 = 64 MB), and most match heads (4 bytes each)
MAX_SLOTS_LOG2 = 22
MAX_HEADS_LOG2 = 22
#: how many symbols' conditionals are kept at a time where the symbols are known: 1 MiB
SYMBOLS_AT_ONCE = 1 << 14
_NOTHING = np.empty(0, np.int32)


def squash_table() -> NDArray[np.int32]:
    """[2·CENTRE]: 2^16 / (1 + e^(−x/256)) at x + CENTRE, by 64-bit fixed-point arithmetic in Python integers.

    >>> table = squash_table(); int(table[3072]), int(table[3072 + 256])
    (32768, 47910)
    """
    from .mixing import CENTRE as centre  # compiled: only where it is used

    one = 1 << 64
    step, term, k = 0, one, 0  # e^(−1/256) = Σ (−1/256)^k / k!
    while term:
        step += -term if k % 2 else term
        k += 1
        term //= 256 * k
    table = np.empty(2 * centre, np.int32)
    power = one
    for x in range(centre + 1):
        p = min((one << 16) // (one + power), 65535)
        if x < centre:
            table[centre + x] = p
        if x:
            table[centre - x] = 65536 - p
        power = power * step >> 64
    return table


def stretch_table(squash: NDArray[np.int32]) -> NDArray[np.int32]:
    """[4096]: the x whose squash is the middle of each of 4096 steps of p."""
    from .mixing import CENTRE

    middles = np.arange(4096) * 16 + 8
    return (np.searchsorted(squash, middles) - CENTRE).astype(np.int32)


def bit_histories() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """next [256, 2] and (zeros, ones) [256, 2] of zpaq's history states, numbered by how much they have seen.

    A state is (zeros, ones, last bit), the last bit only while zeros + ones ≤ 17. Counts are bounded, more
    tightly the more both bits occur, and seeing one bit shrinks the other's count: the recent past matters.
    """
    most = (20, 48, 15, 8, 6, 5)  # the larger count may reach most[smaller count]

    def kinds(zeros: int, ones: int) -> int:
        small, large = sorted((zeros, ones))
        if small < 0 or small >= len(most) or large > most[small]:
            return 0
        return 2 if small and zeros + ones <= 17 else 1

    def after(zeros: int, ones: int, bit: int) -> tuple[int, int]:
        if zeros < ones:
            ones, zeros = after(ones, zeros, 1 - bit)
            return zeros, ones
        seen, other = (ones, zeros) if bit else (zeros, ones)
        seen, other = seen + 1, sum(other >= k for k in (1, 2, 3, 4, 5, 7, 8))
        zeros, ones = (other, seen) if bit else (seen, other)
        while not kinds(zeros, ones):
            if ones < 2:
                zeros -= 1
            else:
                zeros, ones = (zeros * (ones - 1) + ones // 2) // ones, ones - 1
        return zeros, ones

    number: dict[tuple[int, int, int], int] = {}
    states = 0
    for total in range(50):
        for ones in range(total + 1):
            n = kinds(total - ones, ones)
            if n:
                number[total - ones, ones, 0] = states
                number[total - ones, ones, 1] = states + n - 1
                states += n
    following = np.zeros((256, 2), np.uint8)
    counts = np.zeros((256, 2), np.int64)
    for (zeros, ones, _), state in number.items():
        following[state] = [number[*after(zeros, ones, bit), bit] for bit in (0, 1)]
        counts[state] = zeros, ones
    return following, counts


class AdaptiveState(NamedTuple):
    """Everything learned while coding. B lanes, L bytes per lane."""

    clock: NDArray[np.int64]  # phase, column, …
    lanes: NDArray[np.int64]  # [B, fields]
    hashes: NDArray[np.int64]  # [B, contexts], of whole bytes
    history: NDArray[np.uint8]  # [B · L], the bytes coded so far
    reached: NDArray[np.int64]  # [B], the last column of each lane that has been coded
    heads: NDArray[np.int32]  # where in history the last 5 bytes were seen last, by hash
    match_maps: NDArray[np.int32]  # [buckets · 2 · 4], p · 2^16 that the expected bit comes
    mixing: Any  # mixing.Mixing
    nibbles: Any  # mixing.Nibble, each array with the lanes in front
    geometry: NDArray[np.int64]  # where pixels are (grid_contexts.py)
    pmf: Pmf


@lru_cache(maxsize=1)
def _tables() -> tuple[np.ndarray, ...]:
    """squash, stretch, next state, p of a fresh history's state, the same as inputs, 1 / n."""
    squash = squash_table()
    stretch = stretch_table(squash)
    following, counts = bit_histories()
    p = ((2 * counts[:, 1] + 1) << 21) // (counts.sum(1) + 1)  # (ones + ½) / (zeros + ones + 1), 22 bits
    seen = np.arange(256) > 0
    inputs_of = np.stack([stretch[p >> 10], np.where(seen, ((p >> 6) - 32768) >> 5, 0)], 1)
    reciprocal = 131072 // (2 * np.arange(1024) + 3)
    tables = squash, stretch, p << 10, inputs_of, reciprocal
    kinds = np.uint16, np.int16, np.uint32, np.int16, np.uint16  # as narrow as may be: together they fill a cache
    squash, stretch, p, inputs_of, reciprocal = (table.astype(kind) for table, kind in zip(tables, kinds))
    return squash, stretch, following, p, inputs_of, reciprocal


def make_mixing(
    slots_log2: int, maps: int, first: NDArray[np.int32], sets: int, mixers: int, final_sets: int, corrections: int
) -> Any:
    """A `mixing.Mixing` that has learned nothing.

    maps: contexts · phases. first [I]: the weights that every node of every set begins with. corrections: sets of them."""
    from .mixing import BINS, Mixing

    squash, stretch, following, p, inputs_of, reciprocal = _tables()
    weights = np.empty((sets, 16, len(first)), np.int32)
    weights[:] = first
    return Mixing(
        table=_aligned_zeros(16 << slots_log2),
        maps=np.tile(p, (maps, 1)),
        inputs_of=np.tile(inputs_of, (maps, 1, 1)),
        weights=weights,
        final_weights=np.full((final_sets, 16, mixers), 65536 // mixers, np.int32),
        correction=np.zeros(corrections * 16 * BINS, np.int32),
        stretch=stretch,
        squash=squash,
        next_state=following,
        reciprocal=reciprocal,
    )


def make_nibbles(lanes: int, contexts: int, inputs: int, mixers: int, bias: int) -> Any:
    """A `mixing.Nibble` with the lanes in front of each array. bias: the input that is always 1."""
    from .mixing import Nibble

    made = np.zeros((lanes, 16, inputs), np.int32)
    made[:, :, bias] = 256
    return Nibble(
        keys=np.zeros((lanes, contexts), np.int64),
        slots=np.zeros((lanes, contexts), np.int64),
        inputs=made,
        mixed=np.zeros((lanes, mixers, 16), np.int32),
        final=np.zeros((lanes, 2, 32), np.int64),
        corrected=np.zeros((lanes, 16), np.int64),
        sets=np.zeros((lanes, mixers + 1), np.int64),
    )


def make_state(
    lanes: int,
    width: int,
    nibbles: int,
    heads: int,
    weights: tuple[int, int],
    rate: int,
    mixers: int,
    at_once: int,
    geometry: NDArray[np.int64],
    more_sets: int = 0,
) -> AdaptiveState:
    """One that has learned nothing. width: bytes of a lane, at most; tables are sized by the `nibbles` and match `heads` that are
    to come; weights [2^-16]: those that each context, and the match, begin with; at_once: lanes whose nibble is predicted before
    it is learned; more_sets: weights of mixers beside those by match and last byte."""
    from . import adaptive_kernel as kernel
    from .adaptive_kernel import CONTEXTS, INPUTS

    clock = np.zeros(kernel.CLOCK_FIELDS, np.int64)
    clock[kernel.WIDTH], clock[kernel.RATE] = width, rate
    first = np.zeros(INPUTS, np.int32)
    first[: 2 * CONTEXTS : 2], first[kernel.MATCH] = weights
    slots_log2 = min(max((nibbles * CONTEXTS).bit_length(), 10), MAX_SLOTS_LOG2)
    return AdaptiveState(
        clock=clock,
        lanes=np.zeros((lanes, kernel.FIELDS), np.int64),
        hashes=np.zeros((lanes, CONTEXTS), np.int64),
        history=np.zeros(lanes * width, np.uint8),
        reached=np.full(lanes, -1, np.int64),
        heads=np.zeros(1 << min(max(heads.bit_length(), 8), MAX_HEADS_LOG2), np.int32),
        match_maps=np.full(kernel.BUCKETS * 8, 49152, np.int32),
        mixing=make_mixing(
            slots_log2, 2 * CONTEXTS, first, kernel.SETS_MATCH + kernel.SETS_BYTE + more_sets, mixers, kernel.SETS_NIBBLE,
            kernel.BUCKETS * kernel.SETS_NIBBLE,
        ),
        nibbles=make_nibbles(at_once, CONTEXTS, INPUTS, mixers, kernel.BIAS),
        geometry=geometry,
        pmf=np.zeros((at_once, 16), np.float32),
    )  # fmt: skip


def _aligned_zeros(size: int) -> NDArray[np.uint8]:
    """Zeros (untouched memory costs nothing) that begin at a cache line."""
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size]


class AdaptivePrior(Prior):
    """
    >>> prior = AdaptivePrior(); state = prior.init(lanes=1, tokens=4)
    >>> prior.step(state, None, 1).shape
    (1, 16)
    """

    name = "adaptive"
    vocab_size = 16
    stride = 2

    def __init__(self, on_grid: bool = False) -> None:
        """on_grid: whether it wants to know where pixels are, to look at those around (grid_contexts.py)."""
        self.wants_grid = on_grid
        self._grid: Grid | None = None

    def on(self, grid: Grid | None, tokens: int) -> "AdaptivePrior":
        bound = AdaptivePrior(self.wants_grid)
        if grid is not None:
            bound._grid, bound.stride = grid, tokens  # a lane begins at multiples of the stride: there is one
        return bound

    def lanes(self, tokens: int) -> int:
        """One: the step runs compiled, so lanes would save no time, and they meet what is new to all at once."""
        return 1

    def init(self, lanes: int, tokens: int) -> AdaptiveState:
        """Lane r must hold the tokens r·T … of one file, T = ⌈tokens / lanes⌉ rounded up to even."""
        from . import adaptive_kernel as kernel

        return make_state(
            lanes, max(1, -(-tokens // (2 * lanes))), tokens, tokens, (11796, 19660),  # 0.18 and 0.3
            kernel.RATE_LAST + kernel.RATE_EXTRA, kernel.MIXERS, lanes, self._geometry(),
        )  # fmt: skip

    def _geometry(self) -> NDArray[np.int64]:
        from .grid_contexts import GEOMETRY_FIELDS

        geometry = np.zeros(GEOMETRY_FIELDS, np.int64)
        if grid := self._grid:
            pixel = grid.channels * grid.sample_bytes
            row = grid.row_bytes if grid.picture else 2 * pixel
            geometry[:5] = grid.start, grid.stop, pixel, row, row - grid.padding
        return geometry

    def step(self, state: AdaptiveState, previous: Tokens | None, rows: int) -> Pmf:
        from . import adaptive_kernel as kernel

        if rows > len(state.lanes) or (previous is not None and not rows <= len(previous) <= len(state.lanes)):
            raise ValueError(f"a step of {rows} rows does not follow, in a state of {len(state.lanes)} lanes")
        # a copy, so that the compiled kernel sees one kind of array whatever the caller slices
        symbols = _NOTHING if previous is None else np.array(previous, np.int32)
        kernel.advance(symbols, rows, state)
        return state.pmf[:rows]

    def stretch(self, state: AdaptiveState, previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]:
        from . import adaptive_kernel as kernel

        rows, steps = symbols.shape
        at_once = max(1, SYMBOLS_AT_ONCE // rows)
        by_step = np.ascontiguousarray(symbols.T, np.int32)
        for at in range(0, steps, at_once):
            block = by_step[at : at + at_once]
            pmfs = np.empty((len(block), rows, 16), np.float32)
            given = _NOTHING if previous is None else np.array(previous, np.int32)
            kernel.advance_known(given, block, rows, pmfs, state)
            yield pmfs
            previous = block[-1]

    def codec(self, frame: Frame) -> Codec:
        return Symbolwise(self, frame, self.decode_steps)

    def decode_steps(self, state: AdaptiveState, coder: Any, previous: Tokens | None, rows: int, steps: int) -> Tokens:
        from . import adaptive_kernel as kernel

        out = np.empty((steps, rows), np.int32)
        given = _NOTHING if previous is None else np.array(previous[:rows], np.int32)
        words, decoder = coder
        if not kernel.advance_decoding(given, words, decoder, rows, out, state):
            raise ChecksumError("the coded words are damaged")
        return out.T

    def config(self) -> Config:
        return {"on_grid": True} if self.wants_grid else {}

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, np.ndarray], vocab_size: int) -> "AdaptivePrior":
        check_settings(f"a {cls.name} prior", config, set(), {"on_grid"})
        nothing_else(tensors, set())
        on_grid = config.get("on_grid", False)
        on_grid = {"true": True, "false": False}.get(on_grid, on_grid) if isinstance(on_grid, str) else on_grid
        if not isinstance(on_grid, bool):
            raise ModelError(f"on_grid of an adaptive prior is true or false, not {on_grid!r}")
        if vocab_size != cls.vocab_size:
            raise ModelError(f"an adaptive prior is over nibbles, not {vocab_size:,} symbols: --tokenizer nibbles")
        return cls(on_grid)
