"""What every layer of the container reads and writes with: numbers, pieces, and words about sizes."""

from collections.abc import Callable
from typing import BinaryIO

from .errors import FormatError

PIECE = 1 << 20  # bytes read, and at most allocated, at a time
ADVICE = "get an undamaged copy, or keep going past the damage to restore the rest"


def pack_varint(number: int) -> bytes:
    """LEB128: seven bits a byte, lowest first; the top bit is set in all but the last. 300 is ac 02."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def take_varint(take: Callable[[int], bytes], where: str) -> int:
    number = 0
    for group in range(9):
        byte = take(1)[0]
        number |= (byte & 127) << 7 * group
        if byte == 0 and group:  # a shorter spelling exists
            break
        if byte < 128:
            return number
    raise FormatError(f"{where}: impossible header, a number is spelled longer than it may be: {ADVICE}")


def read_up_to(stream: BinaryIO, count: int) -> bytes:
    """`count` bytes, fewer only where the stream ends: a pipe may hand them out bit by bit."""
    data = b""
    while len(data) < count and (more := stream.read(count - len(data))):
        data += more
    return data


def size(count: int) -> str:
    """A number of bytes for people to read."""
    power = 0 if count < 10_000 else 1 if count < 10**6 else 2 if count < 10**9 else 3
    return f"{count / 1000**power:,.1f} {' kMG'[power]}B" if power else f"{count:,} byte{'s' * (count != 1)}"
