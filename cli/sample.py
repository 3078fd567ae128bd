"""tokpress sample"""

import math
import sys

import click

from . import options
from .output import check
from .place import check_not_read, read_beside
from .progress import tell_of_twins
from .streams import destination, standard_output
from .terminal import show


@click.command()
@options.model
@click.option("-n", "tokens", type=click.IntRange(1), metavar="TOKENS", help="How many.  [default: 256]")
@click.option("--items", type=click.IntRange(1, 4096), metavar="N", help="N items (pictures), for priors of items.")
@click.option("--seed", type=click.IntRange(0), help="The same seed draws the same bytes.")
@click.option(
    "--temperature", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True,
    help="Below 1: likelier tokens only. Above: bolder.",
)  # fmt: skip
@click.option("--by-decoding", is_flag=True, help="Decode random bits, in place of drawing token by token.")
@click.option("--png", metavar="SHAPE", help="Write the items as one PNG of pictures of this SHAPE, 28x28 say.")
@options.all_of(options.given, options.output, options.overwrite, options.kernel, options.threads, options.verbose)
@click.pass_context
def sample(ctx, model, tokens, items, seed, temperature, by_decoding, png, given, output, force, kernel, verbose):
    """Draw TOKENS tokens, or N items, from a model ("text" without -m) and print the bytes they stand for."""
    if math.isnan(temperature):
        raise click.BadParameter("nan is no temperature", ctx)
    if by_decoding and temperature != 1:
        raise click.UsageError("bits are decoded at temperature 1: leave --temperature out", ctx)
    if tokens and items:
        raise click.UsageError("-n and --items exclude each other", ctx)
    if png and not (items and output and output != "-"):
        raise click.UsageError("--png goes with --items N and -o FILE", ctx)
    if output and output != "-":
        check(output, "-", force)
        check_not_read(output, read_beside(ctx, [model] if model else [], given))
    tell_of_twins()
    import numpy as np

    from tokpress.errors import TokpressError
    from tokpress.exact.orders import parse_shape
    from tokpress.media import pictures
    from tokpress.models import store

    (chosen,) = options.bound([store.load(model or "text")], given)
    if items and chosen.prior.rules.order is None:
        raise TokpressError(f"the prior of {chosen.name} knows no items: say how many tokens with -n")
    count = items * chosen.prior.rules.stride if items else tokens or 256
    if by_decoding:
        noise = np.random.default_rng(seed).bytes(
            int(count * math.log2(chosen.prior.vocab_size) / 8) + (items or 0) + 64
        )
        drawn = chosen.sample_bits(count, noise, items or 1, kernel)
    else:
        drawn = chosen.sample(count, seed, temperature, items or 1, kernel)
    if output and output != "-":
        picture = pictures.grid(pictures.pixels(drawn, items, parse_shape(png))) if png else None
        with destination(output, force) as file:
            if picture is not None:
                pictures.write_png(file, picture)
            else:
                file.write(drawn)
    elif sys.stdout.isatty():
        show(drawn.decode("utf-8", "replace") + "\n")
    else:
        with standard_output(binary=False) as stream:
            stream.write(drawn)
