"""What is damaged is noticed."""

import hashlib
import io
import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tokpress
from tokpress.container.digest import Digest
from tokpress.container.frames import SYNC, Damaged, Kind, check_source, read_header
from tokpress.container.member import iter_frames
from tokpress.container.salvage import iter_frames_keep_going
from tokpress.errors import ChecksumError, FormatError

from .frames import (
    FILES,
    MODEL,
    PARTS,
    SOURCES,
    THREE,
    decoded,
    frame,
    member,
    recovered,
    rewritten,
)


@pytest.mark.parametrize("file", FILES, ids=["three", "model", "raw", "lzma", "empty"])
def test_every_changed_byte_is_noticed(file):
    for at in range(len(file)):
        for mask in (1, 2, 4, 8, 16, 32, 64, 128, 255):
            with pytest.raises(FormatError):
                decoded(file[:at] + bytes([file[at] ^ mask]) + file[at + 1 :])


def test_a_changed_model_id_is_damage_and_not_another_model():
    at = FILES[1].index(MODEL)
    with pytest.raises(ChecksumError):
        decoded(FILES[1][:at] + b"\xcb" + FILES[1][at + 1 :])


def test_every_truncation_is_noticed():
    file, ends = FILES[0] + FILES[2] + FILES[4], (len(FILES[0]), len(FILES[0] + FILES[2]))
    for length in range(len(file)):
        if length in ends:
            assert decoded(file[:length])
        else:
            with pytest.raises(FormatError):
                decoded(file[:length])


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ([0, 2], "frames 1 to 1 of this member"),
        ([1, 2], "frames 0 to 0"),
        ([0, 1, 1, 2], "frame 1 of a member follows frame 1"),
        ([0, 0, 1, 2], "frame 0 of a member follows frame 0"),
        ([0, 1], "truncated after frame 2"),
    ],
)
def test_missing_and_moved_frames_are_noticed(order, message):
    with pytest.raises(FormatError, match=message):
        decoded(b"".join(THREE[i] for i in order))


def test_totals_must_add_up():
    first, second = member((Kind.RAW, b"ab"), (Kind.RAW, b"c"))
    header = read_header(io.BytesIO(second))
    file = first + rewritten(header, b"c", total_length=4)
    with pytest.raises(FormatError, match="3 bytes instead of 4"):
        decoded(file)
    assert recovered(file)[0] == b"ab"
    assert isinstance(recovered(file)[1], Damaged)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "empty"),
        (b"GIF89a", "not a .tokp file"),
        (SYNC[:3] + b"\x02 and so on", "format version 2.*upgrade"),
        (SYNC + b"\x0f", "kind byte 0x0f is unknown: upgrade"),
        (SYNC + b"\x2c", "kind byte 0x2c"),
        (SYNC + b"\x48", "kind byte 0x48"),
        (SYNC + b"\x28", "kind byte 0x28"),
        (SYNC + b"\x18\0\1\1\1\1", "continues a member as its frame 0"),
        (frame(Kind.RAW, b"x") + b"zzzz", r"frame 2 \(at byte 14\): no frame begins here"),
        (frame(Kind.RAW, b"x") + bytes(9), r"frame 2 \(at byte 14\): only zero bytes follow .*truncate -s 14 FILE"),
        (frame(Kind.RAW, b"x") + bytes(9) + b"1", r"frame 2 \(at byte 14\): no frame begins here"),
    ],
)
def test_messages_say_what_it_is_and_what_to_do(file, message):
    with pytest.raises(FormatError, match=message):
        decoded(file)


def test_a_decoder_that_goes_wrong_is_told_from_damage():
    ((header, payload),) = list(iter_frames_keep_going(io.BytesIO(FILES[1])))
    payload.read()  # undamaged
    for wrong in (b"", b"It was the best of times! ", SOURCES[0] + b"x"):
        with pytest.raises(ChecksumError, match=r"probably damaged.* that is surely undamaged fails .* report"):
            check_source(header, wrong)


# --- frames of several members ---

OLD, NEW = (
    [b"account 1: 10 EUR", b"account 2: 20 EUR", b"account 3: 5 EUR"],
    [b"account 1: 99 EUR", b"account 2: 99 EUR", b"account 3: 9 EUR"],
)


def test_frames_of_another_member_do_not_fit():
    """Two versions of a file in frames of the same sizes: no mixture of them passes for a file, with or without decoding."""
    old, new = (member(*[(Kind.RAW, part) for part in parts]) for parts in (OLD, NEW))
    for choice in itertools.product((old, new), repeat=3):
        mixed = b"".join(each[i] for i, each in enumerate(choice))
        if choice[0] is choice[1] is choice[2]:
            assert decoded(mixed)
            continue
        with pytest.raises(FormatError, match="does not belong to the frame before it"):
            for header, _ in iter_frames(io.BytesIO(mixed)):
                assert header.number < 3
        assert any(isinstance(item, Damaged) for item in recovered(mixed))


def test_frames_of_a_member_that_begins_alike_do_not_fit():
    old, new = (member((Kind.RAW, b"the same"), *[(Kind.RAW, part) for part in parts]) for parts in (OLD, NEW))
    assert old[0] == new[0]
    for cut in (2, 3):
        with pytest.raises(FormatError, match="does not belong to the frame before it"):
            decoded(b"".join(old[:cut] + new[cut:]))


def test_the_digest_is_of_all_that_is_restored():
    *_, end = member(*PARTS)
    header = read_header(io.BytesIO(end))
    assert header.digest == hashlib.blake2b(b"".join(SOURCES), digest_size=8).digest()
    digest = Digest()
    for source in SOURCES:
        digest.take(source)
    digest.check(header)
    with pytest.raises(ChecksumError, match="each frame of its member is intact, the whole is not"):
        digest.check(replace(header, digest=bytes(8)))


def test_a_source_with_the_right_crc_and_another_digest_is_refused():
    """A decoder that goes wrong, and yet makes the CRC-32 of the source."""
    source = bytes(1 << 14)
    wrong = frame(Kind.RAW, source, digest=hashlib.blake2b(b"other", digest_size=8).digest())
    with pytest.raises(ChecksumError, match="its digest is not"):
        tokpress.decompress(wrong)
    with pytest.raises(ChecksumError, match="its digest is not"):
        tokpress.open(io.BytesIO(wrong)).read()
    with pytest.raises(ChecksumError, match="its digest is not"):
        tokpress.TokpressDecompressor().decompress(wrong)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40))))
def test_a_digest_of_pieces_in_any_order(cuts):
    """Pieces that were taken already, or come after a gap, change nothing."""
    whole = bytes(range(40))
    digest = Digest()
    for at, size in cuts:
        digest.take(whole[at : at + size], at)
    digest.take(whole, 0)
    assert digest.value() == hashlib.blake2b(whole, digest_size=8).digest()
