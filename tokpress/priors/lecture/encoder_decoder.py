"""Encoder–decoder: a transformer for p(y | x), where encoder and decoder of the file both have x.

    encoder   e ← e + W_o attention(norm(e)), e ← e + W_2 max(W_1 norm(e), 0)²        over all of x, nothing masked
    decoder   h ← h + W_o causal attention(norm(h)),   h ← h + W_c attention(W_q norm(h); W_k e, W_v e),   h ← h + MLP
    p(y_{t+1} | y_≤t, x) = softmax(W norm(h) + b)

Vaswani et al. 2017, §3.1 and fig. 1. x is `given`, an item of its own shape for each item y: grey for colour, the rows
above for a row, a coarse picture for a fine one. `tokpress compress --given FILE` names the file of all x; decompression
needs the same file. The encoder runs once for each item; a step of the decoder costs O(L + M).
"""

from typing import ClassVar

from ...errors import TokpressError
from ...exact.network_ops import LayerOps, NetworkOps, RowOps, Values
from .network import NetworkPrior


class EncoderDecoderPrior(NetworkPrior):
    name = "encoder_decoder"
    max_lanes = 128
    defaults: ClassVar = {"width": 128, "depth": 3, "heads": 4, "dropout": 0.0, "given": "1"}

    def network(self, m: NetworkOps, tokens: Values) -> Values:
        s = self.settings
        width, depth, heads = s["width"], s["depth"], s["heads"]
        if not self.shape or not self.given_shape:
            raise TokpressError("an encoder–decoder needs items and given items: --set shape=… --set given=…")

        def mlp(m: RowOps, b: str, h: Values) -> Values:
            u = m.relu(m.linear(b + "up", h, 4 * width, normed=True))
            return h + m.dropout(m.linear(b + "down", u * u, width, gain=0.5), s["dropout"])

        def encoder(m: LayerOps, x: Values) -> Values:
            """Keys and values for every layer of the decoder, side by side."""
            e = m.embed("encoder.embedding", x, self.vocab_size, width) + m.coordinates("encoder.where", width)
            for i in range(depth):
                b = f"blocks.{i}.encoder."
                q, k, v = m.parts(m.linear(b + "qkv", e, 3 * width, normed=True), 3)
                e = e + m.linear(b + "mix", m.attend(b + "attention", q, k, v, heads), width, gain=0.5)
                e = mlp(m, b, e)
            return m.linear("encoder.out", e, 2 * depth * width, normed=True)

        memory = m.parts(m.encoded(encoder, self.given_shape), 2 * depth)
        h = m.embed("embedding", tokens, self.vocab_size, width) + m.coordinates("where", width)
        for i in range(depth):
            b = f"blocks.{i}."
            q, k, v = m.parts(m.linear(b + "qkv", h, 3 * width, normed=True), 3)
            h = h + m.linear(b + "mix", m.attend(b + "attention", q, k, v, heads), width, gain=0.5)
            q = m.linear(b + "ask", h, width, normed=True)
            seen = m.attend_given(b + "given", q, memory[2 * i], memory[2 * i + 1], heads)
            h = h + m.linear(b + "across", seen, width, gain=0.5)
            h = mlp(m, b, h)
        return m.predict("head", h, self.vocab_size)
