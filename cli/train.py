"""tokpress train, tokpress train tokenizer, tokpress train prior"""

import math
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from tokpress.training.presets import PRESETS

from . import options
from .main import EXTRAS
from .output import FULL
from .terminal import note


class Train(click.Command):
    """A command that is also a group: `train WORD …` is one of PARTS if its first word is, else a corpus."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> click.Context:
        if args and args[0] in PARTS:
            return PARTS[args[0]].make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Presets"):
            formatter.write_dl([(name, f"{each.about} ({each.shape})") for name, each in PRESETS.items()])
        with formatter.section("Commands (./tokenizer is a corpus of that name)"):
            formatter.write_dl([(name, part.get_short_help_str(80)) for name, part in PARTS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        words = [CompletionItem(name) for name in PARTS if name.startswith(incomplete)]
        return words + super().shell_complete(ctx, incomplete)


class Pair(click.ParamType):
    """NAME=VALUE, the last = decides."""

    name = "pair"

    def __init__(self, number: bool = False) -> None:
        self.number = number

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        left, equals, right = value.rpartition("=")
        if not equals or not left:
            self.fail(f"{value!r} has no =; write NAME=VALUE", param, ctx)
        if not self.number:
            return left, right
        try:
            factor = float(right)
        except ValueError:
            factor = 0.0
        if not 0 < factor < float("inf"):
            self.fail(f"{right!r} in {value!r} is no factor above 0", param, ctx)
        return left, factor


_corpus = click.argument("corpus", nargs=-1, type=options.Name(), metavar="CORPUS...")
_into = click.option("-o", "--output", required=True, metavar="DIR", help="The model directory to write.")
_force = click.option("-f", "--force", is_flag=True, help="Replace the model or the unfinished run in DIR.")
_vocabulary = click.option(
    "--vocab-size",
    type=click.IntRange(2, 65536),
    metavar="V",
    help="Symbols of bpe, words, chars, 256 or more; colours of a palette.",
)
_seed = click.option("--seed", type=click.IntRange(0), metavar="S", help="The same seed, the same draws.  [default: 0]")
_weights = click.option(
    "--weight", "weights", type=Pair(number=True), multiple=True, metavar="GLOB=FACTOR",
    help="Draw files that match GLOB FACTOR times as often.",
)  # fmt: skip
_memory = click.option("--memory/--no-memory", default=None, help="Wrap the prior in a memory of what is coded.")
_init = click.option("--init", metavar="NAME|DIR", help="Start from the weights of this model, and with its tokenizer.")
_run = options.all_of(
    click.option("--max-minutes", type=click.FloatRange(0, min_open=True), metavar="M", help="End after M minutes."),
    click.option("--max-passes", type=click.FloatRange(0, min_open=True), metavar="N",
                 help="End after reading as much as N corpora.  [default: 8]"),
    click.option("--max-steps", type=click.IntRange(1), metavar="N",
                 help="End after N steps; without --max-minutes, however long they take."),
    click.option("--resume", is_flag=True, help="Go on with the unfinished run in DIR; CORPUS may be left out."),
    click.option("--learning-rate", type=click.FloatRange(0, min_open=True), metavar="LR", help="At its highest."),
    click.option("--warmup", type=click.IntRange(1), metavar="N", help="Steps in which it rises.  [default: 100]"),
    click.option("--decay", type=click.FloatRange(0, 1, min_open=True), metavar="X",
                 help="It falls over this last part of the run.  [default: 0.6]"),
    click.option("--weight-decay", type=click.FloatRange(0), metavar="X",
                 help="Of all matrices, where a model learns a small corpus by heart.  [default: a little, in blocks]"),
    click.option("--rows", type=click.IntRange(1), metavar="B", help="Sequences or items side by side."),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), help="Where to train."),
    click.option("--precision", type=click.Choice(["auto", "bf16", "fp32"]), help="Of the matrix products."),
)  # fmt: skip
_fit = options.all_of(
    _run,
    click.option("--keep-checkpoint", is_flag=True, help="Keep DIR/.checkpoint, so that --resume can prolong the run."),
    _init,
    click.option("--window", type=click.IntRange(16), metavar="T", help="Tokens of each sequence in a step."),
    click.option("--compile/--no-compile", "compile_", default=None, help="Whether torch.compile is used."),
)  # fmt: skip
_common = options.all_of(options.threads, options.quiet, options.verbose)


@click.command(cls=Train)
@_corpus
@_into
@click.option("--preset", type=click.Choice(PRESETS), help="Size of the model and of the run.  [default: text]")
@options.all_of(_vocabulary, _fit, _seed, _weights, _memory, _force, _common)
@click.pass_context
def train(ctx, corpus, output, preset, **given):
    """Train a tokenizer and a prior on files and folders (plain, .xz, .gz, .zst), and write a model to DIR.

    Then: tokpress compress -m DIR FILE
    """
    chosen = PRESETS[preset or "text"] if preset or not given["resume"] else None
    changes: dict[str, Any] = {}
    if chosen:
        changes = {"prior": "mingru", "vocab_size": chosen.vocab_size}
        if not given["init"]:
            changes["tokenizer"] = "bpe"
        if preset or not given["init"]:
            changes["prior_config"] = {"width": chosen.width, "depth": chosen.depth, "hidden": chosen.hidden}
        for name in ("rows", "window") + ("max_minutes",) * (not given["resume"] and not given["max_steps"]):
            given[name] = given[name] or getattr(chosen, name)
    _train(ctx, corpus, output, changes, **given)


@click.command()
@_corpus
@_into
@click.option("--prior", metavar="NAME", help="Any registered prior: histogram, …  [default: mingru]")
@click.option(
    "--tokenizer",
    metavar="NAME|DIR|FILE",
    help="bytes, nibbles, bits, top_bit; bpe, words, chars (trained here); or a directory that has one; or anybody's "
    "tokenizer.json of BPE over bytes.",
)
@click.option("--set", "values", type=Pair(), multiple=True, metavar="KEY=VALUE", help="A setting of the prior.")
@click.option(
    "--given", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
    help="What CORPUS, one file, is predicted from, for priors with a setting given=SHAPE.",
)  # fmt: skip
@options.all_of(_vocabulary, _fit, _seed, _weights, _memory, options.plugins, _force, _common)
@click.pass_context
def prior(ctx, corpus, output, prior, tokenizer, values, given, **rest):
    """Train any prior, your own too (docs/training.md), and write a model to DIR.

    Without --tokenizer: that of --init, or the one that DIR holds already (tokpress train tokenizer), else bytes.
    """
    from tokpress.models.folder import tokenizer_only
    from tokpress.tokenizers.registry import TOKENIZERS

    if not rest["resume"]:
        prior = prior or "mingru"
        if rest["memory"] is None:
            rest["memory"] = prior == "mingru"
        if tokenizer is None and not rest["init"]:
            tokenizer = output if tokenizer_only(Path(output)) else "bytes"
    if tokenizer and tokenizer not in TOKENIZERS.names():
        tokenizer = os.path.abspath(tokenizer)
    changes = {"prior": prior, "tokenizer": tokenizer, "prior_config": dict(values) or None}
    changes["given"] = os.path.abspath(given) if given else None
    _train(ctx, corpus, output, changes, **rest)


@click.command()
@_corpus
@_into
@click.option(
    "--kind", default="bpe", show_default=True, metavar="NAME",
    help="bpe, words, chars, palette, segments; trained on pictures: vq, fsq, lfq, gumbel, vqgan, titok, multiscale; on sound: "
    "audio_rvq; on video: video_lfq; or one of yours.",
)  # fmt: skip
@click.option("--set", "values", type=Pair(), multiple=True, metavar="KEY=VALUE", help="A setting, of those trained.")
@options.all_of(_vocabulary, _run, _seed, _weights, options.plugins, _force, _common)
@click.pass_context
def tokenizer(ctx, corpus, output, kind, values, vocab_size, weights, resume, force, quiet, verbose, **limits):
    """Learn a tokenizer, and write it to DIR.

    Then: tokpress train prior --tokenizer DIR …
    """
    from dataclasses import replace

    from tokpress.training.run import Settings, train_tokenizer
    from tokpress.training.run_dir import limited, read_settings

    if resume and force:
        raise click.UsageError("--resume and -f exclude each other", ctx)
    if limits["max_steps"] and not limits["max_minutes"]:
        limits["max_minutes"] = math.inf
    if resume:
        settings = read_settings(Path(output))
        if corpus:
            settings = replace(settings, corpus=_absolute(ctx, corpus), weights=list(weights) or settings.weights)
    else:
        limits["rows"] = limits["rows"] or 32
        settings = Settings(_absolute(ctx, corpus), list(weights), kind, dict(values), vocab_size or 4096)
    settings = limited(settings, **limits)
    settings = limited(settings, evaluate_seconds=min(60.0, max(3.0, 6 * settings.fit.max_minutes)))
    settings = _for_the_card(settings, output)
    _check_size(settings.tokenizer, vocab_size)
    learned = _watched(ctx, output, quiet, lambda display: train_tokenizer(settings, output, force, display, resume))
    if learned is not None:
        note(f"{output}: {learned.vocab_size:,} symbols", quiet)


PARTS = {"tokenizer": tokenizer, "prior": prior}


def _train(
    ctx, corpus, output, changes, *, resume, force, keep_checkpoint, quiet, verbose, compile_, weights, init, **given
):
    """Put the settings together (those of the unfinished run first, where there is one), and run."""
    from dataclasses import replace

    from tokpress.models.store import find
    from tokpress.training.run import Settings, train
    from tokpress.training.run_dir import limited, read_settings

    if resume and force:
        raise click.UsageError("--resume and -f exclude each other", ctx)
    if init and given["vocab_size"]:
        raise click.UsageError("--init brings its tokenizer, so --vocab-size has no place", ctx)
    if init:
        folder = str(find(init).resolve())
        changes |= {"init": folder, "tokenizer": changes.get("tokenizer") or folder}
    _check_size(changes.get("tokenizer"), given["vocab_size"])
    if given["max_steps"] and not given["max_minutes"]:
        given["max_minutes"] = math.inf
    settings = read_settings(Path(output)) if resume else Settings(_absolute(ctx, corpus))
    changes |= {"vocab_size": given.pop("vocab_size") or changes.get("vocab_size"), "memory": given.pop("memory")}
    changes |= {"weights": list(weights) or None, "corpus": _absolute(ctx, corpus) if corpus else None}
    settings = replace(settings, **{key: value for key, value in changes.items() if value is not None})
    settings = limited(settings, compile=compile_, **given)
    settings = limited(settings, evaluate_seconds=min(60.0, max(3.0, 6 * settings.fit.max_minutes)))
    settings = _for_the_card(settings, output)
    made = _watched(
        ctx, output, quiet, lambda display: train(settings, output, resume, force, keep_checkpoint, display)
    )
    if made is not None:
        from tokpress.models.store import model_bytes

        hint = f"try tokpress compress -m {shlex.quote(output)} FILE"
        note(f"{output}: {model_bytes(made):,} bytes, model {made.id.hex()}; {hint}", quiet)


def _check_size(tokenizer: str | None, asked: int | None) -> None:
    """Raises TokpressError where --vocab-size was given and would mean nothing."""
    from tokpress.errors import TokpressError
    from tokpress.tokenizers.registry import TOKENIZERS
    from tokpress.training.learners.registry import tokenizer_learner

    if not asked or not tokenizer:
        return
    if os.path.isabs(tokenizer):
        raise TokpressError(f"the tokenizer in {tokenizer} has its symbols already; leave --vocab-size out")
    kind = TOKENIZERS.find(tokenizer)
    learner = tokenizer_learner(kind)
    if learner is None:
        raise TokpressError(
            f"the tokenizer {tokenizer!r} always has {kind.vocab_size} symbols: leave --vocab-size out, or take another one"
        )
    if not learner.sized_by.startswith("--vocab-size"):
        raise TokpressError(
            f"--vocab-size is not for the tokenizer {tokenizer!r}: what decides its number of symbols is {learner.sized_by}"
        )
    if asked < learner.least_symbols:
        raise TokpressError(
            f"--vocab-size {asked} is too small for the tokenizer {tokenizer!r}: {learner.least_symbols} or more"
        )


def _watched(ctx: click.Context, output: str, quiet: bool, work: Callable[[Any], Any]) -> Any:
    """`work(display)`; when it is interrupted, say how to go on, and exit with 128 + the signal."""
    from tokpress.errors import TokpressError
    from tokpress.training.options import Stopped

    from .training import Display

    helper = os.environ.get("RANK", "0") != "0"  # another process of the same run speaks
    try:
        with Display(quiet or helper) as display, display.stoppable():
            return work(display)
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        raise TokpressError(f"training needs {error.name}: pip install 'tokpress[train]'") from error
    except OSError as error:
        if error.errno not in FULL:
            raise
        where = error.filename or output
        raise TokpressError(f"{where}: {error.strerror}: free some space, or choose another place with -o") from error
    except Stopped as stopped:
        message, signum = str(stopped), display.signum
    except KeyboardInterrupt as stop:
        message, signum = "interrupted", getattr(stop, "signum", 2)
    if not helper:
        hint = "; go on with the same command and --resume"
        note(f"tokpress: {message}{hint if os.path.exists(os.path.join(output, '.checkpoint')) else ''}")
    ctx.exit(128 + (signum or 2))


def _absolute(ctx: click.Context, corpus: tuple[str, ...]) -> list[str]:
    if not corpus:
        raise click.UsageError("no CORPUS given: name files or folders to train on", ctx)
    return [os.path.abspath(path) for path in corpus]


def _for_the_card(settings: Any, output: str) -> Any:
    """With a title, and the commands as they were typed."""
    from dataclasses import replace

    command = " && ".join(filter(None, [settings.command, shlex.join(["tokpress", *sys.argv[1:]])]))
    return replace(settings, title=os.path.basename(os.path.abspath(output)), command=command)
