"""Whatever is in a file of pictures, sound or video: it is read, not recognised, or refused with a TokpressError."""

import io
import random
import struct
import wave
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tokpress.errors import TokpressError
from tokpress.media import formats, grid, metadata, recordings, unwrap, video

Image = pytest.importorskip("PIL.Image")
PngInfo = pytest.importorskip("PIL.PngImagePlugin").PngInfo
soundfile = pytest.importorskip("soundfile")
#: of each file: bytes changed, sizes changed, cut off
CASES = 100
#: what sizes and counts are replaced by
LIES = (0, 1, 2, 0x7F, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
RNG = np.random.default_rng(0)


def coded(mode: str, kind: str, **more: object) -> bytes:
    size = (9, 7, {"RGB": 3, "RGBA": 4, "LA": 2, "CMYK": 4}.get(mode, 1))
    picture = (
        Image.frombytes(mode, (7, 9), RNG.integers(0, 256, size).astype(np.uint8).tobytes())
        if mode != "1"
        else Image.new("1", (7, 9))
    )
    if mode == "P":
        picture.putpalette(bytes(range(256)) * 3)
    picture.save(out := io.BytesIO(), kind, **more)
    return out.getvalue()


def texts() -> PngInfo:
    info = PngInfo()
    info.add_text("Title", "a title")
    info.add_text("Comment", "more", zip=True)
    info.add_itxt("Author", "somebody", "en", "auteur")
    return info


def recorded(kind: str, subtype: str) -> bytes:
    with soundfile.SoundFile(out := io.BytesIO(), "w", 8000, 2, subtype, format=kind) as file:
        if kind in ("FLAC", "WAV", "AIFF"):
            file.title, file.artist = "a title", "somebody"
        file.write(RNG.integers(-99, 99, (50, 2)).astype("int16"))
    return out.getvalue()


def plain_wav() -> bytes:
    with wave.open(out := io.BytesIO(), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(3)
        file.setframerate(8000)
        file.writeframes(RNG.bytes(120))
    return out.getvalue()


def array(dtype: str) -> bytes:
    np.save(out := io.BytesIO(), RNG.integers(0, 99, (2, 5, 4, 3)).astype(dtype))
    return out.getvalue()


def filmed(kind: str, codec: str) -> bytes:
    av = pytest.importorskip("av")
    with av.open(out := io.BytesIO(), "w", format=kind) as file:
        stream = file.add_stream(codec, rate=8)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(RNG.integers(0, 256, (32, 32, 3)).astype(np.uint8), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return out.getvalue()


PICTURES: dict[str, Callable[[], bytes]] = {
    "PPM": lambda: coded("RGB", "PPM"),
    "PGM of text": lambda: b"P2 # a comment\n3 2 255\n1 2 3 4 5 6\n",
    "PBM": lambda: coded("1", "PPM"),
    "BMP": lambda: coded("RGB", "BMP"),
    "TIFF": lambda: coded("RGB", "TIFF", description="words"),
    "TIFF, LZW": lambda: coded("RGBA", "TIFF", compression="tiff_lzw"),
    "TIFF, fax": lambda: coded("1", "TIFF", compression="group4"),
    "PNG": lambda: coded("RGB", "PNG", pnginfo=texts(), dpi=(72, 72), icc_profile=b"profile" * 20),
    "PNG, palette": lambda: coded("P", "PNG", transparency=3),
    "PNG, LA": lambda: coded("LA", "PNG"),
    "GIF": lambda: coded("P", "GIF", comment=b"words"),
    "WebP": lambda: coded("RGB", "WEBP", lossless=True, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"),
    "QOI": lambda: b"qoif" + struct.pack(">IIBB", 7, 9, 3, 0) + b"\xfe\1\2\3\xfd\xfd" + bytes(7) + b"\1",
    "PCX": lambda: coded("RGB", "PCX"),
    "JPEG": lambda: coded("RGB", "JPEG"),
}
SOUNDS: dict[str, Callable[[], bytes]] = {
    "FLAC": lambda: recorded("FLAC", "PCM_16"),
    "FLAC after ID3": lambda: b"ID3\4\0\0\0\0\0\5abcde" + recorded("FLAC", "PCM_24"),
    "AIFF": lambda: recorded("AIFF", "PCM_24"),
    "AU": lambda: recorded("AU", "PCM_16"),
    "CAF": lambda: recorded("CAF", "PCM_16"),
    "W64": lambda: recorded("W64", "PCM_16"),
    "RF64": lambda: recorded("RF64", "PCM_16"),
    "WAV of floats": lambda: recorded("WAV", "FLOAT"),
    "Ogg": lambda: recorded("OGG", "VORBIS"),
    "WAV": plain_wav,
}
ARRAYS: dict[str, Callable[[], bytes]] = {
    "NPY": lambda: array("<u2"),
    "IDX": lambda: b"\0\0\x08\2\0\0\0\2\0\0\0\3abcdef",
}
VIDEOS = {
    "AVI": ("avi", "mpeg4"),
    "MP4": ("mp4", "mpeg4"),
    "MKV": ("matroska", "ffv1"),
    "Y4M": ("yuv4mpegpipe", "wrapped_avframe"),
}


def broken(whole: bytes, seed: str, cases: int = CASES) -> Iterator[bytes]:
    """Cut off anywhere; a few bytes changed, most of them in front, where headers are; sizes that lie; parts there twice."""
    rng = random.Random(seed)
    for case in range(cases):
        made = bytearray(whole)
        near = min(len(whole), rng.choice((40, 200, 1 << 20)))
        if case % 4 == 0:
            del made[rng.randrange(len(made)) :]
        elif case % 4 == 1:
            for _ in range(rng.randint(1, 4)):
                made[rng.randrange(near)] = rng.randrange(256)
        elif case % 4 == 2:
            at, layout = rng.randrange(near), rng.choice(("<H", ">H", "<I", ">I"))
            size = struct.calcsize(layout)
            made[at : at + size] = struct.pack(layout, rng.choice(LIES) & (1 << 8 * size) - 1)
        else:
            start = rng.randrange(len(made))
            stop = min(len(made), start + rng.choice((4, 12, 100)))
            at = rng.randrange(len(made))
            made[at:at] = made[start:stop] * rng.choice((1, 2, 50))
        yield bytes(made)


def look(data: bytes) -> None:
    """All that reads a file before it is coded."""
    formats.grid_of(data[:100], 1 << 40)
    found = formats.find(data)
    if found is not None:
        assert found.stop <= len(data)
        formats.values(data, found)
        if place := formats.grid_of(data):
            assert grid.unpack(place.pack(), len(data)) == place
            place.join(*place.split(data))
    for channels, sound in ((0, False), (1, False), (3, False), (1, True), (2, True)):
        try:
            unwrap.shown(data, channels, sound)
        except TokpressError as error:
            assert str(error)


@pytest.mark.parametrize("kind", [*PICTURES, *SOUNDS, *ARRAYS])
def test_files_that_are_broken(kind):
    whole = (PICTURES | SOUNDS | ARRAYS)[kind]()
    look(whole)
    for data in broken(whole, kind):
        look(data)


@pytest.mark.parametrize("kind", VIDEOS)
def test_videos_that_are_broken(kind):
    whole = filmed(*VIDEOS[kind])
    assert len(list(video.frames(io.BytesIO(whole), 3))) == 3
    for data in broken(whole, kind, CASES // 2):
        for channels in (1, 3):
            try:
                for _ in video.frames(io.BytesIO(data), channels):
                    pass
                io.BufferedReader(video.Unpacked(io.BytesIO(data), channels)).read()
            except TokpressError as error:
                assert str(error)


def test_entries_of_a_tiff_file_are_not_expanded():
    """Each of 2,000 names the same 2 MiB of the file. No time is measured: all of them were gigabytes."""
    tracemalloc = pytest.importorskip("tracemalloc")
    body, entries = bytes(2 << 20), 2000
    tags = b"".join(struct.pack("<HHII", 1000 + i, 3, 1 << 20, 8) for i in range(entries))
    same = b"".join(struct.pack("<HHII", 273 + 6 * (i % 2), 3, 1 << 20, 8) for i in range(entries))
    for listed in (tags, same):
        data = b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", entries) + listed + bytes(4)
        tracemalloc.start()
        assert formats.find(data) is None
        assert tracemalloc.get_traced_memory()[1] < len(data)
        tracemalloc.stop()


def test_small_files_of_large_pictures_and_recordings_are_refused():
    small = Image.new("1", (16000, 8000))
    small.save(out := io.BytesIO(), "PNG")
    with pytest.raises(TokpressError, match=r"128,000,000 bytes; .* is 67,108,864 .* 100 times the file"):
        unwrap.shown(out.getvalue())
    with pytest.raises(TokpressError, match="are too many"):
        unwrap.shown(b"P5 16000 10000 65535 " + bytes(9) + b" ")
    soundfile.write(out := io.BytesIO(), np.zeros(40_000_000, "int16"), 8000, format="FLAC")
    with pytest.raises(TokpressError, match=r"samples take 80,000,000 bytes"):
        unwrap.shown(out.getvalue()[:40_000])


def test_parts_without_end_are_refused():
    """Each would be kept: hundreds of bytes for eight."""
    flac = recorded("FLAC", "PCM_16")
    data = flac[:42].replace(b"\x80\0\0\x22", b"\0\0\0\x22") + bytes([1, 0, 0, 0]) * 20_000
    with pytest.raises(TokpressError, match="more than 10,000 chunks"):
        list(recordings.left_out(data, {}))
    with pytest.raises(TokpressError, match="more than 262,144 chunks"):
        list(metadata.chunks(bytes(12) * 300_000, 8, ">I4s", 4))


def test_grids_that_are_broken():
    for whole in (grid.Grid(True, 15, 4, 3, 3, 8, padding=2, frames=2).pack(), b"", b"\xff" * 40, bytes(30)):
        for data in [whole, *broken(whole, "grid", 400 if whole else 0)]:
            try:
                found = grid.unpack(data, 100)
                assert found.stop <= 100
                found.join(*found.split(bytes(100)))
            except TokpressError as error:
                assert str(error)
