"""The samples of a recording as a WAV file."""

import hashlib
import io
from collections.abc import Iterator
from typing import Any

from ..errors import TokpressError
from . import formats, memory_limits, metadata, recordings
from .reading import Shown, needed, reading

#: frames of sound per copy
FRAMES = 1 << 16
#: subtypes that are converted exactly → (subtype of the WAV file, dtype of its samples)
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
    """The sound of a file. channels: number of channels for a lossy tokenizer, 16 bits each; 0: all, exactly. Raises TokpressError."""
    if _is_plain(data, channels):
        return Shown(data, ".wav", [])  # it is such a file already
    soundfile = needed("soundfile", "sound")
    with reading("recording", lambda: soundfile.SoundFile(recordings.Source(data))) as file:
        if not file.frames:
            advice = "" if channels else ": leave --content out"
            raise TokpressError(f"its header declares no samples (an interrupted recording?){advice}")
        return _for_tokenizer(data, file, channels, soundfile) if channels else _exactly(data, file, soundfile)


def _is_plain(data: bytes, channels: int) -> bool:
    samples = formats.find(data)
    if not samples or samples.kind != "sound":
        return False
    return not channels or (samples.dtype == "<i2" and samples.shape[-1] == channels)


def _exactly(data: bytes, file: Any, soundfile: Any) -> Shown:
    if file.subtype not in KINDS:
        raise TokpressError(f"sound of type {file.subtype} cannot be converted exactly: leave --content out")
    if why := reading("file", lambda: recordings.inexact(data, file)):
        raise TokpressError(f"{why}: leave --content out")
    kind, dtype = KINDS[file.subtype]
    _check_size(data, file, kind)
    return Shown(reading("recording", lambda: _as_wav(data, file, kind, dtype, soundfile)), ".wav", [])


def _for_tokenizer(data: bytes, file: Any, channels: int, soundfile: Any) -> Shown:
    _check_size(data, file, "PCM_16")
    if channels not in (1, file.channels):
        raise TokpressError(f"it has {file.channels} channels, and the tokenizer takes {channels}")
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
    """A WAV file with the exact samples and the tags of an opened recording."""
    out, flac_digest = io.BytesIO(), hashlib.md5(usedforsecurity=False)
    digest_before = hashlib.blake2b()
    with soundfile.SoundFile(out, "w", file.samplerate, file.channels, kind, format="WAV") as wav:
        for tag in metadata.TAGS:
            if value := getattr(file, tag):
                setattr(wav, tag, value)
        for samples in _blocks(file, dtype):
            flac_digest.update(_as_stored(samples, file.subtype))
            digest_before.update(samples)
            wav.write(samples)
    if file.format == "FLAC" and recordings.altered(data, flac_digest.digest()):
        raise TokpressError("its samples do not match its digest: leave --content out")
    plain, digest_after = out.getvalue(), hashlib.blake2b()
    with soundfile.SoundFile(io.BytesIO(plain)) as wav:
        for samples in _blocks(wav, dtype):
            digest_after.update(samples)
    if digest_after.digest() != digest_before.digest():
        raise TokpressError("its samples are not stored exactly in a WAV file: leave --content out")
    return plain


def _mixed(file: Any, channels: int, soundfile: Any) -> bytes:
    """A WAV file with 16 bits per sample. If the tokenizer takes one channel, it is the mean of all channels."""
    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", file.samplerate, channels, "PCM_16", format="WAV") as wav:
        for samples in _blocks(file, "int16" if file.subtype.startswith("PCM_") else "float64"):
            samples = _to_sixteen_bits(samples)
            wav.write(samples if samples.shape[1] == channels else samples.mean(1, keepdims=True).astype("int16"))
    return out.getvalue()


def _as_stored(samples: Any, subtype: str) -> bytes:
    """Bytes of the samples for FLAC's digest: 8, 16 or 24 bits, the low byte first. soundfile returns samples in the upper bits."""
    import numpy as np

    width = {"PCM_S8": 1, "PCM_24": 3}.get(subtype, 2)
    parts = samples.astype(f"<i{samples.itemsize}").view(np.uint8).reshape(-1, samples.itemsize)
    return bytes(parts[:, samples.itemsize - width :].tobytes())


def _blocks(file: Any, dtype: str) -> Iterator[Any]:
    while len(samples := file.read(FRAMES, dtype=dtype, always_2d=True)):
        yield samples


def sixteen_bits(file: Any) -> Any:
    """All samples [T, channels] int16 of an opened recording. Floats are in −1 … 1."""
    return _to_sixteen_bits(file.read(dtype="int16" if file.subtype.startswith("PCM_") else "float64", always_2d=True))


def _to_sixteen_bits(samples: Any) -> Any:
    import numpy as np

    if samples.dtype == np.int16:
        return samples
    return np.clip(np.rint(samples * (1 << 15)), -(1 << 15), (1 << 15) - 1).astype(np.int16)
