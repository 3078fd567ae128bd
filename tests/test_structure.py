"""What the parts may know of each other."""

import ast
import statistics
import tomllib
from pathlib import Path

import pytest

import tokpress

PACKAGE = Path(tokpress.__file__).parent
PRIORS = sorted((PACKAGE / "priors").glob("[a-z]*.py"))
CODING = sorted((PACKAGE / "coding").rglob("[a-z]*.py"))
#: what codes, reads and writes files, or talks to people
OUTSIDE = {
    "coders",
    "container",
    "pipeline",
    "choice",
    "cutting",
    "lossy",
    "residual",
    "archive",
    "media",
    "video",
    "file",
    "reader",
    "store",
    "cli",
    "click",
}


def imported(path: Path) -> set[str]:
    """The parts of the names of modules, without the package's, wherever in the file they are imported."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {part for alias in node.names for part in alias.name.removeprefix("tokpress.").split(".")}
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").removeprefix("tokpress").strip(".")
            names |= set(module.split(".")) if module else {alias.name for alias in node.names}
    return names


def test_priors_code_nothing_and_read_no_files():
    assert len(PRIORS) > 15
    for path in PRIORS:
        assert not imported(path) & OUTSIDE, path.name


def test_codecs_know_priors_by_protocols_only():
    assert len(CODING) > 8
    for path in CODING:
        assert not imported(path) & (OUTSIDE - {"coders"} | {"types", "priors", "tokenizers", "model"}), path.name


def test_a_prior_is_a_short_file():
    assert statistics.median(len(path.read_text("utf-8").splitlines()) for path in PRIORS) <= 150


def test_the_test_sees_imports():
    assert {"coders", "stack", "errors"} <= imported(PACKAGE / "coding" / "symbolwise.py")


def time_limits(path: Path) -> list[str]:
    """Calls in a test that give another process or thread less than LAST_RESORT, or that wait for a time to pass."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            limits = [each.value for each in node.keywords if each.arg in ("timeout", "deadline")]
            if isinstance(node.func, ast.Attribute) and node.func.attr == "result":
                limits += node.args
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("wait", "join", "get", "acquire"):
                numbers = [
                    each for each in node.args if isinstance(each, ast.Constant) and type(each.value) in (int, float)
                ]
                flags = [each for each in node.args if isinstance(each, ast.Constant) and type(each.value) is bool]
                if len(numbers) + len(flags) == len(node.args):  # `get(True, 5)`, but not `settings.get("size", 5)`
                    limits += numbers
            if ast.unparse(node.func) in ("time.sleep", "sleep") and node.args:
                limits += node.args
            found += [ast.unparse(node) for limit in limits if ast.unparse(limit) not in ("LAST_RESORT", "None", "0")]
    return found


def test_positional_limits_are_found(tmp_path):
    (tmp_path / "a.py").write_text("a.wait(5)\nb.join(0.5)\nc.get(True, 5)\nd.acquire()\ne.get('f', 5)\n")
    assert time_limits(tmp_path / "a.py") == ["a.wait(5)", "b.join(0.5)", "c.get(True, 5)"]


def test_no_test_depends_on_the_speed_of_the_machine():
    """Tests wait for events (tests/limits.py). What sleeps, to be given the chance to be wrong, is listed here."""
    root = Path(__file__).parent
    allowed = {"limits.py": 1}
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        found = time_limits(path)
        assert len(found) <= allowed.get(name, 0), f"{name}: {found}"


def test_every_package_is_installed():
    """setuptools installs what is listed; an editable installation would not show what is missing."""
    project = Path(__file__).parent.parent / "pyproject.toml"
    if not project.is_file():
        pytest.skip("only in a checkout")
    listed = set(tomllib.loads(project.read_text("utf-8"))["tool"]["setuptools"]["packages"])
    found = {".".join(("tokpress", *path.parent.relative_to(PACKAGE).parts)) for path in PACKAGE.rglob("*.py")}
    assert listed == found | {"tokpress.cli"}
