"""Small .tokp files of several frames, and streams to read them from."""

import io

import numpy as np

import tokpress
from tokpress.codec.file import TokpressFile
from tokpress.container.member import iter_frames
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.text.bytes import BytesTokenizer

MODEL = Model(BytesTokenizer(), HistogramPrior(256, np.bincount([97, 98, 99, 10], minlength=256) * 1000), name="tiny")
DATA = np.random.default_rng(0).choice(np.frombuffer(b"abc\n", np.uint8), 5300).tobytes()


class Pipe(io.RawIOBase):
    """A stream that hands out a few bytes at a time and cannot seek."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        piece = self._data.read(min(len(buffer), 7))
        buffer[: len(piece)] = piece
        return len(piece)


def packed(data=DATA, frame_size=1000) -> bytes:
    with tokpress.open(out := io.BytesIO(), "wb", model=MODEL, frame_size=frame_size) as file:
        file.write(data)
    return out.getvalue()


def reader(data, **more) -> TokpressFile:
    return TokpressFile(io.BytesIO(data), model=MODEL, **more)


def offsets(data: bytes) -> list[int]:
    return [header.offset for header, _ in iter_frames(io.BytesIO(data))]
