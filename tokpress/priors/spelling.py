"""A prior over tokens, spelled: each token is coded bit by bit, and an adaptive model of the bytes has its say in each bit.

    trie of all tokens    mass(node) = Σ p(v), v below node            p from the base prior, one pmf a token
    the token ends        p = p(v of this node) / mass(node)
    next bit of a nibble  p = mass(its side) / mass(both sides)        what no token has is not coded
    each bit              logistic mixing of that p with context mixing of the bytes before (`adaptive.py`)

The base has read much text, and knows its language; the contexts have read this file only, and know its names, phrases and
layout, byte by byte, where the tokens' own counts (`memory.py`) see whole tokens. The tokens stay those of the tokenizer.
Spelling out a distribution over tokens: Vieira et al. 2024, "From language models over tokens to language models over
characters", §3 (ours is that of one segmentation, which is why the ends are coded); mixing: Mahoney 2005 (`adaptive.py`).

A frame of fewer tokens than `least` is coded by the base alone: there the contexts would not pay for being compiled.
Lanes r and steps t as everywhere; all lanes share what the contexts have learned.
"""

from collections.abc import Mapping
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..coding import Codec, Frame
from ..coding.lanes import Layout
from ..errors import ChecksumError, ModelError, TokpressError
from ..lazy import lazy
from ..model_files import check_settings
from ..types import Config, NotStepped, Pmf, Prior, Tokenizer, Tokens
from .adaptive import AdaptiveState, make_state
from .several import kind_of
from .spelled import Spelled
from .text_core import CoreSteps, model_of

if TYPE_CHECKING:
    from ..training.options import FitOptions
    from ..training.streams import Source

#: tokens of a frame, from which its tokens are spelled
LEAST = 6000
#: bytes of a token, at most
LONGEST = 32
ENDS_LOG2 = 20


class Trie(NamedTuple):
    """Of N nodes, one for each beginning of a token by nibbles. Tokens are numbered 0 … V − 1 in the order of their bytes."""

    edges: NDArray[np.int32]  # [N, 17]: tokens edges[c] … edges[c + 1] − 1 go on with the nibble c
    child: NDArray[np.int32]  # [N, 16]: the node after it; 0 where no token goes on so
    own: NDArray[np.int32]  # [N]: the token that ends here, or −1
    order: NDArray[np.uint32]  # [V]: symbols in the order of their bytes
    rank: NDArray[np.int32]  # [V]: the reverse


def trie_of(spellings: list[bytes]) -> Trie:
    """
    >>> trie = trie_of([b"b", b"a", b"ab"]); trie.order.tolist(), trie.edges[0, 6:8].tolist()
    ([1, 2, 0], [0, 3])
    """
    order = np.array(sorted(range(len(spellings)), key=spellings.__getitem__), np.uint32)
    lengths = np.array([len(spellings[v]) for v in order])
    raw = b"".join(spellings[v].ljust(int(lengths.max()), b"\0") for v in order)
    table = np.frombuffer(raw, np.uint8).reshape(len(order), -1)
    nibbles = np.stack([table >> 4, table & 15], 2).reshape(len(order), -1).astype(np.int64)
    levels, count = [], 1
    node_of, first = np.zeros(len(order), np.int64), np.zeros(1, np.int64)  # nodes of a level, numbered from 0
    for depth in range(2 * int(lengths.max()) + 1):
        ends, goes_on = np.flatnonzero(2 * lengths == depth), 2 * lengths > depth
        own = np.full(len(first), -1)
        own[node_of[ends]] = ends
        here = node_of[goes_on] * 16 + (nibbles[goes_on, depth] if depth < nibbles.shape[1] else 0)
        counts = np.bincount(here, minlength=16 * len(first)).reshape(-1, 16)
        edges = np.cumsum(np.concatenate([(first + (own >= 0))[:, None], counts], 1), 1)
        after = np.cumsum(counts > 0).reshape(-1, 16) - 1  # the nodes of the next level
        levels.append((edges, np.where(counts, after + count, 0), own))
        node_of[goes_on], first = after.reshape(-1)[here], edges[:, :16][counts > 0]
        count += len(first)
    edges, child, own = (np.concatenate(parts).astype(np.int32) for parts in zip(*levels))
    return Trie(edges, child, own, order, np.argsort(order).astype(np.int32))


@lru_cache(maxsize=1)
def logarithms() -> NDArray[np.int64]:
    """[1024]: ln((1024.5 + i) / 2048) · 2^12, rounded, by decimal arithmetic, which is the same everywhere."""
    with localcontext() as context:
        context.prec = 30
        return np.array([round((Decimal(2049 + 2 * i) / 4096).ln() * 4096) for i in range(1024)], np.int64)


class State(NamedTuple):
    """Everything learned while coding, B lanes."""

    bytes: AdaptiveState  # a nibble at a time, each learned at once
    ends: NDArray[np.int64]  # p · 2^22 and a count, of whether tokens ended in some contexts
    at_end: NDArray[np.int64]  # where those of this token are
    masses: NDArray[np.int32]  # [B, V], of the step that is being coded
    sums: NDArray[np.int32]  # [B, …], of some of them
    logarithms: NDArray[np.int64]
    trie: Trie
    room: "Choices"


class Choices(NamedTuple):
    """Room for the bits of one step, and where they come from."""

    bits: NDArray[np.int32]
    rows: Pmf  # [K, 2]
    stops: NDArray[np.int64]  # [B]: how many there have been after each lane's token
    words: NDArray[np.uint64]
    decoder: NDArray[np.uint64]
    uniform: NDArray[np.float64]
    power: float


class SpellingPrior(NotStepped):
    name = "spelling"
    starts_empty = True

    def __init__(self, base: Prior, least: int = LEAST, tokenizer: Tokenizer | None = None, lanes: int | None = None):
        self.base, self.vocab_size, self.stride, self.order = base, base.vocab_size, base.stride, base.order
        if type(least) is not int or least < 0:
            raise ModelError(f"least={least!r} of a spelling prior should be a number of tokens")
        if lanes is not None and (type(lanes) is not int or lanes < 1):
            raise ModelError(f"lanes={lanes!r} of a spelling prior should be a number above 0")
        self.least, self._tokenizer, self._lanes = least, tokenizer, lanes

    def for_tokenizer(self, tokenizer: Tokenizer) -> "SpellingPrior":
        return SpellingPrior(self.base, self.least, tokenizer, self._lanes)

    def lanes(self, tokens: int) -> int:
        """Those of the base; with `lanes`, half as many, and not more: the fewer there are, the less each starts without what is
        next to it, and the more contexts follow the file's own order. That is slower."""
        lanes = self.base.lanes(tokens)
        return lanes if self._lanes is None else max(1, min(lanes // 2, self._lanes))

    def codec(self, frame: Frame) -> Codec:
        """Spelled, or by the base alone where the frame is small."""
        if not self.is_spelled(frame.tokens):
            return self.base.codec(frame)
        model = model_of(self.base) if frame.kernel == "auto" else None
        if model is not None and not model.factored:
            return Spelled(self, CoreSteps(self.base, model), frame)
        return Spelled(self, self.base.for_frame(frame), frame)

    @lazy
    def spellings(self) -> list[bytes]:
        """Of each symbol. Raises ModelError where they do not tell all tokens apart, or cannot spell a byte."""
        if self._tokenizer is None:
            raise ModelError("a spelling prior codes for a model: its tokenizer says how tokens are spelled")
        spellings = [self._tokenizer.decode(np.array([v], np.int32)) for v in range(self.vocab_size)]
        if len(set(spellings)) < self.vocab_size or not all(1 <= len(s) <= LONGEST for s in spellings):
            raise ModelError(f"tokens that are spelled should be different strings of 1 to {LONGEST} bytes")
        if not set(spellings) >= {bytes([b]) for b in range(256)}:
            raise ModelError("each byte should be a token by itself where tokens are spelled")
        return spellings

    @lazy
    def _trie(self) -> Trie:
        return trie_of(self.spellings)

    def is_spelled(self, tokens: int) -> bool:
        """Whether a frame of so many tokens is."""
        return tokens >= max(self.least, 1)

    def start(self, lanes: int, tokens: int) -> State:
        """A fresh state, beside the base's."""
        from . import spelling_kernel as kernel

        longest = max(map(len, self.spellings))
        width = Layout.of(tokens, lanes, self.stride).steps * longest
        size = 4 * tokens  # of the source, about
        most, none = lanes * 9 * longest, np.zeros(0, np.uint64)  # a token's bits: eight a byte, and whether it ends
        contexts = make_state(
            lanes, width, 2 * size, size, (1311, 2621),  # 0.02 and 0.04
            kernel.RATE_LAST + kernel.RATE_EXTRA, kernel.MIXERS, 1, kernel.SETS_TEXT,
        )  # fmt: skip
        contexts.mixing.weights[:, :, kernel.TEXT] = 58982  # 0.9
        return State(
            bytes=contexts,
            ends=np.full(1 << ENDS_LOG2, 1 << 31, np.int64),
            at_end=np.zeros(len(kernel.ENDS), np.int64),
            masses=np.zeros((lanes, self.vocab_size), np.int32),
            sums=np.zeros((lanes, self.vocab_size // kernel.TOGETHER + 1), np.int32),
            logarithms=logarithms(),
            trie=self._trie,
            room=Choices(
                np.zeros(most, np.int32), np.zeros((most, 2), np.float32), np.zeros(lanes, np.int64), none, none,
                np.zeros(0), 1.0,
            ),
        )  # fmt: skip

    def take(self, state: State, pmf: Pmf, some: slice) -> None:
        """The base's pmf of some lanes, [n, V], for the symbols that are spelled next. Compiled, and for any thread."""
        from . import spelling_kernel as kernel

        kernel.take(pmf, state.trie.order, state.masses, state.sums, some.start, some.stop)

    def spelled(self, state: State, symbols: Tokens, some: slice, ends: bool) -> tuple[Tokens, Pmf, NDArray[np.int64]]:
        """The bits [k] of the known symbols of some lanes, lane by lane (the last lane's end the step), the pmf
        [k, 2] of each bit, and the number of bits up to the end of each symbol. Later calls may write to these arrays."""
        from .spelling_kernel import KNOWN, spell

        choices = state.room
        count = spell(KNOWN, some.start, some.stop, ends, symbols, choices, state)
        return choices.bits[:count], choices.rows[:count], choices.stops[: some.stop - some.start]

    def decode_spelled(self, state: State, symbols: Tokens, some: slice, ends: bool, coder: Any) -> None:
        """Fill in the symbols of some lanes from `coders.reference` words and decoder. Raises ChecksumError."""
        from .spelling_kernel import DECODED, spell

        words, decoder = coder
        choices = state.room._replace(words=words, decoder=decoder)
        if spell(DECODED, some.start, some.stop, ends, symbols, choices, state) < 0:
            raise ChecksumError("the coded words are damaged")

    def draw_spelled(self, state: State, rows: int, rng: np.random.Generator, temperature: float) -> Tokens:
        """The symbols [n] of a step, each bit drawn from p^(1/temperature)."""
        from .spelling_kernel import DRAWN, spell

        symbols, drawn = np.zeros(rows, np.int32), rng.random(len(state.room.bits))
        spell(DRAWN, 0, rows, True, symbols, state.room._replace(uniform=drawn, power=1 / temperature), state)
        return symbols

    @classmethod
    def fit(
        cls, sources: "list[Source]", tokenizer: Tokenizer, config: Config, options: "FitOptions"
    ) -> "SpellingPrior":
        raise TokpressError("what spells tokens is wrapped around another prior: train that one")

    def config(self) -> Config:
        least = {} if self.least == LEAST else {"least": self.least}
        lanes = {} if self._lanes is None else {"lanes": self._lanes}
        return {**least, **lanes, "base": {"name": self.base.name, **self.base.config()}}

    def tensors(self) -> Mapping[str, np.ndarray]:
        return self.base.tensors()

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, np.ndarray], vocab_size: int) -> "SpellingPrior":
        check_settings(f"a {cls.name} prior", config, {"base"}, {"least", "lanes"})
        kind, base = kind_of(config["base"])
        if issubclass(kind, NotStepped):
            raise ModelError(f"a {kind.name} prior cannot be spelled")
        return cls(kind.load(base, tensors, vocab_size), config.get("least", LEAST), lanes=config.get("lanes"))
