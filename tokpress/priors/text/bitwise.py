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
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ...coding import Codec, Frame
from ...errors import ModelError
from ...lazy import lazy
from ...native.bitwise import LONGEST, Primed, TokenTable, are_spelled
from ...storage.files import check_settings
from ...storage.tensors import buffers, split
from ...tokenizers.base import Config, Tokenizer
from ..base import Prior, SteppedPrior
from ..compose.parts import innermost, kind_of
from .bitwise_core import in_core
from .mingru import MinGRUPrior
from .priming import PREFIX, Priming
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray


#: Lanes of a frame whose base has a rule of its own: fewer than the base takes, since contexts learn best in one lane; more in long frames,
#: which would take long to decode.
TOKENS_A_LANE, LONG_FRAME, MAX_LANES = 4096, 1 << 17, 128


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

    def __init__(self, base: SteppedPrior, tokenizer: Tokenizer | None = None, priming: Priming | None = None) -> None:
        self.base, self.vocab_size, self.tokenizer, self.priming = base, base.vocab_size, tokenizer, priming
        self.rules = base.rules
        if base.rules.tokens_a_lane:
            lanes = min(base.rules.max_lanes, MAX_LANES)
            self.rules = replace(self.rules, tokens_a_lane=TOKENS_A_LANE, long_frame=LONG_FRAME, max_lanes=lanes)

    def for_tokenizer(self, tokenizer: Tokenizer) -> BitwisePrior:
        return BitwisePrior(self.base, tokenizer, self.priming)

    def before_mixing(self) -> SteppedPrior:
        return self.base

    def codec(self, frame: Frame) -> Codec:
        return in_core(self.base, lambda: self.mixing_in_core, frame, self._twin)

    def _twin(self, frame: Frame) -> Codec:
        from ...coding.bitwise import Bitwise  # both only for the twin
        from .token_paths import TokenPaths

        paths = TokenPaths(self.base.for_frame(frame), self.tokens, self.rules, self.priming)
        return Bitwise(paths, frame)

    @lazy
    def tokens(self) -> Vocabulary:
        """Raises ModelError where two tokens have the same bytes."""
        if self.tokenizer is None:
            raise ModelError("a bitwise prior codes for a model, whose tokenizer says which bytes a token stands for")
        token_bytes = bytes_of_tokens(self.tokenizer)
        if not are_spelled(token_bytes):
            raise ModelError(f"tokens that are coded bit by bit should be different strings of 1 to {LONGEST} bytes")
        place = places_of(self.base)
        symbol = inverse(place) if place else sorted(range(self.vocab_size), key=token_bytes.__getitem__)
        return Vocabulary(symbol, place or inverse(symbol), [token_bytes[v] for v in symbol])

    @lazy
    def mixing_in_core(self) -> tuple[TokenTable, Primed | None]:
        """The tokens and the start of mixing, as the core takes them."""
        return TokenTable(self.tokens.symbol, self.tokens.bytes), self.priming.in_core() if self.priming else None

    def config(self) -> Config:
        return {"base": {"name": self.base.name, **self.base.config()}}

    def tensors(self) -> Mapping[str, NDArray[Any]]:
        return {**self.base.tensors(), **self.priming.tensors()} if self.priming else self.base.tensors()

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> BitwisePrior:
        check_settings(f"a {cls.name} prior", config, {"base"}, set())
        kind, settings = kind_of(config["base"])
        of_mixing, of_base = split(tensors, PREFIX)
        base = kind.load(settings, of_base, vocab_size)
        if not isinstance(base, SteppedPrior):
            raise ModelError(f"a {kind.name} prior cannot be coded bit by bit: it is not stepped")
        return cls(base, priming=Priming(of_mixing, vocab_size) if of_mixing else None)


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
    """[V]: the places that the classes of the innermost prior give the symbols; None where there are none."""
    prior = innermost(prior)
    place = buffers(prior.tensors()).get("place") if isinstance(prior, MinGRUPrior) else None
    return None if place is None else memoryview(place).cast("B").cast("i").tolist()
