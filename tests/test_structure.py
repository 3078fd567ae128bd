"""What the parts may know of each other."""

import ast
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

import tokpress
import tokpress.cli

PACKAGE = Path(tokpress.__file__).parent
CLI = Path(tokpress.cli.__file__).parent
#: imports go downwards; the last room is for files that every room may use
ROOMS = (
    "cli", "bench", "training", "codec", "models", "priors", "tokenizers", "coding", "media", "exact", "storage", "native", "container",
    "loose",
)  # fmt: skip
#: loose files that stand above all rooms
ABOVE = {"tokpress", "tokpress.__main__", "tokpress.conformance"}
MAX_LOOSE = 9


def modules() -> dict[str, Path]:
    """Every module of the package by its name."""
    found = {}
    for folder, base in ((PACKAGE, "tokpress"), (CLI, "tokpress.cli")):
        for path in folder.rglob("*.py"):
            parts = [base, *path.relative_to(folder).with_suffix("").parts]
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(name: str, path: Path, known: Iterable[str]) -> set[str]:
    """The modules that a module imports, wherever in the file: at its top, in functions, for type checkers."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" if f"{module}.{alias.name}" in known else module for alias in node.names}
    return (found & set(known)) - {name}


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    found = modules()
    return {name: imported(name, path, found) for name, path in found.items()}


def room(name: str) -> str:
    part = name.split(".")[1] if "." in name else ""
    return part if part in ROOMS else "loose"


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules each of which reaches the others."""

    def reached(start: str) -> set[str]:
        seen, left = set(), [start]
        while left:
            for name in imports[left.pop()] - seen:
                seen.add(name)
                left.append(name)
        return seen

    all_reached = {name: reached(name) for name in imports}
    groups = {tuple(sorted(b for b in all_reached[a] if a in all_reached[b])) for a in imports if a in all_reached[a]}
    return [list(group) for group in sorted(groups)]


def test_no_circles(imports):
    assert circles(imports) == []


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c"]]


def test_imports_go_downwards(imports):
    assert {room(name) for name in imports} == set(ROOMS)
    upwards = [
        f"{name} imports {other}"
        for name, others in imports.items()
        for other in sorted(others)
        if name not in ABOVE and (other in ABOVE or ROOMS.index(room(other)) < ROOMS.index(room(name)))
    ]
    assert upwards == []


def test_imports_are_seen_wherever_they_stand(tmp_path):
    (tmp_path / "a.py").write_text(
        "from typing import TYPE_CHECKING\nfrom . import c\nif TYPE_CHECKING:\n    from ..b import X\n"
        "def f():\n    import tokpress.d\n"
    )
    known = {"tokpress.r.a", "tokpress.r.c", "tokpress.b", "tokpress.d"}
    assert imported("tokpress.r.a", tmp_path / "a.py", known) == known - {"tokpress.r.a"}


def test_few_files_are_loose():
    assert len(list(PACKAGE.glob("*.py"))) <= MAX_LOOSE


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
