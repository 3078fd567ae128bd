"""tokpress train, tokpress train prior, tokpress train tokenizer: plan the run, train, report."""

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tokpress.training.presets import PRESETS

from . import options, train_options
from .main import EXTRAS
from .options import Advanced
from .output import FULL
from .terminal import note
from .train_options import Settings

if TYPE_CHECKING:
    from tokpress.training.run_dir import Settings as RunSettings

    from .training import Display


@click.command(cls=options.Command)
@options.all_of(
    train_options.corpus, train_options.output,
    click.option("--kind", default="bpe", show_default=True, metavar="NAME", help="Kind of tokenizer, see above.",
                 shell_complete=options.complete_components("tokenizers")),
    train_options.vocab_size("4096"), train_options.settings_of("tokenizer"), train_options.max_minutes("15"),
    train_options.resume, train_options.force, train_options.device, train_options.printing, train_options.run("32"),
    options.plugins, options.threads,
)  # fmt: skip
def tokenizer(**values: Any) -> None:
    """Train a tokenizer on files and folders, and write it to DIR.

    \b
    Kinds of tokenizers:
      text      bpe, words, chars
      pictures  palette, vq, fsq, lfq, gumbel, vqgan, titok, multiscale
      sound     audio_rvq
      video     video_lfq
      several   segments

    \b
    Example:
      tokpress train tokenizer records -o tokens --vocab-size 1024
      tokpress train prior records -o model --tokenizer tokens
    """
    from tokpress.training.run import train_tokenizer

    settings = Settings(**values)
    run_settings = _plan_tokenizer(settings)
    run = partial(train_tokenizer, run_settings, settings.output, settings.force, resume=settings.resume)
    if (learned := _watched(settings, run)) is not None:
        note(f"{settings.output}: {learned.vocab_size:,} symbols", settings.quiet)


@click.command(cls=options.Command)
@options.all_of(
    train_options.corpus, train_options.output,
    click.option("--prior", metavar="NAME", show_default="mingru", help="Prior, such as histogram or lstm.",
                 shell_complete=options.complete_components("priors")),
    click.option("--tokenizer", metavar="NAME|PATH", show_default="bytes", help="Tokenizer, see above.",
                 shell_complete=options.complete_components("tokenizers", "file")),
    train_options.vocab_size("4096"), train_options.settings_of("prior"), train_options.max_minutes("15"),
    train_options.resume, train_options.force, train_options.device, train_options.printing,
    click.option("--given", cls=Advanced, type=click.Path(exists=True, dir_okay=False), metavar="FILE",
                 help="Predict CORPUS, a single file, from FILE."),
    train_options.fit("32", "256"), options.plugins, options.threads,
)  # fmt: skip
def prior(**values: Any) -> None:
    """Train a prior on files and folders, and write a model to DIR.

    The tokenizer is bytes, nibbles, bits or top_bit; bpe, words or chars, which are trained first; a directory of `tokpress train
    tokenizer`; or a tokenizer.json of another library. Without --tokenizer it is the one in DIR or of --init, else bytes.

    \b
    Examples:
      tokpress train prior records -o model --prior histogram
      tokpress train prior records -o model --tokenizer bpe --set width=64
    """
    settings = Settings(**values)
    _train(settings, _prior_changes(settings), {})


@click.command(cls=train_options.Train)
@options.all_of(
    train_options.corpus, train_options.output, train_options.preset, train_options.max_minutes("by preset"),
    train_options.vocab_size("by preset"), train_options.resume, train_options.force, train_options.device, train_options.printing,
    train_options.fit("by preset", "by preset"), options.threads,
)  # fmt: skip
def train(**values: Any) -> None:
    """Train a model on files and folders, and write it to DIR: a bpe tokenizer and a recurrent network.

    Files that end in .xz, .gz or .zst are decompressed. Ctrl-C saves a checkpoint; --resume continues from it.

    \b
    Example:
      tokpress train records -o model --preset small
      tokpress compress -m model new.json
    """
    settings = Settings(**values)
    _train(settings, *_preset_changes(settings))


train.add_parts(tokenizer, prior)


# --- plan


def _preset_changes(settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a preset sets in the run, and in its FitConfig. A resumed run keeps its own unless --preset is given."""
    if settings.resume and not settings.preset:
        return {}, {}
    preset = PRESETS[settings.preset or "text"]
    changes: dict[str, Any] = {"prior": "mingru", "vocab_size": preset.vocab_size}
    if not settings.init:
        changes["tokenizer"] = "bpe"
    if settings.preset or not settings.init:
        changes["prior_config"] = {"width": preset.width, "depth": preset.depth, "hidden": preset.hidden}
    numbers: dict[str, Any] = {"rows": preset.rows, "window": preset.window}
    if not settings.resume:
        numbers["max_minutes"] = preset.max_minutes
    return changes, numbers


def _prior_changes(settings: Settings) -> dict[str, Any]:
    """What `train prior` sets in the run. None: as it was, or the default."""
    from tokpress.models.folder import tokenizer_only
    from tokpress.tokenizers.registry import TOKENIZERS

    prior, tokenizer, memory = settings.prior, settings.tokenizer, None
    if not settings.resume:
        prior = prior or "mingru"
        memory = prior == "mingru"
        if tokenizer is None and not settings.init:
            tokenizer = settings.output if tokenizer_only(Path(settings.output)) else "bytes"
    if tokenizer and tokenizer not in TOKENIZERS.names():
        tokenizer = os.path.abspath(tokenizer)
    given = os.path.abspath(settings.given) if settings.given else None
    config = dict(settings.values) or None
    return {"prior": prior, "tokenizer": tokenizer, "prior_config": config, "memory": memory, "given": given}


def _plan(settings: Settings, changes: dict[str, Any], numbers: dict[str, Any]) -> "RunSettings":
    """The settings of a run: those of the unfinished run or the defaults, then `changes`, then the options."""
    from tokpress.models.store import find
    from tokpress.training.run_dir import Settings as RunSettings
    from tokpress.training.run_dir import read_settings

    if settings.init:
        folder = str(find(settings.init).resolve())
        changes |= {"init": folder, "tokenizer": changes.get("tokenizer") or folder}
    _check_vocab_size(changes.get("tokenizer"), settings.vocab_size)
    options_given = {
        "vocab_size": settings.vocab_size,
        "memory": settings.memory,
        "weights": list(settings.weights) or None,
        "corpus": settings.corpus_paths or None,
    }
    changes |= {key: value for key, value in options_given.items() if value is not None}
    kept = read_settings(Path(settings.output)) if settings.resume else RunSettings(settings.corpus_paths)
    planned = replace(kept, **{key: value for key, value in changes.items() if value is not None})
    return _complete(planned, numbers | settings.fit_numbers(), settings.output)


def _plan_tokenizer(settings: Settings) -> "RunSettings":
    from tokpress.training.run_dir import Settings as RunSettings
    from tokpress.training.run_dir import read_settings

    weights, numbers = list(settings.weights), settings.fit_numbers()
    if settings.resume:
        planned = read_settings(Path(settings.output))
        if settings.corpus:
            planned = replace(planned, corpus=settings.corpus_paths, weights=weights or planned.weights)
    else:
        numbers = {"rows": 32} | numbers
        planned = RunSettings(settings.corpus_paths, weights, settings.kind, dict(settings.values))
        planned = replace(planned, vocab_size=settings.vocab_size or planned.vocab_size)
    _check_vocab_size(planned.tokenizer, settings.vocab_size)
    return _complete(planned, numbers, settings.output)


def _complete(planned: "RunSettings", numbers: dict[str, Any], output: str) -> "RunSettings":
    """With numbers of the FitConfig, and with the title and the commands for the card."""
    from tokpress.training.run_dir import limited

    planned = limited(planned, **numbers)
    planned = limited(planned, evaluate_seconds=min(60.0, max(3.0, 6 * planned.fit.max_minutes)))
    command = " && ".join(filter(None, [planned.command, shlex.join(["tokpress", *sys.argv[1:]])]))
    return replace(planned, title=os.path.basename(os.path.abspath(output)), command=command)


def _check_vocab_size(tokenizer: str | None, vocab_size: int | None) -> None:
    """Raise TokpressError where the tokenizer does not take --vocab-size, or not this one."""
    from tokpress.errors import TokpressError
    from tokpress.tokenizers.registry import TOKENIZERS
    from tokpress.training.learners.registry import tokenizer_learner

    if not vocab_size or not tokenizer:
        return
    if os.path.isabs(tokenizer):
        raise TokpressError(f"the tokenizer in {tokenizer} has its symbols already: leave --vocab-size out")
    kind = TOKENIZERS.find(tokenizer)
    learner = tokenizer_learner(kind)
    if learner is None:
        raise TokpressError(
            f"the tokenizer {tokenizer!r} always has {kind.vocab_size} symbols: leave --vocab-size out, or choose another one"
        )
    if not learner.sized_by.startswith("--vocab-size"):
        raise TokpressError(
            f"the tokenizer {tokenizer!r} takes its number of symbols from {learner.sized_by}: leave --vocab-size out"
        )
    if vocab_size < learner.least_symbols:
        raise TokpressError(
            f"--vocab-size {vocab_size} is too small for the tokenizer {tokenizer!r}: {learner.least_symbols} or more"
        )


# --- train, report


def _train(settings: Settings, changes: dict[str, Any], numbers: dict[str, Any]) -> None:
    from tokpress.models.store import model_bytes
    from tokpress.training.run import train

    run_settings = _plan(settings, changes, numbers)
    output = settings.output
    run = partial(train, run_settings, output, settings.resume, settings.force, settings.keep_checkpoint)
    if (model := _watched(settings, run)) is not None:
        hint = f"try tokpress compress -m {shlex.quote(output)} FILE"
        note(f"{output}: {model_bytes(model):,} bytes, model {model.id.hex()}; {hint}", settings.quiet)


def _watched(settings: Settings, run: "Callable[[Display], Any]") -> Any:
    """`run(display)`. After an interruption, print how to continue, and exit with 128 + the signal."""
    from tokpress.errors import TokpressError
    from tokpress.training.options import Stopped

    from .training import Display

    is_helper = os.environ.get("RANK", "0") != "0"  # the first process of the run prints
    try:
        with Display(settings.quiet or is_helper) as display, display.stoppable():
            return run(display)
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        raise TokpressError(f"training needs {error.name}: pip install 'tokpress[train]'") from error
    except OSError as error:
        if error.errno not in FULL:
            raise
        place = error.filename or settings.output
        raise TokpressError(f"{place}: {error.strerror}: free some space, or choose another place with -o") from error
    except Stopped as stopped:
        message, signum = str(stopped), display.signum
    except KeyboardInterrupt as interrupt:
        message, signum = "interrupted", getattr(interrupt, "signum", 2)
    if not is_helper:
        has_checkpoint = os.path.exists(os.path.join(settings.output, ".checkpoint"))
        note(f"tokpress: {message}{': to continue, add --resume to the same command' if has_checkpoint else ''}")
    click.get_current_context().exit(128 + (signum or 2))
