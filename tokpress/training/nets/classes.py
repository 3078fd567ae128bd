"""Classes of symbols for a class-factored softmax: symbols with the same neighbours share a class.

    a_v = (√p(u before | v), √p(w after | v))        u, w among the most frequent symbols (Hellinger: inner products of such
                                                      vectors are sums of √(p q); Lebret & Collobert 2014, "Word embeddings
                                                      through Hellinger PCA", §3)
    halve the symbols along the first principal axis of their a, until each class has V / C members

The class is easy to predict then; its members differ in detail. (Classes for speed: Goodman 2001, "Classes for fast maximum
entropy training", §2; Brown et al. 1992, §3, find them by mutual information.)
"""

import numpy as np
from numpy.typing import NDArray

from ..data.streams import Source

#: most frequent symbols that count as neighbours by themselves; all others count as one
CONTEXTS = 1024
#: features of a symbol
AXES = 96
#: tokens counted, and tokens of a piece
SAMPLE, PIECE = 20_000_000, 100_000


def places(sources: list[Source], symbols: int, classes: int, seed: int) -> NDArray[np.int32]:
    """[V]: position of each symbol when classes of V / C members follow one another; V and C are powers of 2."""
    features, parts = _features(sample(sources, seed), symbols), [np.arange(symbols)]
    while len(parts) < classes:
        parts = [half for part in parts for half in _halves(part, features)]
    place = np.empty(symbols, np.int32)
    place[np.concatenate(parts)] = np.arange(symbols)
    return place


def sample(sources: list[Source], seed: int) -> NDArray[np.int64]:
    """Tokens to count: pieces of the corpus: of each source by its weight, and at least one."""
    rng, mass = np.random.default_rng(seed), np.array([len(s.tokens) * s.weight for s in sources])
    wanted = min(SAMPLE, sum(len(s.tokens) for s in sources))
    pieces = []
    for source, share in zip(sources, mass / mass.sum()):
        size = min(PIECE, len(source.tokens))
        for _ in range(max(1, round(share * wanted / max(size, 1)))):
            at = int(rng.integers(0, len(source.tokens) - size + 1))
            pieces.append(source.tokens[at : at + size].astype(np.int64))
    return np.concatenate(pieces)


def _features(tokens: NDArray[np.int64], symbols: int) -> NDArray[np.float32]:
    """[V, AXES]: a of each symbol, on its first principal axes."""
    frequency = np.bincount(tokens, minlength=symbols)
    context = np.full(symbols, CONTEXTS)  # the rest count together
    context[np.argsort(-frequency, kind="stable")[:CONTEXTS]] = np.arange(min(CONTEXTS, symbols))
    sides = []
    for centre, neighbour in ((tokens[1:], tokens[:-1]), (tokens[:-1], tokens[1:])):
        pairs = centre.astype(np.int64) * (CONTEXTS + 1) + context[neighbour]
        counts = np.bincount(pairs, minlength=symbols * (CONTEXTS + 1)).reshape(symbols, -1).astype(np.float32)
        sides.append(np.sqrt(counts / np.maximum(counts.sum(1, keepdims=True), 1)))
    a = np.concatenate(sides, 1)
    a -= np.average(a, 0, np.sqrt(frequency + 1.0)).astype(np.float32)
    _, axes = np.linalg.eigh(a.T @ (a * np.sqrt(frequency + 1.0)[:, None].astype(np.float32)))
    features: NDArray[np.float32] = a @ axes[:, -AXES:]
    return features


def _halves(part: NDArray[np.int64], features: NDArray[np.float32]) -> list[NDArray[np.int64]]:
    """The lower and the upper half of these symbols along their first principal axis."""
    a = features[part] - features[part].mean(0)
    _, axes = np.linalg.eigh(a.T @ a)
    order = np.argsort(a @ axes[:, -1], kind="stable")
    return [part[np.sort(order[: len(part) // 2])], part[np.sort(order[len(part) // 2 :])]]
