"""Gated PixelCNN: two stacks of convolutions, which together see all pixels above.

    vertical      v ← v + W tanh(V_f ∗ v) · σ(V_g ∗ v)                   all pixels of the rows above
    horizontal    h ← h + W tanh(H_f ∗ h + U_f v) · σ(H_g ∗ h + U_g v)   and those to the left in this row
    p(x_t | x_<t) = softmax(W norm(relu(h)) + b)

van den Oord et al. 2016, "Conditional image generation with PixelCNN decoders", §2.1 (gates), §2.2 (blind spot), fig. 2.
v of a pixel may depend on pixels above on the right, so stepping computes v for a row at once, when the row above is complete (`exact.rows`); a test shows that `pixelcnn` has a blind spot and that this has none.
tanh and σ are algebraic. D features, L blocks; a pixel's channels are coded one after the other.
"""

from typing import ClassVar

from ...exact.network_ops import LayerOps, NetworkOps, Values
from .network import NetworkPrior


class GatedPixelCNNPrior(NetworkPrior):
    name = "gated_pixelcnn"
    defaults: ClassVar = {"width": 64, "depth": 6, "embedding": 8, "components": 0, "dropout": 0.0}

    def network(self, m: NetworkOps, tokens: Values) -> Values:
        s = self.settings
        width, depth = s["width"], s["depth"]
        near = [(r, c) for r in (-1, 0) for c in (-1, 0, 1)]
        far = [(r, c) for r in (-3, -2, -1) for c in range(-3, 4)]

        def stack(m: LayerOps, x: Values) -> Values:
            """The vertical features of all blocks, side by side."""
            v = m.conv("vertical", x, far, width, strict=True)
            out = []
            for i in range(depth):
                b = f"blocks.{i}.vertical."
                tanh, gate = m.parts(m.conv(b + "conv", m.norm(v), near, 2 * width), 2)
                z = m.bounded(tanh) * m.gate(gate)
                v = v + m.linear(b + "out", z, width, gain=0.5)
                out.append(m.linear(b + "across", v, 2 * width, normed=True))
            return m.joint(*out)

        x = m.embed("embedding", tokens, self.vocab_size, s["embedding"])
        above = m.parts(m.vertical("stack", stack, x), depth)
        h = m.conv("horizontal", x, [(0, -3), (0, -2), (0, -1), (0, 0)], width, strict=True)
        h = h + m.coordinates("where", width)
        for i in range(depth):
            b = f"blocks.{i}.horizontal."
            gated = m.conv(b + "conv", m.norm(h), [(0, -2), (0, -1), (0, 0)], 2 * width) + above[i]
            tanh, gate = m.parts(gated, 2)
            z = m.dropout(m.bounded(tanh) * m.gate(gate), s["dropout"])
            h = h + m.linear(b + "out", z, width, gain=0.5)
        if s["components"]:
            return m.predict_logistics("head", m.relu(h), self.vocab_size, s["components"])
        return m.predict("head", m.relu(h), self.vocab_size)
