"""tokpress sample"""

import math
import sys

import click

from . import options
from .output import check, create, standard_output


@click.command()
@options.model
@click.option(
    "-n", "tokens", type=click.IntRange(1), default=256, show_default=True, metavar="TOKENS", help="How many."
)
@click.option("--seed", type=click.IntRange(0), help="The same seed draws the same bytes.")
@click.option(
    "--temperature", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True,
    help="Below 1: likelier tokens only. Above: bolder.",
)  # fmt: skip
@options.all_of(options.output, options.force, options.kernel, options.threads, options.verbose)
def sample(model, tokens, seed, temperature, output, force, kernel, verbose):
    """Draw TOKENS tokens from a model ("text" without -m) and print the bytes they stand for."""
    if math.isnan(temperature):
        raise click.BadParameter("nan is no temperature")
    if output and output != "-":
        check(output, "-", force)
    from tokpress import store

    chosen = store.load(model or "text")
    chosen.kernel = kernel
    drawn = chosen.sample(tokens, seed, temperature)
    if output and output != "-":
        with create(output, force) as file:
            file.write(drawn)
    elif sys.stdout.isatty():
        click.echo(_readable(drawn))
    else:
        with standard_output(binary=False) as stream:
            stream.write(drawn)


def _readable(data: bytes) -> str:
    """As text, with nothing in it that a terminal would obey."""
    text = data.decode("utf-8", "replace")
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
