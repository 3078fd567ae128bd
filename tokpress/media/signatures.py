"""Signatures: the first bytes of picture and recording files."""

from . import video

SOUNDS = (b"fLaC", b"RIFF", b"RIFX", b"RF64", b"riff\x2e\x91\xcf\x11", b"FORM", b"OggS", b"caff", b".snd", b"ID3")
#: first bytes of picture files
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


def recognised(data: bytes) -> bool:
    """Whether a file begins like a picture or a recording."""
    return (data.startswith(PICTURES) or is_recording(data)) and not video.is_video(data[: video.LOOK])


def is_recording(data: bytes) -> bool:
    """Whether a file begins like a recording."""
    return (data.startswith(SOUNDS) and data[8:12] != b"WEBP") or _is_mp3(data)


def _is_mp3(data: bytes) -> bool:
    """Whether a file begins with the header of an MP3 frame. One byte is not enough: raw samples may begin with 0xff."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE6 != 0xE2:
        return False
    version, rate, frequency = data[1] >> 3 & 3, data[2] >> 4, data[2] >> 2 & 3
    return version != 1 and 0 < rate < 15 and frequency != 3
