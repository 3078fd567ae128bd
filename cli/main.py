"""`tokpress COMMAND …`: finds the command's module when it is asked for, and turns errors into exit codes.

0 done · 1 an error, told on stderr · 2 wrong usage · 128 + n stopped by signal n. Nothing but click is imported here.
"""

import contextlib
import os
import signal
import sys
import warnings
from importlib import import_module
from typing import Any, NoReturn

import click

from . import limits, overview, signals, terminal
from .overview import COMMANDS
from .signals import Interrupted
from .terminal import note

EXTRAS = {"torch": "torch", "array_api_compat": "torch", "accelerate": "train", "rich": "train", "zstandard": "train"}
EXTRAS |= {"brotli": "bench", "bz3": "bench", "pyppmd": "bench", "matplotlib": "bench"}


class Failure(click.ClickException):
    """An error told in one line: exit 1."""

    def show(self, file: Any = None) -> None:
        note(f"tokpress: {self.message}")


class Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return getattr(import_module(f".{name}", __package__), name) if name in COMMANDS else None

    def get_help(self, ctx: click.Context) -> str:
        return overview.text().rstrip()

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"no command {args[0]!r}; there are: {', '.join(COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except BrokenPipeError:  # the reader of our output has seen enough
            _silence_stdout()
            ctx.exit(1)
        except KeyboardInterrupt as stop:
            _exit_interrupted(ctx, stop)
        except Exception as error:
            try:
                signals.check()
            except Interrupted as stop:
                _exit_interrupted(ctx, stop)
            _explain(error, ctx.meta.get("tokpress.verbose", False))


def _exit_interrupted(ctx: click.Context, stop: KeyboardInterrupt) -> NoReturn:
    note("tokpress: interrupted")
    ctx.exit(128 + getattr(stop, "signum", signal.SIGINT))


def _explain(error: Exception, verbose: bool) -> NoReturn:
    if verbose:
        terminal.traceback()
    raise Failure(describe(error)) from error


def describe(error: Exception, place: str = "") -> str:
    """What went wrong, where, and what to do: one line. `place` comes first unless the message begins with it."""
    from tokpress.errors import TokpressError

    ctx = click.get_current_context(silent=True)
    compressing = ctx is not None and ctx.info_name in ("compress", "pack")
    if isinstance(error, TokpressError):
        message = str(error)
    elif met := limits.message(error, compressing):
        message = met
    elif isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        message = f"this needs {error.name}: pip install 'tokpress[{EXTRAS[error.name]}]'"
    elif isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    else:
        message = f"unexpected {type(error).__name__}: {error} (please report this; -v shows where it happened)"
    return message if not place or message.startswith(f"{place}:") else f"{place}: {message}"


def _show_usage(error: click.UsageError) -> None:
    """As click does, with what was typed made printable."""
    if error.ctx:
        for line in error.ctx.get_usage().splitlines():
            note(line)
        note(f"Try '{error.ctx.command_path} --help' for help.")
    note(f"Error: {error.format_message()}")


def _silence_stdout() -> None:
    """What is still buffered goes nowhere, instead of raising again when Python exits."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # stdout is closed, or no file
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (it stays open until the end)


def _version(ctx: click.Context, option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from tokpress._version import __version__

        terminal.say(f"tokpress {__version__}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
def cli() -> None:
    """Its help is `overview.text`."""


def run() -> None:
    """The whole process. Signals that end it unwind it first."""
    signals.install()
    warnings.showwarning = lambda message, *where, **more: note(f"tokpress: warning: {message}")
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with contextlib.suppress(AttributeError, ValueError):  # a stream that is no file
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        try:
            code = cli.main(prog_name="tokpress", standalone_mode=False) or 0
            if sys.stdout:
                sys.stdout.flush()
        except click.UsageError as error:
            _show_usage(error)
            code = error.exit_code
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except click.Abort as abort:  # what click makes of Interrupted outside of any command
            note("tokpress: interrupted")
            code = 128 + getattr(abort.__cause__, "signum", signal.SIGINT)
        except BrokenPipeError:
            _silence_stdout()
            code = 1
        except OSError as error:  # what was printed could not be flushed
            _silence_stdout()
            note(f"tokpress: stdout: {describe(error)}")
            code = 1
        finally:
            signals.over()
    except Interrupted as stop:
        signals.over()
        code = 128 + stop.signum
    if output := sys.modules.get(f"{__package__}.output"):
        output.sweep()
    if code > 128:  # a signal: another thread is not waited for
        for stream in filter(None, (sys.stdout, sys.stderr)):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)
