"""Small data for the commands of the lecture's pages; nothing is fetched.

    python make_data.py

pictures.bits, new.bits       4,000 and 32 pictures of 28 × 28 bits: a disc, a frame or a bar somewhere (train, measure)
small.bits, small_new.bits    every fourth pixel of them, 7 × 7: the x of p(y | x)
levels.bytes, new.bytes       20,000 and 5,000 samples of three bells over 0 … 255
text.txt, new.txt             Python's own sources
photos/                       40 colour pictures of 64 × 64: gradients and discs; new.ppm is another one
"""

import json
import pathlib

import numpy as np

rng = np.random.default_rng(0)
row, column = np.mgrid[:28, :28]


def picture() -> np.ndarray:
    y, x, size, kind = *rng.integers(8, 20, 2), rng.integers(3, 8), rng.integers(3)
    near = np.maximum(abs(row - y), abs(column - x))
    if kind == 0:
        return (row - y) ** 2 + (column - x) ** 2 <= size**2
    return near == size if kind == 1 else (abs(row - y) <= 1) & (abs(column - x) <= size)


def photo() -> np.ndarray:
    row, column = np.mgrid[:64, :64]
    y, x, size = *rng.integers(16, 48, 2), rng.integers(6, 16)
    ground = np.stack([row * rng.integers(1, 4), column * rng.integers(1, 4), row + column], 2)
    disc = ((row - y) ** 2 + (column - x) ** 2 <= size**2)[..., None]
    return np.where(disc, rng.integers(0, 256, 3), ground).astype(np.uint8)


def save(name: str, data: bytes) -> None:
    pathlib.Path(name).write_bytes(data)


def ppm(pixels: np.ndarray) -> bytes:
    return b"P6 64 64 255\n" + pixels.tobytes()


for end, small, count in (("pictures.bits", "small.bits", 4000), ("new.bits", "small_new.bits", 32)):
    pictures = np.stack([picture() for _ in range(count)])
    save(end, np.packbits(pictures).tobytes())
    save(small, np.packbits(pictures[:, ::4, ::4]).tobytes())
for name, count in (("levels.bytes", 20_000), ("new.bytes", 5000)):
    bells = rng.normal([60, 120, 200], [8, 20, 5], (count, 3))[np.arange(count), rng.integers(0, 3, count)]
    save(name, bells.clip(0, 255).astype(np.uint8).tobytes())
sources = sorted(pathlib.Path(json.__file__).parent.parent.glob("*.py"))
save("text.txt", b"".join(path.read_bytes() for path in sources[1:]))
save("new.txt", sources[0].read_bytes()[:2000])
pathlib.Path("photos").mkdir(exist_ok=True)
for number in range(40):
    save(f"photos/{number}.ppm", ppm(photo()))
save("new.ppm", ppm(photo()))
