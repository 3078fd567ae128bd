"""Coded pictures and recordings as files of raw samples, for `compress --content` and `--lossy`.

    PNG, TIFF, BMP, GIF, WebP without loss …   pixels as PPM or PGM, and as TGA where there is opacity; as TIFF without
                                               compression where there is a palette, more than 8 bits, grey with opacity,
                                               a colour profile, Exif data or any text
    FLAC, AIFF, WAV of other kinds …           samples as WAV, with title, artist and the like
    MP4, MKV, Y4M … with --lossy               frames as NPY

Decompression restores this file, with the same pixels or samples, not the original file. `metadata` lists the metadata that is kept.
The command names the metadata that is left out. Pillow, soundfile and PyAV read the files
(`pip install "tokpress[image,sound,video]"`). Files whose pixels cannot be extracted exactly are refused.

Raises TokpressError.
"""

import io
import warnings
from typing import BinaryIO, NamedTuple, Protocol, cast

from ..errors import TokpressError
from . import metadata, video
from .reading import Shown, reading
from .signatures import is_recording, recognised
from .unwrap_picture import picture
from .unwrap_sound import sound as recording


class TokenizerInput(Protocol):
    """The input of a lossy tokenizer: sound, pictures or video with a number of channels."""

    @property
    def channels(self) -> int: ...
    @property
    def sound(self) -> bool: ...
    @property
    def video(self) -> bool: ...


class Opened(NamedTuple):
    #: raw samples, and their number of bytes if it is known
    stream: BinaryIO
    size: int | None
    #: suffix of such a file; "" if it is the given file
    suffix: str
    #: names of the parts that are left out
    left_out: list[str]


def opened(source: BinaryIO, tokenizer_input: TokenizerInput | None) -> Opened:
    """Raw samples of a seekable file: the input of a lossy tokenizer, or without one the exact content (`shown`)."""
    start, as_it_is = source.tell(), Opened(source, None, "", [])
    head = source.read(video.LOOK)
    source.seek(start)
    if video.is_video(head):
        if tokenizer_input is None:
            raise TokpressError("--content takes pictures and sound, not video: leave --content out")
        if not tokenizer_input.video:
            raise TokpressError(
                f"the model is for {'sound' if tokenizer_input.sound else 'pictures'}, and this is a video"
            )
        frames = video.Unpacked(source, tokenizer_input.channels)
        return Opened(cast(BinaryIO, io.BufferedReader(frames)), frames.size, ".npy", frames.left_out)
    if tokenizer_input and not recognised(head):
        return as_it_is
    if tokenizer_input and tokenizer_input.video:
        raise TokpressError(f"the model is for video, and this is {'sound' if is_recording(head) else 'a picture'}")
    data = source.read()
    plain = shown(data, *((tokenizer_input.channels, tokenizer_input.sound) if tokenizer_input else ()))
    if plain.data == data:
        source.seek(start)
        return as_it_is
    return Opened(io.BytesIO(plain.data), len(plain.data), plain.suffix, plain.left_out)


def shown(data: bytes, channels: int = 0, sound: bool = False) -> Shown:
    """The content as a file of raw samples. channels: number of channels for a lossy tokenizer, 8 bits each for pictures and 16 for
    sound; 0: all channels, exactly."""
    is_sound = is_recording(data)
    if channels and is_sound != sound:
        raise TokpressError(
            f"the model is for {'sound' if sound else 'pictures'}, and this is {'sound' if is_sound else 'a picture'}"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of sizes, which `memory_limits` checks, and of odd tags
        plain = (recording if is_sound else picture)(data, channels)
        if channels or plain.data is data:
            return plain
        return plain._replace(left_out=reading("file", lambda: metadata.left_out(data, plain.data)))
