"""Hooks of the documentation site (mkdocs.yml): parts of pages that are made from the code when the site is built.

* commands.md: the `--help` of every command in place of `<!-- commands -->`.
* A line `The code…: path` shows that file below it.
* The cells of a notebook in place of `<!-- notebook: path -->`.
* A file name in a page that no longer exists is a warning, so the strict build fails. So is anything that a page loads from the network.
"""

import json
import logging
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import click

ROOT = Path(__file__).parent.parent
log = logging.getLogger("mkdocs.hooks.tokpress")
#: a source file named in backquotes, by its name or by the end of its path; a folder or file below one of ours
NAMED = re.compile(r"`([\w./-]+\.(?:py|c|h)|(?:tokpress|cli|tests|benchmarks|docs|\.ci)/[\w./-]*[\w/])`")
FOLDERS = ("tokpress", "cli", "tests", "benchmarks", "docs", ".ci")
CODE = re.compile(r"^The code[^\n`]*: `(?P<path>[^`]+\.py)`.*$", re.MULTILINE)
NOTEBOOK = re.compile(r"^<!-- notebook: (?P<path>[\w./-]+) -->$", re.MULTILINE)
LOADED = re.compile(
    r"""<(?:script|img|iframe|link rel="(?:stylesheet|preconnect|preload)")[^>]*(?:src|href)="https?://"""
)
#: notes and reports of past days name the files of their day
DATED = ("notes/", "acceptance.md", "results.md")
#: longer files are folded
SHOWN_LINES = 70


def on_page_markdown(markdown, page, config, files):
    """What the page says, with the parts that the code makes."""
    name = page.file.src_uri
    if not name.startswith(DATED):
        for path in NAMED.findall(markdown):
            if not _is_here(path, markdown):
                log.warning("%s names %s, which is not there", name, path)
    if "<!-- commands -->" in markdown:
        markdown = markdown.replace("<!-- commands -->", commands())
    markdown = NOTEBOOK.sub(lambda line: cells(ROOT / "docs" / line["path"]), markdown)
    return CODE.sub(lambda line: f"{line[0]}\n\n{_listing(name, line['path'])}", markdown)


def on_post_page(output, page, config):
    """Warns of what a browser would load from elsewhere."""
    for found in LOADED.findall(output):
        log.warning("%s loads something from the network: %s…", page.file.src_uri, found)
    return output


def _is_here(path: str, markdown: str) -> bool:
    """Whether a file of the repository, or a block of the page with that title, has this name."""
    if (ROOT / path).exists() or f'title="{path}"' in markdown:
        return True
    return any(f"/{file}".endswith(f"/{path}") for file in _files())


@cache
def _files() -> list[str]:
    return [str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")]


def _listing(page: str, path: str) -> str:
    file = ROOT / path
    if not file.is_file():
        return ""  # the warning is given already
    source = file.read_text("utf-8").rstrip()
    block = f'```python title="{path}"\n{source}\n```'
    if source.count("\n") < SHOWN_LINES:
        return block
    return f'??? example "{file.name}"\n\n' + "".join(f"    {line}\n" for line in block.splitlines())


def cells(path: Path) -> str:
    """Markdown: the cells of a notebook, without outputs. Its first heading, which is that of the page, is left out."""
    parts = []
    for number, cell in enumerate(json.loads(path.read_text("utf-8"))["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            source = f"```python\n{source}\n```"
        parts.append(re.sub(r"^# .*\n", "", source) if number == 0 else source)
    return "\n\n".join(parts)


def commands() -> str:
    """Markdown: a section for each command, and for each command below it."""
    main = import_module("tokpress.cli.main")
    return "\n".join(_sections(main.cli, "tokpress", None))


def _sections(command: click.Command, name: str, parent: click.Context | None) -> list[str]:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=80, max_content_width=80)
    path = context.command_path
    sections = [f"## {path}\n\n```text\n{context.get_help()}\n```\n"]
    for below, found in getattr(command, "parts", {}).items():  # of `train`
        sections += _sections(found, f"{name} {below}", parent)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            if found := command.get_command(context, below):
                sections += _sections(found, below, context)
    return sections
