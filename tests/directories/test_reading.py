"""The files of a model directory: regular ones of a bounded size, whose contents are what they say."""

import json
import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

import tokpress
from tests.golden import inputs
from tests.models import tiny_mingru
from tokpress.cli.main import cli
from tokpress.errors import ModelError, TokpressError
from tokpress.models.folder import identity, tokenizer_only
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.storage import files, tensors
from tokpress.tokenizers.text.bytes import BytesTokenizer
from tokpress.training.run_dir import load_tokenizer

FILES = ("config.json", "tokenizer.json", "model.safetensors", "tokenizer.safetensors", "README.md")
READERS = {
    "load": load_folder,
    "identity": identity,
    "store": tokpress.load,
    "tokenizer": load_tokenizer,
}


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder_of(path: Path) -> None:
    path.mkdir()


def too_long(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(files.MAX_BYTES[path.name] + 1)  # a hole, which takes no room


@pytest.fixture
def place(tmp_path) -> Path:
    shutil.copytree(inputs.MODELS / "memory-bpe", tmp_path / "model")
    (tmp_path / "model" / "README.md").write_text("# card")
    return tmp_path / "model"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("put", [fifo, device, folder_of, too_long])
@pytest.mark.parametrize("file", FILES)
def test_only_regular_files_of_a_bounded_size_are_read(file, put, place, monkeypatch):
    path = place / file
    path.unlink(missing_ok=True)
    put(path)
    for name, read in READERS.items():
        touches = {
            "tokenizer": ("config.json", "tokenizer.json"),
            "identity": FILES[:-1],
        }
        if file in touches.get(name, FILES):
            with pytest.raises(TokpressError, match=file):
                read(place)
    assert not (file == "config.json" and tokenizer_only(place))
    # what the command line lists and searches
    monkeypatch.setenv("TOKPRESS_MODELS", str(place.parent))
    listed = CliRunner().invoke(cli, ["models"])
    assert listed.exit_code == (file != "README.md")
    assert isinstance(listed.exception, (SystemExit, type(None)))


def test_a_link_to_a_regular_file_is_one(place, tmp_path):
    shutil.move(place / "config.json", tmp_path / "elsewhere")
    (place / "config.json").symlink_to(tmp_path / "elsewhere")
    assert load_folder(place).id == load_folder(inputs.MODELS / "memory-bpe").id


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e400", "1" * 5000])
def test_numbers_that_are_none(number, place):
    text = (place / "config.json").read_text()
    for key, old in (("width", "32"), ("symbols", "300"), ("format", "1")):
        (place / "config.json").write_text(text.replace(f'"{key}": {old}', f'"{key}": {number}'))
        with pytest.raises(ModelError):
            load_folder(place)
        with pytest.raises(ModelError):
            identity(place)


@pytest.mark.parametrize("depth", [100, 900, 100_000])
@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_values_that_are_too_deep(file, depth, place):
    deep = b'{"x": ' * depth + b"1" + b"}" * depth
    (place / file).write_bytes(struct.pack("<Q", len(deep)) + deep if file.endswith("tensors") else deep)
    with pytest.raises(TokpressError, match=file):
        load_folder(place)


def test_settings_of_all_kinds_allocate_nothing(tmp_path):
    """Sizes are held against the tensors, which are there already."""
    Model(BytesTokenizer(), tiny_mingru()).save(tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    for key in ("width", "hidden", "symbols", "depth"):
        for value in (10**9, 65536, 257):
            changed = config | {"prior": config["prior"] | {key: value}}
            (tmp_path / "m" / "config.json").write_text(json.dumps(changed))
            with pytest.raises(ModelError):
                load_folder(tmp_path / "m")


# ── safetensors ─────────────────────────────────────────────────────────────────────────────────────


def packed(header: dict | bytes, body: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def entry(dtype="F32", shape=(2,), offsets=(0, 8)) -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


LIES = {
    "nothing": b"",
    "short": b"\x08\0\0",
    "header beyond the end": packed({}, length=100),
    "header of 2^63 bytes": packed({}, length=1 << 63),
    "a list": packed(b"[]"),
    "a number": packed(b"7"),
    "no JSON": packed(b"{"),
    "no UTF-8": packed(b"\xff\xfe"),
    "bytes left over": packed({"a": entry()}, bytes(9)),
    "bytes missing": packed({"a": entry()}, bytes(7)),
    "a gap": packed({"a": entry(offsets=(4, 12))}, bytes(12)),
    "an overlap": packed({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)),
    "the same place": packed({"a": entry(), "b": entry()}, bytes(8)),
    "backwards": packed({"a": entry(offsets=(8, 0))}, bytes(8)),
    "negative": packed({"a": entry(offsets=(-8, 0))}, bytes(8)),
    "huge": packed({"a": entry(shape=(1 << 40, 1 << 40), offsets=(0, 1 << 82))}, bytes(8)),
    "shape of bytes": packed({"a": entry(shape=(3,))}, bytes(8)),
    "shape of a fraction": packed({"a": entry(shape=(2.0,))}, bytes(8)),
    "shape of truth": packed({"a": entry(shape=(True, 2))}, bytes(8)),
    "negative shape": packed({"a": entry(shape=(-1, -2))}, bytes(8)),
    "too many sides": packed({"a": entry(shape=(2, *[1] * 40))}, bytes(8)),
    "dtype of tomorrow": packed({"a": entry(dtype="F8")}, bytes(8)),
    "float64": packed({"a": entry(dtype="F64", shape=(1,))}, bytes(8)),
    "no dtype": packed({"a": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
    "three offsets": packed({"a": entry(offsets=(0, 4, 8))}, bytes(8)),
    "offsets are text": packed({"a": entry() | {"data_offsets": "08"}}, bytes(8)),
    "an entry is text": packed({"a": "F32"}, bytes(8)),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies(lie):
    with pytest.raises(ModelError, match="here"):
        tensors.read(LIES[lie], "here")


@pytest.mark.parametrize("path", sorted(inputs.MODELS.glob("*/*.safetensors")), ids=lambda path: path.parent.name)
def test_files_are_read_as_the_library_reads_them(path):
    ours, theirs = tensors.read(path.read_bytes(), path), load_file(path)
    assert list(ours) == sorted(ours, key=list(ours).index) and set(ours) == set(theirs)
    for name, t in ours.items():
        assert t.dtype == theirs[name].dtype and np.array_equal(t, theirs[name]), name
        assert t.flags.c_contiguous and t.flags.aligned and t.flags.writeable


def test_scalars_and_arrays_of_nothing():
    body = np.float32(1.5).tobytes()
    made = tensors.read(
        packed({"a": entry(shape=(), offsets=(0, 4)), "b": entry(shape=(0, 3), offsets=(0, 0))}, body), "x"
    )
    assert made["a"] == np.float32(1.5) and made["b"].shape == (0, 3)
