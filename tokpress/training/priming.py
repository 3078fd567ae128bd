"""Prime the mixing of a bitwise prior: let it begin each file with what it learned from many short texts.

A mixer that begins with the same weights for every decision needs some thousand tokens to learn which inputs are worth what: the base's
odds at the first decisions of a token, the contexts at the last ones, more where the last tokens are known. Most of that is so in every
text. So pieces of the corpus are coded one after another. Weights and counters go from piece to piece, but what the contexts and the memory
learned does not. The prior gets the mean of the weights over the last pieces; a single piece leaves its own traces in them.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TokpressError
from ..native.bitwise import COUNTERS, IN_A_ROW, MATCHED, BitwiseFrame, Mixing, rows_of_weights
from ..native.text import Model as CoreModel
from ..priors.compose.memory import MemoryPrior
from ..priors.text.bitwise import BitwisePrior, bytes_of_tokens
from ..priors.text.core import model_of
from ..priors.text.mingru import MinGRUPrior
from ..priors.text.priming import SEEN_UNIT, Priming
from .data.streams import Source
from .nets.classes import sample
from .token_order import in_byte_order

#: pieces have 2^6.5 … 2^12.5 tokens, all lengths of logarithms alike likely
SHORTEST, LONGEST = 6.5, 12.5
#: Sources of more tokens are drawn alike, smaller ones by their size: priming should suit each kind of text, not the largest (docs/notes/text.md).
ALIKE = 1 << 19
#: the mean is over about so many pieces
WINDOW = 200
#: how much of what the weights have learned a model keeps: all of it suits short texts, and is too much for long ones (docs/notes/text.md)
SHARE = np.float32(0.5)
#: largest number of times seen that a counter begins with
MAX_SEEN = 60


def ordered_and_primed(prior: BitwisePrior, sources: list[Source], pieces: int) -> BitwisePrior:
    """The prior with its tokens in the order of their bytes (`token_order`), as far as classes allow, then primed."""
    memory = prior.base
    if isinstance(memory, MemoryPrior) and memory.classes and isinstance(memory.base, MinGRUPrior) and prior.tokenizer:
        frequency = np.bincount(sample(sources, 0), minlength=prior.vocab_size)
        network = in_byte_order(memory.base, bytes_of_tokens(prior.tokenizer), frequency)
        prior = BitwisePrior(MemoryPrior(network, tuple(memory.orders)), prior.tokenizer)
    return primed(prior, sources, pieces)


def primed(prior: BitwisePrior, sources: list[Source], pieces: int, seed: int = 0) -> BitwisePrior:
    """The prior with a priming from so many pieces of the sources, whatever their weights. Raises TokpressError where the core does
    not step the prior."""
    model = model_of(prior.base)
    if model is None:
        raise TokpressError("mixing is primed in the core, which does not step this prior")
    shape = rows_of_weights(prior.vocab_size), IN_A_ROW
    mean, state = np.zeros(shape, np.float32), None
    for count, tokens in enumerate(_pieces(sources, pieces, np.random.default_rng(seed)), 1):
        state = _after(prior, model, tokens, state)
        mean += (np.frombuffer(state.weights, np.int16).reshape(shape) - mean) / np.float32(min(count, WINDOW))
    if state is None:
        return prior
    untouched = _after(prior, model, np.zeros(0, np.int32), None)
    change = SHARE * (mean - np.frombuffer(untouched.weights, np.int16).reshape(shape))
    tensors: dict[str, NDArray[Any]] = {
        "weights": np.clip(np.rint(np.sign(change) * np.sqrt(np.abs(change))), -127, 127).astype(np.int8),
        "counters": _words(np.frombuffer(state.counters, np.uint32)).reshape(COUNTERS),
        "matched": _words(np.frombuffer(state.matched, np.uint32)).reshape(MATCHED),
    }
    return BitwisePrior(prior.base, prior.tokenizer, Priming(tensors, prior.vocab_size))


def _after(prior: BitwisePrior, model: CoreModel, tokens: NDArray[np.int32], state: Mixing | None) -> Mixing:
    """What mixing has learned after a piece, coded from `state` on."""
    table, _ = prior.mixing_in_core
    count = max(len(tokens), 1)
    frame = BitwiseFrame(model, table, prior.rules.lanes(count), count)
    if state is not None:
        frame.begin(state)
    if len(tokens):
        frame.score(tokens)
    after = Mixing(prior.vocab_size)
    frame.mixing(after)
    return after


def _pieces(sources: list[Source], count: int, rng: np.random.Generator) -> Iterator[NDArray[np.int32]]:
    sources = [source for source in sources if len(source.tokens)]
    if not sources:
        return
    size = np.array([min(len(source.tokens), ALIKE) for source in sources], np.float64)
    shares = size / size.sum()
    for _ in range(count):
        tokens = sources[rng.choice(len(sources), p=shares)].tokens
        length = min(int(2 ** rng.uniform(SHORTEST, LONGEST)), len(tokens))
        at = int(rng.integers(0, len(tokens) - length + 1))
        yield tokens[at : at + length].astype(np.int32)


def _words(counters: NDArray[np.uint32]) -> NDArray[np.uint16]:
    """Counters of the core (counters.h) as `priors.text.priming.counter_of` reads them."""
    p = np.clip(np.rint(counters / 2.0**20), 1, 4095).astype(np.uint16)
    seen = (np.minimum(counters & 1023, MAX_SEEN) // SEEN_UNIT).astype(np.uint16)
    words: NDArray[np.uint16] = p << 4 | seen
    return words
