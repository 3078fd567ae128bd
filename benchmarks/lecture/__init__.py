"""The lecture's priors: images (runs.py, images.py, report.py), text and captions (sequences.py), untrained and small ones (small.py)."""

from . import images, sequences, small  # noqa: F401
