"""Lzma payloads."""

import io
import lzma
import random
import threading

import pytest

from tokpress.container.frames import restore_plain
from tokpress.container.lzma2 import LzmaEncoder, Packing, in_turn, lzma_decode, lzma_encode
from tokpress.container.salvage import iter_frames_keep_going
from tokpress.container.varint import PIECE
from tokpress.errors import ChecksumError

from .frames import (
    FILES,
    peak_memory,
)

TEXT = b"".join(b"%d bottles of beer on the wall, %d bottles of beer\n" % (n, n * n) for n in range(3000))


@pytest.mark.parametrize("source", [b"a", b"abc" * 5000, TEXT, random.Random(2).randbytes(100_000)], ids=len)
def test_lzma_is_no_larger_than_xz(source):
    payload = lzma_encode(source)
    assert len(payload) <= len(lzma.compress(source, preset=9 | lzma.PRESET_EXTREME))
    for step in (1000, len(payload)):
        pieces = [payload[i : i + step] for i in range(0, len(payload), step)]
        assert b"".join(lzma_decode(pieces, len(source))) == source


def test_packing_stops_at_its_limit_and_may_go_on():
    source = random.Random(3).randbytes(1 << 20)
    packing = Packing(source)
    packing.limit_to(1000)
    assert packing.go_on() is None
    taken = sum(map(len, packing._pieces))
    assert 1000 < taken < len(source) // 2, "it did not wait for the end"
    packing.limit_to(taken + 1)
    assert packing.go_on() is None
    packing.limit_to(2 * len(source))
    assert packing.go_on() == lzma_encode(source) == packing.go_on()
    packing.limit_to(1000)
    assert packing.go_on() is None


def test_lzma_by_pieces_of_unknown_length():
    encoder = LzmaEncoder()
    payload = b"".join([*(encoder.compress(TEXT[i : i + 999]) for i in range(0, len(TEXT), 999)), encoder.finish()])
    assert payload[0] == 26
    assert b"".join(lzma_decode([payload], len(TEXT))) == TEXT


@pytest.mark.parametrize(("length", "byte"), [(1, 0), (4096, 0), (4097, 1), (6145, 2), (1 << 20, 16)])
def test_the_dictionary_is_the_smallest_that_holds_the_source(length, byte):
    assert LzmaEncoder(length).finish()[0] == byte


def test_one_frame_at_a_time_is_packed():
    """However many threads there are: each takes much memory. Whoever waits hears of a reason to stop."""
    source, most, lock, now = random.Random(4).randbytes(1 << 19), 0, threading.Lock(), 0

    class Counted(LzmaEncoder):
        def compress(self, piece):
            nonlocal now, most
            with lock:
                now, most = now + 1, max(most, now + 1)
            try:
                return super().compress(piece)
            finally:
                with lock:
                    now -= 1

    made = []
    threads = [threading.Thread(target=lambda: made.append(Packing(source, encoder=Counted).go_on())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1 and made == 4 * [lzma_encode(source)]

    class Stop(Exception):
        pass

    def stop():
        raise Stop

    with in_turn(), pytest.raises(Stop):
        Packing(source, stop).go_on()
    assert Packing(source).go_on() == made[0], "whoever gave up waiting leaves it free"


def test_lzma_that_lies_is_rejected():
    payload = lzma_encode(TEXT)
    for pieces, length in [
        ([payload], len(TEXT) - 1),
        ([payload], len(TEXT) + 1),
        ([payload[:-1]], len(TEXT)),
        ([payload + b"\0"], len(TEXT)),
        ([payload, b"\0"], len(TEXT)),
        ([b"\x1d" + payload[1:]], len(TEXT)),
        ([payload[:1]], 1),
        ([b"\0\xff\xff"], 1),
        ([], 1),
    ]:
        with pytest.raises(ChecksumError, match="does not decode"):
            list(lzma_decode(pieces, length))


def test_an_lzma_bomb_stops_at_the_length_of_its_header():
    payload = lzma_encode(bytes(1 << 23))

    def decode() -> None:
        with pytest.raises(ChecksumError, match="more than its header says"):
            list(lzma_decode([payload], 1000))

    assert peak_memory(decode) < PIECE


def test_a_model_frame_is_not_plain():
    ((header, payload),) = iter_frames_keep_going(io.BytesIO(FILES[1]))
    with pytest.raises(ValueError, match="its model"):
        list(restore_plain(header, payload))
