"""tokpress models"""

from dataclasses import dataclass
from typing import Any

import click

from . import catalog, options
from .terminal import note, say, show_json

HEAD = ("name", "id", "tokenizer", "prior", "bytes", "parameters")
#: columns from this one on hold numbers
FIRST_NUMBER = HEAD.index("bytes")
#: characters of a cell
MAX_WIDTH = 60


@dataclass(frozen=True)
class Settings:
    """The options of one call."""

    as_json: bool
    verbose: bool


@click.command(cls=options.Command)
@options.all_of(options.as_json, options.verbose)
def models(**values: Any) -> None:
    """List the shipped models, and those in the folders that $TOKPRESS_MODELS names.

    With -v, also the folder of each model.

    \b
    Example:
      tokpress models
    """
    settings = Settings(**values)
    rows, damaged = _described()
    if settings.as_json:
        show_json(rows)
    else:
        _print_table(rows, settings.verbose)
    if damaged:
        click.get_current_context().exit(1)


def _described() -> tuple[list[dict[str, Any]], bool]:
    """A row for each model, and whether a directory is damaged."""
    from tokpress.models.store import folders

    rows, damaged = [], False
    for name, folder in folders().items():
        try:
            rows.append(catalog.describe(name, folder))
        except MemoryError:  # not the fault of the model
            raise
        except Exception as error:  # a directory may hold anything; the list goes on
            note(f"tokpress: model {name}: {folder} is not a valid model directory: {type(error).__name__}: {error}")
            damaged = True
    return rows, damaged


def _print_table(models: list[dict[str, Any]], verbose: bool) -> None:
    lines = [HEAD, *map(_cells, models)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for number, row in enumerate(lines):
        cells = [cell.ljust(w) for cell, w in zip(row[:FIRST_NUMBER], widths)]
        cells += [cell.rjust(w) for cell, w in zip(row[FIRST_NUMBER:], widths[FIRST_NUMBER:])]
        say("  ".join(cells).rstrip())
        if verbose and number:
            model = models[number - 1]
            say(f"  {model['card'] or model['folder'] + ' (no card)'}")


def _cells(model: dict[str, Any]) -> tuple[str, ...]:
    texts = (model["name"], model["id"], model["tokenizer"], model["prior"])
    cells = (*texts, f"{model['model_bytes']:,}", f"{model['parameters']:,}")
    return tuple(cell if len(cell) <= MAX_WIDTH else cell[: MAX_WIDTH - 1] + "…" for cell in cells)
