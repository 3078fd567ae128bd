"""An encoder: features of something that is known as a whole, where every position may see every other.

Values are [n·M, C], the M positions of one lane's x after the other. Everything but attention and coordinates works row
by row of the array, as it does for a step of the decoder.
"""

import numpy as np

from . import attention
from .arithmetic import Exact
from .masks import Array


class Whole(Exact):
    """The arithmetic for all positions of x at once."""

    def attend(
        self,
        name: str,
        q: Array,
        k: Array,
        v: Array,
        heads: int,
        reach: int = 0,
        pattern: attention.Pattern | None = None,
    ) -> Array:
        """Without a mask."""
        self._finite(np.concatenate([q, k, v], 1))
        cache = attention.Cache(self.lanes, self.item, heads, q.shape[1] // heads)
        attention.fill(cache, k, v)
        out = [attention.look(cache, part) for part in q.reshape(self.lanes, self.item, -1).swapaxes(0, 1)]
        return np.stack(out, 1).reshape(self.lanes * self.item, -1)

    def coordinates(self, name: str, width: int) -> Array:
        rows = []
        for at in range(self.item):
            self.at = at
            rows.append(super().coordinates(name, width))
        return np.tile(np.concatenate(rows), (self.lanes, 1))
