"""The order of the tokens of a class-factored prior, by which bitwise mixing divides them.

Training does not depend on the order of the classes, nor on that of the members of a class. Mixing does: its contexts learn which half of
the tokens that are left comes next, and strings that begin alike come after like letters. So classes are in the order of their most
frequent member, and members in their own order, as bytes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..priors.text.mingru import MinGRUPrior


def in_byte_order(prior: MinGRUPrior, token_bytes: Sequence[bytes], frequency: NDArray[np.int64]) -> MinGRUPrior:
    """The same prior with its tokens in another order. token_bytes, frequency [V]: of each token. A prior without classes stays as it is."""
    config, tensors = prior.config(), dict(prior.tensors())
    if not (count := config.get("classes", 0)):
        return prior
    symbol = np.argsort(tensors["place"])  # [V], of each place
    classes = symbol.reshape(count, -1)
    main = classes[np.arange(count), frequency[classes].argmax(1)]
    rows = []
    for of_class in sorted(range(count), key=lambda c: token_bytes[main[c]]):
        members = sorted(range(classes.shape[1]), key=lambda m: token_bytes[classes[of_class, m]])
        rows.append((of_class, of_class * classes.shape[1] + np.array(members)))
    old_places = np.concatenate([members for _, members in rows])
    place = np.empty(len(symbol), np.int32)
    place[symbol[old_places]] = np.arange(len(symbol))
    of_head = np.concatenate([[of_class for of_class, _ in rows], count + old_places])
    moved = {name: np.ascontiguousarray(tensors[name][of_head]) for name in ("head.weight", "head.scale", "bias")}
    return MinGRUPrior(config, {**tensors, **moved, "place": place})
