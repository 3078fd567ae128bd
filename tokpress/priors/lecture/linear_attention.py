"""Linear attention: a transformer whose attention is a recurrence.

    S_t = S_{t−1} + φ(k_t) v_tᵀ,   z_t = z_{t−1} + φ(k_t),   y_t = φ(q_t)·S_t / φ(q_t)·z_t
    h ← h + W_o y(norm(h)),   h ← h + W_2 max(W_1 norm(h), 0)²
    p(x_{t+1} | x_≤t) = softmax(W norm(h) + b)

Katharopoulos et al. 2020, "Transformers are RNNs", eq. 9–10 (parallel), 18–20 (recurrent). φ is an algebraic softplus
in place of elu + 1. The parallel form trains, the recurrent form codes at O(1) a step (`training.nets.state_space`,
`exact.recurrent`). A convolution of two taps tells which symbols stood side by side; items have coordinates as well.
"""

from typing import ClassVar

from ...exact.network_ops import NetworkOps, Values
from .network import NetworkPrior


class LinearAttentionPrior(NetworkPrior):
    name = "linear_attention"
    max_lanes = 256
    defaults: ClassVar = {"width": 128, "depth": 4, "heads": 8, "dropout": 0.0}

    def network(self, m: NetworkOps, tokens: Values) -> Values:
        s = self.settings
        width = s["width"]
        h = m.embed("embedding", tokens, self.vocab_size, width)
        if self.shape:
            h = h + m.coordinates("where", width)
        for i in range(s["depth"]):
            b = f"blocks.{i}."
            near = m.conv(b + "near", m.norm(h), [(-1,), (0,)], width)
            q, k, v = m.parts(m.linear(b + "qkv", near, 3 * width), 3)
            seen = m.attend_linear(b + "attention", q, k, v, s["heads"])
            h = h + m.dropout(m.linear(b + "mix", seen, width, normed=True, gain=0.5), s["dropout"])
            u = m.relu(m.linear(b + "up", h, 4 * width, normed=True))
            h = h + m.dropout(m.linear(b + "down", u * u, width, gain=0.5), s["dropout"])
        return m.predict("head", h, self.vocab_size)
