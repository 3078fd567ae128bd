"""What pictures and recordings show, apart from how their files are coded: `compress --content`, and the inputs of `--lossy`.

    PNG, TIFF, BMP, GIF, WebP without loss …   pixels as PPM or PGM; as TIFF without compression where there is opacity,
                                               a palette, more than 8 bits, a colour profile, Exif data or any text
    FLAC, AIFF, WAV of other kinds …           samples as WAV, with title, artist and the like
    MP4, MKV, Y4M … with --lossy               frames as NPY

Whoever decompresses gets the same pixels or samples in such a file, not the file that was given. Of what that says beside them,
`metadata` lists what is kept; the rest is left out, and told. Pillow, soundfile and PyAV do the reading
(`pip install "tokpress[image,sound,video]"`). Files whose pixels cannot be taken out exactly are refused.

Raises TokpressError.
"""

import hashlib
import io
import warnings
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple, Protocol, cast

from ..errors import TokpressError
from . import depth, formats, memory_limits, metadata, recordings, video

#: bytes of pixels, and frames of sound, that are copied at a time
PIECE, FRAMES = 1 << 22, 1 << 16
SOUNDS = (b"fLaC", b"RIFF", b"RIFX", b"RF64", b"riff\x2e\x91\xcf\x11", b"FORM", b"OggS", b"caff", b".snd", b"ID3")
#: what is taken out exactly: soundfile's subtypes → that of the WAV file, and the type that holds its samples
KINDS = {
    "PCM_S8": ("PCM_U8", "int16"),
    "PCM_U8": ("PCM_U8", "int16"),
    "PCM_16": ("PCM_16", "int16"),
    "PCM_24": ("PCM_24", "int32"),
}
WIDTHS = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3}
MODES = {1: "L", 3: "RGB", 4: "RGBA", 2: "LA"}


#: what files of coded pictures and sound begin with, beside SOUNDS
PICTURES = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"P4",
    b"P5",
    b"P6",
    b"P7",
    b"\0\0\0\x0cjP",
)


class Wanted(Protocol):
    """What a lossy tokenizer takes: so many channels, of sound or of pictures, or of video."""

    @property
    def channels(self) -> int: ...
    @property
    def sound(self) -> bool: ...
    @property
    def video(self) -> bool: ...


def recognised(data: bytes) -> bool:
    """Whether it begins as a picture or recording does."""
    return (data.startswith(PICTURES) or _is_recording(data)) and not video.is_video(data[: video.LOOK])


class Opened(NamedTuple):
    #: raw samples, and how many bytes they are
    stream: BinaryIO
    size: int | None
    #: of a file of them; "" where it is the one that was given
    suffix: str
    #: what is not in it, in words
    left_out: list[str]


def opened(source: BinaryIO, tokenizer: Wanted | None) -> Opened:
    """Of a file that can seek, what a lossy tokenizer takes of it; without one what `shown` gives exactly."""
    start, as_it_is = source.tell(), Opened(source, None, "", [])
    head = source.read(video.LOOK)
    source.seek(start)
    if video.is_video(head):
        if tokenizer is None:
            raise TokpressError("--content takes pictures and sound, and this is a video: leave --content out")
        if not tokenizer.video:
            raise TokpressError(f"the model is for {'sound' if tokenizer.sound else 'pictures'}, and this is a video")
        frames = video.Unpacked(source, tokenizer.channels)
        return Opened(cast(BinaryIO, io.BufferedReader(frames)), frames.size, ".npy", frames.left_out)
    if tokenizer and not recognised(head):
        return as_it_is
    if tokenizer and tokenizer.video:
        raise TokpressError(f"the model is for video, and this is {'sound' if _is_recording(head) else 'a picture'}")
    data = source.read()
    made = shown(data, *((tokenizer.channels, tokenizer.sound) if tokenizer else ()))
    if made.data == data:
        source.seek(start)
        return as_it_is
    return Opened(io.BytesIO(made.data), len(made.data), made.suffix, made.left_out)


def _is_recording(data: bytes) -> bool:
    return (data.startswith(SOUNDS) and data[8:12] != b"WEBP") or _is_mp3(data)


def _is_mp3(data: bytes) -> bool:
    """By the whole header of a frame: raw samples may begin with 0xff as well."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE6 != 0xE2:
        return False
    version, rate, frequency = data[1] >> 3 & 3, data[2] >> 4, data[2] >> 2 & 3
    return version != 1 and 0 < rate < 15 and frequency != 3


class Shown(NamedTuple):
    #: a file of raw samples
    data: bytes
    #: of such a file; "" where it is the one that was given
    suffix: str
    #: what is not in it, in words: of pixels and samples for a lossy tokenizer, else of what is said beside them
    left_out: list[str]


def shown(data: bytes, channels: int = 0, sound: bool = False) -> Shown:
    """The same content as a file of raw samples. channels: for a lossy tokenizer of pictures, of 8 bits each, or of sound, of
    16; 0: whatever there is, exactly."""
    recording = _is_recording(data)
    if channels and recording != sound:
        raise TokpressError(
            f"the model is for {'sound' if sound else 'pictures'}, and this is {'sound' if recording else 'a picture'}"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about sizes, which `memory_limits` checks, and odd tags
        made = (_sound if recording else _picture)(data, channels)
        if channels or made.data is data:
            return made
        return made._replace(left_out=_reading("file", lambda: metadata.left_out(data, made.data)))


def _picture(data: bytes, channels: int) -> Shown:
    raw = formats.find(data)
    if raw and (not channels or (raw.dtype == "|u1" and raw.shape[-1] == channels and data[:1] == b"P")):
        return Shown(data, "", [])  # nothing to take out
    image_module = _needed("PIL.Image", "image")
    what = "picture" if recognised(data) else "picture or sound"
    with _reading(what, lambda: image_module.open(io.BytesIO(data))) as picture:
        _check_size(picture, len(data))
        if _reading("picture", lambda: getattr(picture, "n_frames", 1)) > 1:
            raise TokpressError(f"it holds {picture.n_frames} pictures; --content takes one")
        declared = _reading("picture", lambda: depth.of(picture, data))  # Pillow forgets some of it when it loads
        if not channels and declared.inexact:
            raise TokpressError(f"{declared.inexact}: leave --content out")
        if channels and declared.unscaled:
            raise TokpressError(f"{declared.unscaled}: convert it first")
        _reading("picture", picture.load)
        if channels:
            plain = _reading("picture", lambda: _of_channels(picture, channels, image_module))
            return Shown(*_plain(plain), _unseen(picture, data, channels, declared.bits))
        return _exactly(picture, image_module)


def _check_size(picture: Any, size: int) -> None:
    """By what Pillow and the plain file take for a pixel. Raises TokpressError."""
    pixels = picture.width * picture.height
    if pixels > memory_limits.MOST_PIXELS:
        raise TokpressError(
            f"{picture.width} × {picture.height} pixels are too many: --content and --lossy take pictures of up to "
            f"{memory_limits.MOST_PIXELS:,}"
        )
    each = len(picture.getbands()) * (2 if _is_deep(picture) else 1)
    memory_limits.check(
        pixels * each, size, memory_limits.PICTURES.get(picture.format, memory_limits.DEFLATE), "pixels"
    )


def _exactly(picture: Any, image_module: Any) -> Shown:
    kept = _reading("picture", lambda: metadata.kept(picture, image_module))
    mode = {"1": "L", "PA": "RGBA", "I": "I;16"}.get(picture.mode, picture.mode)
    if "transparency" in picture.info:
        mode = "RGBA"
    made = _reading("picture", lambda: picture if mode == picture.mode else picture.convert(mode))
    if not kept and made.mode in ("L", "RGB"):
        return Shown(*_plain(made), [])
    out = io.BytesIO()
    _reading("picture", lambda: made.save(out, "TIFF", compression="raw", strip_size=1 << 31, **kept))
    # read without Pillow, which would turn what an orientation says is to be turned
    plain = out.getvalue()
    if not _reading("picture", lambda: _is_same(made, plain, image_module)):
        raise TokpressError(f"its pixels, {picture.mode}, do not come back from a TIFF file: leave --content out")
    return Shown(plain, ".tif", [])


def _is_same(picture: Any, plain: bytes, image_module: Any) -> bool:
    """Whether a TIFF file holds these pixels."""
    found = formats.find(plain)
    with image_module.open(io.BytesIO(plain)) as again:
        if again.mode != picture.mode or not found or found.shape[:2] != (picture.height, picture.width):
            return False
    at, whole = found.start, memoryview(plain)
    for rows in _rows(picture):
        if whole[at : at + len(rows)] != rows:
            return False
        at += len(rows)
    return at == found.stop


def _rows(picture: Any) -> Iterator[bytes]:
    """The pixels, some rows at a time: `tobytes` of a whole picture holds it twice."""
    step = max(1, PIECE // max(1, 4 * picture.width))
    for top in range(0, picture.height, step):
        yield picture.crop((0, top, picture.width, min(top + step, picture.height))).tobytes()


def _unseen(picture: Any, data: bytes, channels: int, bits: int) -> list[str]:
    opacity = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
    grey = picture.mode in ("L", "LA", "1") or _is_deep(picture) or (picture.format == "PNG" and data[25] in (0, 4))
    told = {"opacity, over black": opacity, "bits below 8": bits > 8, "colour": channels == 1 and not grey}
    return [what for what, holds in told.items() if holds]


def _plain(picture: Any) -> tuple[bytes, str]:
    kind, suffix = (b"P5", ".pgm") if picture.mode == "L" else (b"P6", ".ppm")
    out = io.BytesIO()
    out.write(kind + f" {picture.width} {picture.height} 255\n".encode())
    for rows in _rows(picture):
        out.write(rows)
    return out.getvalue(), suffix


def _of_channels(picture: Any, channels: int, image_module: Any) -> Any:
    if channels not in (1, 3):
        raise TokpressError(f"pictures of {channels} channels are given raw")
    plain = _upper_eight(picture, image_module) if _is_deep(picture) else on_black(picture, image_module)
    return plain.convert(MODES[channels])


def _is_deep(picture: Any) -> bool:
    return bool(picture.mode.startswith("I"))


def _upper_eight(picture: Any, image_module: Any) -> Any:
    """Of grey of 16 bits, as Pillow shortens 16 bits in colour: it would clip these. What is transparent shows black."""
    import numpy as np

    values = np.asarray(picture)
    seen = (values >> 8).astype(np.uint8)
    if "transparency" in picture.info:
        seen[values == picture.info["transparency"]] = 0
    return image_module.fromarray(seen)


def on_black(picture: Any, image_module: Any) -> Any:
    """Without opacity: what is transparent shows black."""
    if picture.mode not in ("RGBA", "LA", "PA") and "transparency" not in picture.info:
        return picture
    whole = picture.convert("RGBA")
    return image_module.alpha_composite(image_module.new("RGBA", whole.size, (0, 0, 0, 255)), whole)


def _sound(data: bytes, channels: int) -> Shown:
    found = formats.find(data)
    if found and found.kind == "sound" and (not channels or (found.dtype == "<i2" and found.shape[-1] == channels)):
        return Shown(data, ".wav", [])  # nothing to take out
    soundfile = _needed("soundfile", "sound")
    with _reading("recording", lambda: soundfile.SoundFile(recordings.Source(data))) as file:
        if not file.frames:
            advice = "" if channels else ": leave --content out"
            raise TokpressError(f"its header says that it holds no samples (a recording that was cut off?){advice}")
        why = "" if channels or file.subtype not in KINDS else _reading("file", lambda: recordings.inexact(data, file))
        if why:
            raise TokpressError(f"{why}: leave --content out")
        if not channels and file.subtype not in KINDS:
            raise TokpressError(f"sound stored as {file.subtype} is not taken out exactly: leave --content out")
        kind, dtype = KINDS[file.subtype] if not channels else ("PCM_16", "int16")
        count = file.frames * file.channels
        if count > memory_limits.MOST_SAMPLES:
            raise TokpressError(
                f"{count:,} samples are too many: --content and --lossy take up to {memory_limits.MOST_SAMPLES:,}"
            )
        memory_limits.check(count * WIDTHS[kind], len(data), memory_limits.SOUND, "samples")
        if channels not in (0, 1, file.channels):
            raise TokpressError(f"{file.channels} channels are not the {channels} that the tokenizer takes")
        if not channels:
            return Shown(_reading("recording", lambda: _as_wav(data, file, kind, dtype, soundfile)), ".wav", [])
        plain = _reading("recording", lambda: _mixed(file, channels, soundfile))
        mixed = [f"{file.channels} channels, mixed to one"] if file.channels > channels else []
        shallow = ["bits below 16"] if file.subtype in ("PCM_24", "PCM_32", "FLOAT", "DOUBLE") else []
        return Shown(plain, ".wav", mixed + shallow)


def _as_wav(data: bytes, file: Any, kind: str, dtype: str, soundfile: Any) -> bytes:
    """The samples of an opened recording, exactly, and its texts."""
    out, stored = io.BytesIO(), hashlib.md5(usedforsecurity=False)
    given = hashlib.blake2b()
    with soundfile.SoundFile(out, "w", file.samplerate, file.channels, kind, format="WAV") as made:
        for tag in metadata.TAGS:
            if value := getattr(file, tag):
                setattr(made, tag, value)
        for samples in _blocks(file, dtype):
            stored.update(_as_stored(samples, file.subtype))
            given.update(samples)
            made.write(samples)
    if file.format == "FLAC" and recordings.altered(data, stored.digest()):
        raise TokpressError("its samples are not those that its digest is of: leave --content out")
    plain, again = out.getvalue(), hashlib.blake2b()
    with soundfile.SoundFile(io.BytesIO(plain)) as made:
        for samples in _blocks(made, dtype):
            again.update(samples)
    if again.digest() != given.digest():
        raise TokpressError("its samples do not come back from a WAV file: leave --content out")
    return plain


def _mixed(file: Any, channels: int, soundfile: Any) -> bytes:
    """16 bits of each sample; of several channels the mean, where the tokenizer takes one."""
    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", file.samplerate, channels, "PCM_16", format="WAV") as made:
        for samples in _blocks(file, "int16" if file.subtype.startswith("PCM_") else "float64"):
            samples = _to_sixteen_bits(samples)
            made.write(samples if samples.shape[1] == channels else samples.mean(1, keepdims=True).astype("int16"))
    return out.getvalue()


def _as_stored(samples: Any, subtype: str) -> bytes:
    """As FLAC counts them: 8, 16 or 24 bits, the low byte first; soundfile gives them in the upper bits of a number."""
    import numpy as np

    width = {"PCM_S8": 1, "PCM_24": 3}.get(subtype, 2)
    parts = samples.astype(f"<i{samples.itemsize}").view(np.uint8).reshape(-1, samples.itemsize)
    return parts[:, samples.itemsize - width :].tobytes()


def _blocks(file: Any, dtype: str) -> Iterator[Any]:
    while len(samples := file.read(FRAMES, dtype=dtype, always_2d=True)):
        yield samples


def sixteen_bits(file: Any) -> Any:
    """All samples [T, channels] int16 of an opened recording; what is stored as floats has its peak at 1."""
    return _to_sixteen_bits(file.read(dtype="int16" if file.subtype.startswith("PCM_") else "float64", always_2d=True))


def _to_sixteen_bits(samples: Any) -> Any:
    import numpy as np

    if samples.dtype == np.int16:
        return samples
    return np.clip(np.rint(samples * (1 << 15)), -(1 << 15), (1 << 15) - 1).astype(np.int16)


def _needed(module: str, extra: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise TokpressError(f'reading it needs {error.name}: pip install "tokpress[{extra}]"') from None


def _reading(what: str, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except (TokpressError, MemoryError):
        raise
    except Exception as error:  # whatever a reader of damaged files may raise
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        said = "of no kind that is known" if "BytesIO" in said else said
        raise TokpressError(f"no {what} that can be read: {said}") from error
