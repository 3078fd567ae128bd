"""Context mixing in the core against its Python twin: the same payloads, whole and in both directions."""

import random
from array import array
from functools import cache
from pathlib import Path

import pytest

from tokpress.errors import ChecksumError
from tokpress.native import context_mixing
from tokpress.priors.context_mixing import bits, contexts, histories, logistic, slots

PROSE = (
    contexts.__doc__ + slots.__doc__ + histories.__doc__
).encode() + b"Caf\xc3\xa9 \xe2\x80\x94 1,024 is not 1,025. " * 3


def drawing() -> tuple[bytes, contexts.Pixels]:
    """A header, 12 rows of 11 RGB pixels in few colours, each with 3 bytes of padding, and a footer."""
    draw = random.Random(4)
    colours = [draw.randbytes(3) for _ in range(4)]
    rows = [
        b"".join(colours[(x * y // 7 + (draw.random() < 0.1)) % 4] for x in range(11)) + bytes(3) for y in range(12)
    ]
    body = b"".join(rows)
    return b"header" + body + b"foot", contexts.Pixels(6, 6 + len(body), 3, 36, 33)


def narrow() -> tuple[bytes, contexts.Pixels]:
    """Pixels of which the one above is the one before: no neighbour may be one that is not known yet."""
    body = bytes(range(40)) * 4
    return body, contexts.Pixels(0, len(body), 2, 2, 2)


def table() -> bytes:
    """Records of 23 bytes, from which the length is found after 4096 bytes; then 12 blank records."""
    draw = random.Random(6)
    return b"".join(b"%06d;%c%s;%5d\0" % (7 * k, 65 + k % 3, draw.randbytes(6), k * k) for k in range(195)) + bytes(300)


SOURCES = {
    "empty": (b"", None),
    "one byte": (b"\xff", None),
    "prose": (PROSE, None),
    "code": (Path(bits.__file__).read_bytes()[:1500], None),
    "records": (b"".join(array("i", [k * k % 1000, k, -1]).tobytes() for k in range(80)), None),
    "noise": (random.Random(1).randbytes(700), None),
    "letters": (bytes(random.Random(2).choices(b"abcdefgh`az{@AZ[\x80 ", k=900)), None),
    "repeats": (random.Random(3).randbytes(50) * 12 + b"!" + random.Random(3).randbytes(50) * 6, None),
    "one byte over and over": (b"a" * 1200, None),
    "table": (table(), None),
    "drawing": drawing(),
    "narrow": narrow(),
}


@cache
def twin_payload(name: str) -> bytes:
    return bits.encode(*SOURCES[name])


@pytest.mark.parametrize("name", SOURCES)
def test_payload_is_the_twins_and_decodes(core, name):
    source, pixels = SOURCES[name]
    payload = context_mixing.encode(source, pixels, using=core)
    assert payload == twin_payload(name)
    assert context_mixing.decode(payload, len(source), pixels, using=core) == source


@pytest.mark.parametrize("name", ["prose", "drawing", "noise"])
def test_twin_decodes(name):
    source, pixels = SOURCES[name]
    assert bits.decode(twin_payload(name), len(source), pixels) == source


@pytest.mark.parametrize("name", ["prose", "drawing", "narrow"])
def test_score_is_the_twins_and_the_payloads_length(core, name):
    source, pixels = SOURCES[name]
    costs = context_mixing.Mixer(len(source), pixels, core).score(source)
    assert list(costs) == bits.score(source, pixels)
    assert abs(sum(costs) / context_mixing.COST_UNIT / 8 - len(twin_payload(name))) < 8


@pytest.mark.parametrize("sharpness", [65536, 131072, 30000, 1 << 32])
def test_sample_is_the_twins(core, sharpness):
    prefix, n = PROSE[:300], 400
    words = array("I", [random.Random(5).getrandbits(32) for _ in range(8 * (n - len(prefix)))])
    drawn = context_mixing.Mixer(n, using=core).sample(prefix, lambda count: words[:count], sharpness)
    draws = iter(words)
    assert drawn == bits.sample(n, prefix, lambda: next(draws), sharpness)
    assert drawn[:300] == prefix


def test_blocks_give_the_same_bytes(core):
    seen: list[int] = []
    assert context_mixing.Mixer(len(PROSE), using=core, block=100).encode(PROSE, seen.append) == twin_payload("prose")
    assert seen == [*range(100, len(PROSE), 100), len(PROSE)]
    assert context_mixing.Mixer(len(PROSE), using=core, block=100).decode(twin_payload("prose")) == PROSE


def test_a_payload_that_ends_early_is_found_out(core):
    payload = twin_payload("noise")
    with pytest.raises(ChecksumError):
        context_mixing.decode(payload[:100], 1 << 20, using=core)
    with pytest.raises(ChecksumError):
        context_mixing.decode(b"", 1 << 20, using=core)
    with pytest.raises(ChecksumError):
        bits.decode(payload[:100], 700)


def test_the_twin_and_the_core_find_the_same_end(core):
    """Both read the same damaged bytes, up to the one where the payload is over."""
    payload = twin_payload("noise")[:200]
    for n in range(180, 300):
        try:
            expected = context_mixing.decode(payload, n, using=core)
        except ChecksumError:
            break
    with pytest.raises(ChecksumError):
        bits.decode(payload, n)
    assert bits.decode(payload, n - 1) == expected


@pytest.mark.parametrize(("seed", "refused"), [(0, True), (1, False), (2, True), (3, True), (4, True), (5, True)])
def test_damage_gives_other_bytes_or_an_error(core, seed, refused):
    """By the twin's word which of them."""
    draw = random.Random(seed)
    payload = bytearray(twin_payload("drawing"))
    payload[draw.randrange(len(payload) - 8)] ^= 1 << draw.randrange(8)
    source, pixels = SOURCES["drawing"]
    if refused:
        for decode in (
            lambda: context_mixing.decode(payload, len(source), pixels, using=core),
            lambda: bits.decode(payload, len(source), pixels),
        ):
            with pytest.raises(ChecksumError):
                decode()
    else:
        found = context_mixing.decode(payload, len(source), pixels, using=core)
        assert found == bits.decode(payload, len(source), pixels) != source


@pytest.mark.parametrize(
    "pixels",
    [
        (-1, 5, 1, 1, 1),
        (0, 10, 1, (1 << 40) + 1, 1),
        (0, 10, 0, 1, 1),
        (0, 10, 65, 65, 1),
        (0, 10, 3, 2, 1),
        (0, 10, 1, 5, 6),
        (5, 5, 1, 1, 1),
    ],
)
def test_pixels_that_cannot_be_are_refused(core, pixels):
    with pytest.raises(ValueError):
        context_mixing.Mixer(10, pixels, core)


def test_more_bytes_than_were_declared_are_refused(core):
    with pytest.raises(ValueError):
        context_mixing.Mixer(10, using=core).encode(b"eleven byte")
    mixer = context_mixing.Mixer(10, using=core)
    mixer.encode(b"ten bytes!")
    with pytest.raises(ValueError):
        mixer.encode(b"ten bytes!")


def test_division_of_floats_is_that_of_integers():
    """Where a quotient of floats could round up to the next integer: just below multiples of 2 · seen + 3 (counters.h)."""
    import numpy as np

    error = np.arange(1, 1 << 22)
    for seen in (0, 1, 2, 3, 7, 15, 100, 254, 511, 1022, 1023):
        quotient = (error.astype(np.float32) / np.float32(seen + 1.5)).astype(np.int32)
        assert (quotient == 2 * error // (2 * seen + 3)).all()


def test_squares_give_the_logarithm():
    import numpy as np

    p = np.arange(1, 65536)
    assert np.abs(np.array(logistic.cost_table()[1:]) / 2**20 + np.log2(p / 65536)).max() < 2e-5


def test_no_numpy_is_imported():
    import subprocess
    import sys

    code = "import sys, tokpress.native.context_mixing as a; a.decode(a.encode(b'small'), 5); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
