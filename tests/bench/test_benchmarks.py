"""The scripts that make the figures of README and docs, on a few small files."""

import importlib
import json
import lzma
import re
import subprocess
import sys
import zipfile

import pytest

from tests.limits import LAST_RESORT
from tokpress.native.library import instruction_set
from tokpress.training.machine import describe

from .conftest import ROOT

SCRIPTS = ROOT / "benchmarks"
BEGIN, END = "<!-- rates: benchmarks/text.py writes what follows -->", "<!-- end of rates -->"


@pytest.fixture
def data(tmp_path):
    """A data folder with one English file, one mixed one, and one in a zip."""
    licence = (ROOT / "LICENSE").read_bytes()
    for name, content in {
        "text/calgary/paper4": licence,
        "logs/HDFS_2k.log": b"".join(b"%06d INFO block %d received\n" % (i, i * i) for i in range(200)),
        "silesia/dickens.xz": lzma.compress(licence * 2),
    }.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    with zipfile.ZipFile(tmp_path / "data" / "more.zip", "w") as archive:
        archive.writestr("inside/one", b"one" * 100)
    return tmp_path / "data"


def script(name, data, *words, code=0):
    place = ["--data", data, "--scratch", data.parent / "scratch", "--root", data.parent / "root"]
    done = subprocess.run(
        [sys.executable, SCRIPTS / name, *map(str, [*place, *words])],
        capture_output=True,
        text=True,
        timeout=LAST_RESORT,
    )
    assert done.returncode == code, done.stderr
    return done


def test_readme_has_the_markers():
    text = (ROOT / "README.md").read_text()
    assert text.count(BEGIN) == text.count(END) == 1 and text.index(BEGIN) < text.index(END)


def test_the_example_of_readme_is_what_is_printed(tmp_path):
    """Sizes and all; only the speed may differ."""
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    script = [sys.executable, str(SCRIPTS / "readme_example.py"), "--root", str(tmp_path)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=LAST_RESORT)
    assert done.returncode == 0, done.stderr
    before, after = (
        re.sub(r"[\d.]+ MB/s", "", path.read_text()) for path in (ROOT / "README.md", tmp_path / "README.md")
    )
    assert before == after, "run python benchmarks/readme_example.py"


def test_readme_table(data):
    root = data.parent / "root"
    root.mkdir()
    (root / "README.md").write_text("no marks")
    assert "must hold these two lines" in script("text.py", data, code=1).stderr
    (root / "README.md").write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    first = script("text.py", data, "--against", "xz:6")
    assert "left out: text/calgary/book1" in first.stderr and "xz:6 × 1 on silesia/dickens" in first.stderr
    text = (root / "README.md").read_text()
    assert text.startswith(f"before\n{BEGIN}\n") and text.endswith(f"{END}\nafter\n") and "\nold\n" not in text
    assert (
        "| codec | English, bits per byte | with its models | mixed, bits per byte |" in text and "\n| xz:6 | " in text
    )
    told = json.loads((root / "benchmarks" / "results" / "rates.json").read_text())
    assert len(told["sections"]["rates"]["measurements"]) == 13 and told["machine"]["cpu"]
    page = (root / "docs" / "results.md").read_text()
    assert "svg" in (root / "docs" / "rates.svg").read_text()
    assert "| logs/HDFS_2k.log |" in page and "xz -6" in page and told["sections"]["rates"]["code"] in page
    again = script("text.py", data, "--against", "xz:6")
    assert " on silesia/dickens" not in again.stderr and (root / "README.md").read_text() == text


@pytest.mark.parametrize(
    "machine",
    ["this", *(pytest.param(f"other {part}", marks=pytest.mark.slow) for part in ("processor", "instruction"))],
)
def test_readme_table_measures_anew_for_other_code(data, machine):
    root = data.parent / "root"
    results = root / "benchmarks" / "results" / "rates.json"
    results.parent.mkdir(parents=True)
    (root / "README.md").write_text(f"{BEGIN}\n{END}\n")
    sections = {name: {"code": "other", "measurements": {"x": 1}} for name in ("rates", "another")}
    of = {"cpu": describe()["cpu"], "int8": instruction_set() or "twin"}
    of |= {"other processor": {"cpu": "other"}, "other instruction": {"int8": "other"}}.get(machine, {})
    old = {"machine": of, "sections": sections}
    results.write_text(json.dumps(old))
    (data / "logs/HDFS_2k.log").unlink()
    (data / "silesia/dickens.xz").unlink()
    done = script("text.py", data, "--against", "xz:0")
    told = json.loads(results.read_text())["sections"]
    assert "measuring anew" in done.stderr and "x" not in told["rates"]["measurements"]
    assert ("another" in told) == (machine == "this")


def test_acceptance(data):
    pytest.importorskip("pyppmd")
    root = data.parent / "root"
    done = subprocess.run(
        [sys.executable, SCRIPTS / "acceptance.py", "--data", data, "--scratch", data.parent / "scratch",
         "--root", root, "--only", "english"],
        capture_output=True, text=True, timeout=LAST_RESORT,
    )  # fmt: skip
    told = json.loads((root / "benchmarks" / "results" / "acceptance.json").read_text())["sections"]["english"]
    figures = told["figures"]
    assert done.returncode == any(figure["ok"] is False for figure in figures), done.stderr
    xz, ppmd = (
        sum(m["compressed_bytes"] for key, m in told["measurements"].items() if key.startswith(f"{name} on"))
        for name in ("tokpress", "xz")
    )
    assert figures[0]["measured"] == f"{100 * (1 - xz / ppmd):.1f} %" and figures[0]["asked"] == "≥ 30 %"
    page = (root / "docs" / "acceptance.md").read_text()
    assert all(f"| {f['name']} | {f['asked']} | {f['measured']} |" in page for f in figures)
    assert "| silesia/dickens | " in page


def test_products(tmp_path):
    file, told = ROOT / "docs" / "format.md", tmp_path / "products.json"
    words = [file, "--bytes", "3000", "--bytes", "9000", "--rounds", "1", "--output", told]
    done = subprocess.run([sys.executable, SCRIPTS / "products.py", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = json.loads(told.read_text())["rows"]
    assert {row["bytes"] for row in rows} == {3000, 9000} and all(row["microseconds_a_token"] > 0 for row in rows)
    # blocks, n-grams, groups and one group of the card's shape
    assert {row["needed"] for row in rows} == {4 * 192 * (3 * 192 + 192 + 2 * 384) + 192 * 80 + 192 * (512 + 16)}


def test_float_forward_is_that_of_the_network(monkeypatch):
    """A network whose rounding is switched off costs nearly what its exact steps cost, and not the same."""
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import numpy as np
    from checks.coding import unrounded_bits

    from tests import coding
    from tests.models import tiny_mingru

    prior = tiny_mingru()
    tokens = np.random.default_rng(5).integers(0, 256, 700).astype(np.int32)
    exact = float(coding.score(prior, tokens, lanes=3).sum())
    for window in (64, 1000):
        assert unrounded_bits(prior, tokens, 3, window) == pytest.approx(exact, rel=0.01)
    assert unrounded_bits(prior, tokens, 3) != exact


def test_columns_that_hold_nothing_are_left_out(monkeypatch):
    """One of dashes only stood in every table of docs/tokenizers.md."""
    monkeypatch.syspath_prepend(SCRIPTS)
    markdown = importlib.import_module("results").markdown
    assert markdown(["a", "b", "c"], [["x", "–", "1"], ["y", "–", "–"]])[0] == "| a | c |"
    assert markdown(["a", "b"], [["–", "–"], ["–", "2"]])[0] == "| a | b |"
    assert markdown(["a", "b"], [])[0] == "| a | b |"


def test_the_page_of_tokenizers_tells_its_aims():
    """In each table, what was asked for, and how it is judged."""
    text = (ROOT / "docs" / "tokenizers.md").read_text("utf-8")
    tables = [line for line in text.splitlines() if line.startswith("| run | codes K |")]
    assert tables and all("used (aim: 95%)" in line and "saved (aim: 25%)" in line for line in tables)
    assert text.count("judged by streams") == len(tables) and "– | – |" not in text
