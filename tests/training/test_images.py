"""Pictures as a corpus: idx, npy, npz and what Pillow reads, and clear errors for what they are not."""

import gzip
import struct

import numpy as np
import pytest

from tokpress.errors import CorpusError
from tokpress.training.data import images
from tokpress.training.data.corpus import read_chunks

VALUES = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)


def idx(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def write(folder, name):
    path = folder / name
    if name.endswith(".npy"):
        np.save(path, VALUES)
    elif name.endswith(".npz"):
        np.savez(path, images=VALUES, labels=np.zeros(5))
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(idx(VALUES)))
    else:
        path.write_bytes(idx(VALUES))
    return path


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"])
def test_arrays_are_their_values(tmp_path, name):
    path = write(tmp_path, name)
    assert b"".join(read_chunks(path, 7)) == VALUES.tobytes()
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CorpusError, match=path.name[:4]):
        images.read(path)


def test_only_bytes_are_taken(tmp_path):
    np.save(tmp_path / "a.npy", VALUES.astype(np.float32))
    with pytest.raises(CorpusError, match="float32"):
        images.read(tmp_path / "a.npy")
    np.savez(tmp_path / "b.npz", a=VALUES, b=VALUES)
    with pytest.raises(CorpusError, match="2 arrays"):
        images.read(tmp_path / "b.npz")
    np.save(tmp_path / "c.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(CorpusError):
        images.read(tmp_path / "c.npy")
    (tmp_path / "d-ubyte").write_bytes(b"\0\0\x0d\x01" + bytes(8))
    with pytest.raises(CorpusError, match="unsigned bytes"):
        images.read(tmp_path / "d-ubyte")


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 4), ("P", 3), ("1", 1), ("I;16", 2)])
def test_pictures_are_their_pixels(tmp_path, mode, channels):
    Image = pytest.importorskip("PIL.Image")
    values = VALUES[:, :, :1] if channels == 1 else np.repeat(VALUES[:, :, :1], channels, 2)
    if mode == "P":
        picture = Image.fromarray(values).quantize(256)
        values = np.asarray(picture.convert("RGB"))
    elif mode == "1":
        picture = Image.fromarray(values[:, :, 0] > 99)
        values = np.where(values > 99, 255, 0).astype(np.uint8)
    elif mode == "I;16":
        picture = Image.fromarray(values.view(np.uint16)[:, :, 0])
    else:
        picture = Image.fromarray(values[:, :, 0] if channels == 1 else values)
    picture.save(tmp_path / "a.png")
    assert b"".join(read_chunks(tmp_path / "a.png", 8)) == values.tobytes()
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    with pytest.raises(CorpusError, match=r"a\.png"):
        images.read(tmp_path / "a.png")
