"""Context mixing of bytes: its codec with the core and with the twin, and where it is refused."""

import lzma

import numpy as np
import pytest

from tests.golden.inputs import binary
from tests.native.test_branch_targets import calls
from tokpress.coding.base import WATCH_EVERY, Frame
from tokpress.errors import ChecksumError, ModelError
from tokpress.media.grid import Grid
from tokpress.native import library
from tokpress.priors.compose.ensemble import EnsemblePrior
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.priors.compose.product import ProductPrior
from tokpress.priors.context_mixing.prior import BRANCH_TARGETS, ContextMixingPrior
from tokpress.priors.linear_prediction.prior import LinearPredictionPrior
from tokpress.priors.text.bitwise import BitwisePrior

RGB = Grid(picture=True, start=5, rows=6, columns=7, channels=3, bits=8, padding=3)
SOUND = Grid(picture=False, start=0, rows=1, columns=50, channels=2, bits=16, signed=True, little=True)
TOKENS = np.random.default_rng(3).integers(0, 9, 300).astype(np.int32) * 28


@pytest.fixture(params=["core", "twin"])
def engine(request):
    if request.param == "twin":
        request.getfixturevalue("without_core")
    elif not library.is_here():
        pytest.skip("the core is not built here")


@pytest.mark.parametrize("grid", [None, RGB, SOUND])
def test_payloads_decode_and_the_score_is_their_length(engine, grid):
    codec = ContextMixingPrior(on_grid=grid is not None).codec(Frame(tokens=len(TOKENS), grid=grid))
    payload = codec.encode(TOKENS)
    heard: list[np.ndarray] = []
    assert np.array_equal(codec.decode(payload, len(TOKENS), heard.append), TOKENS)
    assert np.array_equal(np.concatenate(heard), TOKENS)
    assert abs(codec.score(TOKENS).sum() / 8 - len(payload)) < 8


@pytest.mark.parametrize("grid", [None, RGB, SOUND])
def test_core_and_twin_do_the_same(request, grid):
    def results():
        codec = ContextMixingPrior(on_grid=True).codec(Frame(tokens=len(TOKENS), grid=grid))
        return codec.encode(TOKENS), codec.score(TOKENS).tolist(), list(codec.sample(60, 7, 0.8))

    if not library.is_here():
        pytest.skip("the core is not built here")
    with_core = results()
    request.getfixturevalue("without_core")
    assert results() == with_core


def test_a_watch_may_stop_a_frame():
    if not library.is_here():
        pytest.skip("the core is not built here")
    tokens = np.zeros(5 * WATCH_EVERY, np.int32)
    codec = ContextMixingPrior().codec(Frame(tokens=len(tokens)))
    payload, heard = codec.encode(tokens), []

    def watch(some: np.ndarray) -> None:
        heard.append(len(some))
        if len(heard) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        codec.decode(payload, len(tokens), watch)
    assert heard == [WATCH_EVERY, WATCH_EVERY]


def test_code_is_filtered_and_comes_back(engine):
    """The watch gets the bytes of the source, although the model reads filtered ones."""
    source = calls(60 if not library.is_here() else 3000)
    codec = ContextMixingPrior().codec(Frame(tokens=len(source)))
    payload = codec.encode(source)
    heard: list[bytes] = []
    assert payload[0] == BRANCH_TARGETS
    assert codec.decode(payload, len(source), lambda some: heard.append(bytes(some))) == source
    assert b"".join(heard) == source
    assert abs(codec.score(source).sum() / 8 - len(payload)) < 8


def test_unknown_filters_are_refused(engine):
    codec = ContextMixingPrior().codec(Frame(tokens=3))
    for payload in (b"", b"\2" + codec.encode(b"abc")[1:]):
        with pytest.raises(ChecksumError):
            codec.decode(payload, 3)


def test_settings_are_checked():
    assert ContextMixingPrior.load({"on_grid": "true"}, {}, 256).rules.on_grid
    with pytest.raises(ModelError):
        ContextMixingPrior.load({"on_grid": 3}, {}, 256)
    with pytest.raises(ModelError):
        ContextMixingPrior.load({}, {}, 16)
    with pytest.raises(ModelError, match="--tokenizer bytes"):
        LinearPredictionPrior.load({}, {}, 16)


def test_one_lane_whatever_is_asked_for():
    prior = ContextMixingPrior()
    payload = prior.codec(Frame(tokens=300)).encode(TOKENS)
    assert prior.codec(Frame(tokens=300, lanes=7)).encode(TOKENS) == payload
    assert prior.codec(Frame(tokens=300, lanes=7)).frame.lanes == 1


def test_repetition_is_cheap_and_noise_is_not_dear():
    if not library.is_here():
        pytest.skip("the core is not built here")
    for source, most in (
        (b"2024-01-01 12:00:00 INFO service started on port 8080\n" * 400, 120),
        (np.random.default_rng(3).bytes(20000), 20000 * 1.01),
        (binary(), 0.95 * len(lzma.compress(binary(), preset=9 | lzma.PRESET_EXTREME))),
        (b"", 0),
    ):
        assert len(ContextMixingPrior().codec(Frame(tokens=len(source))).encode(source)) <= most


@pytest.mark.parametrize("prior", [ContextMixingPrior(), LinearPredictionPrior()])
def test_priors_that_step_others_refuse_it(prior):
    """It has no conditionals of symbols."""
    told = {"name": prior.name}
    for kind, config in (
        (MemoryPrior, {"base": told, "orders": [1]}),
        (BitwisePrior, {"base": told}),
        (ProductPrior, {"members": [told, told]}),
        (EnsemblePrior, {"members": [told, told]}),
    ):
        with pytest.raises(ModelError, match=prior.name):
            kind.load(config, {}, 256)
