"""tokpress list"""

import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import click

from tokpress.registry import Registry, load_plugins

from . import options
from .terminal import say, show_json

#: columns of the text
WIDTH = 80


@click.command("list", cls=options.Command)
@click.argument("kind", type=click.Choice(["priors", "tokenizers"]))
@options.all_of(options.as_json, options.plugins, options.verbose)
def list(kind: str, as_json: bool, verbose: bool) -> None:
    """List the priors or tokenizers that can be trained, with their settings and defaults (--set KEY=VALUE).

    \b
    Examples:
      tokpress list priors
      tokpress list tokenizers --json
    """
    load_plugins()
    rows = [described(name, component) for name, component in _components(kind)]
    if as_json:
        show_json(rows)
        return
    for row in rows:
        say(row["name"])
        settings = " ".join(f"{key}={value}" for key, value in row["settings"].items())
        for text in (row["idea"], settings):
            for line in textwrap.wrap(text, WIDTH - 2, break_on_hyphens=False):
                say(f"  {line}")


def _components(kind: str) -> Iterator[tuple[str, type]]:
    from tokpress.priors.registry import PRIORS
    from tokpress.tokenizers.registry import TOKENIZERS

    registry: Registry[Any] = PRIORS if kind == "priors" else TOKENIZERS
    for name in registry.names():
        yield name, registry.find(name)


def described(name: str, component: type) -> dict[str, Any]:
    """idea: the first sentence of its module. settings: name → default of `--set`, as far as the class states them."""
    text = (sys.modules[component.__module__].__doc__ or "").strip()
    idea = " ".join(text.partition("\n\n")[0].split())
    settings = getattr(component, "item_settings", {}) | getattr(component, "defaults", {})
    return {"name": name, "idea": idea, "settings": settings}
