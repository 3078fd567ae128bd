"""Lossy tokenizers: the runs and their data (runs.py), training and measuring (lossy.py), the page (report.py)."""

from . import lossy  # noqa: F401
