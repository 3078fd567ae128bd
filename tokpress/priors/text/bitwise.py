"""Bitwise coding of text: a token is a path of binary decisions, and context mixing takes part in each decision.

    order of all tokens   a decision halves the tokens that are left: mass(half) = Σ p(v)     p from the base prior
    each decision         the log-odds of both halves, with and without the base's memory, are inputs of a mixer (`bitwise_model.py`)

The base learned the language in training. The contexts learn names, phrases and layout of the file while it is coded. The order is that
of the base's classes, so like tokens share decisions (Morin & Bengio 2005, "Hierarchical probabilistic neural network language
model", §3; mixing: Mahoney 2005); without classes it is that of the tokens' bytes. A class-factored base is asked for the members of
one class only: all lanes code their classes, then the members.

All lanes share the learned tables. `core/bitwise.c` is the same.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from ...coding import Codec, Frame
from ...coding.base import Pmf, step
from ...coding.bitwise import Bitwise
from ...coding.classes import classes_of
from ...coding.lanes import Layout
from ...errors import ModelError
from ...lazy import lazy, np
from ...native.bitwise import LONGEST, TokenTable, are_spelled
from ...storage.files import check_settings
from ...storage.tensors import buffers
from ...tokenizers.base import Config, Tokenizer
from ...tokens import Tokens
from ..base import Prior, SteppedPrior
from ..compose.memory import MemoryPrior
from ..compose.parts import innermost, kind_of
from ..compose.product import ProductPrior
from .bitwise_contexts import Vocabulary
from .bitwise_core import in_core
from .bitwise_model import IN_A_LINE, BitwiseModel, log_odds
from .mingru import MinGRUPrior

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...coding.class_factored import FactoredPrior


#: lanes of a frame whose base has a rule of its own: fewer than the base takes, since contexts learn best in one lane
TOKENS_A_LANE, MAX_LANES = 4096, 64


@runtime_checkable
class HasTokenBytes(Protocol):
    """A tokenizer that knows the bytes of all its tokens without decoding them one by one."""

    def token_bytes(self) -> list[bytes]: ...


def bytes_of_tokens(tokenizer: Tokenizer) -> list[bytes]:
    """[V]: the bytes of each token."""
    if isinstance(tokenizer, HasTokenBytes):
        return tokenizer.token_bytes()
    return [tokenizer.decode(array("i", [symbol])) for symbol in range(tokenizer.vocab_size)]


def is_spelled(tokenizer: Tokenizer) -> bool:
    """Whether the tokens are known to be different strings of 1 to `LONGEST` bytes."""
    return isinstance(tokenizer, HasTokenBytes) and are_spelled(tokenizer.token_bytes())


class BitwisePrior(Prior):
    name = "bitwise"

    def __init__(self, base: SteppedPrior, tokenizer: Tokenizer | None = None) -> None:
        self.base, self.vocab_size, self._tokenizer = base, base.vocab_size, tokenizer
        self.rules = base.rules
        if base.rules.tokens_a_lane:
            lanes = min(base.rules.max_lanes, MAX_LANES)
            self.rules = replace(self.rules, tokens_a_lane=TOKENS_A_LANE, max_lanes=lanes)

    def for_tokenizer(self, tokenizer: Tokenizer) -> BitwisePrior:
        return BitwisePrior(self.base, tokenizer)

    def codec(self, frame: Frame) -> Codec:
        return in_core(self.base, lambda: self._table, frame, lambda frame: Bitwise(TokenPaths(self, frame), frame))

    @lazy
    def tokens(self) -> Vocabulary:
        """Raises ModelError where two tokens have the same bytes."""
        if self._tokenizer is None:
            raise ModelError("a bitwise prior codes for a model, whose tokenizer says which bytes a token stands for")
        token_bytes = bytes_of_tokens(self._tokenizer)
        if not are_spelled(token_bytes):
            raise ModelError(f"tokens that are coded bit by bit should be different strings of 1 to {LONGEST} bytes")
        place = places_of(self.base)
        symbol = inverse(place) if place else sorted(range(self.vocab_size), key=token_bytes.__getitem__)
        return Vocabulary(symbol, place or inverse(symbol), [token_bytes[v] for v in symbol])

    @lazy
    def _table(self) -> TokenTable:
        return TokenTable(self.tokens.symbol, self.tokens.bytes)

    def config(self) -> Config:
        return {"base": {"name": self.base.name, **self.base.config()}}

    def tensors(self) -> Mapping[str, NDArray[Any]]:
        return self.base.tensors()

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> BitwisePrior:
        check_settings(f"a {cls.name} prior", config, {"base"}, set())
        kind, settings = kind_of(config["base"])
        base = kind.load(settings, tensors, vocab_size)
        if not isinstance(base, SteppedPrior):
            raise ModelError(f"a {kind.name} prior cannot be coded bit by bit: it is not stepped")
        return cls(base)


@dataclass
class State:
    base: Any
    model: BitwiseModel
    nodes: list[int]  # of each lane: how far its token is coded


class TokenPaths:
    """The paths of tokens that `coding.bitwise.Bitwise` walks: the definition of a frame of tokens coded bit by bit."""

    def __init__(self, prior: BitwisePrior, frame: Frame) -> None:
        self.base, self.tokens, self.rules = prior.base.for_frame(frame), prior.tokens, prior.rules
        self.decisions = (prior.vocab_size - 1).bit_length()
        self.classes = classes_of(self.base)
        self._pairs = self.base if isinstance(self.base, MemoryPrior) else _Alone(self.base)
        of_class = self.decisions if self.classes is None else self.decisions - self.classes.members.bit_length() + 1
        outcomes = (prior.vocab_size,) if self.classes is None else (self.classes.classes, self.classes.members)
        #: of each stage: its first decision, the decision after its last one, and how many outcomes there are
        self._stages = list(zip((0, of_class), (of_class, self.decisions), outcomes))

    def init(self, lanes: int, tokens: int) -> State:
        steps = Layout.divide(tokens, lanes, self.rules.stride).steps
        model = BitwiseModel(self.tokens, self.decisions, lanes, steps)
        return State(self.base.init(lanes, tokens), model, [1] * lanes)

    def stages(self, state: State, previous: Tokens | None, rows: int) -> Iterator[list[Generator[Pmf, int, int]]]:
        """The paths of all lanes through the classes, or tokens; then through the members of these classes."""
        state.model.set_rate()
        state.nodes[:rows] = [1] * rows
        if self.classes is None:
            pair = [p[:, self.tokens.symbol] for p in self._pairs.step_pair(state.base, previous, rows)]
        else:
            pair = list(self._pairs.class_pair(state.base, previous, rows))
        yield self._paths(state, pair, 0)
        if self.classes is not None:
            of_class = np.array(state.nodes[:rows], np.int32) - np.int32(1 << self._stages[0][1])
            yield self._paths(state, list(self._pairs.member_pair(state.base, of_class)), 1)

    def _paths(self, state: State, pair: list[Pmf], stage: int) -> list[Generator[Pmf, int, int]]:
        sums = [_mass_below(p) for p in pair]
        return [self._path(state, lane, [s[lane].tolist() for s in sums], stage) for lane in range(len(pair[0]))]

    def _path(self, state: State, lane: int, below: list[list[int]], stage: int) -> Generator[Pmf, int, int]:
        first, stop, outcomes = self._stages[stage]
        model, context, node, low = state.model, state.model.lanes[lane], state.nodes[lane], 0
        histories, begun = [], 0
        for at in range(first, stop):
            half = 1 << (stop - 1 - at)
            split, high = low + half, min(low + 2 * half, outcomes)
            if split >= outcomes:  # there is nothing above
                node *= 2
                continue
            memory, network = (log_odds(mass[split] - mass[low], mass[high] - mass[split]) for mass in below)
            if at and begun != (begin := at - (at - 1) % IN_A_LINE):
                histories, begun = model.find(context, node >> (at - begin)), begin
            p = model.p(context, at, node, memory, network, histories)
            bit = yield np.array([[65536 - p, p]], np.float32) / np.float32(65536)
            model.learn(bit)
            node = 2 * node + bit
            low = split if bit else low
        state.nodes[lane] = node
        if stop < self.decisions:
            return low
        place = node - (1 << self.decisions)
        model.add(context, place)
        return self.tokens.symbol[place]

    def bits(self, symbol: int) -> list[list[int]]:
        place, parts = self.tokens.place[symbol], []
        for first, stop, outcomes in self._stages:
            in_stage = place >> (self.decisions - stop) & (1 << (stop - first)) - 1
            bits, low = [], 0
            for at in range(first, stop):
                half = 1 << (stop - 1 - at)
                if low + half < outcomes:
                    bits.append(int(in_stage >= low + half))
                    low += half * bits[-1]
            parts.append(bits)
        return parts


def inverse(order: list[int]) -> list[int]:
    """The inverse of a permutation.

    >>> inverse([2, 0, 1])
    [1, 2, 0]
    """
    found = [0] * len(order)
    for at, value in enumerate(order):
        found[value] = at
    return found


def places_of(prior: Prior) -> list[int] | None:
    """[V]: the places that the classes of a prior, or of a prior inside it, give the symbols; None where there are none."""
    prior = innermost(prior)
    if isinstance(prior, ProductPrior):
        return next((places for places in map(places_of, prior.members) if places), None)
    place = buffers(prior.tensors()).get("place") if isinstance(prior, MinGRUPrior) else None
    return None if place is None else memoryview(place).cast("B").cast("i").tolist()


def _mass_below(p: Pmf) -> NDArray[np.int64]:
    """[n, K + 1]: 2^30 · Σ p of the outcomes before each; no outcome has mass 0."""
    below = np.zeros((len(p), p.shape[1] + 1), np.int64)
    masses = (np.clip(p, 0, 1) * np.float32(1 << 30)).astype(np.int32) + 1
    np.cumsum(masses, 1, out=below[:, 1:], dtype=np.int64)
    return below


class _Alone:
    """A prior without a memory, asked as `MemoryPrior` is: its probabilities are those with and without memory."""

    def __init__(self, base: SteppedPrior) -> None:
        self._base = base

    def step_pair(self, state: Any, previous: Tokens | None, rows: int) -> tuple[Pmf, Pmf]:
        p = step(self._base, state, previous, rows)
        return p, p

    def class_pair(self, state: Any, previous: Tokens | None, rows: int) -> tuple[Pmf, Pmf]:
        p = cast("FactoredPrior", self._base).class_pmf(state, previous, rows)
        return p, p

    def member_pair(self, state: Any, of_class: Tokens) -> tuple[Pmf, Pmf]:
        p = cast("FactoredPrior", self._base).member_pmf(state, of_class)
        return p, p
