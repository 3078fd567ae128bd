"""Train a hierarchical prior: its stages one after another, each for an equal part of the time."""

from dataclasses import replace

import numpy as np

from ...errors import TokpressError
from ...priors.lecture.hierarchical import HierarchicalPrior, plan
from ...priors.lecture.pixelcnn import PixelCNNPrior
from ...storage.settings import settings_of
from ...tokenizers.base import Config, Tokenizer
from ..data.cells import stage_sources
from ..data.streams import Source
from ..options import FitOptions
from .network import trained_tensors


def fit_hierarchical(
    cls: type[HierarchicalPrior], sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions
) -> HierarchicalPrior:
    """Settings: shape, scales, levels, and width and depth of the PixelCNN of every stage."""
    settings = settings_of(cls.name, config, cls.defaults)
    stages = plan(settings, tokenizer.vocab_size)
    if not settings["scales"] and (tokenizer.sizes.unit_tokens, tokenizer.sizes.unit_bytes) != (2, 1):
        raise TokpressError("a depth in two parts needs two tokens a pixel: --tokenizer nibbles or top_bit")
    limits = replace(options.config, max_minutes=options.config.max_minutes / len(stages))
    tensors: dict[str, np.ndarray] = {}
    given = None
    item = sum(int((~given_cells).sum()) for *_, given_cells in stages)
    for i, (settings_of_stage, symbols, cells, _) in enumerate(stages):
        folder = options.folder.with_name(f"{options.folder.name}-{i}")
        stage = stage_sources(sources, item, cells, options.folder.parent / f"stage-{i}")
        stage_options = replace(options, folder=folder, config=limits, given=given, init=None)
        bit_bytes = np.full(symbols, 1 / 8)  # progress is reported as if every cell were a bit
        trained = trained_tensors(PixelCNNPrior, stage, bit_bytes, settings_of_stage, stage_options)
        tensors |= {f"{i}.{name}": value for name, value in trained.items()}
        given = stage
    return cls(settings, tensors, tokenizer.vocab_size)
