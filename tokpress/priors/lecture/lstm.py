"""LSTM: char-rnn on text, and the same network on the pixels of an image.

    i, f, o, g = W_x x_t + W_h h_{t−1} + b
    c_t = σ(f)·c_{t−1} + σ(i)·tanh(g),   h_t = σ(o)·tanh(c_t)
    p(x_{t+1} | x_≤t) = softmax(W norm(h) + b)

Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000; Karpathy 2015 for char-rnn. σ and tanh are
algebraic (½ + ½·x/√(1+x²), x/√(1+x²)). `location` adds the pixel's coordinates to the input. D cells, L layers.
"""

from typing import ClassVar

from ...exact.network_ops import NetworkOps, Values
from .network import NetworkPrior


class LSTMPrior(NetworkPrior):
    name = "lstm"
    defaults: ClassVar = {"width": 256, "depth": 1, "location": True, "embedding": 32, "dropout": 0.0}

    def network(self, m: NetworkOps, tokens: Values) -> Values:
        s = self.settings
        width = s["width"]
        x = m.embed("embedding", tokens, self.vocab_size, s["embedding"])
        if s["location"] and self.shape:
            x = m.joint(x, m.coordinates("where", s["embedding"]))
        for i in range(s["depth"]):
            b = f"blocks.{i}."
            slow = m.bias(b + "forget", width, 0.0, 4.0)  # some cells forget slowly from the start

            def cell(x_t: Values, h: Values, c: Values, b: str = b, slow: Values = slow) -> tuple[Values, Values]:
                f, i, o, g = m.parts(x_t + m.linear(b + "hidden", h, 4 * width, limit=1.0), 4)
                c = m.gate(f + slow) * c + m.gate(i) * m.bounded(g)
                return m.gate(o) * m.bounded(c), c

            h = m.unroll(
                b + "state", cell, m.linear(b + "in", x, 4 * width) + m.bias(b + "bias", 4 * width), (width, width)
            )
            x = m.dropout(h, s["dropout"])
        return m.predict("head", x, self.vocab_size)
