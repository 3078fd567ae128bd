"""The lecture's priors: images (runs.py, images.py, report.py), text and captions (sequences.py), one_dimension, kv_cache, dependencies of
each prior; pretraining (transfer.py), scaling, text to picture and to sound (conditional.py), pictures in context (visual_sentences.py),
codes of an auxiliary decoder (auxiliary.py)."""

from . import (  # noqa: F401
    auxiliary,
    conditional,
    dependencies,
    images,
    kv_cache,
    one_dimension,
    scaling,
    sequences,
    transfer,
    visual_sentences,
)
