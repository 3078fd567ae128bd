"""Options that several commands share. Each is a decorator; nothing heavy is imported."""

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from . import limits
from .progress import tell_of_twins

THREADS = ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "RAYON")


def _verbose(ctx: click.Context, option: click.Parameter, value: bool) -> bool:
    ctx.meta["tokpress.verbose"] = value
    return value


def _quiet(ctx: click.Context, option: click.Parameter, value: bool) -> bool:
    if not value and not ctx.resilient_parsing:
        tell_of_twins()
    return value


def _threads(ctx: click.Context, option: click.Parameter, count: int) -> int:
    """Limit the threads of everything that is imported later. Results never depend on it. Raises TokpressError where
    memory is limited too much for that."""
    if not ctx.resilient_parsing:
        limits.check()
    if count and not ctx.resilient_parsing:
        for library in THREADS:
            name = f"{library}_NUM_THREADS" if "_" not in library else f"{library}_THREADS"
            os.environ[name] = str(count)
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(count)
    return count


def _plugins(ctx: click.Context, option: click.Parameter, names: tuple[str, ...]) -> None:
    """Import the user's own components before anything looks for them."""
    if names and not ctx.resilient_parsing:
        from tokpress.registry import load_module

        ctx.meta["tokpress.imports"] = names
        for name in names:
            load_module(name)


class Size(click.ParamType):
    """A number of bytes: 65536, 64K, 16M, 1G (powers of 1024; also 16MB, 16MiB)."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        digits = value.strip().upper().removesuffix("IB").removesuffix("B")
        power = "KMG".find(digits[-1:]) + 1 if digits else 0
        number = digits[:-1] if power else digits
        if not number.isascii() or not number.isdigit():
            self.fail(f"{value!r} is no size; write 65536, 64K or 16M", param, ctx)
        if not 1 <= (size := int(number) << 10 * power) <= 1 << 26:
            self.fail(f"{value!r} is outside 1 … 64M", param, ctx)
        return size


class Name(click.Path):
    """A name that is not empty, which a script with an unset variable would give. Whether it can be read is told when it is."""

    def __init__(self) -> None:
        super().__init__(readable=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not value:
            self.fail("the name is empty", param, ctx)
        return super().convert(value, param, ctx)


files = click.argument("files", nargs=-1, type=Name(), metavar="[FILE]...")
output = click.option("-o", "--output", type=Name(), metavar="FILE", help="Write to FILE (- is stdout).")
stdout = click.option("-c", "--stdout", is_flag=True, help="Write to stdout.")
force = click.option("-f", "--force", is_flag=True, help="Overwrite; write to a terminal; compress .tokp files again.")
force_restore = click.option("-f", "--force", is_flag=True, help="Overwrite existing files; write to a terminal.")
overwrite = click.option("-f", "--force", is_flag=True, help="Overwrite existing files.")
keep = click.option("-k", "--keep", is_flag=True, help="Keep the inputs (the default).")
remove = click.option(
    "--rm", "remove", is_flag=True,
    help="Delete each input once its output is on disk, decoded and compared. A link needs -f; its file stays.",
)  # fmt: skip
remove_compressed = click.option(
    "--rm", "remove", is_flag=True,
    help="Delete each input once its output is complete on disk. A link needs -f; its file stays.",
)  # fmt: skip
quiet = click.option("-q", "--quiet", is_flag=True, callback=_quiet, help="Only tell about errors.")
verbose = click.option("-v", "--verbose", is_flag=True, callback=_verbose, help="Tell more; tracebacks of errors.")
threads = click.option(
    "-T", "--threads", type=click.IntRange(0), default=0, is_eager=True, expose_value=False, callback=_threads,
    metavar="N", help="Use at most N threads (0: all). The result is the same.",
)  # fmt: skip
kernel = click.option(
    "--kernel", type=click.Choice(["auto", "numpy", "native", "int8", "float"]), default="auto", show_default=True,
    help="What computes integer products: the native core, numpy, or torch (int8, float). The result is the same.",
)  # fmt: skip
lanes = click.option(
    "--lanes",
    type=click.IntRange(1, 512),
    metavar="N",
    help="Code N sequences side by side: more are faster, and take more bytes.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def all_of(*decorators: Callable) -> Callable[[Callable], Callable]:
    """Several decorators as one, in the order in which --help shall list them."""

    def decorate(command: Callable) -> Callable:
        for each in reversed(decorators):
            command = each(command)
        return command

    return decorate


plugins = click.option(
    "--import", multiple=True, expose_value=False, is_eager=True, callback=_plugins, metavar="MODULE",
    help="Import a module or .py file of yours that registers components.",
)  # fmt: skip
model = all_of(click.option("-m", "--model", type=Name(), metavar="NAME|DIR", help="Use this model."), plugins)
models = all_of(
    click.option(
        "-m", "--model", "models", multiple=True, type=Name(), metavar="NAME|DIR",
        help="Also use this model; repeatable.",
    ),
    plugins,
)  # fmt: skip


given = click.option(
    "--given", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
    help="What FILE was, or is to be, predicted from, for models of one file given another.",
)  # fmt: skip


def bound(models: list, given: str | None) -> list:
    """The models with what they predict from; those that predict from nothing stay as they are."""
    if given is None:
        return models
    with open(given, "rb") as file:
        source = file.read()
    if not any(model.prior.rules.given_size for model in models):
        raise click.UsageError("--given is for models of one file given another: name one with -m")
    return [model.given(source) if model.prior.rules.given_size else model for model in models]


def sources(names: tuple[str, ...]) -> list[str]:
    """The inputs: FILE…, or stdin where there is none and it is no terminal."""
    if names:
        return list(names)
    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError("no FILE given, and nothing is piped in")
    return ["-"]


def shown(name: str) -> str:
    return "stdin" if name == "-" else name
