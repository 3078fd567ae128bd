"""Efforts: which shipped models are candidates. Nothing is imported."""

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
