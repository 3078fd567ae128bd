"""Classes of symbols for a class-factored softmax: found in a corpus, trained with, kept; and settings that cannot be."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.command import round_trip, run
from tokpress.coding.classes import SymbolClasses
from tokpress.models.loading import load_folder
from tokpress.models.store import load
from tokpress.priors.compose.parts import innermost
from tokpress.training.data.streams import Source
from tokpress.training.export import model_of_checkpoint
from tokpress.training.nets import classes as symbol_classes

SYMBOLS, CLASSES = 64, 8


@pytest.fixture(autouse=True)
def few_contexts(monkeypatch):
    """Axes of 128 numbers take no time."""
    monkeypatch.setattr(symbol_classes, "CONTEXTS", 64)


def classes(seed: int = 0) -> np.ndarray:
    """[64]: the class of each symbol, 8 of 8."""
    return np.random.default_rng(seed).permutation(np.arange(SYMBOLS) % CLASSES)


def source(path: Path, tokens: int, weight: float = 1.0, seed: int = 0) -> Source:
    """A chain of classes, and of each any symbol: those of a class have the same neighbours."""
    rng, of_class = np.random.default_rng(seed), [np.flatnonzero(classes() == k) for k in range(CLASSES)]
    chain, now = np.random.default_rng(1).dirichlet(np.full(CLASSES, 0.3), CLASSES).cumsum(1), 0
    out = np.empty(tokens, "<u2")
    for t, u in enumerate(rng.random(tokens)):
        now = min(int(np.searchsorted(chain[now], u)), CLASSES - 1)
        out[t] = rng.choice(of_class[now])
    out.tofile(path)
    return Source(path, weight)


@pytest.fixture(scope="module")
def chained(tmp_path_factory) -> Source:
    return source(tmp_path_factory.mktemp("chained") / "tokens.u16", 30_000)


def test_symbols_with_the_same_neighbours_stand_together(chained):
    place = symbol_classes.places([chained], SYMBOLS, CLASSES, seed=0)
    assert place.dtype == np.int32
    group, _ = SymbolClasses.from_places(place, CLASSES).split(np.arange(SYMBOLS, dtype=np.int32))  # or no permutation
    found = [set(np.flatnonzero(group == g).tolist()) for g in range(CLASSES)]
    wanted = [set(np.flatnonzero(classes() == k).tolist()) for k in range(CLASSES)]
    assert sorted(map(sorted, found)) == sorted(map(sorted, wanted))


@pytest.mark.parametrize("count", [1, 2, 32, 64])
def test_any_number_of_classes_makes_an_order(chained, count):
    place = symbol_classes.places([chained], SYMBOLS, count, seed=0)
    assert np.array_equal(np.sort(place), np.arange(SYMBOLS))


def test_one_seed_makes_one_order(chained, monkeypatch):
    monkeypatch.setattr(symbol_classes, "PIECE", 500)
    monkeypatch.setattr(symbol_classes, "SAMPLE", 4000)
    orders = [symbol_classes.places([chained], SYMBOLS, 32, seed).tolist() for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]


def test_symbols_that_never_come_have_a_place(chained):
    place = symbol_classes.places([chained], 4 * SYMBOLS, 16, seed=0)
    assert np.array_equal(np.sort(place), np.arange(4 * SYMBOLS))


def test_what_is_drawn_more_often_counts_more(tmp_path, monkeypatch):
    """Of a source with three times the weight, three times as many pieces."""
    for name, symbol in (("a", 1), ("b", 2)):
        np.full(50_000, symbol, "<u2").tofile(tmp_path / name)
    monkeypatch.setattr(symbol_classes, "PIECE", 100)
    drawn = symbol_classes.sample([Source(tmp_path / "a", 3.0), Source(tmp_path / "b", 1.0)], seed=0)
    assert (drawn == 1).sum() == pytest.approx(3 * (drawn == 2).sum(), rel=0.02)


@pytest.mark.parametrize("weights", [[0.3], [0.2, 0.4], [0.01, 1.0]], ids=str)
def test_small_weights_are_shares_too(tmp_path, weights):
    """`--weight '*.txt=0.3'` of the only source there is leaves all of it."""
    sources = [source(tmp_path / f"{k}.u16", 3000, weight, k) for k, weight in enumerate(weights)]
    place = symbol_classes.places(sources, SYMBOLS, CLASSES, seed=0)
    assert np.array_equal(np.sort(place), np.arange(SYMBOLS))


# ── the command ─────────────────────────────────────────────────────────────────────────────────────

FEW = ["--prior", "mingru", "--tokenizer", "bytes", "--set", "width=8", "--set", "depth=1", "--set", "hidden=8"]
LIMITS = ["--max-steps", 2, "--no-compile", "-q"]


@pytest.mark.usefixtures("corpus")
def test_from_the_corpus_to_a_file_and_back():
    run(
        "train",
        "prior",
        "texts",
        "-o",
        "made",
        *FEW,
        "--set",
        "classes=16",
        "--set",
        "dropout=0.1",
        *LIMITS,
        "--keep-checkpoint",
    )
    model = load("made")
    base = innermost(model.prior).config()
    assert base["classes"] == 16 and "dropout" not in base and model.prior.base.classes.classes == 16
    size = Path("new.txt").stat().st_size
    assert round_trip("made") < 0.7 * size
    as_it_stands = model_of_checkpoint("made/.checkpoint/state", "made/.checkpoint/tokenizer")
    assert as_it_stands.prior.config() == model.prior.config()
    for name, tensor in as_it_stands.prior.tensors().items():
        made = model.prior.tensors()[name]
        if name.startswith("head.") or name in ("bias", "place"):  # in another order
            made, tensor = np.sort(made, 0), np.sort(tensor, 0)
        assert np.array_equal(made, tensor), name
    check_warm_start()


def check_warm_start():
    run("train", "prior", "texts", "-o", "on", "--init", "made", "--set", "grams=64", "--set", "features=4", *LIMITS)
    made, on = (load_folder(name).prior for name in ("made", "on"))
    assert innermost(on).config()["classes"] == 16 and innermost(on).config()["grams"] == 64
    assert np.array_equal(on.tensors()["place"], made.tensors()["place"])
    round_trip("on")
    said = run("train", "prior", "texts", "-o", "x", "--init", "made", "--set", "classes=32", *LIMITS, code=1).output
    assert "leave the shape to it" in said


@pytest.mark.usefixtures("corpus")
def test_a_source_of_little_weight():
    run("train", "prior", "texts/one.txt", "-o", "made", *FEW, "--set", "classes=16", "--weight", "*.txt=0.3", *LIMITS)
    round_trip("made")


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("classes=3", "classes=3"),
        ("classes=512", "classes=512"),
        ("classes=-8", "classes=-8"),
        ("classes=12", "power of 2"),
        ("classes=x", "of type int"),
        ("classes=1.5", "of type int"),
        ("dropout=1", "dropout=1"),
        ("dropout=-0.1", "dropout=-0.1"),
        ("dropout=nan", "dropout=nan"),
        ("dropout=x", "of type float"),
    ],
)
def test_settings_that_cannot_be(setting, said):
    assert said in run("train", "prior", "texts", "-o", "made", *FEW, "--set", setting, *LIMITS, code=1).output
    assert not Path("made").exists()


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize("count", [1, 256])
def test_a_level_of_one_symbol_is_refused(count):
    """Before anything is trained."""
    said = run("train", "prior", "texts", "-o", "made", *FEW, "--set", f"classes={count}", *LIMITS, code=1).output
    assert f"classes={count} of the prior" in said and not Path("made").exists()
