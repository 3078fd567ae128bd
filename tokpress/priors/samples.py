"""Pixels and sound, without training: linear prediction that learns as it goes, and the mixing of `adaptive.py`.

A sample is guessed from its neighbours by several means (`prediction.py`); what is coded is how far it is from the blend of
them, nibble by nibble. The probabilities come from logistic densities around all the guesses and from what happened in
similar surroundings before, mixed online (`samples_kernel.py`):

    s_t = centre_t + residual_t  (mod 2^bits),     p(residual_t | s_<t) = mix_k p_k(s_t),     p_k logistic around μ_k

After the lossless coders of Meyer & Tischer (TMW, 1997), Wu, Barthel & Zhang (2-D least squares, 1998), of audio
Ghido (OptimFROG) and Ashland (Monkey's Audio, cascades of sign LMS), with Mahoney's mixing (`adaptive.py`).

Tokens are nibbles. Where the samples are is told beside them (`grid.Grid`); everything around them is coded first, by an
adaptive prior, which is also all there is where no samples are known. Residuals of the samples follow, the highest nibble
first, green before red and blue. Only one lane: each sample is predicted from all before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..coding import Codec, Frame
from ..coding.symbolwise import Symbolwise
from ..errors import ChecksumError, ModelError
from ..exact.tensors import nothing_else
from ..grid import Grid
from ..model_files import check_settings
from ..tokenizers.bytes import NibblesTokenizer
from ..tokens import TokenBuffer, as_array
from ..types import Config, Pmf, Prior, Tokens
from .adaptive import SYMBOLS_AT_ONCE, AdaptivePrior
from .samples_state import make_predictor, make_state

NIBBLES = NibblesTokenizer()


@dataclass
class SamplesState:
    """around: of the adaptive prior, for `before` tokens; samples: a `SampleState`; done: steps."""

    around: Any
    samples: Any
    before: int
    done: int = 0


class SamplesPrior(Prior):
    """
    >>> prior = SamplesPrior(); state = prior.init(lanes=1, tokens=4)
    >>> prior.step(state, None, 1).shape
    (1, 16)
    """

    name = "samples"
    vocab_size = 16
    stride = 2
    wants_grid = True

    def __init__(self) -> None:
        self.grid: Grid | None = None
        self._around = AdaptivePrior()

    def on(self, grid: Grid | None, tokens: int) -> "SamplesPrior":
        bound = SamplesPrior()
        if grid is not None:
            bound.grid, bound.stride = grid, tokens  # a lane begins at multiples of the stride: there is one
        return bound

    def lanes(self, tokens: int) -> int:
        return 1

    # --- tokens and what is coded ------------------------------------------------------------------

    def arrange(self, tokens: TokenBuffer) -> TokenBuffer:
        if self.grid is None:
            return tokens
        from . import prediction

        rest, samples = self.grid.split(NIBBLES.decode(tokens))
        values = self._values(samples)
        out = np.empty(len(values), np.int32)
        prediction.residuals(values, out, make_predictor(self.grid))
        return np.concatenate([NIBBLES.encode(rest), _spelled(out, self.grid.bits)])

    def restore(self, tokens: TokenBuffer) -> TokenBuffer:
        if self.grid is None:
            return tokens
        tokens = as_array(tokens)
        from . import prediction

        before = len(tokens) - 2 * self.grid.sample_bytes * self.grid.samples
        out = np.empty(self.grid.samples, np.int32)
        prediction.from_residuals(_read(tokens[before:], self.grid.bits), out, make_predictor(self.grid))
        return NIBBLES.encode(self.grid.join(NIBBLES.decode(tokens[:before]), self._samples(out)))

    def in_place(self, bits: np.ndarray) -> np.ndarray:
        if self.grid is None:
            return bits
        before = len(bits) - 2 * self.grid.sample_bytes * self.grid.samples
        pairs = np.arange(len(bits) // 2, dtype=np.int64)
        rest, samples = pairs[: before // 2], pairs[before // 2 :].reshape(-1, self.grid.sample_bytes)
        grid = self.grid
        order = np.empty(len(pairs), np.int64)
        at = np.arange(len(pairs))
        rows = at[grid.start : grid.stop].reshape(grid.rows, grid.row_bytes)
        used = grid.row_bytes - grid.padding
        places = rows[:, :used].reshape(-1, grid.sample_bytes)
        places = places[:, ::-1] if grid.little else places
        order[self._turned(places).reshape(-1)] = samples.reshape(-1)
        order[np.concatenate([at[: grid.start], rows[:, used:].reshape(-1), at[grid.stop :]])] = rest
        return bits.reshape(-1, 2)[order].reshape(-1)

    def _turned(self, samples: np.ndarray) -> np.ndarray:
        """Samples [N, …] with green before red and blue; its own reverse."""
        assert self.grid is not None
        if not self.grid.picture or self.grid.channels < 3:
            return samples
        channels = [1, 0, *range(2, self.grid.channels)]
        return samples.reshape(-1, self.grid.channels, *samples.shape[1:])[:, channels].reshape(samples.shape)

    def _values(self, samples: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Samples [N, bytes] as numbers whose range has its middle at zero, as they are coded."""
        assert self.grid is not None
        value = np.zeros(len(samples), np.int64)
        for i in range(self.grid.sample_bytes):
            value = value << 8 | samples[:, i]
        half = 1 << (self.grid.bits - 1)
        value = ((value ^ half) if self.grid.signed else value) - half
        return self._turned(value.astype(np.int32))

    def _samples(self, values: NDArray[np.int32]) -> NDArray[np.uint8]:
        """The reverse of `_values`."""
        assert self.grid is not None
        half = 1 << (self.grid.bits - 1)
        value = self._turned(values).astype(np.int64) + half
        value = value ^ half if self.grid.signed else value
        return np.stack([value >> 8 * i & 255 for i in range(self.grid.sample_bytes - 1, -1, -1)], 1).astype(np.uint8)

    # --- steps --------------------------------------------------------------------------------------

    def init(self, lanes: int, tokens: int) -> Any:
        if self.grid is None:
            return SamplesState(self._around.init(lanes, tokens), None, tokens)
        before = tokens - 2 * self.grid.sample_bytes * self.grid.samples
        around = self._around.init(1, before) if before else None
        return SamplesState(around, make_state(self.grid), before)

    def step(self, state: SamplesState, previous: Tokens | None, rows: int) -> Pmf:
        done, state.done = state.done, state.done + 1
        if self.grid is None or done < state.before:
            return self._around.step(state.around, previous, rows)
        from . import samples_kernel as kernel

        known = previous is not None and done > state.before
        kernel.advance(int(previous[0]) if known else -1, state.samples)  # type: ignore[index]
        return state.samples.pmf

    def stretch(self, state: SamplesState, previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]:
        if self.grid is None:
            yield from self._around.stretch(state.around, previous, symbols)
            return
        from . import samples_kernel as kernel

        cut = max(0, state.before - state.done)
        if head := symbols[:, :cut].shape[1]:
            yield from self._around.stretch(state.around, previous, symbols[:, :cut])
            state.done += head
        for at in range(cut, symbols.shape[1], SYMBOLS_AT_ONCE):
            block = np.ascontiguousarray(symbols[0, at : at + SYMBOLS_AT_ONCE], np.int32)
            pmfs = np.empty((len(block), 1, 16), np.float32)
            last = -1 if state.done == state.before else int(symbols[0, at - 1] if at else previous[0])  # type: ignore[index]
            kernel.advance_known(last, block, pmfs, state.samples)
            state.done += len(block)
            yield pmfs

    def codec(self, frame: Frame) -> Codec:
        return Symbolwise(self, frame, self.decode_steps)

    def decode_steps(self, state: SamplesState, coder: Any, previous: Tokens | None, rows: int, steps: int) -> Tokens:
        if self.grid is None:
            return self._around.decode_steps(state.around, coder, previous, rows, steps)
        from . import samples_kernel as kernel

        cut = min(steps, max(0, state.before - state.done))
        out = np.empty((1, steps), np.int32)
        if cut:
            out[:, :cut] = self._around.decode_steps(state.around, coder, previous, 1, cut)
            state.done += cut
        if cut < steps:
            last = -1 if state.done == state.before else int(previous[0])  # type: ignore[index]
            words, decoder = coder
            if not kernel.advance_decoding(last, words, decoder, out[0, cut:], state.samples):
                raise ChecksumError("the coded words are damaged")
            state.done += steps - cut
        return out

    @classmethod
    def load(cls, config: Config, tensors: dict[str, np.ndarray], vocab_size: int) -> "SamplesPrior":
        check_settings(f"a {cls.name} prior", config, set(), set())
        nothing_else(tensors, set())
        if vocab_size != cls.vocab_size:
            raise ModelError(f"a samples prior is over nibbles, not {vocab_size:,} symbols: --tokenizer nibbles")
        return cls()


def _spelled(residuals: NDArray[np.int32], bits: int) -> Tokens:
    """Residuals in −2^(bits−1) … as nibbles of what they are above the lowest."""
    above = residuals.astype(np.int64) + (1 << (bits - 1))
    return np.stack([above >> shift & 15 for shift in range(bits - 4, -1, -4)], 1).reshape(-1).astype(np.int32)


def _read(nibbles: Tokens, bits: int) -> NDArray[np.int32]:
    above = np.zeros(len(nibbles) * 4 // bits, np.int64)
    for digit in nibbles.reshape(-1, bits // 4).T:
        above = above << 4 | digit
    return (above - (1 << (bits - 1))).astype(np.int32)
