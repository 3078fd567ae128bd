"""Small models made on the spot, with random but fixed weights, for tests of everything around them."""

import numpy as np

from tokpress.model import Model
from tokpress.priors.adaptive import AdaptivePrior
from tokpress.priors.histogram import HistogramPrior
from tokpress.priors.memory import MemoryPrior
from tokpress.priors.mingru import MinGRUPrior, tensor_shapes
from tokpress.tokenizers.bytes import BytesTokenizer, NibblesTokenizer


def tiny_mingru(symbols: int = 256, width: int = 32, depth: int = 2, hidden: int = 48, seed: int = 0) -> MinGRUPrior:
    rng = np.random.default_rng(seed)
    config = {"symbols": symbols, "width": width, "depth": depth, "hidden": hidden}
    tensors = {}
    for name, (shape, dtype) in tensor_shapes(**config).items():
        if dtype == "int8":
            tensors[name] = rng.integers(-64, 64, shape).astype(np.int8)
        elif name.endswith("scale"):
            tensors[name] = (rng.random(shape) * 0.004 + 0.001).astype(np.float32)
        else:
            tensors[name] = rng.random(shape).astype(np.float32)
    return MinGRUPrior(config, tensors)


def tiny_models() -> dict[str, Model]:
    """One model per registered built-in prior."""
    counts = np.arange(256, dtype=np.int64)[::-1].copy()
    return {
        "histogram": Model(BytesTokenizer(), HistogramPrior(256)),
        "histogram-static": Model(BytesTokenizer(), HistogramPrior(256, counts)),
        "adaptive": Model(NibblesTokenizer(), AdaptivePrior()),
        "mingru": Model(BytesTokenizer(), tiny_mingru()),
        "memory": Model(BytesTokenizer(), MemoryPrior(tiny_mingru())),
        "memory-histogram": Model(BytesTokenizer(), MemoryPrior(HistogramPrior(256))),
    }
