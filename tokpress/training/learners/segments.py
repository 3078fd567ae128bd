"""Make one tokenizer of several. Nothing is learned: the parts exist already."""

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
    """Settings: parts, one for each kind of segment: the name of a tokenizer that learns nothing, or a directory."""
    names = settings_of(cls.name, options.settings, cls.defaults, "the tokenizer")["parts"]
    if not names:
        raise TokpressError("segments are made of tokenizers: say --set parts=bytes,DIR,…")
    parts = []
    for name in names.split(","):
        kind = TOKENIZERS.find(name) if name in TOKENIZERS.names() else None
        learns = kind is None or tokenizer_learner(kind) is not None
        parts.append(load_tokenizer(Path(name)) if kind is None or learns else kind.load(Path(), {}))
    return cls(parts)
