"""`tokpress.tokenizers.load` and `tokpress.tokenizers.train`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..arguments import path
from ..errors import ModelError
from ..models.model import Model
from ..models.store import find
from ..tokenizers.base import Tokenizer
from ..tokenizers.registry import TOKENIZERS
from ..training.api import train_tokenizer
from ..training.data.memory import Corpus
from ..training.learners.registry import tokenizer_learner
from ..training.options import Watcher
from ..training.run_dir import load_tokenizer
from .processor import Processor


def load(name: str | os.PathLike[str] | Tokenizer | Model) -> Processor:
    """A tokenizer: by its name where it learns nothing (bytes, nibbles, bits, top_bit), by the directory of a tokenizer or of a model, by a
    Hugging Face tokenizer.json, or by the name of a model. A Tokenizer, and a Model for its tokenizer, are taken as they are.

    Raises ModelError where it does not exist, TokenizerError where a tokenizer.json would lose bytes.

    >>> load("nibbles").encode(b"A").ids.tolist(), load("text")
    ([4, 1], <Processor: bpe tokenizer, 8,192 symbols>)
    """
    if isinstance(name, Model):
        return Processor(name.tokenizer)
    if isinstance(name, Tokenizer):
        return Processor(name)
    place = Path(path("a tokenizer", name))
    if name in TOKENIZERS.names() and not place.exists():
        kind = TOKENIZERS.find(os.fspath(name))
        if tokenizer_learner(kind):
            raise ModelError(
                f"a {name} tokenizer is learned: load its directory, or train one with tokpress.tokenizers.train"
            )
        return Processor(kind.load(Path(), {}))
    return Processor(load_tokenizer(place if place.exists() else find(name)))


def train(
    kind: str,
    corpus: Corpus,
    output: str | os.PathLike[str] | None = None,
    *,
    vocab_size: int | None = None,
    settings: Mapping[str, Any] | None = None,
    weights: Sequence[tuple[str, float]] = (),
    resume: bool = False,
    force: bool = False,
    watcher: Watcher | None = None,
    **numbers: Any,
) -> Processor:
    """Train a tokenizer, as `tokpress train tokenizer --kind KIND` does (`tokpress.training.train_tokenizer` has the arguments).

    corpus: paths of files and folders; or byte strings, arrays and PIL images. output: its directory; None writes none. settings: as
    --set; numbers: limits of a training run, such as max_minutes and max_steps.

    >>> bpe = train("bpe", [b"to be or not to be. " * 20], vocab_size=260)
    >>> [piece for piece in bpe.encode("to be").pieces]
    [b'to', b' be']
    """
    return Processor(
        train_tokenizer(
            kind, corpus, output, vocab_size=vocab_size, settings=settings, weights=weights, resume=resume, force=force,
            watcher=watcher, **numbers,
        )
    )  # fmt: skip
