"""Put several tokenizers together: nothing is learned, the parts are there already."""

from collections.abc import Sequence
from pathlib import Path

from ...errors import TokpressError
from ...storage.settings import settings_of
from ...tokenizers.registry import TOKENIZERS
from ...tokenizers.segments import SegmentsTokenizer
from ..options import TokenizerOptions
from ..run_dir import load_tokenizer
from .registry import tokenizer_learner


def fit_segments(cls: type[SegmentsTokenizer], paths: Sequence[Path], options: TokenizerOptions) -> SegmentsTokenizer:
    """Settings: parts, names of tokenizers that learn nothing, or directories of others, one for each kind."""
    named = settings_of(cls.name, options.settings, {"parts": ""}, "the tokenizer")["parts"]
    if not named:
        raise TokpressError("segments are made of tokenizers: say --set parts=bytes,DIR,…")
    parts = []
    for name in named.split(","):
        kind = TOKENIZERS.find(name) if name in TOKENIZERS.names() else None
        ready = kind is not None and tokenizer_learner(kind) is None
        parts.append(kind.load(Path(), {}) if kind and ready else load_tokenizer(Path(name)))
    return cls(parts)
