"""The samples of a recording as a WAV file."""

import hashlib
import io
from collections.abc import Iterator
from typing import Any

from ..errors import TokpressError
from . import formats, memory_limits, metadata, recordings
from .reading import Shown, needed, reading

#: frames of sound that are copied at a time
FRAMES = 1 << 16
#: what is taken out exactly: soundfile's subtypes → that of the WAV file, and the type that holds its samples
KINDS = {
    "PCM_S8": ("PCM_U8", "int16"),
    "PCM_U8": ("PCM_U8", "int16"),
    "PCM_16": ("PCM_16", "int16"),
    "PCM_24": ("PCM_24", "int32"),
}
WIDTHS = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3}
#: subtypes of more than 16 bits a sample
DEEP = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE")


def sound(data: bytes, channels: int) -> Shown:
    """The sound of a file. channels: 16 bits each, for a lossy tokenizer; 0: all of it, exactly. Raises TokpressError."""
    if _is_plain(data, channels):
        return Shown(data, ".wav", [])  # nothing to take out
    soundfile = needed("soundfile", "sound")
    with reading("recording", lambda: soundfile.SoundFile(recordings.Source(data))) as file:
        if not file.frames:
            advice = "" if channels else ": leave --content out"
            raise TokpressError(f"its header says that it holds no samples (a recording that was cut off?){advice}")
        return _for_tokenizer(data, file, channels, soundfile) if channels else _exactly(data, file, soundfile)


def _is_plain(data: bytes, channels: int) -> bool:
    found = formats.find(data)
    if not found or found.kind != "sound":
        return False
    return not channels or (found.dtype == "<i2" and found.shape[-1] == channels)


def _exactly(data: bytes, file: Any, soundfile: Any) -> Shown:
    if file.subtype not in KINDS:
        raise TokpressError(f"sound stored as {file.subtype} is not taken out exactly: leave --content out")
    if why := reading("file", lambda: recordings.inexact(data, file)):
        raise TokpressError(f"{why}: leave --content out")
    kind, dtype = KINDS[file.subtype]
    _check_size(data, file, kind)
    return Shown(reading("recording", lambda: _as_wav(data, file, kind, dtype, soundfile)), ".wav", [])


def _for_tokenizer(data: bytes, file: Any, channels: int, soundfile: Any) -> Shown:
    _check_size(data, file, "PCM_16")
    if channels not in (1, file.channels):
        raise TokpressError(f"{file.channels} channels are not the {channels} that the tokenizer takes")
    plain = reading("recording", lambda: _mixed(file, channels, soundfile))
    lost = {f"{file.channels} channels, mixed to one": file.channels > channels, "bits below 16": file.subtype in DEEP}
    return Shown(plain, ".wav", [what for what, holds in lost.items() if holds])


def _check_size(data: bytes, file: Any, kind: str) -> None:
    count = file.frames * file.channels
    if count > memory_limits.MAX_SAMPLES:
        raise TokpressError(
            f"{count:,} samples are too many: --content and --lossy take up to {memory_limits.MAX_SAMPLES:,}"
        )
    memory_limits.check(count * WIDTHS[kind], len(data), memory_limits.SOUND, "samples")


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
    return bytes(parts[:, samples.itemsize - width :].tobytes())


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
