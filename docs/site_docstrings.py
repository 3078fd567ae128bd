"""Docstrings for the reference pages (mkdocs.yml): doctests become code blocks, and `#:` comments describe attributes."""

from pathlib import Path

import griffe


class Docstrings(griffe.Extension):
    """Both changes, as griffe reads the sources."""

    def on_object(self, *, obj: griffe.Object, loader: griffe.GriffeLoader, **more: object) -> None:
        if obj.docstring is None and obj.is_attribute and (text := _comment_above(obj)):
            obj.docstring = griffe.Docstring(text, parent=obj)
        if obj.docstring is not None:
            obj.docstring.value = _fenced(obj.docstring.value)


def _comment_above(obj: griffe.Object) -> str:
    """The lines that begin with `#:` right above an attribute."""
    if obj.lineno is None or not isinstance(obj.filepath, Path):
        return ""
    lines, at, found = obj.lines_collection[obj.filepath], obj.lineno - 2, []
    while at >= 0 and lines[at].strip().startswith("#:"):
        found.append(lines[at].strip()[2:].strip())
        at -= 1
    text = "\n".join(reversed(found))
    return text[:1].upper() + text[1:]


def _fenced(text: str) -> str:
    """Paragraphs that begin with `>>>` in fences."""
    out, inside = [], False
    for line in text.split("\n"):
        if line.startswith(">>>") and not inside:
            out += ["", "```pycon"]
            inside = True
        elif inside and not line.strip():
            out.append("```")
            inside = False
        out.append(line)
    return "\n".join([*out, "```"] if inside else out)
