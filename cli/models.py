"""tokpress models"""

import json

import click

from . import catalog, options
from .progress import note, printable


@click.command()
@options.all_of(options.as_json, options.verbose)
@click.pass_context
def models(ctx, as_json, verbose):
    """List the models at hand: shipped ones, and those in the folders that $TOKPRESS_MODELS names.

    -v shows where each lives, and its card.
    """
    from tokpress.errors import ModelError
    from tokpress.store import folders

    found, broken = [], False
    for name, folder in folders().items():
        try:
            found.append(catalog.describe(name, folder))
        except (ModelError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            note(f"tokpress: model {name}: {folder} is no sound model directory: {type(error).__name__}: {error}")
            broken = True
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        rows = [("name", "id", "tokenizer", "prior", "bytes", "parameters")]
        for m in found:
            sizes = f"{m['model_bytes']:,}", f"{m['parameters']:,}"
            rows.append((printable(m["name"]), m["id"], m["tokenizer"], m["prior"], *sizes))
        widths = [max(map(len, column)) for column in zip(*rows)]
        for number, row in enumerate(rows):
            texts = [cell.rjust(w) if i > 3 else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths))]
            click.echo("  ".join(texts).rstrip())
            if verbose and number:
                card = found[number - 1]["card"]
                click.echo(printable(f"  {card or found[number - 1]['folder'] + ' (no card)'}"))
    if broken:
        ctx.exit(1)
