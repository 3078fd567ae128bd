"""The adaptive prior over bytes: its codec with the core and with the twin."""

import numpy as np
import pytest

from tokpress.coding.base import WATCH_EVERY, Frame
from tokpress.errors import ModelError
from tokpress.grid import Grid
from tokpress.native import library
from tokpress.priors.context_mixing.prior import ContextMixingPrior

RGB = Grid(picture=True, start=5, rows=6, columns=7, channels=3, bits=8, padding=3)
SOUND = Grid(picture=False, start=0, rows=1, columns=50, channels=2, bits=16, signed=True, little=True)
TOKENS = np.random.default_rng(3).integers(0, 9, 300).astype(np.int32) * 28


@pytest.fixture(params=["core", "twin"])
def engine(request, monkeypatch):
    if request.param == "twin":
        monkeypatch.setattr(library, "is_here", lambda: False)
    elif not library.is_here():
        pytest.skip("the core is not built here")


@pytest.mark.parametrize("grid", [None, RGB, SOUND])
def test_payloads_decode_and_the_score_is_their_length(engine, grid):
    codec = ContextMixingPrior(on_grid=grid is not None).on(grid, len(TOKENS)).codec(Frame(tokens=len(TOKENS)))
    payload = codec.encode(TOKENS)
    heard: list[np.ndarray] = []
    assert np.array_equal(codec.decode(payload, len(TOKENS), heard.append), TOKENS)
    assert np.array_equal(np.concatenate(heard), TOKENS)
    assert abs(codec.score(TOKENS).sum() / 8 - len(payload)) < 8


@pytest.mark.parametrize("grid", [None, RGB, SOUND])
def test_core_and_twin_do_the_same(monkeypatch, grid):
    def results():
        codec = ContextMixingPrior(on_grid=True).on(grid, len(TOKENS)).codec(Frame(tokens=len(TOKENS)))
        return codec.encode(TOKENS), codec.score(TOKENS).tolist(), bytes(codec.sample(60, 7, 0.8))

    if not library.is_here():
        pytest.skip("the core is not built here")
    with_core = results()
    monkeypatch.setattr(library, "is_here", lambda: False)
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


def test_settings_are_checked():
    assert ContextMixingPrior.load({"on_grid": "true"}, {}, 256).wants_grid
    with pytest.raises(ModelError):
        ContextMixingPrior.load({"on_grid": 3}, {}, 256)
    with pytest.raises(ModelError):
        ContextMixingPrior.load({}, {}, 16)
