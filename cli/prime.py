"""tokpress prime: what models are after a context, in the user's cache folder. Also lists and removes these states."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from . import catalog, jobs, options
from .progress import counted
from .streams import display_name
from .terminal import note, say, show_json

if TYPE_CHECKING:
    from tokpress.codec.efforts import Effort
    from tokpress.models.states import Entry

HEAD = ("context", "bytes", "model", "state bytes", "of use")


@dataclass(frozen=True)
class Settings:
    """The options of one call."""

    contexts: tuple[str, ...]
    fast: bool
    best: bool
    model: str | None
    list: bool
    remove: bool
    as_json: bool
    quiet: bool
    verbose: bool

    def __post_init__(self) -> None:
        if self.contexts.count("-") > 1:
            raise click.UsageError("- is given twice, but stdin is read once")
        if not (self.contexts or self.list or self.remove):
            raise click.UsageError("no CONTEXT given: name a file, or add --list or --remove")
        if self.fast + self.best + bool(self.model) > 1:
            raise click.UsageError("--fast, --best and -m exclude each other")
        if self.list and self.remove:
            raise click.UsageError("--list and --remove exclude each other")
        if (self.list or self.remove) and (self.fast or self.best or self.model):
            raise click.UsageError("--list and --remove are of all models: leave out --fast, --best and -m")
        if self.as_json and not self.list:
            raise click.UsageError("--json prints a list: add --list")

    @property
    def effort(self) -> "Effort":
        return "fast" if self.fast else "best" if self.best else "default"


@click.command(cls=options.Command)
@click.argument("contexts", nargs=-1, type=options.FileName(), metavar="[CONTEXT]...")
@options.all_of(
    click.option("--fast", is_flag=True, help="For compress --fast: without the text model."),
    click.option("--best", is_flag=True, help="For compress --best: also a larger text model."),
    options.model(show_default="all that compress tries"),
    click.option("--list", is_flag=True, help="List what is kept, of all contexts or of these."),
    click.option("--remove", is_flag=True, help="Remove what is kept, of all contexts or of these."),
    options.as_json, options.quiet, options.verbose, options.plugins, options.threads,
)  # fmt: skip
def prime(**values: Any) -> None:
    """Read each CONTEXT once, for all later calls with --context CONTEXT.

    What a model is after a context is kept in a cache: the folder `contexts` in $TOKPRESS_CACHE, else in ~/.cache/tokpress. Files come
    out the same with it and without it, only sooner. It serves files of up to 16 KB, by text models some 40 KB, on this machine and
    release; for others the context is read as ever. If other users may write to the folder, it is ignored.

    \b
    Examples:
      tokpress prime book.txt    for compress --context book.txt
      tokpress prime --list
      tokpress prime --remove book.txt
    """
    settings = Settings(**values)
    if settings.list:
        _show(settings, list(_kept(settings)))
    elif settings.remove:
        _remove(list(_kept(settings)), settings.quiet)
    else:
        jobs.run(settings.contexts, partial(_prime, settings))


def _prime(settings: Settings, name: str) -> None:
    from tokpress.codec.efforts import EFFORTS

    context = catalog.context(name, ())
    assert context is not None
    for model in [settings.model] if settings.model else EFFORTS[settings.effort][0]:
        entries = context.prime(model, name=name)
        for entry in entries:
            note(f"{display_name(name)}: {entry.about['model']}, {entry.size:,} bytes", settings.quiet)
        if not entries:
            note(f"{display_name(name)}: {model} reads it each time", settings.quiet)


def _kept(settings: Settings) -> "Iterator[Entry]":
    """The states of the contexts that were named, or all. Raises OSError."""
    from tokpress.models import states

    contexts = [catalog.context(name, ()) for name in settings.contexts]
    for entry in states.entries():
        if not contexts or any(context and states.is_of(entry, context.digest) for context in contexts):
            yield entry


def _show(settings: Settings, entries: "list[Entry]") -> None:
    rows = [
        {name: entry.about.get(name) for name in ("context", "context_bytes", "model", "model_id")}
        | {"bytes": entry.size, "fits": entry.fits, "file": str(entry.path)}
        for entry in entries
    ]
    if settings.as_json:
        show_json(rows)
        return
    say(*HEAD, separator="\t")
    for row in rows:
        cells = (row["context"] or "?", row["context_bytes"] or 0, row["model"] or "?", row["bytes"])
        say(
            *(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells),
            "yes" if row["fits"] else "no",
            separator="\t",
        )
        if settings.verbose:
            say(f"  {row['file']}")


def _remove(entries: "list[Entry]", quiet: bool) -> None:
    for entry in entries:
        entry.path.unlink(missing_ok=True)
    note(f"{counted(len(entries), 'state')} removed, {sum(entry.size for entry in entries):,} bytes", quiet)
