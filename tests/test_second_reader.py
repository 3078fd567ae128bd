"""Golden files decoded by a reader that was written from docs/format.md (second_reader.py), and supplied by the package.

Context mixing, decisions of tokens and linear prediction are its Python twins. Networks and the memory step as priors do, on the core where it is."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from tests.golden import inputs, make
from tests.models import tiny_class_factored
from tests.second_reader import MODEL_FILES, Model, Reader
from tokpress.coding.base import Frame
from tokpress.coding.classes import classes_of
from tokpress.media import grid as grids
from tokpress.models import model as package
from tokpress.models import store
from tokpress.priors.context_mixing.byte_model import ContextMixing
from tokpress.priors.context_mixing.prior import pixels_of
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.priors.linear_prediction import geometry
from tokpress.priors.linear_prediction.residuals import SampleCoder
from tokpress.priors.text.token_paths import TokenPaths
from tokpress.tokenizers.samples import for_grid
from tokpress.tokenizers.text.bytes import BitsTokenizer, BytesTokenizer, NibblesTokenizer, TopBitTokenizer

#: what the reader does not read
NOT_HERE = "given-", "segments-"
FILES = [path for path in sorted(make.HERE.glob("*.tokp")) if not path.name.startswith(NOT_HERE)]
#: files that are decoded by independent code alone, without the package
ALONE = "raw-", "lzma-", "histogram-", "chars-", "words-", "context-histogram-", "weights-histogram"
SHIPPED = Path(store.__file__).parent / "shipped"
FOLDERS = [*sorted(inputs.MODELS.iterdir()), *sorted(folder for folder in SHIPPED.iterdir() if folder.is_dir())]


def array(tokens: list[int] | None) -> np.ndarray | None:
    return None if tokens is None else np.array(tokens, np.int32)


class Bytes:
    """Decisions of context mixing."""

    def __init__(self, model: ContextMixing) -> None:
        self.p, self.learn = model.p, model.update

    def begin(self, previous, live) -> None:
        pass


class Paths:
    """Decisions of tokens, one after another."""

    def __init__(self, paths: TokenPaths, lanes: int, tokens: int) -> None:
        self._paths, self._state = paths, paths.init(lanes, tokens)

    def begin(self, previous, live) -> None:
        self._step, self._p = self._all(previous, live), None
        self._p = next(self._step)

    def _all(self, previous, live):
        for stage in self._paths.stages(self._state, array(previous), live):
            for path in stage.paths:
                yield from path

    def p(self) -> int:
        return int(self._p[0, 1] * 65536)

    def learn(self, bit: int) -> None:
        try:
            self._p = self._step.send(bit)
        except StopIteration:  # the last decision of the step
            self._p = None


class Twins:
    """What the package supplies to the second reader."""

    def __init__(self, models: list[package.Model]) -> None:
        self._models = {model.id: model for model in models}

    def order(self, model, member):
        order = self._prior(model, member).rules.order
        return [] if order is None else order.tolist()

    def _prior(self, model, member):
        prior = self._models[model.id].prior
        return prior if member is None else prior.members[member]

    def rows(self, model, member, lanes, tokens):
        prior = self._prior(model, member).for_frame(Frame(tokens, lanes))
        state = prior.init(lanes, tokens)

        def rows(previous, live, classes):
            if classes is not None:
                return prior.member_pmf(state, array(classes)).tolist()
            step = prior.step if classes_of(prior) is None else prior.class_pmf
            return step(state, array(previous), live).tolist()

        return rows

    def decisions(self, model, lanes, tokens, grid):
        prior = self._models[model.id].prior
        if prior.name != "bitwise":
            pixels = pixels_of(grids.unpack(grid, tokens)) if grid else None
            return Bytes(ContextMixing(tokens, pixels))
        base = prior.base.for_frame(Frame(tokens, lanes))
        return Paths(TokenPaths(base, prior.tokens, prior.rules, prior.priming), lanes, tokens)

    def samples(self, grid, source, bit):
        class Coder:
            def code(self, _, p):
                return bit(p)

        unpacked = grids.unpack(grid, len(source))
        model = SampleCoder(unpacked)
        for done in range(unpacked.samples):
            at = geometry.offset(unpacked, geometry.place(unpacked, done))
            source[at : at + unpacked.sample_bytes] = geometry.bytes_of(unpacked, model.code(Coder(), 0))

    def tokenize(self, model, context):
        return [int(token) for token in self._models[model.id].tokenizer.encode(context)]

    def reconstruct(self, model, tokens, grid, length):
        tokenizer = self._models[model.id].tokenizer
        tokenizer = for_grid(tokenizer, grids.unpack(grid, length) if grid else None)
        return tokenizer.decode(array(tokens))


def files_of(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in MODEL_FILES if (folder / name).exists()}


@pytest.fixture(scope="module")
def models() -> list[Model]:
    return [Model(files_of(folder)) for folder in FOLDERS]


@pytest.fixture(scope="module")
def twins() -> Twins:
    return Twins([inputs.load(folder) for folder in FOLDERS])


def takes_long(path: Path) -> bool:
    """Whether Python decodes for more than a few seconds. All else is decoded in each run."""
    long = json.loads(make.MANIFEST.read_text())[path.name]["source_bytes"] > 3000
    return long or path.name.startswith("text-large") or path.match("context-*-paragraph.tokp")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if takes_long(path) else [])
        for path in FILES
        if not path.name.startswith(ALONE)
    ],
)
def test_decodes(path, models, twins):
    context = inputs.sources()[make.CONTEXT]
    members = Reader(models, context, twins).read(path.read_bytes())
    entry = json.loads(make.MANIFEST.read_text())[path.name]
    if entry["sources"]:
        assert members == [inputs.sources()[name] for name in entry["sources"]]
    assert hashlib.sha256(b"".join(members)).hexdigest() == entry["sha256"]


@pytest.mark.parametrize("path", [p for p in FILES if p.name.startswith(ALONE)], ids=lambda path: path.stem)
def test_decodes_alone(path, models):
    """Nothing is supplied."""
    entry = json.loads(make.MANIFEST.read_text())[path.name]
    members = Reader(models, inputs.sources()[make.CONTEXT]).read(path.read_bytes())
    assert members == [inputs.sources()[name] for name in entry["sources"]]


def test_it_imports_nothing_of_the_package():
    here = Path(__file__).parent
    for name in ("second_reader.py", "second_coding.py"):
        lines = (here / name).read_text().splitlines()
        imports = [line.split()[1] for line in lines if line.split()[:1] in (["import"], ["from"])]
        assert imports and not [each for each in imports if each.startswith(("tokpress", "tests", "numpy"))]


def test_classes(tmp_path):
    """Class and member of each symbol. Also after a context.."""
    made = package.Model(BytesTokenizer(), tiny_class_factored())
    made.save(tmp_path / "classes")
    source = inputs.sources()["prose"][:1200]
    reader = Reader([Model(files_of(tmp_path / "classes"))], b"context", Twins([made]))
    assert reader.read(make.frame(source, made, lanes=3)) == [source]
    assert reader.read(make.after_context(source[:50], made, b"context")) == [source[:50]]


@pytest.mark.parametrize(
    "tokenizer", [NibblesTokenizer(), TopBitTokenizer(), BitsTokenizer()], ids=lambda each: each.name
)
def test_parts_of_bytes_after_a_context(tmp_path, tokenizer):
    made = package.Model(tokenizer, HistogramPrior(tokenizer.vocab_size))
    made.save(tmp_path / "parts")
    packed = make.after_context(b"parts of bytes", made, b"bytes")
    assert Reader([Model(files_of(tmp_path / "parts"))], b"bytes").read(packed) == [b"parts of bytes"]
