"""Options of `tokpress train` and its subcommands, and the settings that they make."""

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from tokpress.training.presets import PRESETS

from . import options
from .options import Advanced, Decorator


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options of one call. Each subcommand has some of them; None is an option that was not given."""

    corpus: tuple[str, ...]
    output: str
    force: bool
    resume: bool
    quiet: bool
    verbose: bool
    # the tokenizer and the corpus
    vocab_size: int | None
    weights: tuple[tuple[str, float], ...]
    # limits and numbers of the run (tokpress.training.options.FitConfig)
    max_minutes: float | None
    max_passes: float | None
    max_steps: int | None
    learning_rate: float | None
    warmup: int | None
    decay: float | None
    weight_decay: float | None
    rows: int | None
    seed: int | None
    device: str | None
    precision: str | None
    # train, train prior
    window: int | None = None
    compile: bool | None = None
    init: str | None = None
    memory: bool | None = None
    keep_checkpoint: bool = False
    # train
    preset: str | None = None
    # train prior
    prior: str | None = None
    tokenizer: str | None = None
    given: str | None = None
    # train tokenizer
    kind: str = "bpe"
    rate: float | None = None
    # train prior, train tokenizer
    values: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.resume and self.force:
            raise click.UsageError("--resume and -f exclude each other")
        if not self.corpus and not self.resume:
            raise click.UsageError("no CORPUS given: name files or folders to train on")
        for name, number in self.fit_numbers().items():
            if isinstance(number, float) and math.isnan(number):
                raise click.UsageError(f"--{name.replace('_', '-')} nan: give a number")
        if self.init and self.vocab_size:
            raise click.UsageError("--init brings its tokenizer: leave --vocab-size out")

    def fit_numbers(self) -> dict[str, Any]:
        """Numbers for FitConfig, where given."""
        from tokpress.training.options import FitConfig

        names = {field.name for field in fields(FitConfig)} & {field.name for field in fields(self)}
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


if TYPE_CHECKING:
    PairType = click.ParamType[tuple[str, str] | tuple[str, float]]
else:
    PairType = click.ParamType  # of older versions of click not generic


class Pair(PairType):
    """NAME=VALUE; the last = separates them."""

    name = "pair"

    def __init__(self, number: bool = False) -> None:
        self.number = number

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str] | tuple[str, float]:
        if isinstance(value, tuple):
            return value
        left, equals, right = value.rpartition("=")
        if not equals or not left:
            self.fail(f"{value!r} has no =: write NAME=VALUE", param, ctx)
        if not self.number:
            return left, right
        try:
            factor = float(right)
        except ValueError:
            factor = 0.0
        if not 0 < factor < float("inf"):
            self.fail(f"{right!r} in {value!r} is not a factor above 0", param, ctx)
        return left, factor


class Train(options.Command):
    """A command that is also a group: the first word may be one of `parts`, else it is a corpus."""

    #: subcommands by name
    parts: dict[str, click.Command]

    def add_parts(self, *commands: click.Command) -> None:
        self.parts = {command.name or "": command for command in commands}

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> click.Context:
        if args and args[0] in self.parts:
            return self.parts[args[0]].make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Presets"):
            formatter.write_dl([(name, f"{preset.about} ({preset.shape})") for name, preset in PRESETS.items()])
        with formatter.section("Commands (a corpus of that name: ./tokenizer)"):
            formatter.write_dl([(name, part.get_short_help_str(80)) for name, part in self.parts.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        words = [CompletionItem(name) for name in self.parts if name.startswith(incomplete)]
        return words + super().shell_complete(ctx, incomplete)


# --- options

corpus = click.argument("corpus", nargs=-1, type=options.FileName(), metavar="CORPUS...")
output = click.option(
    "-o", "--output", required=True, type=options.FileName(), metavar="DIR", help="Model directory to write."
)
resume = click.option("--resume", is_flag=True, help="Continue the unfinished run in DIR.")
force = options.force("Replace the model, tokenizer or run in DIR.")
device = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), metavar="NAME", show_default="auto",
    help="Train on cpu, cuda or mps.",
)  # fmt: skip
preset = click.option(
    "--preset",
    type=click.Choice(PRESETS),
    metavar="NAME",
    show_default="text",
    help="Size of model and run, see below.",
)
printing = options.all_of(options.quiet, options.verbose)


def vocab_size(default: str) -> Decorator:
    return click.option(
        "--vocab-size",
        type=click.IntRange(2, 65536),
        metavar="V",
        show_default=default,
        help="Symbols of the tokenizer.",
    )


def max_minutes(default: str) -> Decorator:
    return click.option(
        "--max-minutes", type=click.FloatRange(0, min_open=True), metavar="M", show_default=default, help="Stop after M minutes of steps."
    )  # fmt: skip


def settings_of(component: str) -> Decorator:
    return click.option(
        "--set",
        "values",
        type=Pair(),
        multiple=True,
        metavar="KEY=VALUE",
        help=f"Setting of the {component}; repeatable.",
    )


def _rows(default: str) -> Decorator:
    return click.option(
        "--rows", cls=Advanced, type=click.IntRange(1), metavar="B", show_default=default, help="Batch size."
    )


def _window(default: str) -> Decorator:
    return click.option(
        "--window", cls=Advanced, type=click.IntRange(16), metavar="T", show_default=default, help="Tokens in a sequence."
    )  # fmt: skip


def run(rows: str) -> Decorator:
    """Options of every training run. rows: the default batch size."""
    return options.all_of(
        click.option("--max-passes", cls=Advanced, type=click.FloatRange(0, min_open=True), metavar="N", show_default="8",
                     help="Stop after N passes over the corpus."),
        click.option("--max-steps", cls=Advanced, type=click.IntRange(1), metavar="N", help="Stop after N steps; replaces --max-minutes."),
        _rows(rows),
        click.option("--learning-rate", cls=Advanced, type=click.FloatRange(0, min_open=True), metavar="X", show_default="0.003",
                     help="Peak learning rate."),
        click.option("--warmup", cls=Advanced, type=click.IntRange(1), metavar="N", show_default="100",
                     help="Steps with a rising learning rate."),
        click.option("--decay", cls=Advanced, type=click.FloatRange(0, 1, min_open=True), metavar="X", show_default="0.6",
                     help="Final part with a falling rate."),
        click.option("--weight-decay", cls=Advanced, type=click.FloatRange(0), metavar="X", show_default="auto",
                     help="Weight decay of all matrices."),
        click.option("--seed", cls=Advanced, type=options.Whole(0), metavar="N", show_default="0", help="Seed of all random numbers."),
        click.option("--weight", "weights", cls=Advanced, type=Pair(number=True), multiple=True, metavar="GLOB=X",
                     help="Draw matching files X times as often; repeatable."),
        click.option("--precision", cls=Advanced, type=click.Choice(["auto", "bf16", "fp32"]), metavar="NAME", show_default="auto",
                     help="Matrix products in bf16 or fp32."),
    )  # fmt: skip


def fit(rows: str, window: str) -> Decorator:
    """Options of a run that trains a prior. rows, window: the default batch size and length."""
    return options.all_of(
        click.option("--init", cls=Advanced, type=options.FileName(), metavar="NAME|DIR", help="Start from this model and its tokenizer."),
        click.option("--memory/--no-memory", cls=Advanced, default=None, show_default="for mingru", help="Memory and bitwise mixing."),
        _window(window),
        run(rows),
        click.option("--compile/--no-compile", cls=Advanced, default=None, show_default="in long runs", help="Use torch.compile."),
        click.option("--keep-checkpoint", cls=Advanced, is_flag=True, help="Keep the checkpoint, to prolong the run later."),
    )  # fmt: skip
