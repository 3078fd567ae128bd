"""One run from corpus to model directory: tokenizer, tokens, prior, measurement, card.

    corpus ──learner──► tokenizer ──pack_tokens──► sources ──learner──► prior (── memory) ──► DIR

Every step finds what an interrupted run has left in DIR/.checkpoint (work.py) and goes on from there.
"""

import json
import math
import shutil
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CorpusError, ModelError, TokpressError
from ..exact.orders import parse_shape
from ..models.folder import move, needed
from ..models.model import Model
from ..models.store import load_folder
from ..priors.base import Prior
from ..priors.registry import PRIORS
from ..tokenizers.base import Tokenizer
from ..tokenizers.registry import TOKENIZERS
from . import evaluate, run_dir
from .card import Facts, card, tokenizer_card
from .data.corpus import corpus_files
from .data.streams import Items, Source, validation_batch
from .data.tokenize import pack_tokens, tokenizer_hash
from .learners.registry import fit_prior, prior_learner, tokenizer_learner
from .loop.team import Team
from .options import FitOptions, Progress, Stopped, TokenizerOptions
from .run_dir import Settings
from .sizes import vocabulary_for


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
    folder, watcher, team, begun = Path(folder), watcher or Watcher(), Team(settings.fit.device), time.monotonic()
    place = folder / run_dir.NAME
    init = _init(settings)
    if learner := prior_learner(PRIORS.find(settings.prior)):
        learner.require_packages()
    team.first(lambda: _begin(settings, folder, resume, force))
    try:
        if team.size > 1 and team.main:
            watcher.note(f"{team.size} processes train together")
        if resume and team.main:
            watcher.note(_standing(folder))
        packed = team.first(lambda: _prepare(settings, place, watcher))
        sources = [Source(Path(path), weight) for path, weight in packed["corpus"]]
        given = [Source(Path(path)) for path, _ in packed["given"]] or None
        tokenizer = run_dir.load_tokenizer(place / "tokenizer")

        if team.main:
            _remark_on_remains(settings, sources, watcher)
        watcher.phase(f"Training the {settings.prior} prior")
        heard: list[Progress] = []

        def report(progress: Progress) -> None:
            heard[:] = [progress]
            watcher.step(progress)

        first = _inner(init.prior) if init else None
        options = FitOptions(place / "state", settings.fit, resume, first, given, report, watcher.stop)
        prior = _fit(settings, sources, tokenizer, options)

        def finish() -> None:
            watcher.phase("Measuring on held-out data")
            facts = Facts(settings, tokenizer, prior, corpus_files(settings.corpus), processes=team.size)
            facts.init_id = init.id.hex() if init else ""
            facts.progress = heard[-1] if heard else None
            facts.exact_bits_per_byte, facts.alone_bits_per_byte = _measured(sources, given, tokenizer, prior, watcher)
            facts.minutes = (time.monotonic() - begun) / 60
            made = place / "model"
            shutil.rmtree(made, ignore_errors=True)
            model = Model(tokenizer, prior)
            model.save(made, card(facts, model))
            if facts.progress:
                (made / "training_curve.json").write_text(json.dumps(facts.progress.curve, indent=1) + "\n")
            move(made, folder)
            if not keep_checkpoint:
                shutil.rmtree(place)

        team.first(finish)
    except Stopped:
        raise
    except (TokpressError, OSError):
        if team.main and not resume:
            run_dir.discard(folder)
        raise
    return load_folder(folder) if team.main else None


def train_tokenizer(
    settings: Settings,
    folder: str | Path,
    force: bool = False,
    watcher: Watcher | None = None,
    resume: bool = False,
) -> Tokenizer:
    """Learn a tokenizer, of the kind that settings.tokenizer names, and write DIR/config.json, its files and its card.

    One that is trained keeps checkpoints in DIR/.checkpoint, and leaves the curve of held-out data in
    DIR/training_curve.json. Raises as `train` does."""
    folder, watcher, begun = Path(folder), watcher or Watcher(), time.monotonic()
    kind = TOKENIZERS.find(settings.tokenizer)
    learner = tokenizer_learner(kind)
    if settings.tokenizer_config and not (learner and learner.takes_settings):
        raise TokpressError(f"the tokenizer {kind.name!r} has no settings; leave --set out")
    if learner is None or not learner.trains:
        if resume:
            raise TokpressError(f"learning a {kind.name} tokenizer is not a run that could be resumed")
        run_dir.check_target(folder, force)
        paths, weights = _weighted(settings)
        tokenizer = _learned(settings, paths, weights, watcher)
        _written(settings, tokenizer, folder, paths, None, begun)
        return tokenizer
    paths, weights = _weighted(settings)
    place = run_dir.begin(folder, settings, _facts(paths), resume, force)
    watcher.phase(f"Training the {kind.name} tokenizer")
    heard: list[Progress] = []

    def step(progress: Progress) -> None:
        heard[:] = [progress]
        watcher.step(progress)

    options = TokenizerOptions(
        settings.vocab_size, weights, watcher.bytes, settings.tokenizer_config, settings.fit, place, resume, step,
        watcher.stop,
    )  # fmt: skip
    try:
        tokenizer = learner.fit(kind, paths, options)
        _written(settings, tokenizer, folder, paths, heard[-1] if heard else None, begun)
        if heard:
            (folder / "training_curve.json").write_text(json.dumps(heard[-1].curve, indent=1) + "\n")
    except Stopped:
        raise
    except (TokpressError, OSError):
        if not resume:
            run_dir.discard(folder)
        raise
    shutil.rmtree(place)
    return tokenizer


def _written(
    settings: Settings, tokenizer: Tokenizer, folder: Path, paths: list[Path], progress: Progress | None, begun: float
) -> None:
    """The tokenizer and its card."""
    run_dir.save_tokenizer(tokenizer, folder)
    size = sum(path.stat().st_size for path in needed(folder))
    minutes = (time.monotonic() - begun) / 60
    (folder / "README.md").write_text(tokenizer_card(settings, tokenizer, paths, progress, minutes, size), "utf-8")


def _facts(paths: list[Path]) -> list[list[Any]]:
    """What a resumed run must find unchanged."""
    stats = [path.stat() for path in paths]
    return [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in zip(paths, stats)]


def _inner(prior: Prior) -> Prior:
    """What a memory is wrapped around."""
    return getattr(prior, "base", prior)


def _init(settings: Settings) -> Model | None:
    """The model to start from, if any, checked against the settings. Raises ModelError where it does not fit."""
    if not settings.init:
        return None
    model = load_folder(settings.init)
    prior = _inner(model.prior)
    if prior.name != settings.prior:
        raise ModelError(f"{settings.init} is a {prior.name} prior; it cannot start a {settings.prior} prior")
    learner = prior_learner(type(prior))
    if learner is None or not learner.warm_start:
        raise ModelError(f"a {prior.name} prior cannot start from another one; leave --init out")
    given = settings.tokenizer
    if given in TOKENIZERS.names() and tokenizer_learner(TOKENIZERS.find(given)):
        raise ModelError(f"a vocabulary learned anew is not that of {settings.init}; take the tokenizer from there")
    tokenizer = TOKENIZERS.find(given).load(Path(), {}) if given in TOKENIZERS.names() else None
    if tokenizer_hash(tokenizer or run_dir.load_tokenizer(Path(given))) != tokenizer_hash(model.tokenizer):
        raise ModelError(f"the tokenizer {given} is not the one that {settings.init} was trained with")
    return model


def _begin(settings: Settings, folder: Path, resume: bool, force: bool) -> None:
    """Check everything that can be told before hours of work, then make DIR/.checkpoint."""
    PRIORS.find(settings.prior)
    paths, _ = _weighted(settings)
    if settings.tokenizer not in TOKENIZERS.names():
        run_dir.load_tokenizer(Path(settings.tokenizer))
    if settings.given:
        if len(paths) != 1 or not Path(settings.given).is_file():
            raise CorpusError("--given goes with a corpus of one file, and names the one file that belongs to it")
        paths = [*paths, Path(settings.given)]
    run_dir.begin(folder, settings, _facts(paths), resume, force)


def _prepare(settings: Settings, place: Path, watcher: Watcher) -> dict[str, list[tuple[str, float]]]:
    """Everything before the prior: the tokenizer in its place, and the token files with their weights."""
    paths, weights = _weighted(settings)
    at, given = place / "tokenizer", settings.tokenizer
    if not (at / "config.json").is_file():
        if given in TOKENIZERS.names():
            tokenizer = _learned(settings, paths, weights, watcher)
        else:
            tokenizer = run_dir.load_tokenizer(Path(given))
        run_dir.save_tokenizer(tokenizer, at)
    watcher.phase("Tokenizing")
    tokenizer = run_dir.load_tokenizer(at)
    sources = {"corpus": pack_tokens(tokenizer, paths, place / "tokens", weights, watcher.bytes), "given": []}
    if settings.given:
        sources["given"] = pack_tokens(tokenizer, [settings.given], place / "given", report=watcher.bytes)
    return {kind: [(str(source.path), source.weight) for source in some] for kind, some in sources.items()}


def _remark_on_remains(settings: Settings, sources: list[Source], watcher: Watcher) -> None:
    """A shape that does not fit the corpus trains without an error, on pieces of everything."""
    shape = settings.prior_config.get("shape")
    if not shape:
        return
    size = math.prod(parse_shape(str(shape)))
    rest = sum(len(source.all) % size for source in sources)
    if rest:
        watcher.note(
            f"{rest:,} symbols of the corpus are no whole items of shape {shape}: they are passed over. If it should hold "
            "nothing but such items, the shape is wrong"
        )


def _standing(folder: Path) -> str:
    """From where a resumed run goes on, in words."""
    place = folder / run_dir.NAME
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


def _learned(settings: Settings, paths: list[Path], weights: list[float], watcher: Watcher) -> Tokenizer:
    """The tokenizer of this name, which may have to learn from the corpus first."""
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


def _fit(settings: Settings, sources: list[Source], tokenizer: Tokenizer, options: FitOptions) -> Prior:
    try:
        prior = fit_prior(PRIORS.find(settings.prior), sources, tokenizer, settings.prior_config, options)
    except (KeyError, TypeError) as error:
        raise TokpressError(
            f"the prior {settings.prior!r} cannot be made with the settings {settings.prior_config}: {error!r}"
        ) from error
    if not settings.memory:
        return prior
    from ..priors.compose.memory import MemoryPrior

    return MemoryPrior(prior)


def _measured(
    sources: list[Source], given: list[Source] | None, tokenizer: Tokenizer, prior: Prior, watcher: Watcher
) -> tuple[float, float | None]:
    """Held-out bits per byte by exact stepping: of the prior as saved, and of what is inside its memory."""
    lengths = tokenizer.sizes.average()
    order, given_tokens = prior.rules.order, None
    try:
        if order is None:
            batch = validation_batch(sources, evaluate.ROWS, evaluate.LENGTH, 1)
        else:
            items = Items(sources, 1, order, 0, given, prior.rules.given_size)
            batch = items.validation[:, order].astype(np.int64)
            from_what = items.held_out_given()
            if from_what is not None:
                given_tokens = from_what.ravel().astype(np.int32)
    except CorpusError as error:
        watcher.note(str(error))
        return float("nan"), None
    base = _inner(prior)
    alone = None if base is prior else evaluate.exact_bits_per_byte(base, batch, lengths, given_tokens)
    return evaluate.exact_bits_per_byte(prior, batch, lengths, given_tokens), alone


__all__: list[str] = ["Settings", "Watcher", "train", "train_tokenizer"]
