"""tokpress models"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from . import catalog, options
from .terminal import note, say, show_json

if TYPE_CHECKING:
    from tokpress.models.places import Entry

HEAD = ("name", "id", "tokenizer", "prior", "bytes", "parameters")
#: columns from this one on hold numbers
FIRST_NUMBER = HEAD.index("bytes")
#: characters of a cell
MAX_WIDTH = 60


@dataclass(frozen=True)
class Settings:
    """The options of one call."""

    fetch: tuple[str, ...]
    as_json: bool
    verbose: bool


fetch = click.option(
    "--fetch", multiple=True, metavar="REPO|ID",
    help="Fetch a model from the Hugging Face Hub; repeatable.",
)  # fmt: skip


@click.command(cls=options.Command)
@options.all_of(fetch, options.as_json, options.verbose)
def models(**values: Any) -> None:
    """List the models that are here: shipped ones, those in the folders that $TOKPRESS_MODELS names, those fetched from the Hugging
    Face Hub, and those of installed data packages.

    With -v, also the place and the folder of each model. --fetch takes a repository, user/model or user/model@REVISION, or the id of a
    model; then only the models that were fetched are listed.

    \b
    Examples:
      tokpress models
      tokpress models -v
    """
    settings = Settings(**values)
    rows, damaged = _described(settings.fetch)
    if settings.as_json:
        show_json(rows)
    else:
        _print_table(rows, settings.verbose)
    if damaged:
        click.get_current_context().exit(1)


def _entries(fetch: tuple[str, ...]) -> "list[Entry]":
    """Every model with a name, or those to fetch. Raises ModelError."""
    from tokpress.models import remote, store

    if not fetch:
        return list(store.entries())
    return [store.locate(remote.fetch(name).name) for name in fetch]


def _described(fetch: tuple[str, ...]) -> tuple[list[dict[str, Any]], bool]:
    """A row for each model, and whether a directory is damaged."""
    rows, damaged = [], False
    for entry in _entries(fetch):
        try:
            rows.append(catalog.describe(entry))
        except MemoryError:  # not the fault of the model
            raise
        except Exception as error:  # a directory may hold anything; the list goes on
            note(
                f"tokpress: model {entry.name}: {entry.folder} is not a valid model directory: {type(error).__name__}: {error}"
            )
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
            say(f"  {model['place']}: {model['card'] or model['folder'] + ' (no card)'}")


def _cells(model: dict[str, Any]) -> tuple[str, ...]:
    texts = (model["name"], model["id"], model["tokenizer"], model["prior"])
    cells = (*texts, f"{model['model_bytes']:,}", f"{model['parameters']:,}")
    return tuple(cell if len(cell) <= MAX_WIDTH else cell[: MAX_WIDTH - 1] + "…" for cell in cells)
