"""Bitwise coding of text: a token is a path of binary decisions, and context mixing of bytes takes part in each decision.

    tree of all tokens    mass(ranks) = Σ p(v), v in a range of ranks      p from the base prior, one pmf a token
    each decision         p = mass(upper side) / mass(both sides), one input of a mixer (`bitwise_model.py`)

The base learned the language in training. The contexts learn names, phrases and layout of the file while it is coded. Contexts are of
bytes, those of `memory.py` are of tokens. Vieira et al. 2024, "From language models over tokens to language models over characters",
§3, derive a distribution over bytes from one over tokens; here for one segmentation, so the ends of tokens are coded. Mixing: Mahoney
2005.

All lanes share the learned tables. `core/bitwise.c` is the same.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from ...coding import Codec, Frame
from ...coding.base import Pmf
from ...coding.bitwise import Bitwise
from ...coding.lanes import Layout
from ...errors import ModelError
from ...lazy import lazy, np
from ...native.bitwise import TokenTable
from ...storage.files import check_settings
from ...tokenizers.base import Config, Tokenizer
from ...tokens import Tokens
from ..base import Prior, SteppedPrior
from ..compose.parts import kind_of
from .bitwise_core import in_core
from .bitwise_model import BitwiseModel
from .bitwise_tree import DIGITS, LONGEST, Tree

if TYPE_CHECKING:
    from numpy.typing import NDArray


@runtime_checkable
class HasTokenBytes(Protocol):
    """A tokenizer that knows the bytes of all its tokens without decoding them one by one."""

    def token_bytes(self) -> list[bytes]: ...


def bytes_of_tokens(tokenizer: Tokenizer) -> list[bytes]:
    """[V]: the bytes of each token."""
    if isinstance(tokenizer, HasTokenBytes):
        return tokenizer.token_bytes()
    return [tokenizer.decode(array("i", [symbol])) for symbol in range(tokenizer.vocab_size)]


class BitwisePrior(Prior):
    name = "bitwise"

    def __init__(self, base: SteppedPrior, tokenizer: Tokenizer | None = None, lanes: int | None = None) -> None:
        """lanes: take half as many lanes as the base, and at most this many. Fewer lanes code slower and compress better: fewer lanes
        start without context."""
        self.base, self.vocab_size = base, base.vocab_size
        if lanes is not None and (type(lanes) is not int or lanes < 1):
            raise ModelError(f"lanes={lanes!r} of a bitwise prior should be a number above 0")
        self._tokenizer, self._lanes = tokenizer, lanes
        self.rules = replace(base.rules, starts_empty=True, short_in_few_lanes=False)
        if lanes is not None:
            half = max(1, base.rules.max_lanes // 2)
            self.rules = replace(self.rules, lane_divisor=2 * base.rules.lane_divisor, max_lanes=min(lanes, half))

    def for_tokenizer(self, tokenizer: Tokenizer) -> BitwisePrior:
        return BitwisePrior(self.base, tokenizer, self._lanes)

    def codec(self, frame: Frame) -> Codec:
        return in_core(self.base, lambda: self._ranked, frame, lambda frame: Bitwise(TokenPaths(self, frame), frame))

    @lazy
    def token_bytes(self) -> list[bytes]:
        """[V]: the bytes of each symbol. Raises ModelError where two tokens have the same bytes."""
        if self._tokenizer is None:
            raise ModelError("a bitwise prior codes for a model, whose tokenizer says which bytes a token stands for")
        token_bytes = bytes_of_tokens(self._tokenizer)
        if len(set(token_bytes)) < self.vocab_size or not all(1 <= len(s) <= LONGEST for s in token_bytes):
            raise ModelError(f"tokens that are coded bit by bit should be different strings of 1 to {LONGEST} bytes")
        return token_bytes

    @lazy
    def _ranked(self) -> TokenTable:
        return TokenTable(self.token_bytes)

    @lazy
    def tree(self) -> Tree:
        return Tree(self.token_bytes)

    def config(self) -> Config:
        lanes = {} if self._lanes is None else {"lanes": self._lanes}
        return {**lanes, "base": {"name": self.base.name, **self.base.config()}}

    def tensors(self) -> Mapping[str, NDArray[Any]]:
        return self.base.tensors()

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> BitwisePrior:
        check_settings(f"a {cls.name} prior", config, {"base"}, {"lanes"})
        kind, settings = kind_of(config["base"])
        base = kind.load(settings, tensors, vocab_size)
        if not isinstance(base, SteppedPrior):
            raise ModelError(f"a {kind.name} prior cannot be coded bit by bit: it is not stepped")
        return cls(base, lanes=config.get("lanes"))


class State(NamedTuple):
    base: Any
    model: BitwiseModel
    below: NDArray[np.int64]  # [B, V + 1], 2^30 · Σ p of the tokens of lower rank


class TokenPaths:
    """The paths of tokens that `coding.bitwise.Bitwise` walks: the definition of a frame of tokens coded bit by bit."""

    def __init__(self, prior: BitwisePrior, frame: Frame) -> None:
        self.base, self.tree, self.rules = prior.base.for_frame(frame), prior.tree, prior.rules

    def init(self, lanes: int, tokens: int) -> State:
        width = Layout.divide(tokens, lanes, self.rules.stride).steps * self.tree.longest
        return State(
            self.base.init(lanes, tokens),
            BitwiseModel(lanes, width, 4 * tokens),
            np.zeros((lanes, self.base.vocab_size + 1), np.int64),
        )

    def begin(self, state: State, previous: Tokens | None, rows: int) -> None:
        pmf: Pmf = self.base.step(state.base, previous, rows)
        masses = (np.clip(pmf, 0, 1)[:, self.tree.symbol] * np.float32(1 << 30)).astype(
            np.int32
        ) + 1  # no token has mass 0
        np.cumsum(masses, 1, out=state.below[:rows, 1:], dtype=np.int64)
        state.model.set_rate()

    def path(self, state: State, lane: int) -> Generator[Pmf, int, int]:
        tree, model, below = self.tree, state.model, state.below[lane].tolist()
        context = model.lanes[lane]
        low, high, split, done, histories, nibble = 0, len(tree.symbol), tree.root, 0, [], None
        while split:
            at, place = divmod(tree.place[split], DIGITS)
            token = tree.bytes[low]
            for byte in token[done:at]:
                model.add(context, byte)
                nibble = None
            done = at
            model.hash_contexts(context)
            coded = token[at] & ~(0xFF >> (place - 1)) if place > 1 else 0
            if place and nibble != (place > 4):
                nibble = place > 4
                histories = model.find(context, coded >> 4 if nibble else None)
            p = model.p(context, place, coded, below[split] - below[low], below[high] - below[split], histories)
            bit = yield np.array([[65536 - p, p]], np.float32) / np.float32(65536)
            model.learn(bit)
            low, high = (split, high) if bit else (low, split)
            split = tree.above[split] if bit else tree.below[split]
        for byte in tree.bytes[low][done:]:
            model.add(context, byte)
        model.hash_contexts(context)
        return tree.symbol[low]

    def bits(self, symbol: int) -> Iterable[int]:
        return self.tree.path(self.tree.rank[symbol])
