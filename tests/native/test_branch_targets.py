"""Branch targets in the core and in the twin: the same bytes, and back from any bytes."""

import random

import pytest

from tokpress.native import branch_targets
from tokpress.priors.context_mixing import branch_targets as twin


def calls(count: int) -> bytes:
    """Code with calls of a few functions, and addresses of a few variables, between other bytes."""
    draw, code = random.Random(1), bytearray()
    for _ in range(count):
        start = draw.choice([b"\xe8", b"\xe9", b"\x48\x8b\x05", b"\x4c\x8d\x3d", b"\xff\x15", b"\x8b\x0d"])
        code += start
        code += (100_000 * draw.randrange(1, 6) - len(code) - 4).to_bytes(4, "little", signed=True)
        code += draw.randbytes(draw.randrange(1, 9))
    return bytes(code)


def dense(seed: int, size: int) -> bytes:
    """Random bytes in which many operands overlap."""
    return bytes(random.Random(seed).choices(b"\xe8\xe9\x48\x05\x0d\x8b\xff\xfe\x00\x01\x7f", k=size))


SOURCES = [calls(300), random.Random(2).randbytes(5000), *(dense(size, size) for size in range(40)), dense(9, 4000)]


@pytest.mark.parametrize("number", range(len(SOURCES)))
def test_core_and_twin_do_the_same_and_go_back(core, number):
    source = SOURCES[number]
    replaced, by_twin = bytearray(source), bytearray(source)
    branch_targets.replace(replaced, core)
    twin.replace_by_twin(by_twin)
    assert replaced == by_twin
    restored = bytearray(replaced)
    branch_targets.restore(restored, 0, len(restored), core)
    twin.restore_by_twin(by_twin, 0, len(by_twin))
    assert restored == by_twin == source


def test_dense_operands_are_replaced(core):
    """Otherwise the test above would not show anything."""
    replaced = bytearray(SOURCES[-1])
    branch_targets.replace(replaced, core)
    assert sum(a != b for a, b in zip(replaced, SOURCES[-1])) > 300


def test_restored_in_parts(core):
    source, code = dense(3, 1000), bytearray(dense(3, 1000))
    branch_targets.replace(code, core)
    for begin in range(0, 1000, 7):
        branch_targets.restore(code, begin, min(begin + 7, 1000), core)
        assert code[: min(begin + 7, 1000)] == source[: min(begin + 7, 1000)]
    with pytest.raises(ValueError):
        branch_targets.restore(code, 5, 1001, core)


def test_code_is_told_from_other_bytes():
    assert twin.is_code(calls(300))
    assert not twin.is_code(random.Random(4).randbytes(100_000))
    assert not twin.is_code("ein Wort für jedes Ding, 一语 ".encode() * 500)
    assert not twin.is_code(b"\xe8\x01\x00\x00\x00 some " * 500)  # the distances repeat
    assert not twin.is_code(b"")
