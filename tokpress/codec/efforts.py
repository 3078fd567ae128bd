"""Efforts: which shipped models are candidates, and in how many lanes they code. Nothing is imported."""

from typing import Literal

Effort = Literal["fast", "default", "best"]
#: effort → the shipped models that are candidates, and those for sources with samples (pixels or sound)
EFFORTS: dict[Effort, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "fast": (("context-mixing",), ("linear-prediction", "context-mixing")),
    "default": (("text", "context-mixing"), ("linear-prediction", "context-mixing-2d", "context-mixing", "text")),
    "best": (
        ("text-large", "text", "context-mixing"),
        ("linear-prediction", "context-mixing-2d", "context-mixing", "text", "text-large"),
    ),
}
#: the most lanes under "best". Few lanes compress better, since each lane starts without context; the large network is as fast in 8 lanes as in 128
BEST_LANES = 8
