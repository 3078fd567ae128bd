"""`likeliest`: the tokens that a model expects most, where it has probabilities of tokens."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..coding import Frame
from ..coding.symbolwise import HasPmf
from ..errors import TokenizerError
from ..lazy import np
from ..priors.base import MixesBits
from ..tokenizers.base import encoded
from ..tokenizers.samples import ItemTokenizer
from ..tokens import Tokens, as_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .model import Model


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
    model: Model,
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
    rules, tokenizer, mixes = model.prior.rules, model.tokenizer, isinstance(model.prior, MixesBits)
    if rules.order is not None or rules.on_grid or isinstance(tokenizer, ItemTokenizer):
        return None
    if tokenizer.sizes.unit_tokens > 1:
        return None
    before, tokens = as_array(tokenizer.encode(context)), as_array(encoded(tokenizer, source))
    count = min(count, len(tokens))
    known = np.concatenate([before, tokens[:count] if mixes else tokens])
    prior = model.prior.before_mixing() if isinstance(model.prior, MixesBits) else model.prior
    lanes = 1 if mixes else lanes or rules.lanes(len(tokens))
    codec = prior.codec(Frame(len(known), lanes, kernel, given=model.given_tokens))
    if not isinstance(codec, HasPmf):
        return None
    found, p = codec.by_symbols().likeliest(known, len(before) + count, best)
    found, p, symbols = found[len(before) :], p[len(before) :], tokens[:count].astype(np.int32)
    try:
        names = {v: tokenizer.decode(array("i", [v])) for v in np.unique(np.append(found, symbols)).tolist()}
    except TokenizerError:
        return None
    return Likeliest(symbols, found, p, names, mixes)
