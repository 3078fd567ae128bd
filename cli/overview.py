"""Answer `tokpress`, `tokpress --help` and `tokpress --version` without click: its import takes three times as long as the rest."""

import os

from tokpress._version import __version__

from . import terminal

#: name → help; the module of the same name beside this one holds a click command of the same name
COMMANDS = {
    "compress": "Compress files to .tokp.",
    "decompress": "Restore the sources of .tokp files.",
    "pack": "Put many small files into one .tokp file.",
    "unpack": "Take files out of an archive of pack's.",
    "test": "Decode .tokp files without writing anything.",
    "info": "Tell what .tokp files hold, without decoding.",
    "models": "List the models at hand.",
    "score": "Bits that each file, line, token or byte costs.",
    "sample": "Draw bytes from a model.",
    "bench": "Measure tokpress and other compressors on your files.",
    "train": "Train a tokenizer and a prior on your own files.",
    "completion": "Print a script for your shell's completion.",
}

_TEXT = """\
Usage: tokpress [OPTIONS] COMMAND [ARGS]...

  Lossless compression by autoregressive models, exact on every machine.

  `tokpress compress book.txt` writes book.txt.tokp, `tokpress decompress
  book.txt.tokp` gives the file back.

Options:
  --version   Print the version.
  -h, --help  Show this message and exit.

Commands:
"""


def text() -> str:
    width = max(map(len, COMMANDS))
    return _TEXT + "".join(f"  {name:{width}}  {told}\n" for name, told in COMMANDS.items())


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
