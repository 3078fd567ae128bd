"""One run from corpus to model directory: tokenizer, tokens, prior, measurement, card.

    corpus ──learner──► tokenizer ──pack_tokens──► sources ──learner──► prior (── memory) ──► DIR

A resumed run uses what an interrupted one left in DIR/.checkpoint (`run_dir`).
"""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import CorpusError, ModelError, TokpressError
from ..models.folder import move, needed
from ..models.loading import load_folder
from ..models.model import Model
from ..native import library
from ..priors.base import Prior
from ..priors.compose.parts import innermost
from ..priors.registry import PRIORS
from ..priors.text.bitwise import BitwisePrior
from ..registry import blame
from ..storage.files import SHEET
from ..tokenizers.base import Tokenizer
from ..tokenizers.registry import TOKENIZERS
from . import evaluate, run_dir
from .card import Facts, card, tokenizer_card
from .data.corpus import corpus_files
from .data.streams import Items, Source, validation_batch
from .data.tokenize import tokenizer_hash
from .export import mixed
from .learners.base import TokenizerLearner
from .learners.registry import fit_prior, prior_learner, tokenizer_learner
from .loop.team import Team, check_device
from .options import FitOptions, Progress, Stopped, TokenizerOptions, Watcher
from .prepare import file_facts, learn_tokenizer, note_partial_items, prepare, weighted_files
from .priming import ordered_and_primed
from .run_dir import Settings

__all__ = ["Settings", "Watcher", "train", "train_tokenizer"]

#: a run of fewer steps that has not read its corpus once is too short
FEW_STEPS = 200
#: mixing is primed with one piece for so many tokens of the corpus, at most so many pieces, unless training passed the corpus more often
TOKENS_A_PIECE, MAX_PIECES, MAX_PASSES = 2000, 1000, 4


class _Silent:
    """A Watcher that shows nothing and never stops a run."""

    def phase(self, name: str) -> None:
        pass

    def note(self, message: str) -> None:
        pass

    def bytes(self, done: int, total: int) -> None:
        pass

    def step(self, progress: Progress) -> None:
        pass

    def stop(self) -> bool:
        return False


@dataclass
class _Run:
    """A run in this process: where it writes, who watches it, and how far it has come."""

    settings: Settings
    folder: Path
    resume: bool
    watcher: Watcher
    begun: float = field(default_factory=time.monotonic)
    #: as last reported; None: no training step was taken
    progress: Progress | None = None

    @property
    def checkpoint(self) -> Path:
        return self.folder / run_dir.NAME

    @property
    def minutes(self) -> float:
        """Minutes since the run began or was resumed."""
        return (time.monotonic() - self.begun) / 60

    def report(self, progress: Progress) -> None:
        self.progress = progress
        self.watcher.step(progress)

    def write_curve(self, folder: Path) -> None:
        """Write training_curve.json, if there was a training step."""
        if self.progress:
            (folder / "training_curve.json").write_text(json.dumps(self.progress.curve, indent=1) + "\n")

    @contextmanager
    def discarded_on_error(self, writes: bool = True) -> Iterator[None]:
        """A context that removes the files of a new run after an error. writes: whether this process writes them."""
        try:
            yield
        except Stopped:
            raise
        except Exception:
            if writes and not self.resume:
                run_dir.discard(self.folder)
            raise


# --- priors --------------------------------------------------------------------------------------


def train(
    settings: Settings,
    folder: str | Path,
    resume: bool = False,
    force: bool = False,
    keep_checkpoint: bool = False,
    watcher: Watcher | None = None,
) -> Model | None:
    """Train as `settings` say, and write a model directory. Returns the model; None in processes other than the first.

    Raises CorpusError; ModelError if `folder` cannot be written to; TokpressError if a setting is wrong; Stopped (the checkpoint is
    saved)."""
    run, team = _Run(settings, Path(folder), resume, watcher or _Silent()), Team(settings.fit.device)
    init = _model_to_start_from(settings)
    if learner := prior_learner(PRIORS.find(settings.prior)):
        learner.require_packages()
        if "torch" in learner.trains_with:
            check_device(settings.fit.device)
    team.first(lambda: _begin(run, force))
    with run.discarded_on_error(team.main):
        if team.main:
            _note_beginning(run, team.size)
        prepared = team.first(lambda: prepare(settings, run.checkpoint, run.watcher))
        sources, given = prepared.sources, prepared.given_sources
        tokenizer = run_dir.load_tokenizer(run.checkpoint / "tokenizer")
        if team.main:
            note_partial_items(settings, sources, run.watcher)
        run.watcher.phase(f"Training the {settings.prior} prior")
        before = run_dir.progress_of(run.folder) if run.resume else None
        trained = _fit(run, sources, given, tokenizer, init)
        if team.main and run.progress:
            _note_short_run(run.progress, before["step"] if before else 0, sources, run.watcher)

        def finish() -> None:
            prior = _with_primed_mixing(run, trained, sources, init)
            run.watcher.phase("Measuring on held-out data")
            bits, bits_alone = _measured(sources, given, tokenizer, prior, run.watcher)
            files, init_id = corpus_files(settings.corpus), init.id.hex() if init else ""
            facts = Facts(
                settings, tokenizer, prior, files, run.progress, team.size, init_id, run.minutes, bits, bits_alone
            )
            _write_model(run, facts, keep_checkpoint)

        team.first(finish)
    return load_folder(run.folder) if team.main else None


def _begin(run: _Run, force: bool) -> None:
    """Check all that can be checked before hours of work, then make DIR/.checkpoint."""
    settings = run.settings
    PRIORS.find(settings.prior)
    paths, _ = weighted_files(settings)
    if settings.tokenizer not in TOKENIZERS.names():
        run_dir.load_tokenizer(Path(settings.tokenizer))
    if settings.given:
        if len(paths) != 1 or not Path(settings.given).is_file():
            raise CorpusError("--given goes with a corpus of one file, and names the one file that belongs to it")
        paths = [*paths, Path(settings.given)]
    run_dir.begin(run.folder, settings, file_facts(paths), run.resume, force)


def _note_beginning(run: _Run, processes: int) -> None:
    if processes > 1:
        run.watcher.note(f"{processes} processes train together")
    if run.resume:
        run.watcher.note(run_dir.standing(run.folder))


def _note_short_run(progress: Progress, steps_before: int, sources: list[Source], watcher: Watcher) -> None:
    """Tell of a run that trained nothing, or so little that its model is poor: a busy machine takes few steps in its minutes."""
    read = progress.tokens / max(sum(len(source.tokens) for source in sources), 1)
    if progress.step == steps_before:
        watcher.note(
            "nothing was trained, since a limit of the run is reached: raise --max-minutes, --max-passes or --max-steps to train on"
        )
    elif progress.step < FEW_STEPS and read < 1:
        watcher.note(
            f"the run is over after {progress.step:,} steps, which read {read:.0%} of the corpus: its model has hardly learned. "
            "Give it more --max-minutes, or a machine that is less busy"
        )


def _model_to_start_from(settings: Settings) -> Model | None:
    """The model that --init names. Raises ModelError if its prior or tokenizer differ from those of the settings."""
    if not settings.init:
        return None
    model = load_folder(settings.init)
    prior = innermost(model.prior)
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


def _fit(
    run: _Run, sources: list[Source], given: list[Source] | None, tokenizer: Tokenizer, init: Model | None
) -> Prior:
    settings = run.settings
    options = FitOptions(
        run.checkpoint / "state",
        settings.fit,
        run.resume,
        init=innermost(init.prior) if init else None,
        given=given,
        report=run.report,
        stop=run.watcher.stop,
    )
    try:
        prior = fit_prior(PRIORS.find(settings.prior), sources, tokenizer, settings.prior_config, options)
    except (KeyError, TypeError) as error:
        raise TokpressError(
            f"the prior {settings.prior!r} cannot be made with the settings {settings.prior_config}: "
            f"{blame(error) or repr(error)}"
        ) from error
    return mixed(prior, tokenizer) if settings.memory else prior


def _with_primed_mixing(run: _Run, prior: Prior, sources: list[Source], init: Model | None) -> Prior:
    """The prior with primed mixing, where it has mixing: primed with the corpus, unless it was read so often that the prior knows it better
    than what it will code; else with the priming of the model that it started from."""
    if not isinstance(prior, BitwisePrior):
        return prior
    corpus = sum(len(source.tokens) for source in sources)
    pieces = min(corpus // TOKENS_A_PIECE, MAX_PIECES)
    if pieces and run.progress and run.progress.tokens <= MAX_PASSES * corpus and library.is_here():
        run.watcher.phase("Priming the mixing")
        return ordered_and_primed(prior, sources, pieces)
    before = init.prior if init else None
    if isinstance(before, BitwisePrior) and before.priming and before.tokens == prior.tokens:
        return BitwisePrior(prior.base, prior.tokenizer, before.priming)
    return prior


def _measured(
    sources: list[Source], given: list[Source] | None, tokenizer: Tokenizer, prior: Prior, watcher: Watcher
) -> tuple[float, float | None]:
    """Held-out bits per byte by exact stepping: (of the prior, of the prior inside its memory and mixing; None if it has
    none)."""
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
    base = innermost(prior)
    alone = None if base is prior else evaluate.exact_bits_per_byte(base, batch, lengths, given_tokens)
    return evaluate.exact_bits_per_byte(prior, batch, lengths, given_tokens), alone


def _write_model(run: _Run, facts: Facts, keep_checkpoint: bool) -> None:
    """Write the model beside the checkpoint, then move it into place if it can be loaded."""
    made = run.checkpoint / "model"
    shutil.rmtree(made, ignore_errors=True)
    model = Model(facts.tokenizer, facts.prior)
    model.save(made, card(facts, model))
    run.write_curve(made)
    load_folder(made)
    move(made, run.folder)
    if not keep_checkpoint:
        shutil.rmtree(run.checkpoint)


# --- tokenizers ----------------------------------------------------------------------------------


def train_tokenizer(
    settings: Settings,
    folder: str | Path,
    force: bool = False,
    watcher: Watcher | None = None,
    resume: bool = False,
) -> Tokenizer:
    """Learn a tokenizer of the kind that settings.tokenizer names. Writes DIR/config.json, its files and its card.

    A tokenizer that is a network keeps checkpoints in DIR/.checkpoint, and its curve of held-out data in
    DIR/training_curve.json. Raises as `train` does."""
    run = _Run(settings, Path(folder), resume, watcher or _Silent())
    kind = TOKENIZERS.find(settings.tokenizer)
    learner = tokenizer_learner(kind)
    if settings.tokenizer_config and not (learner and learner.takes_settings):
        raise TokpressError(f"the tokenizer {kind.name!r} has no settings; leave --set out")
    if learner and learner.trains:
        return _fit_tokenizer(run, kind, learner, force)
    if resume:
        raise TokpressError(f"learning a {kind.name} tokenizer is not a run that could be resumed")
    run_dir.check_target(run.folder, force)
    paths, weights = weighted_files(settings)
    tokenizer = learn_tokenizer(settings, paths, weights, run.watcher)
    _write_tokenizer(run, tokenizer, paths)
    return tokenizer


def _fit_tokenizer(run: _Run, kind: type[Tokenizer], learner: TokenizerLearner, force: bool) -> Tokenizer:
    """Learn a tokenizer by a training run, with checkpoints."""
    settings = run.settings
    check_device(settings.fit.device)
    paths, weights = weighted_files(settings)
    run_dir.begin(run.folder, settings, file_facts(paths), run.resume, force)
    run.watcher.phase(f"Training the {kind.name} tokenizer")
    options = TokenizerOptions(
        settings.vocab_size,
        weights,
        run.watcher.bytes,
        settings.tokenizer_config,
        settings.fit,
        run.checkpoint,
        run.folder / SHEET,
        run.resume,
        settings.rate,
        run.report,
        run.watcher.stop,
    )
    with run.discarded_on_error():
        tokenizer = learner.fit(kind, paths, options)
        _write_tokenizer(run, tokenizer, paths)
    shutil.rmtree(run.checkpoint)
    return tokenizer


def _write_tokenizer(run: _Run, tokenizer: Tokenizer, paths: list[Path]) -> None:
    """Write the tokenizer, its card and its curve."""
    run_dir.save_tokenizer(tokenizer, run.folder)
    size = sum(path.stat().st_size for path in needed(run.folder))
    text = tokenizer_card(
        run.settings, tokenizer, paths, run.progress, run.minutes, size, (run.folder / SHEET).exists()
    )
    (run.folder / "README.md").write_text(text, "utf-8")
    run.write_curve(run.folder)
