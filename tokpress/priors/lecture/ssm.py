"""Diagonal linear state space: each channel is a sum of damped oscillations of its input.

    h_N,t = A_N h_N,t−1 + u_t,   y_t = Re Σ_N C_N h_N,t + D u_t         (complex A_N, |A_N| < 1, per channel)
    h ← h + W_o (y · σ(g)),  u, g = W norm(h);   h ← h + W_2 max(W_1 norm(h), 0)²
    p(x_{t+1} | x_≤t) = softmax(W norm(h) + b)

Gu et al. 2022, S4 (convolution) and "On the parameterization of diagonal state space models" (S4D); Gupta et al. 2022
(DSS). Convolution and associative scan train, the recurrence codes at O(1) a step; a test compares all three. The
products of A and h are four float32 multiplications, the sum over N goes by halves: exact. N = `states`, a power of 2.
"""

from typing import ClassVar

from ...errors import TokpressError
from ...exact.network_ops import NetworkOps, Values
from .network import NetworkPrior


class SSMPrior(NetworkPrior):
    name = "ssm"
    defaults: ClassVar = {"width": 128, "depth": 4, "states": 8, "dropout": 0.0}

    def network(self, m: NetworkOps, tokens: Values) -> Values:
        s = self.settings
        width, size = s["width"], s["states"]
        if size & (size - 1):
            raise TokpressError(f"states={size} of the prior 'ssm' should be a power of 2")
        h = m.embed("embedding", tokens, self.vocab_size, width)
        if self.shape:
            h = h + m.coordinates("where", width)
        for i in range(s["depth"]):
            b = f"blocks.{i}."
            u, gate = m.parts(m.linear(b + "in", h, 2 * width, normed=True), 2)
            y = m.state_space(b + "states", u, size) * m.gate(gate)
            h = h + m.dropout(m.linear(b + "out", y, width, gain=0.5), s["dropout"])
            u = m.relu(m.linear(b + "up", h, 4 * width, normed=True))
            h = h + m.dropout(m.linear(b + "down", u * u, width, gain=0.5), s["dropout"])
        return m.predict("head", h, self.vocab_size)
