"""Tensors of model files: arrays when they are asked for, checks without numpy, trust in the package's own only."""

import copy
import json
import subprocess
import sys

import numpy as np
import pytest

import tokpress
from tests.limits import LAST_RESORT
from tests.models import tiny_mingru
from tests.observe import calls_of
from tokpress.errors import ModelError
from tokpress.exact.tensors import COUNT, PERMUTATION, SCALE, VECTOR, WEIGHT, check
from tokpress.models import folder as folders
from tokpress.models import identity as shipped
from tokpress.models import store
from tokpress.models.folder import identity
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.native import library
from tokpress.storage.tensors import Tensors, buffers, read, split, write
from tokpress.tokenizers.text.bytes import BytesTokenizer

KINDS = {"weights": WEIGHT, "scales": SCALE, "vectors": VECTOR, "counts": COUNT, "places": PERMUTATION}


def of_file(place, **arrays) -> Tensors:
    write(arrays, place / "model.safetensors")
    return read((place / "model.safetensors").read_bytes(), "here")


def edges(kind) -> list:
    """Values at the bounds, just outside, and no numbers."""
    if kind.dtype == "float32":
        low, high = np.float32(kind.least), np.float32(kind.most)
        beyond = [np.nextafter(low, np.float32(-np.inf)), np.nextafter(high, np.float32(np.inf))]
        return [low, high, *beyond, np.float32("nan"), np.float32("inf"), np.float32(1)]
    info = np.iinfo(kind.dtype)
    return [
        v
        for v in (kind.least - 1, kind.least, kind.most, kind.most + 1, info.min, info.max)
        if info.min <= v <= info.max
    ]


@pytest.mark.parametrize("name", KINDS)
def test_values_are_checked_without_numpy_as_with_it(name, tmp_path):
    kind, faults = KINDS[name], set()
    for value in edges(kind):
        for place in (0, 4, 8):
            array = np.arange(9).astype(kind.dtype) if kind.permutation else np.full(9, kind.most, kind.dtype)
            array[place] = value
            fault = kind.fault_of_file(of_file(tmp_path, t=array).raw("t"))
            assert fault == kind.fault(array), (value, place)
            faults.add(bool(fault))
    assert faults == {False, True}
    assert kind.fault_of_file(of_file(tmp_path, t=np.zeros((3, 0), kind.dtype)).raw("t")) == ""


def test_an_array_is_a_view_of_the_file(tmp_path):
    found = of_file(tmp_path, a=np.arange(6, dtype=np.int32).reshape(2, 3), b=np.ones(2, np.float32))
    found["a"][1, 2] = 77
    assert bytes(buffers(found)["a"][-4:]) == (77).to_bytes(4, "little") and found["a"] is found["a"]
    assert (found.size, len(found), set(found)) == (8, 2, {"a", "b"}) and "c" not in found
    assert type(found | {"c": found["b"]}) is dict
    both = Tensors.side_by_side([found, found])
    assert set(both) == {"0.a", "0.b", "1.a", "1.b"} and [set(part) for part in split(both, "1.")] == [
        {"a", "b"},
        {"0.a", "0.b"},
    ]
    assert np.array_equal(copy.deepcopy(found)["a"], found["a"])


def test_odd_places_are_aligned(tmp_path):
    """A header of any length is allowed; the core reads numbers at multiples of their size."""
    header = json.dumps({"t": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    header += b" " * ((1 - len(header)) % 4)
    data = len(header).to_bytes(8, "little") + header + np.float32([1, 2]).tobytes()
    assert (8 + len(header)) % 4 == 1
    found = read(data, "here")
    assert found["t"].flags.aligned and found["t"].tolist() == [1, 2]
    assert library.address(found.raw("t").data)[1] == 8


def test_only_the_package_is_trusted(tmp_path):
    bad = dict(tiny_mingru().tensors())
    bad["head.weight"] = np.full_like(bad["head.weight"], 127)
    found = of_file(tmp_path, **bad)
    for trusted in (False, True):
        now = Tensors({name: found.raw(name) for name in found}, trusted)
        if trusted:
            check(now, "head.weight", bad["head.weight"].shape, WEIGHT)
        else:
            with pytest.raises(ModelError, match="out of bounds"):
                check(now, "head.weight", bad["head.weight"].shape, WEIGHT)
        with pytest.raises(ModelError, match="should be int8"):
            check(now, "head.weight", (1, 2), WEIGHT)
    Model(BytesTokenizer(), tiny_mingru()).save(tmp_path / "made")
    assert not load_folder(tmp_path / "made").prior.tensors().trusted


# ── the list of shipped models ──────────────────────────────────────────────────────────────────────


def test_the_list_says_what_the_files_say():
    """Where this fails, a shipped model has changed: `python -m tokpress.models.identity` writes the list anew."""
    found = {path.parent.name: shipped.described(path.parent) for path in sorted(shipped.MODELS.glob("*/config.json"))}
    assert json.loads((shipped.MODELS / shipped.LIST).read_text()) == found and "text" in found


def test_shipped_models_are_not_hashed():
    store._cached.cache_clear()
    store._identity.cache_clear()
    with calls_of(folders.identity_of) as hashed:
        for name in store.folders():
            if store.find(name).parent == shipped.MODELS:
                id = tokpress.load(name).id
                assert store.by_id(id, []).id == id
        assert hashed == []
        assert identity(shipped.MODELS / "context-mixing") and len(hashed) == 1
    assert tokpress.load("text").prior.base.tensors().trusted


@pytest.mark.parametrize("change", ["config", "size", "no list", "another place"])
def test_a_changed_model_is_hashed(change, tmp_path):
    import shutil

    place = tmp_path / "models"
    shutil.copytree(shipped.MODELS, place)
    models, folder = tmp_path if change == "another place" else place, place / "text"
    assert shipped.identity(folder, place) == identity(folder)
    if change == "no list":
        place = place.rename(tmp_path / "without")  # another folder: the list is read once for each
        models, folder = place, place / "text"
        (place / shipped.LIST).unlink()
    if change == "config":
        config = json.loads((folder / "config.json").read_text())
        config["prior"]["base"]["orders"][0] = 5
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    if change == "size":
        (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text() + " ")
    assert shipped.identity(folder, models) is None
    assert load_folder(folder).id == identity(folder)
    assert (load_folder(folder).id == tokpress.load("text").id) == (change in ("no list", "another place"))


def test_a_model_of_ones_own_is_opened_without_numpy(tmp_path):
    """Its hash and its values are checked by the standard library."""
    if not library.is_here():
        pytest.skip("the twins compute with numpy")
    text = tokpress.load("text")
    text.save(tmp_path / "mine")
    (tmp_path / "a").write_bytes(b"It was a dark and stormy night; the rain fell in torrents. " * 3)
    code = "import sys; from tokpress.cli import main\ntry: main()\nfinally: print('numpy' in sys.modules, file=sys.stderr)"
    command = [sys.executable, "-c", code, "compress", "-m", "mine", "a"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LAST_RESORT)
    assert done.returncode == 0 and done.stderr.split()[-1] == "False", done.stderr
    assert "model mine" in done.stderr
