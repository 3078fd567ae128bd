"""Headers of short frames: 7 to 9 bytes, for records coded with a context (docs/format.md, "Short frames").

mark and sizes    d1 source 1 payload 1 │ d2 both 3 │ d7 source 2 payload 2
"""

from collections.abc import Callable

from ..errors import FormatError
from .varint import ADVICE

#: most source bytes of a short frame, below the number of tokens that share a context's tables (`coding.context.ROOM`)
MAX_SHORT = (1 << 14) - 1
MAX_PAYLOAD = (1 << 16) - 1
#: first bytes of short frames. No flip of one bit makes one of another, or of d4, with which frames with sync begin
MARKS = b"\xd1\xd2\xd7"
#: first bytes of short frames of later versions, which are as far from the others
RESERVED_MARKS = b"\xd8\xdb\xdd\xde"
KEY_BYTES = 2


def pack_sizes(source: int, payload: int) -> tuple[int, bytes]:
    """(mark, sizes), the shortest form.

    >>> [(hex(mark), sizes.hex(" ")) for mark, sizes in (pack_sizes(255, 9), pack_sizes(300, 9), pack_sizes(300, 1024))]
    [('0xd1', 'ff 09'), ('0xd2', '2c 41 02'), ('0xd7', '2c 01 00 04')]
    """
    if source < 1 << 8 and payload < 1 << 8:
        return MARKS[0], bytes([source, payload])
    if payload < 1 << 10:
        return MARKS[1], (source | payload << 14).to_bytes(3, "little")
    return MARKS[2], source.to_bytes(2, "little") + payload.to_bytes(2, "little")


def take_sizes(mark: int, take: Callable[[int], bytes], where: str) -> tuple[int, int]:
    """(source length, payload length) after a mark: the reverse of `pack_sizes`. Raises FormatError where there is a shorter form."""
    form = MARKS.index(mark)
    both = int.from_bytes(take(2 + form), "little")
    bits = (8, 14, 16)[form]
    source, payload = both & (1 << bits) - 1, both >> bits
    if pack_sizes(source, payload)[0] != mark:
        raise FormatError(f"{where}: impossible header, its sizes are spelled longer than they may be: {ADVICE}")
    return source, payload
