"""Small models made on the spot, with random but fixed weights, for tests of everything around them."""

from dataclasses import replace
from typing import Any

import numpy as np

from tokpress.exact.arithmetic import Exact
from tokpress.exact.tensors import WEIGHT, Kind
from tokpress.exact.weights import Weights
from tokpress.models.model import Model
from tokpress.priors.base import SteppedPrior
from tokpress.priors.compose.ensemble import EnsemblePrior
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.priors.compose.product import ProductPrior
from tokpress.priors.context_mixing.prior import ContextMixingPrior
from tokpress.priors.lecture.bayes_net import BayesNetPrior
from tokpress.priors.lecture.hierarchical import HierarchicalPrior, plan
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.priors.lecture.logistic_mixture import LogisticMixturePrior
from tokpress.priors.lecture.network import NetworkPrior
from tokpress.priors.linear_prediction.prior import LinearPredictionPrior
from tokpress.priors.registry import PRIORS, register_prior
from tokpress.priors.text.bitwise import BitwisePrior
from tokpress.priors.text.mingru import MinGRUPrior, tensor_shapes
from tokpress.tokenizers.base import Config, Tokenizer
from tokpress.tokenizers.registry import TOKENIZERS
from tokpress.tokenizers.text.bytes import BitsTokenizer, BytesTokenizer, NibblesTokenizer, TopBitTokenizer


class Reusing(HistogramPrior):
    """Adaptive, with one array for all of its conditionals, as `Prior.step` allows."""

    def __init__(self) -> None:
        super().__init__(256)
        self._out = np.empty((0, 256), np.float32)

    def step(self, state, previous, rows):
        made = super().step(state, previous, rows)
        if len(self._out) < rows:
            self._out = np.empty((rows, 256), np.float32)
        self._out[:rows] = made
        return self._out[:rows]


def tiny_mingru(
    symbols: int = 256, width: int = 32, depth: int = 2, hidden: int = 48, seed: int = 0, online: float = 0.0,
    grams: int = 0, classes: int = 0,
) -> MinGRUPrior:  # fmt: skip
    rng = np.random.default_rng(seed)
    config = {"symbols": symbols, "width": width, "depth": depth, "hidden": hidden}
    config |= {"grams": grams, "features": 6} if grams else {}
    config |= {"classes": classes} if classes else {}
    tensors = {}
    for name, (shape, kind) in tensor_shapes(**config).items():
        if kind is WEIGHT:
            tensors[name] = rng.integers(-64, 64, shape).astype(np.int8)
        elif name == "place":
            tensors[name] = rng.permutation(symbols).astype(np.int32)
        elif name.endswith("scale"):
            tensors[name] = (rng.random(shape) * 0.004 + 0.001).astype(np.float32)
        else:
            tensors[name] = rng.random(shape).astype(np.float32)
    return MinGRUPrior({**config, "online": online}, tensors)


def tiny_class_factored(
    symbols: int = 256, width: int = 24, depth: int = 1, hidden: int = 32, seed: int = 0, online: float = 0.01,
    grams: int = 0, classes: int = 16,
) -> MinGRUPrior:  # fmt: skip
    """A minGRU with a class-factored softmax."""
    return tiny_mingru(symbols, width, depth, hidden, seed, online, grams, classes)


class Drawn(Weights):
    """Tensors that are drawn at random when a network first asks for them."""

    def __init__(self, seed: int) -> None:
        super().__init__({})
        self.rng = np.random.default_rng(seed)

    def tensor(self, name: str, shape: tuple[int, ...], kind: Kind) -> np.ndarray:
        if name not in self.tensors:
            if kind is WEIGHT:
                drawn = self.rng.integers(-64, 64, shape)
            elif name.endswith("scale"):
                drawn = self.rng.random(shape) * 0.02 + 0.001
            elif name.endswith("transition"):
                drawn = self.rng.uniform(-0.6, 0.6, shape)  # of modulus below 1
            else:
                drawn = self.rng.normal(size=shape) * 0.5
            self.tensors[name] = drawn.astype(kind.dtype)
        return super().tensor(name, shape, kind)


def tiny_autoencoder(name: str, settings: Config, seed: int = 0) -> Tokenizer:
    cls: Any = TOKENIZERS.find(name)
    drawn = cls(settings, {})
    drawn._weights = Drawn(seed)
    tokens = drawn.encode(bytes(drawn.sizes.unit_bytes))
    drawn.decode(tokens)  # asks for all tensors
    return cls(settings, drawn._weights.tensors)


#: of every tokenizer that is trained: settings of a small one
AUTOENCODERS: dict[str, Config] = {
    "vq": {"shape": "8x8x3", "codes": 32, "dim": 4},
    "vqgan": {"shape": "8x8x3", "codes": 32, "dim": 4},
    "fsq": {"shape": "8x8x3", "levels": "4,3,2"},
    "lfq": {"shape": "8x8x3", "codes": 64},
    "gumbel": {"shape": "8x8x3", "codes": 16, "dim": 4},
    "titok": {"shape": "16x16x3", "latents": 5, "codes": 16, "dim": 4, "heads": 2},
    "multiscale": {"shape": "16x16x3", "scales": "1,2,4", "codes": 16, "dim": 4},
    "audio_rvq": {"shape": "64x2", "down": 8, "codes": 16, "dim": 4, "levels": 3},
    "video_lfq": {"shape": "3x8x8x3", "slower": 2, "codes": 16},
}


def tiny_autoencoders() -> dict[str, Model]:
    made = {}
    for name, settings in AUTOENCODERS.items():
        tokenizer = tiny_autoencoder(name, {"width": 8, "depth": 1, **settings})
        made[name] = Model(tokenizer, HistogramPrior(tokenizer.vocab_size), name=name)
    return made


def tiny_network(name: str, settings: Config, symbols: int, seed: int = 0) -> NetworkPrior:
    cls = PRIORS.find(name)
    assert issubclass(cls, NetworkPrior)
    plan, weights = cls(settings, {}, symbols), Drawn(seed)
    exact = Exact(weights, plan.shape, plan.order, 1)
    exact.give(np.zeros((1, plan.given_size), np.int64))
    for _ in range(plan.stride):  # some are asked for only later in an item
        exact.begin_step(1)
        plan.network(exact, np.zeros(1, np.int64))
    return cls.load(plan.config(), weights.tensors, symbols)


#: one of everything that makes a difference: sequences and items, orders, channels, both heads
NETWORKS: dict[str, tuple[str, Config, Tokenizer]] = {
    "made": ("made", {"shape": "4x5", "width": 3, "depth": 2, "order": "random"}, BitsTokenizer()),
    "causal_conv": ("causal_conv", {"shape": "4x5", "width": 12, "depth": 2, "kernel": 4}, BitsTokenizer()),
    "wavenet": ("wavenet", {"width": 12, "depth": 4, "longest": 4}, BytesTokenizer()),
    "wavenet-images": ("wavenet", {"shape": "5x4", "width": 12, "depth": 4, "longest": 8}, NibblesTokenizer()),
    "lstm": ("lstm", {"width": 12, "depth": 2, "embedding": 8}, BytesTokenizer()),
    "lstm-images": ("lstm", {"shape": "5x4", "width": 12, "order": "even_odd"}, BitsTokenizer()),
    "pixelcnn": ("pixelcnn", {"shape": "5x6", "width": 12, "depth": 2}, BitsTokenizer()),
    "pixelcnn-colour": ("pixelcnn", {"shape": "3x4x3", "width": 12, "depth": 1, "components": 2}, BytesTokenizer()),
    "gated_pixelcnn": ("gated_pixelcnn", {"shape": "5x6", "width": 12, "depth": 2}, BitsTokenizer()),
    "gated_pixelcnn-colour": ("gated_pixelcnn", {"shape": "3x4x2", "width": 12, "depth": 1}, NibblesTokenizer()),
    "transformer": ("transformer", {"width": 12, "depth": 2, "heads": 2, "reach": 9}, BytesTokenizer()),
    "transformer-images": (
        "transformer", {"shape": "5x4", "width": 12, "depth": 2, "heads": 2, "order": "zigzag"}, NibblesTokenizer(),
    ),
    "next_scale": ("next_scale", {"shape": "21x1", "width": 12, "depth": 1, "heads": 2, "scales": "1,2,4"}, NibblesTokenizer()),
    "sparse_transformer": (
        "sparse_transformer", {"shape": "6x4", "width": 12, "depth": 2, "heads": 2, "stride": 4}, BitsTokenizer(),
    ),
    "linear_attention": ("linear_attention", {"width": 16, "depth": 2, "heads": 2}, BytesTokenizer()),
    "linear_attention-images": (
        "linear_attention", {"shape": "5x4", "width": 16, "depth": 1, "heads": 2, "order": "top_bottom"}, BitsTokenizer(),
    ),
    "ssm": ("ssm", {"width": 12, "depth": 2, "states": 4}, BytesTokenizer()),
    "ssm-images": ("ssm", {"shape": "5x4", "width": 12, "states": 2, "order": "columns"}, BitsTokenizer()),
}  # fmt: skip


#: priors of p(y | x), which code nothing before they are bound
GIVEN: dict[str, tuple[str, Config, Tokenizer]] = {
    "super-resolution": ("pixelcnn", {"shape": "4x6", "given": "2x3", "width": 12, "depth": 1}, NibblesTokenizer()),
    "encoder_decoder": (
        "encoder_decoder", {"shape": "3x4", "given": "5", "width": 12, "depth": 2, "heads": 2}, NibblesTokenizer(),
    ),
}  # fmt: skip


def tiny_hierarchical(settings: Config, symbols: int) -> HierarchicalPrior:
    tensors = {}
    for i, (inner, few, *_) in enumerate(plan({**HierarchicalPrior.defaults, **settings}, symbols)):
        stage = tiny_network("pixelcnn", inner, few, seed=i)
        tensors |= {f"{i}.{name}": value for name, value in stage.tensors().items()}
    return HierarchicalPrior(settings, tensors, symbols)


@register_prior("bound")
class Bound(SteppedPrior):
    """A prior of p(y | x) that is given x = 1, 2, 3 … by itself, so that what is tested of every prior is tested of it."""

    name = "bound"

    def __init__(self, base: NetworkPrior) -> None:
        self.base, self.vocab_size = base, base.vocab_size
        self.rules = replace(base.rules, order=None, given_size=0)

    def init(self, lanes, tokens):
        given = np.arange(1, tokens // self.rules.stride * self.base.given_size + 1) % self.vocab_size
        bound = self.base.with_given(given.astype(np.int32))
        return bound, bound.init(lanes, tokens)

    def step(self, state, previous, rows):
        return state[0].step(state[1], previous, rows)

    def config(self):
        return {"base": {"name": self.base.name, **self.base.config()}}

    def tensors(self):
        return self.base.tensors()

    @classmethod
    def load(cls, config, tensors, vocab_size):
        base = dict(config["base"])
        return cls(PRIORS.find(base.pop("name")).load(base, tensors, vocab_size))


def tiny_bayes_net(seed: int = 0) -> BayesNetPrior:
    rng, size = np.random.default_rng(seed), 12
    parent = np.array([0] + [rng.integers(t) for t in range(1, size)], np.int32)
    counts = rng.integers(1, 50, (size, 2, 2)).astype(np.int64)
    return BayesNetPrior(
        "3x4", {"order": rng.permutation(size).astype(np.int32), "parent": parent, "counts": counts}, 2
    )


def tiny_ensemble() -> EnsemblePrior:
    orders = ("raster", "random", "columns")
    return EnsemblePrior(
        [tiny_network("made", {"shape": "3x4", "width": 2, "order": o}, 2, seed=i) for i, o in enumerate(orders)]
    )


def tiny_bitwise() -> BitwisePrior:
    return BitwisePrior(tiny_mingru())


def tiny_product() -> ProductPrior:
    return ProductPrior([tiny_mingru(online=0.01), tiny_mingru(width=16, grams=64, seed=1)])


def tiny_models() -> dict[str, Model]:
    """One model per registered built-in prior."""
    counts = np.arange(256, dtype=np.int64)[::-1].copy()
    networks = {key: Model(tok, tiny_network(name, s, tok.vocab_size)) for key, (name, s, tok) in NETWORKS.items()}
    given = {key: Model(tok, Bound(tiny_network(name, s, tok.vocab_size))) for key, (name, s, tok) in GIVEN.items()}
    return (
        networks
        | given
        | {
            "bound": given["super-resolution"],
            "hierarchical": Model(
                BitsTokenizer(), tiny_hierarchical({"shape": "4x8", "scales": "2x2,4x4", "width": 12, "depth": 1}, 2)
            ),
            "hierarchical-depth": Model(
                TopBitTokenizer(), tiny_hierarchical({"shape": "4x5", "levels": 2, "width": 12, "depth": 1}, 128)
            ),
            "ensemble": Model(BitsTokenizer(), tiny_ensemble()),
            "bayes_net": Model(BitsTokenizer(), tiny_bayes_net()),
            "logistic_mixture": Model(
                BytesTokenizer(), LogisticMixturePrior(np.array([[0, 1], [-0.5, 0.3], [-3, -1.5]], np.float32), 256)
            ),
            "histogram": Model(BytesTokenizer(), HistogramPrior(256)),
            "histogram-static": Model(BytesTokenizer(), HistogramPrior(256, counts)),
            "context_mixing": Model(BytesTokenizer(), ContextMixingPrior()),
            "context_mixing-on_grid": Model(BytesTokenizer(), ContextMixingPrior(on_grid=True)),
            "linear_prediction": Model(BytesTokenizer(), LinearPredictionPrior()),
            "bitwise": Model(BytesTokenizer(), tiny_bitwise()),
            "product": Model(BytesTokenizer(), tiny_product()),
            "mingru": Model(BytesTokenizer(), tiny_mingru()),
            "mingru-online": Model(BytesTokenizer(), tiny_mingru(online=0.01)),
            "mingru-grams": Model(BytesTokenizer(), tiny_mingru(grams=128)),
            "mingru-class_factored": Model(BytesTokenizer(), tiny_class_factored()),
            "memory": Model(BytesTokenizer(), MemoryPrior(tiny_mingru())),
            "memory-class_factored": Model(BytesTokenizer(), MemoryPrior(tiny_class_factored(grams=64))),
            "memory-online": Model(BytesTokenizer(), MemoryPrior(tiny_mingru(online=0.01))),
            "memory-memory": Model(BytesTokenizer(), MemoryPrior(MemoryPrior(tiny_mingru(), orders=(1,)))),
            "memory-reusing": Model(BytesTokenizer(), MemoryPrior(Reusing())),
            "memory-items": Model(BitsTokenizer(), MemoryPrior(tiny_bayes_net(), orders=(1, 2))),
            "memory-histogram": Model(BytesTokenizer(), MemoryPrior(HistogramPrior(256))),
        }
    )
