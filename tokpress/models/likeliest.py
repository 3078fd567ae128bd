"""The tokens that a model expects most, where it has probabilities of tokens: in a source (`likeliest`), and next (`next_tokens`)."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..arguments import whole
from ..coding import Frame
from ..coding.symbolwise import HasPmf, Symbolwise
from ..container.varint import as_bytes
from ..errors import TokenizerError, TokpressError
from ..lazy import np
from ..priors.base import MixesBits, Prior
from ..tokenizers.base import Tokenizer, encoded
from ..tokenizers.samples import ItemTokenizer
from ..tokens import TokenBuffer, Tokens, as_array

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Parts(Protocol):
    """A model: its tokenizer and its prior."""

    name: str
    tokenizer: Tokenizer
    prior: Prior
    given_tokens: TokenBuffer | None


class NextToken(NamedTuple):
    """A symbol, its bytes, and its probability."""

    token: int
    data: bytes
    p: float


@dataclass(frozen=True)
class Likeliest:
    """For each of N tokens its symbol, and the K likeliest symbols with their p, the likeliest first."""

    symbols: Tokens
    #: [N, K]
    likeliest: Tokens
    p: NDArray[np.float64]
    #: the bytes of each of these symbols
    names: dict[int, bytes]
    #: Whether these are the probabilities before mixing, in one lane. Otherwise the tokens are coded with them.
    before_mixing: bool


def likeliest(
    model: Parts,
    source: bytes,
    count: int,
    best: int = 5,
    lanes: int | None = 1,
    context: bytes = b"",
    kernel: str = "auto",
) -> Likeliest | None:
    """The `best` likeliest symbols at each of the first `count` tokens of `source`. lanes, context, kernel: as in `Model.score`.

    None where the model has no probabilities of tokens that are strings of bytes: it codes bits (context mixing), samples or items.
    Where it mixes bits of tokens, these are the probabilities before mixing. They are computed in one lane, which is much faster:
    the other lanes are not computed.

    >>> from tokpress.models.model import Model
    >>> from tokpress.priors.lecture.histogram import HistogramPrior
    >>> from tokpress.tokenizers.text.bytes import BytesTokenizer
    >>> found = likeliest(Model(BytesTokenizer(), HistogramPrior(256)), b"aaaab", 5, best=1)
    >>> found.names[int(found.likeliest[4, 0])], found.symbols.tolist()
    (b'a', [97, 97, 97, 97, 98])
    """
    tokenizer, mixes = model.tokenizer, isinstance(model.prior, MixesBits)
    if not _has_words(model):
        return None
    before, tokens = as_array(tokenizer.encode(context)), as_array(encoded(tokenizer, source))
    count = min(count, len(tokens))
    known = np.concatenate([before, tokens[:count] if mixes else tokens])
    lanes = 1 if mixes else lanes or model.prior.rules.lanes(len(tokens))
    codec = _codec(model, Frame(len(known), lanes, kernel, given=model.given_tokens))
    if codec is None:
        return None
    found, p = codec.likeliest(known, len(before) + count, best)
    found, p, symbols = found[len(before) :], p[len(before) :], tokens[:count].astype(np.int32)
    try:
        names = {v: tokenizer.decode(array("i", [v])) for v in np.unique(np.append(found, symbols)).tolist()}
    except TokenizerError:
        return None
    return Likeliest(symbols, found, p, names, mixes)


def next_tokens(model: Parts, context: bytes, top: int = 5, kernel: str = "auto") -> list[NextToken]:
    """`Model.next_tokens`."""
    if (top := whole("top", top)) < 1:
        raise ValueError(f"top must be 1 or more, not {top}")
    # the last token has no influence on its own p
    codec, known = None, np.append(as_array(model.tokenizer.encode(bytes(as_bytes(context)))), np.int32(0))
    if _has_words(model):
        codec = _codec(model, Frame(len(known), 1, kernel, given=model.given_tokens))
    if codec is None:
        raise TokpressError(
            f"the model {model.name!r} has no probabilities of tokens that are strings of bytes: it codes bits, samples or items"
        )
    found, p = codec.likeliest(known, len(known), top)
    decode = model.tokenizer.decode
    return [NextToken(v, decode(array("i", [v])), q) for v, q in zip(found[-1].tolist(), p[-1].tolist())]


def _has_words(model: Parts) -> bool:
    """Whether tokens are strings of bytes, in their order."""
    rules, tokenizer = model.prior.rules, model.tokenizer
    apart = rules.order is not None or rules.on_grid or isinstance(tokenizer, ItemTokenizer)
    return not apart and tokenizer.sizes.unit_tokens == 1


def _codec(model: Parts, frame: Frame) -> Symbolwise | None:
    """The codec with probabilities of all symbols, before bits are mixed; None where the prior has none."""
    prior = model.prior.before_mixing() if isinstance(model.prior, MixesBits) else model.prior
    codec = prior.codec(frame)
    return codec.by_symbols() if isinstance(codec, HasPmf) else None
