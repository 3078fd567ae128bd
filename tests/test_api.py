"""The public interface: documented with examples that run, typed, and shipped with its types."""

import base64
import doctest
import hashlib
import inspect
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import tokpress
from tests.limits import LAST_RESORT
from tests.typed_use import use

ROOT = Path(__file__).parent.parent
WITH_EXAMPLES = [
    tokpress.compress, tokpress.decompress, tokpress.load, tokpress.open, tokpress.Model,
    tokpress.Model.score, tokpress.Model.sample, tokpress.Model.save,
]  # fmt: skip


def test_typed_use_runs(tmp_path):
    use(tmp_path)


@pytest.mark.parametrize("thing", WITH_EXAMPLES, ids=lambda thing: thing.__qualname__)
def test_has_an_example(thing):
    """They run with all the others, as doctests."""
    assert doctest.DocTestParser().get_examples(inspect.getdoc(thing))


def test_everything_public_is_documented_and_annotated():
    for name in tokpress.__all__:
        thing = getattr(tokpress, name)
        if name.startswith("__"):
            continue
        assert inspect.getdoc(thing), name
        functions = [thing] if inspect.isfunction(thing) else []
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            functions += [f for n, f in vars(thing).items() if inspect.isfunction(f) and not n.startswith("_")]
        for function in functions:
            signature = inspect.signature(function)
            missing = [p for p, kind in signature.parameters.items() if p != "self" and kind.annotation is kind.empty]
            assert not missing and signature.return_annotation is not signature.empty, (name, function, missing)
    assert set(dir(tokpress)) == set(tokpress.__all__)
    with pytest.raises(AttributeError, match="no attribute 'compres'"):
        tokpress.compres  # noqa: B018


def test_parts_need_no_import_of_their_own():
    code = (
        "import tokpress; assert tokpress.tokenizers.train and tokpress.training.train and tokpress.conformance.check"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=LAST_RESORT)


@pytest.mark.slow
def test_the_wheel_ships_types_and_models(tmp_path):
    pytest.importorskip("setuptools", minversion="77")
    place = tmp_path / "source"
    place.mkdir()
    for name in ("tokpress", "cli"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place)
    words = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", tmp_path, place]
    subprocess.run(list(map(str, words)), check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    source = {str(path.relative_to(ROOT)) for path in (ROOT / "tokpress").rglob("*.py")}
    assert source <= names and "tokpress/py.typed" in names and "tokpress/cli/main.py" in names
    assert {
        "tokpress/models/shipped/text/model.safetensors",
        "tokpress/models/shipped/context-mixing/config.json",
    } <= names
    assert not [name for name in names if name.startswith(("tests", "cli", "benchmarks"))]


@pytest.mark.slow
def test_an_editable_wheel_names_the_source_tree(tmp_path):
    """Type checkers follow a .pth file with a path, and no finder."""
    pytest.importorskip("setuptools", minversion="77")
    place = tmp_path / "source"
    place.mkdir()
    for name in ("tokpress", "cli"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "shipped"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, place)
    code = (
        f"import sys; sys.path.insert(0, 'tokpress/native'); import backend; backend.build_editable({str(tmp_path)!r})"
    )
    environment = {**os.environ, "TOKPRESS_NO_CORE": "1"}
    subprocess.run([sys.executable, "-c", code], cwd=place, env=environment, check=True, stdout=subprocess.DEVNULL)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        path = wheel.read("tokpress_source.pth")
        (record,) = [wheel.read(name).decode() for name in wheel.namelist() if name.endswith("RECORD")]
    assert Path(path.decode().strip()).samefile(place)
    digest = base64.urlsafe_b64encode(hashlib.sha256(path).digest()).rstrip(b"=").decode()
    assert f"tokpress_source.pth,sha256={digest},{len(path)}" in record.splitlines()
