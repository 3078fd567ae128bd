"""MADE: a masked autoencoder whose hidden nodes hold vectors, one node per position and layer.

    h_t = relu(b_t + Σ_{s<t} W_{t,s} x_s)            (the first layer: strictly earlier symbols)
    h'_t = relu(b'_t + Σ_{s≤t} W'_{t,s} h_s)         (`depth` > 1)
    p(x_t | x_<t) = softmax(0, b_t + Σ_{s≤t} V_{t,s} h_s + Σ_{s<t} A_{t,s} x_s)      (V − 1 logits, beside a 0)

Germain et al. 2015, "MADE: masked autoencoder for distribution estimation", §3–4: connectivity numbers are the nodes'
positions here, so every unit keeps some input and the masks are block triangular. A: direct connections (§4.1).
No two positions share weights, hence `order` may be any. D units a node (`width`), L hidden layers.
"""

from typing import ClassVar

from ...exact.network_ops import NetworkOps, Values
from .network import NetworkPrior


class MADEPrior(NetworkPrior):
    name = "made"
    defaults: ClassVar = {"width": 4, "depth": 1, "embedding": 1, "dropout": 0.0}

    def network(self, m: NetworkOps, tokens: Values) -> Values:
        s = self.settings
        x = m.embed("embedding", tokens, self.vocab_size, s["embedding"])
        h = x
        for i in range(s["depth"]):
            h = m.relu(m.joined(f"hidden.{i}", h, s["width"], strict=i == 0))
            h = m.dropout(h, s["dropout"])
        logits = m.joined("output", h, self.vocab_size - 1, gain=0.5)
        return m.predict_logits(logits + m.joined("direct", x, self.vocab_size - 1, strict=True, gain=0.5))
