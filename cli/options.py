"""Options that several commands share, and the layout of a command's --help. Nothing heavy is imported.

A command takes its parameters as one frozen dataclass, `Settings`, which rejects options that contradict each other. Its phases are
functions of these settings.
"""

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from . import limits
from .progress import warn_without_core

#: environment variables that limit the threads of a library
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "RAYON_NUM_THREADS",
)  # fmt: skip
KERNELS = ("auto", "native", "numpy", "int8", "float")
#: of a Ray: a host and a port, or a name that Ray knows
_ADDRESS = re.compile(r"auto|local|(ray://)?[^/\s]+:\d+")
#: adds options to a command
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    SizeType = click.ParamType[int]
else:
    SizeType = click.ParamType  # of older versions of click not generic


class Advanced(click.Option):
    """An option that --help lists after the everyday ones."""


class Command(click.Command):
    """A command whose --help lists everyday options, then advanced ones, each with its default.

    An option that names one file or model is given once: a second name would silently replace the first."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            given = Counter(self.make_parser(ctx).parse_args(args.copy())[2])
            for option, count in given.items():
                if (
                    count > 1
                    and isinstance(option.type, click.Path)
                    and isinstance(option, click.Option)
                    and not option.multiple
                ):
                    message = f"{option.opts[-1]} is given {count} times, and takes one {option.metavar}"
                    raise click.UsageError(message, ctx)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        everyday: list[tuple[str, str]] = []
        advanced: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)):
                rows = advanced if isinstance(parameter, Advanced) else everyday
                rows.append((record[0], _help_text(parameter)))
        for title, rows in (("Options", everyday), ("Advanced options", advanced)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _help_text(option: click.Option) -> str:
    """The help of an option and its default, without the range that click adds."""
    default = option.default if option.show_default is True else option.show_default
    note = "required" if option.required else f"default: {default}" if default else ""
    return f"{option.help}  [{note}]" if note else option.help or ""


# --- callbacks


def _inputs(ctx: click.Context, argument: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    """FILE…, or stdin where there is none and stdin is not a terminal."""
    if names or ctx.resilient_parsing:
        return names
    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError("no FILE given, and nothing is piped in: name a file", ctx)
    return ("-",)


def _set_verbose(ctx: click.Context, option: click.Parameter, value: bool) -> bool:
    ctx.meta["tokpress.verbose"] = value
    return value


def _set_quiet(ctx: click.Context, option: click.Parameter, value: bool) -> bool:
    if not value and not ctx.resilient_parsing:
        warn_without_core()
    return value


def _limit_threads(ctx: click.Context, option: click.Parameter, count: int) -> int:
    """Limit the threads of everything that is imported later. Raises TokpressError where the memory limit is too low."""
    if not ctx.resilient_parsing:
        limits.check()
    ctx.meta["tokpress.threads"] = count
    if count and not ctx.resilient_parsing:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(count)))
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(count)
    return count


def _import_modules(ctx: click.Context, option: click.Parameter, names: tuple[str, ...]) -> None:
    """Import the user's own components before anything looks for them."""
    if names and not ctx.resilient_parsing:
        from tokpress.registry import load_module

        ctx.meta["tokpress.imports"] = names
        for name in names:
            load_module(name)


def _check_address(ctx: click.Context, option: click.Parameter, address: str | None) -> str | None:
    """The address of a Ray; "" where --ray has no value."""
    if address and not _ADDRESS.fullmatch(address):
        raise click.UsageError(f"--ray {address}: is no address: put --ray last, or name HOST:PORT, auto or local", ctx)
    return address


# --- parameter types


class Size(SizeType):
    """A number of bytes: 65536, 64K, 16M (powers of 1024; also 16MB, 16MiB)."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        digits = value.strip().upper().removesuffix("IB").removesuffix("B")
        power = "KMG".find(digits[-1:]) + 1 if digits else 0
        number = digits[:-1] if power else digits
        if not number.isascii() or not number.isdigit():
            self.fail(f"{value!r} is not a size: write 65536, 64K or 16M", param, ctx)
        if not 1 <= (size := int(number) << 10 * power) <= 1 << 26:
            self.fail(f"{value!r} is out of range: 1 to 64M bytes", param, ctx)
        return size


class Whole(click.IntRange):
    """A whole number from `min` on, to `max` where that is given."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            number = int(value)
        except ValueError:
            self.fail(f"{value!r} is not a whole number", param, ctx)
        if number < (self.min or 0) or (self.max is not None and number > self.max):
            limits = f"{self.min:,} or more" if self.max is None else f"{self.min:,} to {self.max:,}"
            self.fail(f"{value} is out of range: {limits}", param, ctx)
        return number


class FileName(click.Path):
    """A name that is not empty; a script with an unset variable would give an empty one. The file may be missing: the command
    reports that when it opens the file."""

    def __init__(self) -> None:
        super().__init__(readable=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not value:
            self.fail("the name is empty", param, ctx)
        return super().convert(value, param, ctx)


# --- options


def all_of(*decorators: Decorator) -> Decorator:
    """Several decorators as one, in the order of --help."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def output(default: str) -> Decorator:
    return click.option(
        "-o", "--output", type=FileName(), metavar="FILE", show_default=default, help="Output file; - is stdout."
    )


def force(help_text: str) -> Decorator:
    return click.option("-f", "--force", is_flag=True, help=help_text)


def complete_models(ctx: click.Context, parameter: click.Parameter, begun: str) -> "list[CompletionItem]":
    """Names of models, and folders."""
    from click.shell_completion import CompletionItem

    from tokpress.models.store import folders

    return [*_beginning(sorted(folders()), begun), CompletionItem(begun, type="dir")]


def complete_components(kind: str, *more: str) -> "Callable[..., list[CompletionItem]]":
    """Names of priors or tokenizers. more: "file" where a path may stand as well."""

    def complete(ctx: click.Context, parameter: click.Parameter, begun: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        from tokpress.priors.registry import PRIORS
        from tokpress.tokenizers.registry import TOKENIZERS

        names = PRIORS.names() if kind == "priors" else TOKENIZERS.names()
        return [*_beginning(names, begun), *(CompletionItem(begun, type=each) for each in more)]

    return complete


def _beginning(names: Iterable[str], begun: str) -> "list[CompletionItem]":
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in names if name.startswith(begun)]


def model(**default: Any) -> Decorator:
    return click.option(
        "-m",
        "--model",
        type=FileName(),
        metavar="NAME|DIR",
        help="Model to use.",
        shell_complete=complete_models,
        **default,
    )


files = click.argument("files", nargs=-1, type=FileName(), metavar="[FILE]...", callback=_inputs)
recursive = click.option("-r", "--recursive", is_flag=True, help="Take the files in folders and below.")
stdout = click.option("-c", "--stdout", is_flag=True, help="Write to stdout.")
overwrite = force("Overwrite existing files.")
keep = click.option("-k", "--keep", is_flag=True, help="Keep the input files (the default).")
remove = click.option("--rm", "remove", is_flag=True, help="Delete each input after its output is verified.")
remove_compressed = click.option("--rm", "remove", is_flag=True, help="Delete each input after its output is complete.")
quiet = click.option("-q", "--quiet", is_flag=True, callback=_set_quiet, help="Print errors only.")
verbose = click.option(
    "-v", "--verbose", is_flag=True, callback=_set_verbose, help="Print details, and a traceback for each error."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
models = click.option(
    "-m", "--model", "models", multiple=True, type=FileName(), metavar="NAME|DIR",
    help="Add a model that the file may need; repeatable.", shell_complete=complete_models,
)  # fmt: skip
threads = click.option(
    "-T", "--threads", cls=Advanced, type=click.IntRange(0), default=0, is_eager=True, expose_value=False,
    callback=_limit_threads, metavar="N", show_default="all cores", help="Maximum number of threads.",
)  # fmt: skip
kernel = click.option(
    "--kernel", cls=Advanced, type=click.Choice(KERNELS), default="auto", show_default=True, metavar="NAME",
    help=f"By {', '.join(KERNELS[1:-1])} or {KERNELS[-1]} (slow).",
)  # fmt: skip
ray = click.option(
    "--ray", cls=Advanced, is_flag=False, flag_value="", callback=_check_address, metavar="[ADDRESS]",
    help="Work on all machines of a Ray cluster.",
)  # fmt: skip
lanes = click.option(
    "--lanes", cls=Advanced, type=click.IntRange(1, 512), metavar="N", show_default="by size",
    help="Parallel sequences, 1 to 512.",
)  # fmt: skip
given = click.option(
    "--given", cls=Advanced, type=click.Path(exists=True, dir_okay=False), metavar="FILE",
    help="File that a conditional model predicts from.",
)  # fmt: skip
context = click.option(
    "--context", type=FileName(), metavar="FILE", help="File that the model reads first; - is stdin.",
)  # fmt: skip
embed = click.option(
    "--embed", cls=Advanced, is_flag=True, help="Put the models into the file, which then stands alone.",
)  # fmt: skip
plugins = click.option(
    "--import", cls=Advanced, multiple=True, expose_value=False, is_eager=True, callback=_import_modules, metavar="FILE",
    help="Import a .py file or a module; repeatable.",
)  # fmt: skip
