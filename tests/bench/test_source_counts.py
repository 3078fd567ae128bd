"""The counters of docs/structure.md find what they count, on a small tree, and nothing beside it."""

import pytest

from benchmarks import data_path, structure
from benchmarks import source_counts as count
from benchmarks.data import ROOT
from tokpress.native import library

FILES = {
    "tokpress/__init__.py": "",
    "tokpress/errors.py": "from .codec import stream\n",
    "tokpress/codec/__init__.py": "",
    "tokpress/codec/stream.py": """
from typing import TYPE_CHECKING
from ..models.model import _helper, Model
if TYPE_CHECKING:
    from ..bench import rows

def compress(m: Any, data):
    model = Model()
    model.size = 1
    model._read()
    model._replace(size=1)
    own = Own()
    own._mine = 2

class Own:
    _mine = 1
""",
    "tokpress/models/__init__.py": "",
    "tokpress/models/model.py": """
from threading import Lock
MOST_LANES, MAX_TOKENS = 1, 2
_turn = Lock()
_last = None
_found = {}
_names = ("a",)
_counter = Counter()

class Counter:
    def add(self):
        self.total += 1

class Prior:
    vocab_size: int
    def __init__(self):
        self.size = 0
    def step(self): ...
    def _read(self):
        import tokpress.codec.stream

def _helper(_names):
    global _last
    _last = 1
    _found["a"] = 1
    _names.append("b")
""",
    "tokpress/bench/__init__.py": "",
    "tokpress/bench/rows.py": "def long():\n" + "    x = 1\n" * 60 + "def branching(x):\n    return [y and y for y in x if y]" + " or x" * 23,
    "benchmarks/one.py": "from tokpress.models import model\nmodel._helper()\n",
    "tests/test_one.py": "def test_a(monkeypatch):\n    monkeypatch.setattr(os, 'x', 1)\n    monkeypatch.setenv('A', '1')\n" + "\n" * 400,
}  # fmt: skip


@pytest.fixture
def tree(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return count.Tree(tmp_path)


def after_places(found):
    return [each.split(": ", 1)[1] for each in found]


def test_imports_are_seen_wherever_they_stand(tree):
    assert tree.imports["tokpress.codec.stream"] == {"tokpress.models.model", "tokpress.bench.rows"}
    assert tree.imports["tokpress.models.model"] == {"tokpress.codec.stream"}
    assert count.circles(tree.imports) == [["tokpress.codec.stream", "tokpress.models.model"]]
    assert count.upward_imports(tree) == [
        "tokpress.codec.stream imports tokpress.bench.rows",
        "tokpress.errors imports tokpress.codec.stream",
        "tokpress.models.model imports tokpress.codec.stream",
    ]


def test_circles_are_found():
    assert count.circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c"]]


def test_names_are_found(tree):
    assert count.loose_files(tree) == ["__init__.py", "errors.py"]
    assert count.members(tree, "Prior") == ["_read", "step", "vocab_size"]
    assert after_places(count.untyped_networks(tree)) == ["compress(m: Any)"]
    assert count.constants(tree, "MOST_") == ["tokpress.models.model.MOST_LANES"]


def test_what_a_file_keeps_to_itself(tree):
    private = ["_helper", "model._read", "model._helper"]
    assert sorted(after_places(count.private_uses(tree))) == sorted(private)
    assert count.outside_sets(tree) == ["tokpress/codec/stream.py:9: model.size ="]
    assert count.changed_state(tree) == [
        f"tokpress.models.model.{name}" for name in ("_counter", "_found", "_last", "_turn")
    ]


def test_sizes_are_found(tree):
    assert count.long_files(tree) == ["tests/test_one.py: 403 lines"]
    assert after_places(count.long_functions(tree)) == ["long: 61 lines"]
    assert after_places(count.branching_functions(tree)) == ["branching: 26 branches"]
    assert count.test_functions(tree) == ["tests/test_one.py: test_a"] and len(count.patches(tree)) == 1


def test_the_page_has_every_row(tree):
    found = structure.counted(tree.root)
    lines = structure.page(found, found, [], "0" * 40, "Made by hand.")
    assert all(any(line.startswith(f"| {row.name} |") for line in lines) for row in structure.ROWS)


@pytest.mark.skipif(not library.is_here(), reason="the twin codes without the core")
def test_the_way_of_a_source():
    """From the first function to the range coder, through the tokenizer."""
    stops = data_path.way((ROOT / structure.SAMPLE).read_bytes())
    assert stops[0].file == "codec/stream.py" and stops[0].functions[0] == "compress"
    assert stops[-1].file == "native/bitwise.py" and "tokenizers/text/bpe.py" in [stop.file for stop in stops]


def test_climbs():
    stops = [
        data_path.Stop(file, ()) for file in ("codec/file.py", "native/text.py", "models/model.py", "models/bits.py")
    ]
    assert data_path.climbs(stops) == [(stops[1], stops[2])]
