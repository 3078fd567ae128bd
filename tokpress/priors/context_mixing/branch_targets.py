"""Targets of branches and addresses of data in x86 code: relative to the instruction, or counted from the start.

Calls of one function hold a different distance each; counted from the start, they hold the same number, which a context predicts. An
operand is four bytes after one of

    E8, E9                    call and jmp
    48…4F, any byte, modrm    64-bit operand at rip + distance; modrm & C7 == 05
    FF, 89, 8B or 8D, modrm   the same without a prefix

whose highest byte is 00 or FF: a distance below 2^24. The lower three bytes of the distance, lowest first, become those of
(distance + place of the operand) mod 2^24, highest first: functions that are near share the first byte.

Operands may overlap. They are replaced from the last to the first, so that all bytes up to an operand are those of the source when it
is replaced, and restored from the first to the last. Both work for any bytes. `core/branch_targets.c` does the same.
"""

import re
from itertools import islice

from ...native import branch_targets as core
from ...native import library

#: calls and jumps, to tell whether a source holds x86 code
CALLS = re.compile(rb"[\xe8\xe9](?=(...)[\x00\xff])", re.DOTALL)
#: a source is code where it has a call in so many bytes, or MOST_CALLS of them; more are not looked at
BYTES_PER_CALL, FEWEST_CALLS, MOST_CALLS = 500, 8, 1 << 14
#: bytes of a distance
OPERAND = 4
BITS_24 = (1 << 24) - 1


def is_code(source: bytes) -> bool:
    """Whether the source has calls and jumps, whose targets repeat twice as often as their distances."""
    distances, targets, calls = set(), set(), 0
    enough = min(max(FEWEST_CALLS, len(source) // BYTES_PER_CALL), MOST_CALLS)
    for call in islice(CALLS.finditer(source), MOST_CALLS):
        distance = int.from_bytes(call[1], "little")
        distances.add(distance)
        targets.add((distance + call.start()) & BITS_24)
        calls += 1
    return calls >= enough and calls - len(targets) > 2 * (calls - len(distances))


def has_operand(code: bytes | bytearray, at: int) -> bool:
    """Whether a distance follows the byte."""
    byte = code[at]
    if code[at + 4] not in (0x00, 0xFF):
        return False
    if byte in (0xE8, 0xE9):
        return True
    if byte & 0xC7 != 0x05 or at < 2:
        return False
    return code[at - 2] & 0xF8 == 0x48 or code[at - 1] in (0xFF, 0x89, 0x8B, 0x8D)


def replace(code: bytearray) -> None:
    """Replace all distances by targets, in place."""
    if library.is_here():
        core.replace(code)
    else:
        replace_by_twin(code)


def restore(code: bytearray, begin: int, end: int) -> None:
    """Restore the distances after the bytes [begin, end), in place. Then the bytes up to `end` are those of the source."""
    if library.is_here():
        core.restore(code, begin, end)
    else:
        restore_by_twin(code, begin, end)


def replace_by_twin(code: bytearray) -> None:
    for at in range(len(code) - 5, -1, -1):
        if has_operand(code, at):
            target = int.from_bytes(code[at + 1 : at + 4], "little") + at
            code[at + 1 : at + 4] = (target & BITS_24).to_bytes(3, "big")


def restore_by_twin(code: bytearray, begin: int, end: int) -> None:
    for at in range(begin, min(end, len(code) - 4)):
        if has_operand(code, at):
            distance = int.from_bytes(code[at + 1 : at + 4], "big") - at
            code[at + 1 : at + 4] = (distance & BITS_24).to_bytes(3, "little")
