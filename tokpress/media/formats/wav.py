"""RIFF WAVE with plain PCM: 8 bits unsigned, 16, 24 or 32 bits signed, channels side by side.

Chunks before and after the samples are coded as bytes. A data chunk may claim to be longer than the file, as an interrupted
recorder leaves it; it is used up to its last whole frame.
"""

import struct

from .samples import Samples

PCM, EXTENSIBLE = 1, 0xFFFE
DTYPES = {8: "|u1", 16: "<i2", 24: "|V3", 32: "<i4"}
#: chunks before the samples: more are unusual, and cost time
MAX_CHUNKS = 1000


def find(data: memoryview, size: int) -> Samples | None:
    if len(data) < 12 or bytes(data[8:12]) != b"WAVE":
        return None
    at, told = 12, None
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data):
            break
        name, length = bytes(data[at : at + 4]), struct.unpack_from("<I", data, at + 4)[0]
        body = at + 8
        if name == b"fmt " and length >= 16 and body + 16 <= len(data):
            told = struct.unpack_from("<HHIIHH", data, body)
        elif name == b"data":
            return _samples(told, body, min(length, size - body))
        at = body + length + length % 2
    return None


def _samples(told: tuple[int, ...] | None, start: int, size: int) -> Samples | None:
    if told is None:
        return None
    code, channels, _, _, block, bits = told
    if code not in (PCM, EXTENSIBLE) or bits not in DTYPES or not channels or block != channels * bits // 8:
        return None
    frames = size // block
    return Samples("sound", start, start + frames * block, (frames, channels), DTYPES[bits])
