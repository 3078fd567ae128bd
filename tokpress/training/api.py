"""Train from Python, as `tokpress train` does: `train` a model, `train_tokenizer` a tokenizer. The command line calls these two.

A corpus is paths of files and folders, or data in memory: byte strings, arrays, PIL images, each a document. Data in memory are written to a
temporary folder, so one code reads both. A str is always a path: give a text as `text.encode()`.

The keywords are the options of the command line; `numbers` are fields of `FitConfig`, such as max_minutes, max_steps, rows, seed.
"""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..arguments import is_number, path, several
from ..errors import TokpressError
from ..models.model import Model
from ..models.store import find
from ..tokenizers.base import Tokenizer
from ..tokenizers.registry import TOKENIZERS
from ..tokenizers.samples import SampleKind, samples_of
from . import plan, run
from .data.memory import Corpus, in_files
from .learners.registry import tokenizer_learner
from .options import FitConfig, Watcher
from .run_dir import load_tokenizer


def train(
    corpus: Corpus,
    output: str | os.PathLike[str] | None = None,
    *,
    prior: str = "",
    preset: str = "",
    tokenizer: str | os.PathLike[str] | None = None,
    vocab_size: int | None = None,
    settings: Mapping[str, Any] | None = None,
    memory: bool | None = None,
    init: str | os.PathLike[str] | None = None,
    given: str | os.PathLike[str] | None = None,
    weights: Sequence[tuple[str, float]] = (),
    resume: bool = False,
    force: bool = False,
    keep_checkpoint: bool = False,
    watcher: Watcher | None = None,
    command: str = "",
    **numbers: Any,
) -> Model | None:
    """Train a prior, and its tokenizer where it learns. Returns the model; None in processes of a distributed run other than the first.

    corpus: paths, or byte strings, arrays and PIL images. output: the directory of the model; None writes none. prior: as `tokpress train
    prior --prior`, with its `settings`; without it, a `preset` of `tokpress train`, by default "text". tokenizer: a name, a directory, or a
    tokenizer.json. memory, init, given, weights, resume, force, keep_checkpoint: as the options. watcher: sees the progress, and may stop the
    run. command: for the card.

    Raises CorpusError; ModelError if `output` cannot be written to; TokpressError if a setting is wrong; Stopped (the checkpoint is saved).

    >>> model = train([b"one line\\n", b"another line\\n"] * 20, prior="histogram")
    >>> model.score(b"a line\\n").bits_per_byte < 5
    True
    """
    if prior and preset:
        raise TokpressError("a preset has its own prior: give either prior or preset")
    weights = _check(settings, vocab_size, weights, numbers)
    with _place(output, resume) as folder, in_files(corpus, partial(_samples, tokenizer)) as paths:
        planned = plan.model(
            paths, folder, resume=resume, command=command, prior=prior, preset=preset, config=dict(settings or {}),
            init=str(find(init).resolve()) if init else None, given=os.path.abspath(path("given", given)) if given else None,
            memory=memory, tokenizer=_name(tokenizer), vocab_size=vocab_size, weights=weights, numbers=numbers,
        )  # fmt: skip
        return run.train(planned, folder, resume, force, keep_checkpoint, watcher)


def train_tokenizer(
    kind: str,
    corpus: Corpus,
    output: str | os.PathLike[str] | None = None,
    *,
    vocab_size: int | None = None,
    settings: Mapping[str, Any] | None = None,
    rate: float | None = None,
    weights: Sequence[tuple[str, float]] = (),
    resume: bool = False,
    force: bool = False,
    watcher: Watcher | None = None,
    command: str = "",
    **numbers: Any,
) -> Tokenizer:
    """Train a tokenizer of a kind. rate: weight of the bits in the choice of codes. Other arguments and errors as of `train`.

    >>> bpe = train_tokenizer("bpe", [b"to be or not to be. " * 20], vocab_size=260)
    >>> bpe.vocab_size, bpe.decode(bpe.encode(b"to be")) == b"to be"
    (260, True)
    """
    weights = _check(settings, vocab_size, weights, numbers)
    if rate is not None and not is_number(rate):
        raise TypeError(f"rate must be a number, not {type(rate).__name__}")
    values = dict(settings or {})
    with _place(output, resume) as folder, in_files(corpus, partial(_samples_of_kind, kind, values)) as paths:
        planned = plan.tokenizer(
            kind, paths, folder, resume=resume, command=command, config=values, vocab_size=vocab_size, rate=rate, weights=weights,
            numbers=numbers,
        )  # fmt: skip
        return run.train_tokenizer(planned, folder, force, watcher, resume)


def _check(
    settings: object, vocab_size: object, weights: object, numbers: Mapping[str, Any]
) -> list[tuple[str, float]]:
    """The weights. Raises TypeError where an argument is of another kind, or has a name that no option has; ValueError where a weight is not above 0."""
    names = [field.name for field in fields(FitConfig)]
    if unknown := sorted(numbers.keys() - set(names)):
        raise TypeError(f"no argument is called {unknown[0]!r}; beside the others there are: {', '.join(names)}")
    if settings is not None and not isinstance(settings, Mapping):
        raise TypeError(f"settings are a mapping of names to values, not {type(settings).__name__}")
    if vocab_size is not None and (isinstance(vocab_size, bool) or not isinstance(vocab_size, int)):
        raise TypeError(f"vocab_size must be a whole number, not {type(vocab_size).__name__}")
    pairs = several("weights", weights)
    for weight in pairs:
        if not (
            isinstance(weight, tuple | list)
            and len(weight) == 2
            and isinstance(weight[0], str)
            and is_number(weight[1])
        ):
            raise TypeError(
                f"a weight is a pair of a pattern and a factor, such as ('novels*', 2.5), not {weight!r:.60}"
            )
        if not 0 < weight[1] < math.inf:
            raise ValueError(f"the weight {weight!r:.60} should have a factor above 0")
    if vocab_size is not None and vocab_size < 1:
        raise TokpressError(f"vocab_size={vocab_size} should be at least 1")
    return pairs


@contextmanager
def _place(output: str | os.PathLike[str] | None, resume: bool) -> Iterator[Path]:
    """The directory of the output, or a temporary one."""
    if output is None and resume:
        raise TokpressError("an unfinished run is continued in its directory: give output")
    with nullcontext(path("output", output)) if output else TemporaryDirectory() as folder:
        yield Path(folder)


def _name(tokenizer: str | os.PathLike[str] | None) -> str | None:
    """The name of a tokenizer, or the absolute path of its directory or file."""
    if tokenizer is None:
        return None
    name = path("tokenizer", tokenizer)
    return name if name in TOKENIZERS.names() else os.path.abspath(name)


def _samples(tokenizer: str | os.PathLike[str] | None) -> SampleKind:
    """The samples that the tokenizer of a prior takes."""
    if tokenizer is None:
        return SampleKind()
    if (name := path("tokenizer", tokenizer)) in TOKENIZERS.names():
        return _samples_of_kind(name, {})
    return samples_of(load_tokenizer(Path(name)))


def _samples_of_kind(kind: str, settings: dict[str, Any]) -> SampleKind:
    """The samples that a tokenizer of this kind takes, before it is trained."""
    found = TOKENIZERS.find(kind)
    learner = tokenizer_learner(found)
    if learner and learner.trains:  # an autoencoder without weights
        return samples_of(found(settings, {}))  # type: ignore[call-arg]
    return getattr(found, "samples", SampleKind())
