"""tokpress models"""

from typing import Any

import click

from . import catalog, options
from .terminal import note, say, show_json

HEAD = ("name", "id", "tokenizer", "prior", "bytes", "parameters")
#: characters of a cell of the table
WIDEST = 60


@click.command()
@options.all_of(options.as_json, options.verbose)
@click.pass_context
def models(ctx, as_json, verbose):
    """List the models at hand: shipped ones, and those in the folders that $TOKPRESS_MODELS names.

    -v shows where each lives, and its card.
    """
    from tokpress.models.store import folders

    found: list[dict[str, Any]] = []
    broken = False
    for name, folder in folders().items():
        try:
            found.append(catalog.describe(name, folder))
        except MemoryError:  # not the model's fault
            raise
        except Exception as error:  # a directory may hold anything; the others are listed all the same
            note(f"tokpress: model {name}: {folder} is no sound model directory: {type(error).__name__}: {error}")
            broken = True
    if as_json:
        show_json(found)
    else:
        _table(found, verbose)
    if broken:
        ctx.exit(1)


def _table(found: list[dict[str, Any]], verbose: bool) -> None:
    rows = [HEAD] + [(m["name"], m["id"], m["tokenizer"], m["prior"], *_sizes(m)) for m in found]
    cells = [[cell if len(cell) <= WIDEST else cell[: WIDEST - 1] + "…" for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    for number, row in enumerate(cells):
        texts = [cell.rjust(w) if i > 3 else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths))]
        say("  ".join(texts).rstrip())
        if verbose and number:
            say(f"  {found[number - 1]['card'] or found[number - 1]['folder'] + ' (no card)'}")


def _sizes(model: dict[str, Any]) -> tuple[str, str]:
    return f"{model['model_bytes']:,}", f"{model['parameters']:,}"
