"""Whatever a model directory holds: an error of ours, or bytes that come back. Never another exception, never other bytes."""

import contextlib
import random
import shutil
from pathlib import Path

import pytest

from tests.directories.mutate import mutate
from tests.golden import inputs
from tests.models import GIVEN, tiny_models
from tokpress.errors import TokpressError
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.priors.registry import PRIORS

TEXT = b"the rat sat\n" * 2 + b"\0\xff"
GOLDEN = [each.name for each in sorted(inputs.MODELS.iterdir()) if not each.name.startswith("given-")]
#: kinds of priors that no golden model has
OTHERS = ("bound", "encoder_decoder", "next_scale", "mingru-class_factored", "context_mixing", "linear_prediction")


def coded(folder: Path) -> str:
    """What becomes of a model: refused, or whether it gives a short source back."""
    try:
        model = load_folder(folder)
        if model.prior.rules.given_size:
            return "wants more"
        tokenizer = model.tokenizer
        size = tokenizer.sizes.unit_bytes if not tokenizer.lossless else 1
        if size > 1 << 16:
            return "too large an item for a test"
        source = (TEXT * (size // len(TEXT) + 1))[: size if size > 1 else len(TEXT)]
        payload, tokens, lanes = model.encode(source, 2, kernel="numpy")
        back = model.decode(payload, tokens, lanes, length=len(source))
    except TokpressError as error:
        assert str(error)
        return "refused"
    assert back == source or (not tokenizer.lossless and len(back) == len(source))
    return "came back"


def fuzz(made: Path, place: Path, seed: str, cases: range) -> set[str]:
    outcomes = set()
    for case in cases:
        rng, folder = random.Random(f"{seed} {case}"), place / str(case)
        shutil.copytree(made, folder)
        done = mutate(folder, rng)
        if rng.random() < 0.2:
            with contextlib.suppress(Exception):  # what is broken already need not be one that can be changed again
                done += ", " + mutate(folder, rng)
        try:
            outcomes.add(coded(folder))
        except BaseException as error:
            raise AssertionError(f"{seed}, case {case}: {done}: {type(error).__name__}: {error}") from error
        shutil.rmtree(folder)
    return outcomes


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    """Every small model as a directory, by name."""
    place, models = tmp_path_factory.mktemp("made"), tiny_models()
    for name in OTHERS:
        models[name].save(place / name)
    return {name: inputs.MODELS / name for name in GOLDEN} | {name: place / name for name in OTHERS}


def test_every_kind_of_prior_is_here(made):
    kinds = {part["name"] for folder in made.values() for part in _priors(load_folder(folder))}
    assert kinds >= {name for name in PRIORS.names() if name in tiny_models() or name in GIVEN}


def _priors(model: Model) -> list[dict]:
    found, waiting = [], [model.config()["prior"]]
    while waiting:
        told = waiting.pop()
        found.append(told)
        waiting += [*told.get("members", []), *([told["base"]] if "base" in told else [])]
    return found


@pytest.mark.parametrize("name", [*GOLDEN, *OTHERS])
def test_mutated_directories(name, made, tmp_path):
    assert coded(made[name]) == "came back"
    assert "refused" in fuzz(made[name], tmp_path, name, range(16))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*GOLDEN, *OTHERS])
def test_many_mutated_directories(name, made, tmp_path):
    assert "refused" in fuzz(made[name], tmp_path, name, range(16, 600))
