"""Transformer: causal self-attention, in any order.

    h ← h + W_o attention(norm(h)),   h ← h + W_2 max(W_1 norm(h), 0)²
    attention: softmax(q·kᵀ/√d) v over the steps up to this one, per head
    p(x_{t+1} | x_≤t) = softmax(W norm(h) + b)

Vaswani et al. 2017, "Attention is all you need", §3; pre-norm (Radford et al. 2019); squared ReLU (So et al. 2021).
Items: the coordinates of the position to be predicted are added to the input, so that any
order will do (zigzag, the lecture's slide "Masked Attention"). Palette tokens make it iGPT (Chen et al. 2020).
Sequences: each head sees `reach` steps, with a learned bias for each distance (Press et al. 2022 fix theirs).
Stepping keeps keys and values: O(L) a step, where computing all anew is O(L²). D features, L blocks, heads of D/heads.
"""

from typing import ClassVar

from ...exact.attention import Pattern
from ...exact.network_ops import NetworkOps, Values
from .network import NetworkPrior


class TransformerPrior(NetworkPrior):
    name = "transformer"
    max_lanes = 128
    defaults: ClassVar = {"width": 128, "depth": 4, "heads": 4, "reach": 256, "dropout": 0.0}

    def pattern(self, layer: int) -> Pattern | None:
        """The steps that each step of this layer may see; None: all up to itself."""
        return None

    def network(self, m: NetworkOps, tokens: Values) -> Values:
        s = self.settings
        width, reach = s["width"], 0 if self.shape else s["reach"]
        h = m.embed("embedding", tokens, self.vocab_size, width)
        if self.shape:
            h = h + m.coordinates("where", width)
        for i in range(s["depth"]):
            b = f"blocks.{i}."
            q, k, v = m.parts(m.linear(b + "qkv", h, 3 * width, normed=True), 3)
            seen = m.attend(b + "attention", q, k, v, s["heads"], reach, self.pattern(i))
            h = h + m.dropout(m.linear(b + "mix", seen, width, gain=0.5), s["dropout"])
            u = m.relu(m.linear(b + "up", h, 4 * width, normed=True))
            h = h + m.dropout(m.linear(b + "down", u * u, width, gain=0.5), s["dropout"])
        return m.predict("head", h, self.vocab_size)
