"""From the corpus of a run to its tokenizer and its token files: the first part of `run.train`."""

import math
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import CorpusError, TokpressError
from ..exact.orders import parse_shape
from ..tokenizers import packed
from ..tokenizers.base import Tokenizer
from ..tokenizers.registry import TOKENIZERS
from . import run_dir
from .data import images
from .data.corpus import corpus_files
from .data.streams import Source
from .data.tokenize import pack_tokens
from .learners.registry import tokenizer_learner
from .options import TokenizerOptions, Watcher
from .run_dir import Settings
from .sizes import vocabulary_for


class Prepared(NamedTuple):
    """Token files with their weights: of the corpus, and of what it is predicted from."""

    corpus: list[tuple[Path, float]]
    given: list[tuple[Path, float]]

    @property
    def sources(self) -> list[Source]:
        return [Source(path, weight) for path, weight in self.corpus]

    @property
    def given_sources(self) -> list[Source] | None:
        return [Source(path, weight) for path, weight in self.given] or None


def prepare(settings: Settings, folder: Path, watcher: Watcher) -> Prepared:
    """Put the tokenizer into folder/tokenizer and tokens into folder/tokens, where they are not there yet."""
    paths, weights = weighted_files(settings)
    place = folder / "tokenizer"
    if not (place / "config.json").is_file():
        if settings.tokenizer in TOKENIZERS.names():
            tokenizer = learn_tokenizer(settings, paths, weights, watcher)
        else:
            tokenizer = run_dir.load_tokenizer(Path(settings.tokenizer))
        run_dir.save_tokenizer(tokenizer, place)
    tokenizer = run_dir.load_tokenizer(place)
    refuse_byte_pixels(settings, tokenizer, paths)
    watcher.phase("Tokenizing")
    corpus = pack_tokens(tokenizer, paths, folder / "tokens", weights, watcher.bytes)
    given = []
    if settings.given:
        given = pack_tokens(tokenizer, [settings.given], folder / "given", report=watcher.bytes)
    return Prepared(*([(source.path, source.weight) for source in sources] for sources in (corpus, given)))


def weighted_files(settings: Settings) -> tuple[list[Path], list[float]]:
    """The files of the corpus. The weight of each is the product of the factors whose glob matches its path or name."""
    paths = corpus_files(settings.corpus)
    weights = [1.0] * len(paths)
    for glob, factor in settings.weights:
        hits = [i for i, path in enumerate(paths) if fnmatch(str(path), glob) or fnmatch(path.name, glob)]
        if not hits:
            raise CorpusError(f"--weight {glob}={factor:g} matches no file of the corpus")
        for i in hits:
            weights[i] *= factor
    return paths, weights


def file_facts(paths: Sequence[Path]) -> list[list[Any]]:
    """[path, size, modification time in ns] of each file: a resumed run must find them unchanged."""
    stats = [path.stat() for path in paths]
    return [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in zip(paths, stats)]


def learn_tokenizer(settings: Settings, paths: Sequence[Path], weights: Sequence[float], watcher: Watcher) -> Tokenizer:
    """The tokenizer that `settings.tokenizer` names, learned from the corpus where it learns.

    Raises TokpressError where learning it is a training run."""
    kind = TOKENIZERS.find(settings.tokenizer)
    learner = tokenizer_learner(kind)
    if learner is None:
        return kind.load(Path(), {})
    if learner.trains:
        raise TokpressError(
            f"a {kind.name} tokenizer is trained first: tokpress train tokenizer --kind {kind.name} -o DIR CORPUS, "
            "then --tokenizer DIR"
        )
    watcher.phase("Learning the vocabulary")
    size = vocabulary_for(paths, settings.vocab_size)
    options = TokenizerOptions(size, weights, watcher.bytes, settings.tokenizer_config, settings.fit)
    tokenizer = learner.fit(kind, paths, options)
    if tokenizer.vocab_size < settings.vocab_size and not learner.takes_settings:
        few = f"{tokenizer.vocab_size} symbols, not {settings.vocab_size}"
        watcher.note(f"the vocabulary has {few}: the corpus has no use for more")
    return tokenizer


def refuse_byte_pixels(settings: Settings, tokenizer: Tokenizer, paths: Sequence[Path]) -> None:
    """Raise CorpusError where a file has a byte for each pixel, and the items are of one-bit pixels. An item would be part of a picture."""
    shape = settings.prior_config.get("shape")
    if not shape or not packed.is_of_bits(tokenizer):
        return
    item = math.prod(parse_shape(str(shape)))
    for path in paths:
        if images.is_picture(path) and (
            (samples := images.layout(path)) is None or packed.has_byte_pixels(samples, item)
        ):
            raise CorpusError(f"{path}: {packed.ADVICE}")


def note_partial_items(settings: Settings, sources: Sequence[Source], watcher: Watcher) -> None:
    """Tell of a shape that does not divide the corpus. A wrong shape trains without an error, on parts of several items."""
    shape = settings.prior_config.get("shape")
    if not shape:
        return
    size = math.prod(parse_shape(str(shape)))
    rest = sum(len(source.all) % size for source in sources)
    if rest:
        watcher.note(
            f"{rest:,} symbols of the corpus are no whole items of shape {shape}, and are left out. If the corpus should "
            "hold nothing but such items, the shape is wrong"
        )
