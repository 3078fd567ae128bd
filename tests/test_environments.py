"""Compressed in one process, decompressed in others that believe they run on other machines: the same bytes,
and the compressed payloads identical too, for every kernel, one lane and many."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.golden import inputs
from tests.models import AUTOENCODERS, tiny_autoencoders, tiny_class_factored, tiny_mingru, tiny_models
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.models.store import SHIPPED
from tokpress.native import library
from tokpress.priors.base import Prior
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.priors.compose.product import ProductPrior
from tokpress.priors.context_mixing.prior import ContextMixingPrior
from tokpress.priors.linear_prediction.prior import LinearPredictionPrior
from tokpress.tokenizers.text.bytes import BytesTokenizer

pytest.importorskip("torch")
pytest.importorskip("array_api_compat")

ROOT = Path(__file__).parent.parent
OLD_NUMPY = "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V3 X86_V4"

#: one for each way in which networks remember, and both heads
NETWORKS = (
    "made", "lstm", "pixelcnn-colour", "gated_pixelcnn-colour", "transformer", "linear_attention", "ssm",
    "encoder_decoder", "hierarchical-depth", "ensemble",
)  # fmt: skip

#: what the core may use where the others believe they run on such a processor
CORES = {"Nehalem": "portable", "Haswell": "avx2"}

ENVIRONMENTS = [
    {"ONEDNN_MAX_CPU_ISA": isa, "OPENBLAS_CORETYPE": blas, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    | {"ATEN_CPU_CAPABILITY": "default"}
    | ({"NPY_DISABLE_CPU_FEATURES": OLD_NUMPY} if blas == "Nehalem" else {})
    | ({"TOKPRESS_CORE": CORES[blas]} if CORES[blas] in library.instruction_sets() else {})
    for isa, blas, threads in itertools.product(("SSE41", "AVX2", "AVX512_CORE"), ("Nehalem", "Haswell"), ("1", "2"))
]


def probe(folder: Path, environment: dict[str, str]) -> dict[str, list[str]]:
    """A numpy that does not know, or was built to need, a feature warns or refuses: name only those it has."""
    environment = dict(environment)
    if "NPY_DISABLE_CPU_FEATURES" in environment:
        found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
        environment["NPY_DISABLE_CPU_FEATURES"] = " ".join(f for f in OLD_NUMPY.split() if f in found)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.environment_probe", str(folder)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("environments")
    rng = np.random.default_rng(11)
    shutil.copytree(SHIPPED / "text", place / "text.model")
    Model(BytesTokenizer(), MemoryPrior(tiny_mingru(width=64, hidden=96))).save(place / "memory.model")
    Model(BytesTokenizer(), MemoryPrior(tiny_mingru(width=64, hidden=96, online=0.01, grams=64))).save(
        place / "online.model"
    )
    class_factored = tiny_class_factored(width=64, hidden=96, depth=2, grams=64)
    Model(BytesTokenizer(), MemoryPrior(class_factored)).save(place / "class_factored.model")
    load_folder(inputs.MODELS / "bitwise-bpe").save(place / "bitwise.model")
    wide = {"width": 64, "hidden": 96}
    members: list[Prior] = [tiny_mingru(**wide, online=0.01), tiny_mingru(**wide, grams=64, seed=1)]
    Model(BytesTokenizer(), MemoryPrior(ProductPrior(members))).save(place / "product.model")
    Model(BytesTokenizer(), ContextMixingPrior()).save(place / "context_mixing.model")
    Model(BytesTokenizer(), LinearPredictionPrior()).save(place / "linear_prediction.model")
    Model(BytesTokenizer(), ContextMixingPrior(on_grid=True)).save(place / "context_mixing_2d.model")
    models = tiny_models()
    for name in NETWORKS:
        models[name].save(place / f"network-{name}.model")
    for name, model in tiny_autoencoders().items():
        model.save(place / f"tokens-{name}.model")
    words = [bytes(rng.integers(97, 123, rng.integers(2, 9)).astype(np.uint8)) for _ in range(60)]
    text = b" ".join(words[i] for i in np.minimum(rng.zipf(1.4, 3000) - 1, 59))
    (place / "short.source").write_bytes(text[:700])
    (place / "long.source").write_bytes(text[:7000])
    (place / "picture.source").write_bytes(inputs.picture())
    (place / "sound.source").write_bytes(inputs.sound(2, 2)[:1900])
    return place


@pytest.fixture(scope="module")
def reference(folder) -> dict[str, list[str]]:
    return probe(folder, {})


def test_kernels_agree(reference):
    assert len(reference) == 28 + len(NETWORKS) + len(AUTOENCODERS)
    for lines in reference.values():
        assert len(set(lines)) == 1 and lines[0].startswith("True ")


def of_each_value(environment: dict[str, str]) -> bool:
    """A quarter of the environments, in which every setting occurs; the others are slow."""
    found = tuple(environment[key] for key in ("ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE", "OMP_NUM_THREADS"))
    return found in (("SSE41", "Nehalem", "1"), ("AVX2", "Haswell", "2"), ("AVX512_CORE", "Nehalem", "1"))


@pytest.mark.parametrize(
    "environment",
    [pytest.param(each, marks=[] if of_each_value(each) else pytest.mark.slow) for each in ENVIRONMENTS],
    ids=lambda e: "-".join((e["ONEDNN_MAX_CPU_ISA"], e["OPENBLAS_CORETYPE"], e["OMP_NUM_THREADS"])),
)
def test_other_machines_agree(environment, folder, reference):
    assert probe(folder, environment) == reference
