"""tokpress sample: draw from a model, write the bytes."""

import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import catalog, options
from .output import check
from .progress import warn_without_core
from .streams import destination, is_stdout, standard_output
from .targets import auxiliary_files, check_not_read
from .terminal import show

if TYPE_CHECKING:
    from tokpress.models.model import Model

#: drawn where -n is not given
TOKENS = 256
#: most of one call
MAX_TOKENS = 1 << 30


@dataclass(frozen=True)
class Settings:
    """The options of one call."""

    model: str
    tokens: int | None
    items: int | None
    seed: int | None
    temperature: float
    by_decoding: bool
    png: str | None
    prompt: str | None
    scale: int
    given: str | None
    output: str | None
    force: bool
    kernel: str
    verbose: bool

    def __post_init__(self) -> None:
        if not math.isfinite(self.temperature):
            raise click.UsageError(f"--temperature {self.temperature:g}: give a number above 0")
        if self.by_decoding and self.temperature != 1:
            raise click.UsageError("--by-decoding draws at temperature 1: leave --temperature out")
        if self.prompt and (self.items or self.by_decoding):
            raise click.UsageError("--prompt goes on token by token: leave --items and --by-decoding out")
        if self.tokens and self.items:
            raise click.UsageError("-n and --items exclude each other")
        if self.png and not (self.items and self.file):
            raise click.UsageError("--png needs --items N and -o FILE")
        if self.scale > 1 and not self.png:
            raise click.UsageError("--scale enlarges the pixels of --png: add --png SHAPE")

    @property
    def file(self) -> str | None:
        """The output file; None is stdout."""
        return None if is_stdout(self.output) else self.output


@click.command(cls=options.Command)
@options.all_of(
    options.model(default="text", show_default=True),
    click.option("-n", "tokens", type=options.Whole(1, MAX_TOKENS), metavar="N", show_default=str(TOKENS), help="Number of tokens."),
    click.option("--seed", type=options.Whole(0), metavar="N", show_default="random", help="Seed of the random numbers."),
    click.option("--temperature", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True, metavar="X",
                 help="Lower draws likelier tokens; above 0."),
    click.option("--prompt", metavar="TEXT|@FILE", help="Text to go on from, or a file of it."),
    options.output(default="stdout"), options.overwrite, options.verbose,
    click.option("--items", cls=options.Advanced, type=click.IntRange(1, 4096), metavar="N",
                 help="Draw N items of an item model, 1 to 4096; replaces -n."),
    click.option("--png", cls=options.Advanced, metavar="SHAPE", help="Write one PNG of all items, each of SHAPE: 28x28."),
    click.option("--scale", cls=options.Advanced, type=click.IntRange(1, 64), default=1, show_default=True, metavar="N",
                 help="Enlarge each pixel of --png to N × N."),
    click.option("--by-decoding", cls=options.Advanced, is_flag=True, help="Decode random bits instead of drawing each token."),
    options.given, options.plugins, options.threads, options.kernel,
)  # fmt: skip
def sample(**values: Any) -> None:
    """Draw tokens from a model and write their bytes.

    With --prompt, the model reads the prompt first, and the output begins with it. The model must be one of text or bytes.

    \b
    Examples:
      tokpress sample -n 100
      tokpress sample -n 40 --prompt 'Once upon a time'
      tokpress sample --seed 1 --temperature 0.8 -o drawn.txt
    """
    settings = Settings(**values)
    if settings.file:
        check(settings.file, "-", settings.force)
        check_not_read(settings.file, auxiliary_files([settings.model], settings.given))
    warn_without_core()
    (model,) = catalog.load([settings.model], settings.given)
    prompt = _prompt(settings.prompt)
    drawn = prompt + _draw(settings, model, prompt)
    if not settings.file:
        _print(drawn)
    elif settings.png:
        _write_png(settings, settings.file, drawn)
    else:
        with destination(settings.file, settings.force) as file:
            file.write(drawn)


def _prompt(prompt: str | None) -> bytes:
    """The text of --prompt in UTF-8, or the bytes of the file behind @."""
    if prompt and prompt.startswith("@"):
        return Path(prompt[1:]).read_bytes()
    return os.fsencode(prompt or "")


def _draw(settings: Settings, model: "Model", prompt: bytes) -> bytes:
    from tokpress.errors import TokpressError

    if settings.items and model.prior.rules.order is None:
        raise TokpressError(f"the model {model.name} has no items: give a number of tokens with -n")
    count = settings.items * model.prior.rules.stride if settings.items else settings.tokens or TOKENS
    lanes = settings.items or 1
    if not settings.by_decoding:
        return model.sample(count, settings.seed, settings.temperature, lanes, settings.kernel, prompt=prompt)
    import numpy as np

    noise_bytes = int(count * math.log2(model.prior.vocab_size) / 8) + (settings.items or 0) + 64
    noise = np.random.default_rng(settings.seed).bytes(noise_bytes)
    return model.sample_bits(count, noise, lanes, settings.kernel)


def _write_png(settings: Settings, file: str, drawn: bytes) -> None:
    from tokpress.exact.orders import parse_shape
    from tokpress.media import pictures

    items = pictures.pixels(drawn, settings.items or 1, parse_shape(settings.png or ""))
    picture = pictures.grid(pictures.enlarged(items, settings.scale))
    with destination(file, settings.force) as out:
        pictures.write_png(out, picture)


def _print(drawn: bytes) -> None:
    if sys.stdout and sys.stdout.isatty():
        show(drawn.decode("utf-8", "replace") + "\n")
    else:
        with standard_output(binary=False) as stream:
            stream.write(drawn)
