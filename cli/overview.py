"""Answers `tokpress`, `tokpress --help` and `tokpress --version` without click, whose import takes 30 ms."""

import os

from tokpress._version import __version__

from . import terminal

#: name → help; a module of that name in this folder has a click command of that name
COMMANDS = {
    "compress": "Compress files: FILE becomes FILE.tokp.",
    "decompress": "Restore files: FILE.tokp becomes FILE.",
    "pack": "Pack files and folders into one archive.",
    "unpack": "Restore the files of an archive.",
    "test": "Verify .tokp files without writing anything.",
    "migrate": "Code .tokp files again by the models of this release.",
    "info": "Show sizes, frames and models of .tokp files.",
    "index": "Write the index of .tokp files, for reading parts of them.",
    "prime": "Read a context once, for all later calls with --context.",
    "models": "List the installed models.",
    "list": "List the priors or tokenizers that can be trained.",
    "score": "Print the bits that each file, line, token or byte costs.",
    "sample": "Draw text or other data from a model.",
    "bench": "Measure tokpress and other compressors on your files.",
    "train": "Train a model on your files.",
    "completion": "Print the completion script of a shell.",
}

_TEXT = """\
Usage: tokpress [OPTIONS] COMMAND [ARGS]...

  Compress files with autoregressive models. Every file is restored byte for
  byte, on every machine. `tokpress COMMAND --help` explains a command.

  Examples:
    tokpress compress book.txt         writes book.txt.tokp
    tokpress decompress book.txt.tokp  writes book.txt

Commands:
"""
_OPTIONS = """
Options:
  --version   Print the version.
  -h, --help  Show this message and exit.
"""


def text() -> str:
    width = max(map(len, COMMANDS))
    return _TEXT + "".join(f"  {name:{width}}  {line}\n" for name, line in COMMANDS.items()) + _OPTIONS


def answer(words: list[str]) -> int | None:
    """Print the overview, help or version. Returns the exit code, or None where the words name a command. Raises OSError."""
    if "_TOKPRESS_COMPLETE" in os.environ:  # a shell asks for completions
        return None
    if not words:
        terminal.show(text(), err=True)
        return 2
    if words in (["--help"], ["-h"]):
        terminal.show(text())
    elif words == ["--version"]:
        terminal.say(f"tokpress {__version__}")
    else:
        return None
    return 0
