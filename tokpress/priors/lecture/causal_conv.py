"""Causal convolution: one kernel for all positions, and coordinates to tell them apart.

    h_0 = W x_{t−1} + coordinates of t                      (the symbol before, and which position is asked for)
    h ← h + W_2 relu(Σ_{j<k} W_j norm(h)_{t−j} + b)         (k taps, L layers: L·(k − 1) + 1 symbols are seen)
    p(x_t | x_<t) = softmax(W norm(relu(h)) + b)

The lecture's "causal masked neural models": MADE's connections, but the same parameters at every position, padded at the
beginning, with coordinate coding to individualise them; "masked temporal (1D) convolution". The number of parameters
does not depend on the length; the receptive field is linear in the number of layers (`wavenet` doubles it by layer).
Stepping costs O(layers) a symbol: each layer keeps its last k inputs. D features (`width`), k = `kernel`, L = `depth`.
"""

from typing import ClassVar

from ...exact.network_ops import NetworkOps, Values
from .network import NetworkPrior


class CausalConvPrior(NetworkPrior):
    name = "causal_conv"
    defaults: ClassVar = {"width": 96, "depth": 5, "kernel": 16, "location": True, "embedding": 8, "dropout": 0.0}

    def network(self, m: NetworkOps, tokens: Values) -> Values:
        s = self.settings
        width, taps = s["width"], [(-j,) for j in range(s["kernel"])]
        h = m.linear("input", m.embed("embedding", tokens, self.vocab_size, s["embedding"]), width, gain=2.0)
        if s["location"] and self.shape:
            h = h + m.coordinates("where", width)
        for i in range(s["depth"]):
            b = f"blocks.{i}."
            u = m.relu(m.conv(b + "conv", m.norm(h), taps, width))
            h = h + m.linear(b + "out", m.dropout(u, s["dropout"]), width, gain=0.5)
        return m.predict("head", m.relu(h), self.vocab_size)
