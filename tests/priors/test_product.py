"""A product of two priors: what it is by its formula, the core as its twin, and as a model directory."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models import tiny_mingru, tiny_network
from tests.training.command import run
from tokpress.conformance import check
from tokpress.errors import ModelError, TokpressError
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.priors.compose.parts import innermost
from tokpress.priors.compose.product import ProductPrior, multiply
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.priors.text.bitwise import BitwisePrior
from tokpress.tokenizers.text.bytes import BytesTokenizer


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([2, 17, 256, 4096]), st.sampled_from([1, 2, 3]))
def test_a_product_is_the_geometric_mean(seed, rows, symbols, quarters):
    rng = np.random.default_rng(seed)
    one, other = (rng.dirichlet(np.full(symbols, a), rows).astype(np.float32) for a in (0.05, 0.5))
    made = multiply(one, other, quarters)
    wanted = one.astype(np.float64) ** (1 - quarters / 4) * other.astype(np.float64) ** (quarters / 4)
    agreement = wanted.sum(1, keepdims=True)
    # each integer weight is off by one at most
    assert (np.abs(made - wanted / agreement) <= (1 + symbols * made) * 2.0**-23 / agreement + 1e-6).all()
    assert (made > 0).all()


def test_a_weight_that_is_not_said_is_one_half():
    one, other = (np.random.default_rng(k).dirichlet(np.ones(9), 3).astype(np.float32) for k in range(2))
    assert np.array_equal(multiply(one, other), multiply(one, other, 2))
    assert not np.array_equal(multiply(one, other, 1), multiply(one, other, 3))
    assert np.array_equal(multiply(one, other, 1), multiply(other, one, 3))


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_weight_is_kept_and_every_kernel_codes_the_same_bytes(quarters, tmp_path):
    prior = ProductPrior([tiny_mingru(online=0.01), tiny_mingru(seed=1)], quarters)
    assert prior.config().get("quarters", 2) == quarters and ("quarters" in prior.config()) == (quarters != 2)
    model, payloads = Model(BytesTokenizer(), prior), set()
    model.save(tmp_path / "m")
    again = load_folder(tmp_path / "m")
    assert again.prior.config() == prior.config() and again.id == model.id
    text = bytes(range(97, 123)) * 8
    for each in (model, again):
        for kernel in ("auto", "numpy"):
            payload, tokens, lanes = each.encode(text, 14, kernel=kernel)
            assert each.decode(payload, tokens, lanes, kernel=kernel) == text
            payloads.add(payload)
    assert len(payloads) == 1


def test_weights_make_a_difference():
    members = [tiny_mingru(online=0.01), tiny_mingru(seed=1)]
    models = [Model(BytesTokenizer(), ProductPrior(members, quarters)) for quarters in (1, 2, 3)]
    assert len({model.id for model in models}) == len({model.encode(b"different" * 9)[0] for model in models}) == 3


@pytest.mark.parametrize("quarters", [0, 4, -1, 1.0, True, "1", None, [1]])
def test_weights_that_cannot_be(quarters):
    members = [tiny_mingru(), tiny_mingru(seed=1)]
    with pytest.raises(TokpressError, match="should be 1, 2 or 3"):
        ProductPrior(members, quarters)
    config, tensors = ProductPrior(members).config(), ProductPrior(members).tensors()
    with pytest.raises(ModelError, match=r"config\.json: quarters="):
        ProductPrior.load({**config, "quarters": quarters}, tensors, 256)


def test_members_that_do_not_go_together_are_refused():
    with pytest.raises(TokpressError, match="2 members, not 1"):
        ProductPrior([tiny_mingru()])
    with pytest.raises(TokpressError, match="the same symbols"):
        ProductPrior([tiny_mingru(), tiny_mingru(symbols=16)])
    with pytest.raises(TokpressError, match="bitwise prior cannot be a member"):
        ProductPrior([tiny_mingru(), BitwisePrior(tiny_mingru())])
    items = [tiny_network("made", {"shape": shape, "width": 2}, 256) for shape in ("3x4", "2x6")]
    with pytest.raises(TokpressError, match="in the same order"):
        ProductPrior([tiny_mingru(), items[0]])
    other = tiny_network("made", {"shape": "3x4", "width": 2, "order": "columns"}, 256)
    with pytest.raises(TokpressError, match="in the same order"):
        ProductPrior([items[0], other])


@pytest.mark.parametrize(
    "members",
    [
        [HistogramPrior(256, np.arange(256)), HistogramPrior(256)],
        [MemoryPrior(HistogramPrior(256)), tiny_network("lstm", {"width": 12}, 256)],
        [tiny_network("made", {"shape": "3x4", "width": 2, "order": "columns"}, 256, seed=k) for k in range(2)],
    ],
    ids=["histograms", "a memory and a network", "items"],
)
def test_any_two_that_step_are_multiplied(members, tmp_path):
    check(Model(BytesTokenizer(), ProductPrior(members, quarters=1)), tmp_path)


def test_what_is_wrapped_around_a_member_is_left_out():
    bare = tiny_mingru()
    assert innermost(BitwisePrior(MemoryPrior(bare))) is bare
    assert innermost(lstm := tiny_network("lstm", {"width": 12}, 256)) is lstm


@pytest.fixture
def three(tmp_path, monkeypatch):
    """Two models, and their product."""
    members = [Model(BytesTokenizer(), MemoryPrior(tiny_mingru(seed=k))) for k in range(2)]
    for name, member in zip("ab", members):
        member.save(tmp_path / name)
    both = Model(BytesTokenizer(), MemoryPrior(ProductPrior([innermost(m.prior) for m in members])))
    both.save(tmp_path / "both")
    monkeypatch.setenv("TOKPRESS_MODELS", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "members",
    [[], [{}], 5, [{"name": "mingru"}], [{"name": "histogram"}] * 2, [{"name": "product", "members": []}] * 2],
)
def test_garbled_members_are_refused(three, members):
    path = three / "both" / "config.json"
    told = json.loads(path.read_text())
    told["prior"]["base"]["members"] = members
    path.write_text(json.dumps(told))
    with pytest.raises(TokpressError):
        load_folder(three / "both")


def test_the_command_multiplies_two_models(three, monkeypatch):
    monkeypatch.chdir(three)
    Path("corpus.txt").write_bytes(b"what it is measured on, and learns nothing from. " * 40)
    words = [
        "train",
        "prior",
        "corpus.txt",
        "-o",
        "made",
        "--tokenizer",
        "bytes",
        "--prior",
        "product",
        "--memory",
        "-q",
    ]
    run(*words, "--set", "members=a,b")
    assert load_folder("made").id == load_folder("both").id
    assert "2 members, not 1" in run(*words, "-f", "--set", "members=a", code=1).output
    run(*words, "-f", "--set", "members=a,b", "--set", "quarters=3")
    assert load_folder("made").prior.config()["base"]["quarters"] == 3
    said = run(*words, "-f", "--set", "members=a,b", "--set", "quarters=5", code=1).output
    assert "quarters=5" in said and "1, 2 or 3" in said
