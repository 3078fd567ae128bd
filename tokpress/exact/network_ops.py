"""The operations in which networks are written: a network is a function `network(m, tokens)` that calls these methods of `m`.

    RowOps        each row of features by itself                       linear layers, norms, gates
    LayerOps      + rows of earlier positions of the same sequence     convolutions, attention, recurrences
    NetworkOps    + sub-networks, conditioning items, conditionals     a prior's whole network
    FieldOps      RowOps + neighbours on a grid                        encoder and decoder of a learned tokenizer

Each is computed several ways, and tests compare them: `exact.arithmetic.Exact` computes one step of every lane, `exact.parallel`
all steps of known items, both with the same bits; `training.nets.arithmetic.Trained` computes all steps with gradients.
`exact.fields.Fields` and `training.nets.fields.TrainedFields` compute FieldOps.

    Values      features: numpy float32 [n, C], n rows of C channels, where the arithmetic is exact; torch [B, T, C] in training
    name        prefix of the layer's tensors in the model file; one name, one layer
    limit=ℓ     activations are rounded on one grid for all rows, a = round(clip(x, ±ℓ)·127/ℓ); 0: each row on a scale of its own
    gain        standard deviation of the initial weights, times √inputs; used in training only
    strict      position t sees positions before t only (mask A of van den Oord et al. 2016a, §3.4); otherwise t as well (mask B)
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from .attention import Pattern
from .masks import Taps
from .orders import Shape

#: an array of numpy or torch, which share no type
Values: TypeAlias = Any
#: (first, last) neighbour of each dimension, relative to a place: (−1, 1) is three wide, (−2, 0) three wide and causal
Spans: TypeAlias = Sequence[tuple[int, int]]


class RowOps(Protocol):
    """Operations on each row by itself: [n, C] → [n, C] unless stated otherwise."""

    def embed(self, name: str, tokens: Values, symbols: int, width: int) -> Values:
        """Row `tokens[i]` of a learned table [symbols, width]: [n] → [n, width]."""

    def linear(
        self, name: str, x: Values, outputs: int, normed: bool = False, limit: float = 0.0, gain: float = 1.0
    ) -> Values:
        """W x, or W norm(x) where `normed`: [n, C] → [n, outputs]."""

    def bias(self, name: str, width: int, first: float = 0.0, last: float | None = None) -> Values:
        """A learned vector [width]; its initial values run from `first` to `last` (default: `first`)."""

    def norm(self, x: Values) -> Values:
        """x / rms(x) of each row (Zhang & Sennrich 2019)."""

    def gate(self, x: Values) -> Values:
        """Algebraic sigmoid ½ + ½·x/√(1 + x²)."""

    def bounded(self, x: Values) -> Values:
        """Algebraic tanh x/√(1 + x²)."""

    def relu(self, x: Values) -> Values:
        """max(x, 0)."""

    def positive(self, x: Values) -> Values:
        """Algebraic softplus ½·(x + √(x² + 1)) > 0 (squareplus, Barron 2021)."""

    def dropout(self, x: Values, share: float) -> Values:
        """In training, zero a `share` of the values and scale the others up; otherwise x."""

    def joint(self, *x: Values) -> Values:
        """Concatenate channels: [n, C_1], [n, C_2], … → [n, C_1 + C_2 + …]."""

    def parts(self, x: Values, count: int) -> Sequence[Values]:
        """Split channels into `count` equal parts [n, C / count]."""


class LayerOps(RowOps, Protocol):
    """Operations over the positions of a sequence or an item. Only in an encoder does a position see later ones."""

    def conv(
        self,
        name: str,
        x: Values,
        taps: Taps,
        outputs: int,
        limit: float = 4.0,
        strict: bool = False,
        gain: float = 1.0,
    ) -> Values:
        """y_t = b + Σ_k W_k x_{t + tap k}: [n, C] → [n, outputs]. Taps: (rows, columns) in raster order, or (steps,)."""

    def joined(
        self, name: str, x: Values, outputs: int, limit: float = 4.0, strict: bool = False, gain: float = 1.0
    ) -> Values:
        """y_t = b_t + Σ_{s ≤ t} W_{t,s} x_s, weights for every pair of positions: [n, C] → [n, outputs]."""

    def coordinates(self, name: str, width: int) -> Values:
        """A learned vector [1, width] of each position of an item: its row's, column's and channel's vectors added."""

    def recur(self, name: str, f: Values, c: Values) -> Values:
        """h_t = f·h_{t−1} + (1 − f)·c per channel: [n, C], [n, C] → [n, C]."""

    def unroll(self, name: str, cell: Callable[..., Sequence[Values]], x: Values, widths: Sequence[int]) -> Values:
        """The first state of (s, …)_t = cell(x_t, *s_{t−1}): [n, C] → [n, widths[0]]. States [n, widths[i]] begin as 0."""

    def attend(
        self,
        name: str,
        q: Values,
        k: Values,
        v: Values,
        heads: int,
        reach: int = 0,
        pattern: Pattern | None = None,
    ) -> Values:
        """softmax(q·kᵀ/√d) v per head over the positions up to t: three [n, C] → [n, C] (Vaswani et al. 2017, §3.2).

        reach: number of positions seen, with a learned bias for each distance (0: all). pattern: positions each t sees."""

    def attend_linear(self, name: str, q: Values, k: Values, v: Values, heads: int) -> Values:
        """φ(q)·Σ φ(k) vᵀ / φ(q)·Σ φ(k) per head, φ = `positive`: three [n, C] → [n, C] (Katharopoulos et al. 2020)."""

    def state_space(self, name: str, u: Values, size: int) -> Values:
        """Re Σ_N C_N h_N,t + D u_t with h_N,t = A_N h_N,t−1 + u_t, `size` complex states a channel: [n, C] → [n, C]."""


#: a sub-network: (operations, inputs) → features
Stack: TypeAlias = Callable[[LayerOps, Values], Values]


class NetworkOps(LayerOps, Protocol):
    """Operations that a prior's network is written in."""

    def vertical(self, name: str, stack: Stack, x: Values) -> Values:
        """Run `stack` over whole rows of a picture: features of a pixel may depend on every pixel of the rows above.
        x: features of the previous symbol, [n, C] → [n, C']. The stack begins with a strict convolution."""

    def upsampled(self, name: str, shape: Shape, symbols: int, width: int, outputs: int) -> Values:
        """Features of the conditioning picture of `shape` around each pixel's place, by a 3×3 convolution: [n, outputs]."""

    def encoded(self, stack: Stack, shape: Shape) -> Values:
        """Run `stack` over the symbols of the conditioning item of `shape`. All M positions see each other: [lanes·M, C]."""

    def attend_given(self, name: str, q: Values, k: Values, v: Values, heads: int) -> Values:
        """Attention of q [n, C] over keys and values [lanes·M, C] from `encoded` (Vaswani et al. 2017, §3.2.3)."""

    def predict(self, name: str, x: Values, symbols: int) -> Values:
        """The conditional softmax(W norm(x) + b): [n, C] → pmf [n, symbols]; in training its logits."""

    def predict_logits(self, logits: Values) -> Values:
        """softmax(0, logits): [n, V − 1] → pmf [n, V]; in training its logits."""

    def predict_logistics(self, name: str, x: Values, symbols: int, components: int) -> Values:
        """A mixture of discretized logistics (`exact.logistics`), parameters W norm(x) + b: [n, C] → pmf [n, symbols]; in
        training ln p, [n, symbols] or of the targets alone [n, 1]."""


class FieldOps(RowOps, Protocol):
    """Operations of autoencoders: a row per place of the grid `dims` = (D_1, D_2, …) of each item, in raster order."""

    def conv(self, name: str, x: Values, spans: Spans, outputs: int, limit: float = 4.0, gain: float = 1.0) -> Values:
        """y = b + Σ_k W_k x_{place + k}, k over the box of `spans`, zeros outside the grid: [n, C] → [n, outputs]."""

    def down(self, x: Values, factors: Sequence[int]) -> Values:
        """A grid coarser by `factors`, the places of a block side by side: [n, C] → [n / Πf, Πf·C]."""

    def up(self, x: Values, factors: Sequence[int]) -> Values:
        """The reverse of `down`: [n, Πf·C] → [n·Πf, C]."""

    def ahead(self, x: Values, count: int) -> Values:
        """Repeat the first place of the first dimension `count` times before it: dims (D_1 + count, D_2, …)."""

    def places(self, name: str, width: int) -> Values:
        """A learned vector [width] of each place: the sum of one for each dimension."""

    def attend(self, name: str, q: Values, k: Values, v: Values, heads: int) -> Values:
        """Attention of every place of an item to every place of it: three [n, C] → [n, C]."""

    def append_vectors(self, x: Values, name: str, count: int) -> Values:
        """Append `count` learned vectors to the places of each item; `dims` becomes (places + count,)."""

    def cut(self, x: Values, first: int, last: int, dims: tuple[int, ...]) -> Values:
        """Keep places first … last − 1 of each item, as a grid of `dims`."""
