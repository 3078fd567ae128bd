"""`tokpress COMMAND …`: imports the module of the command, and turns errors into messages and exit codes.

0 done · 1 an error · 2 wrong usage · 128 + n stopped by signal n. Messages go to stderr. Only click is imported here.
"""

import contextlib
import os
import re
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

#: package → the extra of tokpress that installs it
EXTRAS = {"torch": "torch", "array_api_compat": "torch"}
EXTRAS |= dict.fromkeys(("accelerate", "rich", "safetensors", "zstandard"), "train")
EXTRAS |= {
    "brotli": "bench",
    "bz3": "bench",
    "pyppmd": "bench",
    "matplotlib": "bench",
    "fsspec": "fsspec",
    "ray": "ray",
}


class Failure(click.ClickException):
    """An error with a message of one line: exit code 1."""

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
            raise click.UsageError(f"no command {args[0]!r}: choose one of {', '.join(COMMANDS)}", ctx)
        return super().resolve_command(ctx, _decompressing(args))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except BrokenPipeError:  # the reader of stdout has closed it
            _silence_stdout()
            ctx.exit(1)
        except KeyboardInterrupt as interrupt:
            _exit_interrupted(ctx, interrupt)
        except Exception as error:
            try:
                signals.check()
            except Interrupted as interrupt:
                _exit_interrupted(ctx, interrupt)
            if ctx.meta.get("tokpress.verbose"):
                terminal.traceback()
            raise Failure(describe(error)) from error


def _decompressing(args: list[str]) -> list[str]:
    """`compress -d`, as in zstd and xz, is `decompress`; also -dc and the like."""
    if args[0] != "compress":
        return args
    end = args.index("--") if "--" in args else len(args)
    for at, word in enumerate(args[1:end], 1):
        if word == "--decompress" or re.fullmatch("-[cfkqrv]*d[cfkqrv]*", word):
            rest = word.replace("d", "", 1) if word[1] != "-" else "-"
            return ["decompress", *args[1:at], *([rest] if rest != "-" else []), *args[at + 1 :]]
    return args


def _exit_interrupted(ctx: click.Context, interrupt: KeyboardInterrupt) -> NoReturn:
    note("tokpress: interrupted")
    ctx.exit(128 + getattr(interrupt, "signum", signal.SIGINT))


def describe(error: Exception, name: str = "") -> str:
    """What went wrong, where, and what to do, in one line. The name of the file comes first, once."""
    from tokpress.errors import TokpressError
    from tokpress.registry import blame

    ctx = click.get_current_context(silent=True)
    compressing = ctx is not None and ctx.info_name in ("compress", "pack")
    if isinstance(error, TokpressError):
        message = str(error)
    elif limit := limits.message(error, compressing):
        message = limit
    elif isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        message = f"this needs {error.name}: pip install 'tokpress[{EXTRAS[error.name]}]'"
    elif isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif not (message := blame(error)):
        message = f"unexpected {type(error).__name__}: {error}: please report this, with the traceback that -v prints"
    return message if not name or message.startswith(f"{name}:") else f"{name}: {message}"


def _show_usage(error: click.UsageError) -> None:
    """As click prints it, with control characters escaped."""
    if error.ctx:
        for line in error.ctx.get_usage().splitlines():
            note(line)
        note(f"Try '{error.ctx.command_path} --help' for help.")
    note(f"Error: {error.format_message()}")


def _silence_stdout() -> None:
    """Discard the buffered output, which would raise again when Python exits."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # stdout is closed, or no file
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (it stays open until the end)


def _print_version(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from tokpress._version import __version__

        terminal.say(f"tokpress {__version__}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
def cli() -> None:
    """Its help is `overview.text`."""


def run() -> None:
    """The whole process. A signal that ends it unwinds it first."""
    signals.install()
    warnings.showwarning = lambda message, *position, **more: note(f"tokpress: warning: {message}")
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with contextlib.suppress(AttributeError, ValueError):  # a stream that is not a file
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            code = _exit_code()
        finally:
            signals.finish()
    except Interrupted as interrupt:
        signals.finish()
        code = 128 + interrupt.signum
    if output := sys.modules.get(f"{__package__}.output"):
        output.sweep()
    if code > 128:  # a signal: other threads are not waited for
        for stream in filter(None, (sys.stdout, sys.stderr)):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _exit_code() -> int:
    """Run the command, and print its error."""
    try:
        code = cli.main(prog_name="tokpress", standalone_mode=False) or 0
        if sys.stdout:
            sys.stdout.flush()
        return code
    except click.UsageError as error:
        _show_usage(error)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort as abort:  # raised by click for Interrupted outside of a command
        note("tokpress: interrupted")
        return 128 + getattr(abort.__cause__, "signum", signal.SIGINT)
    except BrokenPipeError:
        _silence_stdout()
        return 1
    except OSError as error:  # stdout could not be flushed
        _silence_stdout()
        note(f"tokpress: stdout: {describe(error)}")
        return 1
