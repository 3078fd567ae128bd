"""What must hold between releases: what is newer is told from damage, and nothing of a file depends on other software."""

import io
import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save

import tokpress
from tests.codec.archive.common import by_hand
from tests.golden import inputs, make
from tests.models import GIVEN, tiny_network
from tokpress.codec.archive import Archive
from tokpress.codec.archive.index import COLUMNS
from tokpress.codec.archive_magic import MAGIC
from tokpress.container.frames import SYNC, Kind
from tokpress.container.varint import pack_varint
from tokpress.errors import ChecksumError, FormatError, ModelError, ModelMismatchError, TokpressError
from tokpress.media import grid
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.storage import tensors
from tokpress.tokenizers.text.bpe import BPETokenizer
from tokpress.tokenizers.text.bytes import BytesTokenizer

TEXT = b"a source of some words, and of some more words than that. " * 5


def changed(folder, name="histogram-adaptive", **settings):
    """A copy of a golden model with other settings in its config.json."""
    shutil.copytree(inputs.MODELS / name, folder)
    config = json.loads((folder / "config.json").read_text())
    for key, value in settings.items():
        if value is None:
            del config["prior"][key]
        elif key == "prior_setting":
            config["prior"][value] = 1
        else:
            config[key] = value
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"format": 2, "new": 1}, "use the version that wrote it, or a newer one"),
        ({"exact_profile": 2}, "use the version that wrote it, or a newer one"),
        ({"new": 1}, "a newer tokpress may have it"),
        ({"prior_setting": "new"}, "a newer tokpress may"),
        ({"prior": {"name": "new"}}, "a newer tokpress may have it"),
        ({"tokenizer": {"name": "new"}}, "a newer tokpress may have it"),
        ({"static": None}, "lacks the setting 'static'"),
    ],
)
def test_model_directories(tmp_path, settings, message):
    with pytest.raises(TokpressError, match=message):
        load_folder(changed(tmp_path / "model", **settings))


@pytest.mark.parametrize(
    "packed, message",
    [
        (SYNC[:3] + b"\2", "upgrade tokpress, or if it is damaged"),
        (SYNC + b"\x0f", "upgrade"),
        (b"\xdb123456789", "or a short frame of a later version: upgrade"),
    ],
)
def test_frames(packed, message):
    with pytest.raises(FormatError, match=message):
        tokpress.decompress(packed)


def index(extra: bytes = b"", kind: int = 1) -> bytes:
    """Of one folder. extra: bytes after the columns."""
    made = {name: b"" for name in COLUMNS} | {
        "kinds": bytes([kind]), "parents": b"\1", "lengths": b"\1", "names": b"a", "modes": b"\0", "times": b"\0", "owners": b"\0\0",
    }  # fmt: skip
    return b"".join(pack_varint(len(made[name])) + made[name] for name in COLUMNS) + extra


def test_archives():
    assert Archive(io.BytesIO(by_hand(index()))).names() == ["a"]
    assert Archive(io.BytesIO(by_hand(index(b"\2\3abc\4\0")))).names() == ["a"]  # columns that may be ignored
    for data, message in (
        (by_hand(index(b"\1\3abc")), "a column .1. that is unknown: upgrade"),
        (by_hand(index(kind=5)), "a kind .5. that is unknown: upgrade"),
        (by_hand(index(), goes_on=3), "of a kind .3. that is unknown: upgrade"),
        (make.frame(MAGIC.replace(b"1", b"2") + bytes(30), kind=Kind.RAW), "another version than 1: upgrade"),
    ):
        with pytest.raises(FormatError, match=message):
            Archive(io.BytesIO(data))


def test_a_grid_has_one_form():
    sound = grid.Grid(False, 0, 1, 10, 1, 8)
    packed = sound.pack()
    assert grid.unpack(packed, 10) == sound
    for other in (packed[:1] + b"\x80\0" + packed[2:], sound._replace(rows=2, columns=5).pack()):
        with pytest.raises(ChecksumError):
            grid.unpack(other, 10)


def test_tensors_are_written_as_the_library_does():
    made = {f"{i} é \n {name}": np.arange(5).astype(name) for i, name in enumerate(2 * tensors.WRITTEN)}
    made |= {"empty": np.zeros((0, 3), np.int8)}
    assert tensors.packed(made) == save(made) and tensors.packed({}) == save({})


def test_a_model_of_other_bytes_is_not_embedded(tmp_path):
    """Its id is of the bytes that it was loaded from, and the file would hold others."""
    folder = tmp_path / "model"
    shutil.copytree(inputs.MODELS / "histogram", folder)
    path = folder / "model.safetensors"
    found = tensors.read(path.read_bytes(), path)
    path.write_bytes(save({name: np.array(found[name]) for name in found}, metadata={"by": "another program"}))
    with pytest.raises(ModelError, match="save it again"):
        tokpress.open(io.BytesIO(), "wb", model=load_folder(folder), embed=True)
    load_folder(folder).save(again := tmp_path / "again")
    with tokpress.open(out := io.BytesIO(), "wb", model=load_folder(again), embed=True) as file:
        file.write(TEXT)
    assert tokpress.decompress(out.getvalue()) == TEXT


def library_pieces() -> Model:
    """A model whose texts a library cuts into pieces."""
    vocab = {chr(byte): byte for byte in range(256)} | {"ab": 256}
    cut = {"type": "Split", "pattern": {"Regex": r"\p{L}+"}, "behavior": "Isolated", "invert": False}
    rules = {"pre_tokenizer": cut, "model": {"type": "BPE", "vocab": vocab, "merges": [["a", "b"]]}}
    tokenizer = BPETokenizer(json.dumps(rules))
    return Model(tokenizer, HistogramPrior(tokenizer.vocab_size), name="pieces")


def test_a_context_is_cut_by_ourselves():
    model = library_pieces()
    assert tokpress.decompress(tokpress.compress(TEXT, model), model) == TEXT
    with pytest.raises(TokpressError, match="a library cuts texts into its tokens"):
        tokpress.compress(TEXT, model, context=b"a context")


def test_several_models_of_one_key():
    """The key of a short frame has two bytes, so of some hundred models two may have the same."""
    right = Model(BytesTokenizer(), HistogramPrior(256), name="right")
    wrong = Model(BytesTokenizer(), HistogramPrior(256, np.arange(1, 257)), name="wrong")
    every = (tokpress.Context(b"context %d" % i) for i in range(10**6))
    context = next(each for each in every if each.key(right.id) == each.key(wrong.id))
    packed = make.after_context(TEXT[:60], right, context.source)
    for models in ([right, wrong], [wrong, right]):
        assert tokpress.decompress(packed, models=models, context=context) == TEXT[:60]
    with pytest.raises(ChecksumError):
        tokpress.decompress(packed[:-1] + bytes([packed[-1] ^ 1]), models=[wrong, right], context=context)


def test_given_files():
    """A frame says of which file it is given, and by which kind of model it was coded."""
    name, settings, tokenizer = GIVEN["encoder_decoder"]
    model = Model(tokenizer, tiny_network(name, settings, tokenizer.vocab_size), name=name)
    x, source = bytes(range(80)), bytes(range(192))
    packed = make.frame(source, model.given(x))
    assert tokpress.decompress(packed, model.given(x)) == source
    for other in (model, model.given(x[::-1])):
        with pytest.raises(ModelMismatchError, match="name it with --given"):
            tokpress.decompress(packed, other)
    as_model = packed.replace(b"\x0e", b"\x0a", 1)  # kind 2 has no digest of x: whatever follows, it is refused
    with pytest.raises(FormatError):
        tokpress.decompress(as_model, model.given(x))
