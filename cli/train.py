"""tokpress train, tokpress train prior, tokpress train tokenizer: call tokpress.training.api, and report."""

import os
import shlex
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from . import options, train_options
from .main import EXTRAS
from .options import Advanced
from .output import FULL
from .terminal import note
from .train_options import Settings


@click.command(cls=options.Command)
@options.all_of(
    train_options.corpus, train_options.output,
    click.option("--kind", default="bpe", show_default=True, metavar="NAME", help="Kind of tokenizer, see above.",
                 shell_complete=options.complete_components("tokenizers")),
    train_options.vocab_size("4096"), train_options.settings_of("tokenizer"), train_options.max_minutes("15"),
    train_options.resume, train_options.force, train_options.device, train_options.printing,
    click.option("--rate", cls=Advanced, type=click.FloatRange(0), metavar="X", show_default="0",
                 help="Weight of bits in the choice of codes."),
    train_options.run("32"), options.plugins, options.threads,
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
    from tokpress.training.api import train_tokenizer

    settings = Settings(**values)
    run = partial(
        train_tokenizer, settings.kind, vocab_size=settings.vocab_size, rate=settings.rate, **_common(settings)
    )
    if (learned := _watched(settings, run)) is not None:
        note(f"{settings.output}: {learned.vocab_size:,} symbols", settings.quiet)


@click.command(cls=options.Command)
@options.all_of(
    train_options.corpus, train_options.output,
    click.option("--prior", metavar="NAME", show_default="mingru", help="Prior, such as histogram or lstm.",
                 shell_complete=options.complete_components("priors")),
    click.option("--tokenizer", type=options.FileName(), metavar="NAME|PATH", show_default="bytes", help="Tokenizer, see above.",
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
    prior = settings.prior or ("" if settings.resume else "mingru")
    _train(settings, prior=prior, tokenizer=settings.tokenizer, given=settings.given)


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
    _train(settings, preset=settings.preset or "")


train.add_parts(tokenizer, prior)


# --- train, report


def _common(settings: Settings) -> dict[str, Any]:
    """Arguments of tokpress.training.api that all commands have."""
    command = shlex.join(["tokpress", *sys.argv[1:]])
    arguments: dict[str, Any] = {
        "corpus": settings.corpus,
        "output": settings.output,
        "settings": dict(settings.values),
        "weights": settings.weights,
    }
    arguments |= {"resume": settings.resume, "force": settings.force, "command": command}
    return arguments | settings.fit_numbers()


def _train(settings: Settings, **arguments: Any) -> None:
    from tokpress.models.store import model_bytes
    from tokpress.training.api import train

    arguments |= {"vocab_size": settings.vocab_size, "memory": settings.memory, "init": settings.init}
    run = partial(train, keep_checkpoint=settings.keep_checkpoint, **arguments, **_common(settings))
    if (model := _watched(settings, run)) is not None:
        output, hint = settings.output, f"try tokpress compress -m {shlex.quote(settings.output)} FILE"
        note(f"{output}: {model_bytes(model):,} bytes, model {model.id.hex()}; {hint}", settings.quiet)


def _watched(settings: Settings, run: Callable[..., Any]) -> Any:
    """`run(watcher=display)`. After an interruption, print how to continue, and exit with 128 + the signal."""
    from tokpress.errors import TokpressError
    from tokpress.training.options import Stopped

    from .training import Display

    is_helper = os.environ.get("RANK", "0") != "0"  # the first process of the run prints
    try:
        with Display(settings.quiet or is_helper) as display, display.stoppable():
            return run(watcher=display)
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
