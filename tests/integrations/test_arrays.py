"""numcodecs and Zarr find their codecs by entry points, and use them as their own documentation does."""

import io
import json
import pickle

import numpy as np
import pytest

import tokpress
from tests.codec.files import MODEL
from tokpress.errors import FormatError, ModelError

CONFIGS = [{}, {"effort": "fast"}, {"model": "context-mixing"}]
WRONG = [
    ({"effort": "slow"}, ValueError, "effort must be"),
    ({"effort": ["fast"]}, ValueError, "effort must be"),
    ({"model": 5}, TypeError, "name of a model"),
    ({"model": "text", "effort": "fast"}, ValueError, "does not go with a model"),
]
ARRAYS = [
    np.arange(600, dtype="i4").reshape(20, 30),
    np.linspace(0, 1, 60, dtype="f8").reshape(3, 4, 5, order="F"),
    np.array([b"abc", b"de", b""], dtype="S5"),
    np.array(["2020-01-01", "NaT"], dtype="M8[s]"),
    np.zeros((0, 3), "u1"),
    np.array(5.5),
]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_numcodecs(config):
    numcodecs = pytest.importorskip("numcodecs")
    codec = numcodecs.get_codec({"id": "tokpress", **config})
    assert codec.get_config() == {"id": "tokpress", **config} == json.loads(json.dumps(codec.get_config()))
    assert numcodecs.get_codec(codec.get_config()) == codec == pickle.loads(pickle.dumps(codec))
    assert repr(codec) == f"Tokpress({', '.join(f'{name}={value!r}' for name, value in config.items())})"
    for array in ARRAYS:
        packed = codec.encode(array)
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        assert tokpress.decompress(packed) == array.tobytes(order)
        assert bytes(codec.decode(packed)) == array.tobytes(order)
        out = np.empty_like(array)
        codec.decode(packed, out=out)
        assert out.tobytes(order) == array.tobytes(order)
        assert bytes(codec.decode(bytearray(packed))) == array.tobytes(order)


def test_the_checks_of_numcodecs():
    """Those that its own codecs pass."""
    numcodecs, kit = pytest.importorskip("numcodecs"), pytest.importorskip("numcodecs.tests.common")
    rng = np.random.default_rng(0)
    arrays = [
        np.arange(1000, dtype="i4"),
        rng.normal(1000, 1, (30, 10)),
        rng.integers(0, 2, (100, 10)).astype(bool, order="F"),
        rng.integers(0, 9, (40, 60), dtype="i2").T,
        rng.choice([b"a", b"bb", b"ccc"], (5, 5, 5)),
        rng.integers(0, 2**60, 100, dtype="u8").view("m8[ns]"),
    ]
    for config in CONFIGS:
        codec = numcodecs.get_codec({"id": "tokpress", **config})
        for array in arrays:
            kit.check_encode_decode(array, codec)
        kit.check_config(codec)
    kit.check_err_encode_object_buffer(codec)
    kit.check_err_decode_object_buffer(codec)
    with pytest.raises(ValueError):
        codec.encode(np.arange(1000)[::2])
    with pytest.raises(TypeError):
        codec.encode(["foo", "bar"])


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_shape_of_integers_is_used(order):
    """A picture takes fewer bytes than its bytes without it."""
    numcodecs = pytest.importorskip("numcodecs")
    codec = numcodecs.get_codec({"id": "tokpress", "effort": "fast"})
    noise = np.random.default_rng(0).integers(0, 8, (64, 48, 3), dtype="u1")
    picture = np.asarray(
        noise + np.add.outer(np.add.outer(np.arange(64), np.arange(48)), [0, 60, 90]) % 240, "u1", order
    )
    packed = codec.encode(picture)
    assert len(packed) < 0.9 * len(codec.encode(picture.tobytes(order)))
    assert np.load(io.BytesIO(tokpress.decompress(packed))).tobytes() == picture.tobytes(order)
    out = np.empty_like(picture)
    assert codec.decode(packed, out=out) is not None and np.array_equal(out, picture)


def test_bytes_that_look_like_a_header():
    """Whatever is put in comes out, also the files that the codec itself makes of arrays."""
    numcodecs = pytest.importorskip("numcodecs")
    codec = numcodecs.get_codec({"id": "tokpress", "effort": "fast"})
    np.save(file := io.BytesIO(), np.zeros((80, 80), "u1"))
    for data in (file.getvalue(), b"\x93NUMPY", b"\x93NUMPY\1\0\xff\xff" + bytes(5000)):
        assert codec.decode(codec.encode(data)) == data
        assert codec.decode(codec.encode(np.frombuffer(data, "u1"))) == data
    with pytest.raises(FormatError, match="no chunk"):
        codec.decode(tokpress.compress(b"\x93NUMPY\1\0\xff\xff"))


def test_numcodecs_refuses_what_does_not_fit():
    numcodecs = pytest.importorskip("numcodecs")
    codec = numcodecs.get_codec({"id": "tokpress"})
    packed = codec.encode(np.arange(10))
    for size in (9, 11):
        with pytest.raises(ValueError):
            codec.decode(packed, out=np.empty(size, int))
    with pytest.raises(FormatError):
        codec.decode(packed[:-1])
    with pytest.raises(ModelError, match="no model called"):
        numcodecs.get_codec({"id": "tokpress", "model": "nowhere"}).encode(b"")


@pytest.mark.parametrize("config, error, message", WRONG)
def test_metadata_is_checked(config, error, message):
    numcodecs, zarr = pytest.importorskip("numcodecs"), pytest.importorskip("zarr")
    with pytest.raises(error, match=message):
        numcodecs.get_codec({"id": "tokpress", **config})
    with pytest.raises(error, match=message):
        zarr.registry.get_codec_class("tokpress").from_dict({"name": "tokpress", "configuration": config})


def test_a_codec_with_a_model_of_its_own(tmp_path):
    numcodecs = pytest.importorskip("numcodecs")
    MODEL.save(tmp_path / "tiny")
    codec = numcodecs.get_codec({"id": "tokpress", "model": str(tmp_path / "tiny")})
    data = b"abc\n" * 300
    assert len(codec.encode(data)) < 600 and codec.decode(codec.encode(data)) == data


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_zarr(config, tmp_path):
    """Written and read by zarr alone: the reader finds the codec by the name in zarr.json."""
    zarr = pytest.importorskip("zarr")
    codec = zarr.registry.get_codec_class("tokpress")(**config)
    data = np.add.outer(np.arange(64, dtype="i2") * 3, np.arange(40, dtype="i2"))
    group = zarr.create_group(tmp_path / "a.zarr")
    group.create_array("x", data=data, chunks=(32, 40), compressors=codec)
    metadata = json.loads((tmp_path / "a.zarr/x/zarr.json").read_text())
    assert metadata["codecs"][-1] == {"name": "tokpress", "configuration": config} == codec.to_dict()
    array = zarr.open_group(tmp_path / "a.zarr", mode="r")["x"]
    assert (
        array.compressors == (codec,) and np.array_equal(array[:], data) and np.array_equal(array[5:9, 3], data[5:9, 3])
    )
    chunk = (tmp_path / "a.zarr/x/c/0/0").read_bytes()
    assert tokpress.decompress(chunk) == data[:32].tobytes()


def test_zarr_keeps_the_shape_of_a_chunk(tmp_path):
    zarr = pytest.importorskip("zarr")
    kind = zarr.registry.get_codec_class("tokpress")
    data = np.random.default_rng(0).integers(0, 9, (3, 64, 64), dtype="u2") + np.arange(64, dtype="u2")
    zarr.create_array(tmp_path / "a.zarr", data=data, chunks=(2, 64, 64), compressors=kind(effort="fast"))
    assert np.array_equal(zarr.open_array(tmp_path / "a.zarr", mode="r")[:], data)
    chunk = tokpress.decompress((tmp_path / "a.zarr/c/0/0/0").read_bytes())
    assert np.array_equal(np.load(io.BytesIO(chunk)), data[:2])


@pytest.mark.parametrize("place", ["before", "after"])
def test_zarr_with_another_codec(place):
    zarr = pytest.importorskip("zarr")
    ours, other = zarr.registry.get_codec_class("tokpress")(effort="fast"), zarr.codecs.GzipCodec(level=0)
    data = np.arange(10_000, dtype="i4").reshape(100, 100)
    compressors = [ours, other] if place == "before" else [other, ours]
    assert np.array_equal(zarr.create_array({}, data=data, compressors=compressors)[:], data)


def test_zarr_reads_a_codec_without_settings():
    zarr = pytest.importorskip("zarr")
    kind = zarr.registry.get_codec_class("tokpress")
    assert kind.from_dict({"name": "tokpress"}) == kind() and pickle.loads(pickle.dumps(kind())) == kind()
    with pytest.raises(ValueError, match="is not 'tokpress'"):
        kind.from_dict({"name": "gzip"})


def test_a_damaged_chunk_of_zarr_is_an_error(tmp_path):
    zarr = pytest.importorskip("zarr")
    kind = zarr.registry.get_codec_class("tokpress")
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(500), compressors=kind(effort="fast"))
    path = tmp_path / "a.zarr/c/0"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FormatError, match="truncated"):
        zarr.open_array(tmp_path / "a.zarr", mode="r")[:]


def test_a_chunk_that_restores_too_much_is_an_error(tmp_path):
    """By the sizes that are known, before all of it is in memory."""
    zarr, numcodecs = pytest.importorskip("zarr"), pytest.importorskip("numcodecs")
    bomb = tokpress.compress(bytes(5_000_000), effort="fast")
    with pytest.raises(FormatError, match="far more bytes"):
        numcodecs.get_codec({"id": "tokpress"}).decode(bomb, out=np.empty(100))
    kind = zarr.registry.get_codec_class("tokpress")
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(500), compressors=kind(effort="fast"))
    (tmp_path / "a.zarr/c/0").write_bytes(bomb)
    with pytest.raises(FormatError, match="far more bytes"):
        zarr.open_array(tmp_path / "a.zarr", mode="r")[:]


def test_zarr_with_texts_of_any_length():
    zarr = pytest.importorskip("zarr")
    kind = zarr.registry.get_codec_class("tokpress")
    texts = np.array(["a", "b" * 3_000_000, ""], dtype=np.dtypes.StringDType())
    array = zarr.create_array({}, shape=(3,), dtype="string", compressors=kind(effort="fast"))
    array[:] = texts
    assert list(array[:]) == list(texts)


def test_zarr_of_version_2(tmp_path):
    """It takes the codec of numcodecs."""
    zarr, numcodecs = pytest.importorskip("zarr"), pytest.importorskip("numcodecs")
    codec = numcodecs.get_codec({"id": "tokpress", "effort": "fast"})
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(500), zarr_format=2, compressors=codec)
    assert json.loads((tmp_path / "a.zarr/.zarray").read_text())["compressor"] == codec.get_config()
    assert np.array_equal(zarr.open_array(tmp_path / "a.zarr", mode="r")[:], np.arange(500))
