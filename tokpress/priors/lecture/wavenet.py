"""WaveNet: dilated causal convolutions in gated residual blocks with skip connections.

    z = tanh(W_f ∗ h) · σ(W_g ∗ h)        causal convolutions of two taps, 2^i steps apart
    h ← h + W_r z,   s ← s + W_s z        residual and skip
    p(x_t | x_<t) = softmax(W norm(relu(s)) + b)

van den Oord et al. 2016, "WaveNet: a generative model for raw audio", §2.1–2.4. tanh and σ are algebraic (x/√(1+x²)).
`location` appends the pixel's coordinates to the input, as in the lecture; without it the network knows no position.
Stepping costs O(layers) a symbol: a queue of 2^i steps for each
layer (Paine et al. 2016, "Fast WaveNet generation"). D features, L layers, dilations 1, 2, 4 … `longest`, and again.
"""

from typing import ClassVar

from ...exact.network_ops import NetworkOps, Values
from .network import NetworkPrior


class WaveNetPrior(NetworkPrior):
    name = "wavenet"
    defaults: ClassVar = {"width": 96, "depth": 14, "longest": 64, "location": True, "embedding": 16, "dropout": 0.0}

    def network(self, m: NetworkOps, tokens: Values) -> Values:
        s = self.settings
        width, cycle = s["width"], s["longest"].bit_length()
        h = m.linear("input", m.embed("embedding", tokens, self.vocab_size, s["embedding"]), width, gain=2.0)
        if s["location"] and self.shape:
            h = h + m.coordinates("where", width)
        skip = 0
        for i in range(s["depth"]):
            b, dilation = f"blocks.{i}.", 2 ** (i % cycle)
            tanh, gate = m.parts(m.conv(b + "conv", m.norm(h), [(-dilation,), (0,)], 2 * width), 2)
            z = m.dropout(m.bounded(tanh) * m.gate(gate), s["dropout"])
            residual, more = m.parts(m.linear(b + "out", z, 2 * width), 2)
            h, skip = h + residual, skip + more
        return m.predict("head", m.relu(skip), self.vocab_size)
