"""What the parts may know of each other."""

import ast
import statistics
from pathlib import Path

import tokpress

PACKAGE = Path(tokpress.__file__).parent
#: without compiled loops, one of which (`types.DecodesItself`) has the decoder in it
PRIORS = [path for path in sorted((PACKAGE / "priors").glob("[a-z]*.py")) if not path.stem.endswith("_kernel")]
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
    "bits_back",
    "conditionals",
    "cli",
    "click",
}


def imported(path: Path) -> set[str]:
    """Modules by the first name after the package's, wherever in the file they are imported."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.removeprefix("tokpress.").split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").removeprefix("tokpress").strip(".")
            names |= {module.split(".")[0]} if module else {alias.name for alias in node.names}
    return names


def test_priors_code_nothing_and_read_no_files():
    assert len(PRIORS) > 15
    for path in PRIORS:
        assert not imported(path) & OUTSIDE, path.name


def test_a_prior_is_a_short_file():
    assert statistics.median(len(path.read_text("utf-8").splitlines()) for path in PRIORS) <= 150


def test_the_test_sees_imports():
    assert {"coders", "types"} <= imported(PACKAGE / "conditionals.py")
