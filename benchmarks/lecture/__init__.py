"""The lecture's priors: images (runs.py, images.py, report.py), text and captions (sequences.py), untrained and small ones (small.py);
pretraining (transfer.py), scaling, text to picture and to sound (conditional.py), pictures in context (visual_sentences.py), codes of an
auxiliary decoder (auxiliary.py)."""

from . import auxiliary, conditional, images, scaling, sequences, small, transfer, visual_sentences  # noqa: F401
