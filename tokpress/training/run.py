"""One run from corpus to model directory: tokenizer, tokens, prior, measurement, card.

    corpus ──train_bpe──► tokenizer ──pack_tokens──► sources ──Prior.fit──► prior (── memory) ──► DIR

Every step finds what an interrupted run has left in DIR/.checkpoint (work.py) and goes on from there.
"""

import contextlib
import json
import shutil
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ..errors import CorpusError, TokpressError
from ..model import Model
from ..registry import prior_class, tokenizer_class, tokenizer_names
from ..types import Prior, Tokenizer
from . import measure, work
from .card import Facts, card
from .corpus import corpus_files
from .options import FitOptions, Progress, Stopped
from .presets import vocabulary_for
from .streams import Source, validation_batch
from .team import Team
from .tokenize import pack_tokens
from .work import Settings


class Watcher:
    """Hears how a run goes; the command line shows it. Every method may be left as it is."""

    def phase(self, name: str) -> None:
        """A part of the run begins."""

    def note(self, message: str) -> None:
        """Something worth a line."""

    def bytes(self, done: int, total: int) -> None:
        """How much of the corpus this phase has read."""

    def step(self, progress: Progress) -> None:
        """A training step is done."""

    def stop(self) -> bool:
        """Asked before every step; True ends the run with a checkpoint and `Stopped`."""
        return False


def train(
    settings: Settings,
    folder: str | Path,
    resume: bool = False,
    force: bool = False,
    keep_checkpoint: bool = False,
    watcher: Watcher | None = None,
) -> Model | None:
    """Train as `settings` say and write a model directory. Returns the model (None in helper processes).

    Raises CorpusError, ModelError (the place), TokpressError (settings); Stopped as `fit` does."""
    folder, watcher, team, begun = Path(folder), watcher or Watcher(), Team(), time.monotonic()
    found, tokenizer_folder = team.first(lambda: _prepare(settings, folder, resume, force, watcher))
    sources = [Source(Path(path), weight) for path, weight in found]
    tokenizer = work.load_tokenizer(tokenizer_folder)
    place = folder / work.NAME

    watcher.phase(f"Training the {settings.prior} prior")
    heard: list[Progress] = []

    def report(progress: Progress) -> None:
        heard[:] = [progress]
        watcher.step(progress)

    options = FitOptions(place / "state", settings.fit, resume, report, watcher.stop)
    try:
        prior = _fit(settings, sources, tokenizer, options)
    except Stopped:
        raise
    except TokpressError:
        if team.main and not resume:  # nothing was learned: leave nothing that would be in the way of a second try
            shutil.rmtree(place, ignore_errors=True)
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise

    def finish() -> None:
        watcher.phase("Measuring on held-out data")
        facts = Facts(
            settings, tokenizer, prior, corpus_files(settings.corpus), heard[-1] if heard else None, team.size
        )
        facts.exact_bits_per_byte, facts.alone_bits_per_byte = _measured(sources, tokenizer, prior, watcher)
        facts.minutes = (time.monotonic() - begun) / 60
        made = place / "model"
        shutil.rmtree(made, ignore_errors=True)
        model = Model(tokenizer, prior)
        model.save(made, card(facts, model))
        if facts.progress:
            (made / "training_curve.json").write_text(json.dumps(facts.progress.curve, indent=1) + "\n")
        work.publish(made, folder)
        if not keep_checkpoint:
            shutil.rmtree(place)

    team.first(finish)
    if not team.main:
        return None
    from ..model import load_folder

    return load_folder(folder)


def train_tokenizer(
    settings: Settings, folder: str | Path, force: bool = False, watcher: Watcher | None = None
) -> Tokenizer:
    """Learn a BPE vocabulary and write DIR/tokenizer.json with a config.json that says so."""
    folder, watcher = Path(folder), watcher or Watcher()
    work.check_target(folder, force)
    paths, weights = _weighted(settings)
    tokenizer = _bpe(settings, paths, weights, watcher)
    work.save_tokenizer(tokenizer, folder)
    return tokenizer


def _prepare(
    settings: Settings, folder: Path, resume: bool, force: bool, watcher: Watcher
) -> tuple[list[tuple[str, float]], Path]:
    """Everything before the prior: (token files with weights, the tokenizer's folder)."""
    prior_class(settings.prior)  # a name nobody knows is told before hours of work, not after
    paths, weights = _weighted(settings)
    stats = [path.stat() for path in paths]
    facts = [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in zip(paths, stats)]
    given = settings.tokenizer
    ready = work.load_tokenizer(Path(given)) if given not in tokenizer_names() else None
    place = work.begin(folder, settings, facts, resume, force)
    if resume:
        watcher.note(_standing(folder))
    at = place / "tokenizer"
    if not (at / "config.json").is_file():
        if given == "bpe":
            ready = _bpe(settings, paths, weights, watcher)
        work.save_tokenizer(ready or tokenizer_class(given).load(at, {}), at)
    watcher.phase("Tokenizing")
    sources = pack_tokens(work.load_tokenizer(at), paths, place / "tokens", weights, watcher.bytes)
    return [(str(source.path), source.weight) for source in sources], at


def _standing(folder: Path) -> str:
    """From where a resumed run goes on, in words."""
    place = folder / work.NAME
    for state in (place / "state", place / "state.old"):
        if (state / "progress.json").is_file():
            told = json.loads((state / "progress.json").read_text())["progress"]
            return f"resuming at step {told['step']:,}, after {told['seconds'] / 60:.1f} minutes of training"
    kept = [name for name in ("tokenizer", "tokens") if (place / name).exists()]
    return f"resuming before the first checkpoint; what is there: {', '.join(kept) or 'nothing yet'}"


def _weighted(settings: Settings) -> tuple[list[Path], list[float]]:
    """The corpus files, and for each the product of the factors whose glob matches its path or name."""
    paths = corpus_files(settings.corpus)
    weights = [1.0] * len(paths)
    for glob, factor in settings.weights:
        hits = [i for i, path in enumerate(paths) if fnmatch(str(path), glob) or fnmatch(path.name, glob)]
        if not hits:
            raise CorpusError(f"--weight {glob}={factor:g} matches no file of the corpus")
        for i in hits:
            weights[i] *= factor
    return paths, weights


def _bpe(settings: Settings, paths: list[Path], weights: list[float], watcher: Watcher) -> Tokenizer:
    from .bpe import train_bpe

    watcher.phase("Learning the vocabulary")
    size = vocabulary_for(paths, settings.vocab_size)
    tokenizer = train_bpe(paths, size, seed=settings.fit.seed, weights=weights, report=watcher.bytes)
    if tokenizer.vocab_size < settings.vocab_size:
        few = f"{tokenizer.vocab_size} symbols, not {settings.vocab_size}"
        watcher.note(f"the vocabulary has {few}: the corpus is too small for more")
    return tokenizer


def _fit(settings: Settings, sources: list[Source], tokenizer: Tokenizer, options: FitOptions) -> Prior:
    try:
        prior = prior_class(settings.prior).fit(sources, tokenizer, settings.prior_config, options)
    except (KeyError, TypeError) as error:
        raise TokpressError(
            f"the prior {settings.prior!r} cannot be made with the settings {settings.prior_config}: {error!r}"
        ) from error
    if not settings.memory:
        return prior
    from ..priors.memory import MemoryPrior

    return MemoryPrior(prior)


def _measured(
    sources: list[Source], tokenizer: Tokenizer, prior: Prior, watcher: Watcher
) -> tuple[float, float | None]:
    """Held-out bits per byte by exact stepping: of the prior as saved, and of what is inside its memory."""
    lengths = measure.token_lengths(tokenizer)
    try:
        batch = validation_batch(sources, measure.ROWS, measure.LENGTH, 1)
    except CorpusError as error:
        watcher.note(str(error))
        return float("nan"), None
    base: Any = getattr(prior, "base", None)
    alone = measure.exact_bits_per_byte(base, batch, lengths) if base is not None else None
    return measure.exact_bits_per_byte(prior, batch, lengths), alone


__all__: list[str] = ["Settings", "Watcher", "train", "train_tokenizer"]
