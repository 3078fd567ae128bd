"""Frames of the first video stream in an MP4, MKV, Y4M … file, read by PyAV (`pip install "tokpress[video]"`).

    frames(file, channels)      one after the other, [rows, columns, channels] uint8, grey or red-green-blue
    Unpacked(file, channels)    all of them as an NPY file [frames, rows, columns, channels], read on the fly

An NPY header needs the number of frames, which few video files state correctly. So a video is decoded twice, first to count its
frames. Never more than one frame is in memory.

Raises TokpressError.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import TokpressError

#: what files of videos begin with: WebM and Matroska, Y4M; of MP4 and QuickTime the fifth byte on; of AVI the first and the ninth
BEGINNINGS, BOXES, AVI = (b"\x1aE\xdf\xa3", b"YUV4MPEG2"), (b"ftyp", b"moov", b"mdat", b"wide"), (b"RIFF", b"AVI ")
#: what looks like MP4 and is a picture, or sound
NO_VIDEO = (b"avif", b"heic", b"heix", b"mif1", b"M4A ")
LOOK = 16
#: of a frame
MAX_PIXELS = 1 << 26
MAX_STREAMS = 100
FORMATS = {1: "gray", 3: "rgb24"}


def is_video(head: bytes) -> bool:
    """Whether a file begins, with LOOK bytes, as one does."""
    if head[4:8] in BOXES:
        return head[8:12] not in NO_VIDEO
    return head.startswith(BEGINNINGS) or (head[:4], head[8:12]) == AVI


def frames(file: Any, channels: int) -> Iterator[NDArray[np.uint8]]:
    """file: a name, or a file that can seek. All of one size."""
    if channels not in FORMATS:
        raise TokpressError(f"videos have 1 or 3 channels, not {channels}")
    shape = None
    for made in _decoded(file, lambda frame: frame.to_ndarray(format=FORMATS[channels])):
        shape = shape or made.shape
        if made.shape != shape:
            raise TokpressError("the size of its frames changes; cut it up first")
        yield made.reshape(*made.shape[:2], channels)


class Unpacked(io.RawIOBase):
    """`left_out`: what a tokenizer of so many channels will not see, in words."""

    def __init__(self, file: BinaryIO, channels: int) -> None:
        self._file, self._channels = file, channels
        self.left_out = _left_out(file, channels)
        count, shape = 0, (0, 0)
        for size in _decoded(file, lambda frame: (frame.height, frame.width)):
            count, shape = count + 1, size
        if not count:
            raise TokpressError("no video that can be read: it holds no frames")
        np.lib.format.write_array_header_1_0(
            head := io.BytesIO(), {"descr": "|u1", "fortran_order": False, "shape": (count, *shape, channels)}
        )
        self._pieces = self._all(head.getvalue(), count)
        self._held = memoryview(b"")
        #: bytes in all
        self.size = len(head.getvalue()) + count * shape[0] * shape[1] * channels

    def _all(self, head: bytes, count: int) -> Iterator[bytes]:
        yield head
        for frame in frames(self._file, self._channels):
            count -= 1
            yield frame.tobytes()
        if count:
            raise TokpressError("it changed while it was read: look at it, and try again")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._held:
            self._held = memoryview(next(self._pieces, b""))
        count = min(len(buffer), len(self._held))
        buffer[:count], self._held = self._held[:count], self._held[count:]
        return count


@contextmanager
def _opened(file: Any) -> Iterator[Any]:
    try:
        import av
    except ModuleNotFoundError:
        raise TokpressError('reading videos needs PyAV: pip install "tokpress[video]"') from None
    try:
        if not hasattr(file, "seek"):
            with open(file, "rb") as named, _opened(named) as opened:
                yield opened
            return
        file.seek(0)
        # of the file nothing but itself is read: libav would open others that a playlist names
        with av.open(file, options={"protocol_whitelist": "", "max_streams": str(MAX_STREAMS)}) as opened:
            codec = opened.streams.video[0].codec_context
            if codec is None:
                raise TokpressError("no video that can be read: its codec is not known")
            if codec.width * codec.height > MAX_PIXELS:
                raise TokpressError(f"frames of {codec.width} × {codec.height} pixels are too large")
            codec.options = {"max_pixels": str(MAX_PIXELS)}  # frames may say other sizes than the head of the file
            yield opened
    except TokpressError:
        raise
    except IndexError:  # there is no video stream
        raise TokpressError("no video that can be read: it holds no frames") from None
    except (av.FFmpegError, OSError, ValueError, ArithmeticError, AttributeError, TypeError) as error:
        raise TokpressError(f"no video that can be read: {getattr(error, 'strerror', None) or error}") from error


def _decoded(file: Any, look: Callable[[Any], Any]) -> Iterator[Any]:
    """What `look` makes of each frame. A frame that libav cannot convert is an error of the file, too."""
    with _opened(file) as opened:
        for frame in opened.decode(video=0):
            yield look(frame)


def _left_out(file: Any, channels: int) -> list[str]:
    with _opened(file) as opened:
        stream = opened.streams.video[0]
        parts = stream.codec_context.format.components if stream.codec_context.format else ()
        told = {
            "sound": bool(opened.streams.audio),
            "subtitles": bool(opened.streams.subtitles),
            f"the rate of {float(stream.average_rate or 0):.6g} frames a second": bool(stream.average_rate),
            "opacity": any(part.is_alpha for part in parts),
            "bits below 8": any(part.bits > 8 for part in parts),
            "colour": channels == 1 and sum(not part.is_alpha for part in parts) > 1,
        }
        return [what for what, holds in told.items() if holds]
