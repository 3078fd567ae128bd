"""PixelCNN: masked convolutions over the pixels above and to the left.

    h_0 = A-masked 7×7 convolution of the pixels before this one        (the centre is not seen)
    h ← h + W_2 relu(B-masked 3×3 convolution of relu(W_1 norm(h)))     (the centre is: it has seen no more)
    p(x_t | x_<t) = softmax(W norm(relu(h)) + b)

van den Oord, Kalchbrenner & Kavukcuoglu 2016, "Pixel recurrent neural networks", §3.4 (masks), §3.5 (PixelCNN), fig. 5
(the residual block: 2h → h → 2h features). A pixel's channels follow each other: green sees red, blue sees both (§3.2).
`components` > 0 predicts a mixture of logistics in place of a softmax (Salimans et al. 2017, §2.1), for 8-bit pixels.
The 3×3 mask leaves a blind spot above on the right; tests show it, and show that `gated_pixelcnn` has none.
`given` makes it a super-resolution PixelCNN (Dahl, Norouzi & Shlens 2017, without their residual conditioning network):
a coarser picture that both sides have, "7x7" say, adds features of its 3×3 neighbourhood to h_0; `--given FILE` names it.
Stepping costs O(layers) a symbol: rows of features wait in queues. D features, L blocks.
"""

from typing import ClassVar

from ...exact.masks import Taps
from ...exact.network_ops import NetworkOps, Values
from .network import NetworkPrior


def causal_taps(rows: int, columns: int) -> Taps:
    """(row, column) of the `rows`×`columns` neighbourhood that ends at the pixel itself, which comes last.

    >>> causal_taps(2, 3)
    [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 0)]
    """
    side = columns // 2
    above = [(r, c) for r in range(1 - rows, 0) for c in range(-side, side + 1)]
    return above + [(0, c) for c in range(-side, 1)]


class PixelCNNPrior(NetworkPrior):
    name = "pixelcnn"
    defaults: ClassVar = {"width": 128, "depth": 7, "embedding": 8, "components": 0, "dropout": 0.0, "given": ""}

    def network(self, m: NetworkOps, tokens: Values) -> Values:
        s = self.settings
        x = m.embed("embedding", tokens, self.vocab_size, s["embedding"])
        h = m.conv("first", x, causal_taps(4, 7), s["width"], strict=True) + m.coordinates("where", s["width"])
        if self.given_shape:
            h = h + m.upsampled("given", self.given_shape, self.vocab_size, s["embedding"], s["width"])
        for i in range(s["depth"]):
            b = f"blocks.{i}."
            u = m.relu(m.linear(b + "in", h, s["width"] // 2, normed=True))
            u = m.relu(m.conv(b + "conv", u, causal_taps(2, 3), s["width"] // 2))
            h = h + m.linear(b + "out", m.dropout(u, s["dropout"]), s["width"], gain=0.5)
        if s["components"]:
            return m.predict_logistics("head", m.relu(h), self.vocab_size, s["components"])
        return m.predict("head", m.relu(h), self.vocab_size)
