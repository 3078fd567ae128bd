"""The notebook runs as it stands, in a few training steps, and every value that it shows has a view."""

import ast
import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parent.parent / "docs" / "notebooks" / "tokenizers.ipynb"


def cells(kind: str) -> list[str]:
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def shown(source: str, names: dict) -> object:
    """Run a cell. Returns the value of its last line, which a notebook shows."""
    parsed = ast.parse(source)
    last = parsed.body.pop() if isinstance(parsed.body[-1], ast.Expr) else None
    exec(compile(parsed, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None


@pytest.mark.slow
def test_every_cell_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("accelerate")
    pytest.importorskip("PIL")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    views = []
    for source in cells("code"):
        value = shown(source.replace("STEPS = 400", "STEPS = 3"), names)
        views.append(value._repr_html_() if hasattr(value, "_repr_html_") else repr(value))
    assert sum("<img" in view for view in views) == 3  # bits, palette, vq
    assert any("arithmetic" in view and "<span" in view for view in views)
    assert capsys.readouterr().out.count("PSNR") == 2


def test_outputs_are_not_kept():
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(code) > 10 and not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert "STEPS = 400" in "".join(cells("code"))
