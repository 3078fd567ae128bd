"""Learn a Bayes net: count all pairs of positions, find the tree (Chow & Liu 1968; formulas in `priors.lecture.bayes_net`)."""

import numpy as np

from ...errors import TokpressError
from ...exact.orders import parse_shape
from ...priors.lecture.bayes_net import BayesNetPrior
from ...storage.settings import settings_of
from ...tokenizers.base import Config, Tokenizer
from ..data.streams import Source, split_items
from ..options import FitOptions

#: items counted at a time
ITEMS_AT_ONCE = 4096
#: most one-hot columns (T·V) of an item, whose pairs are counted
MAX_COLUMNS = 16384


def fit_bayes_net(
    cls: type[BayesNetPrior], sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions
) -> BayesNetPrior:
    """Settings: shape. Counts of a source are multiplied by its weight; their sum is rounded."""
    shape = settings_of(cls.name, config, cls.defaults)["shape"]
    if not shape:
        raise TokpressError("the prior 'bayes_net' is over the positions of an item: say --set shape=28x28")
    size, symbols = int(np.prod(parse_shape(shape))), tokenizer.vocab_size
    if size * symbols > MAX_COLUMNS:
        raise TokpressError(f"{size} positions × {symbols} symbols make too many pairs; {MAX_COLUMNS:,} is the most")
    pairs = np.zeros((size * symbols, size * symbols), np.float64)
    for source in sources:
        items = split_items(source, size)[0]
        for at in range(0, len(items), ITEMS_AT_ONCE):
            part = items[at : at + ITEMS_AT_ONCE]
            one_hot = (part[:, :, None] == np.arange(symbols)).reshape(len(part), -1).astype(np.float32)
            pairs += source.weight * (one_hot.T @ one_hot)
    counts = np.rint(pairs).astype(np.int64).reshape(size, symbols, size, symbols).transpose(0, 2, 1, 3)
    order, parent = chow_liu(mutual_information(counts))
    table = np.stack([counts[order[parent[t]], order[t]] if t else _root(counts[0, 0]) for t in range(size)])
    tensors = {"order": order.astype(np.int32), "parent": parent.astype(np.int32), "counts": 2 * table + 1}
    return cls(shape, tensors, symbols)


def _root(counts: np.ndarray) -> np.ndarray:
    """[V, V] counts of the first position, which has no parent: all of them as if given the symbol 0."""
    out = np.zeros_like(counts)
    out[0] = np.diagonal(counts)
    return out


def mutual_information(counts: np.ndarray) -> np.ndarray:
    """[T, T] nats from counts [T, T, V, V] of every pair of positions."""
    total = counts[0, 0].sum()
    marginals = np.diagonal(counts[np.arange(len(counts)), np.arange(len(counts))], axis1=1, axis2=2)  # [T, V]
    independent = marginals[:, None, :, None] * marginals[None, :, None, :] / max(total, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(counts > 0, counts * np.log(counts / independent), 0.0)
    nats: np.ndarray = terms.sum((2, 3)) / max(total, 1)
    return nats


def chow_liu(information: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The maximum spanning tree from position 0 (Prim 1957): order [T] in which the positions join it, and parent [T], the step
    at which the parent of each joined.

    >>> order, parent = chow_liu(np.array([[0, 1, 5], [1, 0, 4], [5, 4, 0.0]]))
    >>> order.tolist(), parent.tolist()
    ([0, 2, 1], [0, 0, 1])
    """
    size = len(information)
    best, joined_by, order, parent = information[0].copy(), np.zeros(size, int), [0], [0]
    best[0] = -np.inf
    for _ in range(size - 1):
        new = int(best.argmax())
        parent.append(int(joined_by[new]))
        nearer = (information[new] > best) & (best > -np.inf)
        joined_by[nearer] = len(order)
        best[nearer] = information[new][nearer]
        best[new] = -np.inf
        order.append(new)
    return np.array(order), np.array(parent)
