"""Next-scale prediction: maps of codes from coarse to fine, each code predicted from the coarser maps alone.

    p(t_1, t_2, …) = Π_s p(t_s | t_1 … t_{s−1}),     all places of a map independent of each other, given the coarser maps

    h_t = where_t + attention(where_t; codes of coarser maps),   then transformer blocks over the h of steps up to this one
    p(x_t | …) = softmax(W norm(h) + b)

Tian et al. 2024, "Visual autoregressive modeling: scalable image generation via next-scale prediction" (VAR), §3.1, eq. 4–5.
No h depends on a code of its own map, so all codes of a map could be decoded at once. Here they are coded one after another, which
costs the same bits. `scales` are those of the tokenizer (`multiscale`). D features, L blocks.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import TokpressError
from ...exact.attention import Pattern
from ...exact.network_ops import NetworkOps, Values
from ...exact.orders import parse_numbers
from .network import NetworkPrior


def coarser(scales: list[int]) -> Pattern:
    """The steps whose input is a code of a coarser map: the input of step t is code t − 1.

    >>> [coarser([1, 2])(t).tolist() for t in (0, 1, 4)]
    [[0], [1], [1]]
    """
    begins = np.cumsum([0, *(side * side for side in scales)])

    def seen(t: int) -> NDArray[np.int64]:
        begin = int(begins[np.searchsorted(begins, t, side="right") - 1])
        return np.arange(1, begin + 1) if begin else np.zeros(1, np.int64)

    return seen


class NextScalePrior(NetworkPrior):
    name = "next_scale"
    max_lanes = 128
    defaults: ClassVar = {"width": 128, "depth": 4, "heads": 4, "dropout": 0.0, "scales": "1,2,4,8"}

    def scales(self) -> list[int]:
        scales = parse_numbers(self.settings["scales"])
        size = sum(side * side for side in scales)
        if not scales or min(scales) < 1 or size != self.stride:
            raise TokpressError(
                f"scales={self.settings['scales']} of the prior 'next_scale' make {size} codes, not the {self.stride} of "
                f"shape={self.settings['shape']}"
            )
        return scales

    def network(self, m: NetworkOps, tokens: Values) -> Values:
        s = self.settings
        width, pattern = s["width"], coarser(self.scales())
        codes = m.embed("embedding", tokens, self.vocab_size, width) + m.coordinates("from", width)
        where = m.coordinates("where", width) + 0 * codes  # a row for each lane
        q = m.linear("query", where, width, normed=True)
        k, v = m.parts(m.linear("codes", codes, 2 * width, normed=True), 2)
        h = where + m.linear("mix", m.attend("coarser", q, k, v, s["heads"], 0, pattern), width)
        for i in range(s["depth"]):
            b = f"blocks.{i}."
            q, k, v = m.parts(m.linear(b + "qkv", h, 3 * width, normed=True), 3)
            seen = m.attend(b + "attention", q, k, v, s["heads"], 0, None)
            h = h + m.dropout(m.linear(b + "mix", seen, width, gain=0.5), s["dropout"])
            u = m.relu(m.linear(b + "up", h, 4 * width, normed=True))
            h = h + m.dropout(m.linear(b + "down", u * u, width, gain=0.5), s["dropout"])
        return m.predict("head", h, self.vocab_size)
