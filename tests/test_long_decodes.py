"""A small frame does not keep a decoder busy: its tokens are counted before, and their bytes while, it is decoded."""

import numpy as np
import pytest

from tests.coding import common as coding
from tests.golden import inputs
from tests.models import tiny_autoencoders, tiny_class_factored, tiny_ensemble, tiny_mingru, tiny_models
from tokpress.coding.base import WATCH_EVERY
from tokpress.coding.lanes import Layout
from tokpress.errors import ChecksumError, TokpressError
from tokpress.media.grid import Grid
from tokpress.media.segments import join
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.priors.text.bitwise import BitwisePrior
from tokpress.tokenizers.pixels.palette import PaletteTokenizer
from tokpress.tokenizers.segments import SegmentsTokenizer
from tokpress.tokenizers.text.bpe import BPETokenizer
from tokpress.tokenizers.text.bytes import BitsTokenizer, BytesTokenizer, NibblesTokenizer, TopBitTokenizer
from tokpress.tokenizers.text.chars import CharsTokenizer
from tokpress.tokenizers.text.words import WordsTokenizer
from tokpress.tokens import as_array

TEXT = b"the cat saw the dog, the dog saw the cat. " * 3
BPE: BPETokenizer = load_folder(inputs.MODELS / "memory-bpe").tokenizer  # type: ignore[assignment]
LONGEST = int(BPE.sizes.average().argmax())


class Counted(HistogramPrior):
    """Counts its steps."""

    steps = 0

    def step(self, state, previous, rows):
        self.steps += rows
        return super().step(state, previous, rows)


TOKENIZERS = [
    BytesTokenizer(), NibblesTokenizer(), TopBitTokenizer(), BitsTokenizer(), BPE, WordsTokenizer.learn([TEXT], 300),
    CharsTokenizer.learn([TEXT], 300), SegmentsTokenizer([BytesTokenizer(), BitsTokenizer()]),
]  # fmt: skip


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda tokenizer: tokenizer.name)
def test_what_is_encoded_is_possible(tokenizer):
    rng = np.random.default_rng(0)
    sources = [b"", b"a", TEXT, TEXT[1:], rng.bytes(300), b"\0" * 99, b" the" * 50]
    sources += [
        join([(0, b"")] * 7),
        join([(1, b"ab"), (0, b"abc"), (1, b"")]),
        join([(1, TEXT)]) + b"tail",
        b"\x00\x01",
    ]
    for source in sources:
        assert len(tokenizer.encode(source)) in tokenizer.sizes.possible_tokens(len(source))


def test_pixels_are_counted_exactly():
    palette = PaletteTokenizer(np.array([[0, 0, 0], [255, 255, 255]], np.uint8))
    assert list(palette.sizes.possible_tokens(6)) == [2] and not palette.sizes.possible_tokens(7)


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda tokenizer: tokenizer.name)
def test_impossible_counts_are_refused_before_the_first_step(tokenizer):
    prior = Counted(tokenizer.vocab_size)
    model = Model(tokenizer, prior)
    length, refused = 1000, 0
    for tokens in (
        0,
        1,
        8 * length + 1,
        8 * length + 2,
        1 << 40,
        *([8 * length] if tokenizer.sizes.unit_tokens < 8 and tokenizer.name != "segments" else []),
    ):
        if tokens in tokenizer.sizes.possible_tokens(length):
            continue
        with pytest.raises(ChecksumError, match="make no source of"):
            model.decode(b"\x01", tokens, 1, length=length)
        refused += 1
    assert refused >= 3 and prior.steps == 0


def test_tiles_are_counted_before_the_first_step():
    model = tiny_autoencoders()["vq"]
    prior = Counted(model.tokenizer.vocab_size)
    model = Model(model.tokenizer, prior)
    grid = Grid(True, 0, 16, 16, 3, 8)
    payload, tokens, lanes = model.encode(bytes(16 * 16 * 3), 1, grid=grid)
    before = prior.steps
    for wrong in (tokens - 4, tokens + 4, 8 * 768):
        with pytest.raises(ChecksumError):
            model.decode(payload, wrong, lanes, length=768)
    assert prior.steps == before


def never_ending(prior, tokenizer, lanes: int, count: int) -> bytes:
    """A payload that decodes to the longest token again and again."""
    return coding.encode(prior, np.full(count, int(tokenizer.sizes.average().argmax()), np.int32), lanes)


@pytest.mark.parametrize("lanes", [1, 7, 64])
def test_a_decode_ends_when_there_are_too_many_bytes(lanes):
    """By steps: no more tokens are computed than make the bytes, and a block."""
    count = 40_000
    prior = Counted(BPE.vocab_size)
    payload, longest = never_ending(prior, BPE, lanes, count), int(BPE.sizes.average().max())
    model, prior.steps = Model(BPE, prior), 0
    with pytest.raises(ChecksumError, match=f"make more than {count:,} bytes"):
        model.decode(payload, count, lanes, length=count)
    assert count / longest <= prior.steps <= count / longest + max(WATCH_EVERY, 64 * lanes)


@pytest.mark.parametrize(
    "prior",
    [
        tiny_mingru(300), tiny_class_factored(512, classes=16), BitwisePrior(tiny_mingru(300)), tiny_ensemble(),
        *(tiny_models()[name].prior for name in ("context_mixing", "memory", "memory-class_factored", "made", "linear_prediction")),
    ],
    ids=lambda prior: prior.name,
)  # fmt: skip
def test_every_way_of_coding_tells_its_symbols(prior):
    """All of them, once, in blocks that are not large; what the watch raises ends the decode."""
    if isinstance(prior, BitwisePrior):
        prior = prior.for_tokenizer(BPE)
    tokens = (
        np.random.default_rng(1)
        .integers(0, min(prior.vocab_size, 256), 3 * prior.rules.stride * 200 // prior.rules.stride)
        .astype(np.int32)
    )
    payload = coding.encode(prior, tokens, 5)
    seen: list[np.ndarray] = []
    decoded = coding.decode(prior, payload, len(tokens), 5, lambda symbols: seen.append(as_array(symbols).copy()))
    assert np.array_equal(decoded, tokens)
    assert sorted(np.concatenate([part.reshape(-1) for part in seen])) == sorted(tokens)
    assert max(part.size for part in seen) <= WATCH_EVERY + 5

    def stop(symbols: np.ndarray) -> None:
        raise ChecksumError("enough")

    with pytest.raises(ChecksumError, match="enough"):
        coding.decode(prior, payload, len(tokens), 5, stop)


def test_a_compiled_loop_is_watched_in_blocks(monkeypatch):
    prior, tokens = tiny_models()["context_mixing"].prior, np.zeros(5 * WATCH_EVERY, np.int32)
    payload, seen = coding.encode(prior, tokens, 1), []

    def watch(symbols: np.ndarray) -> None:
        seen.append(len(symbols))
        if sum(seen) > WATCH_EVERY:
            raise ChecksumError("enough")

    with pytest.raises(ChecksumError, match="enough"):
        coding.decode(prior, payload, len(tokens), 1, watch)
    assert seen == [WATCH_EVERY] * 2 and Layout.divide(len(tokens), 1).steps == len(tokens)


def test_a_tokenizer_that_loses_bytes_does_not_encode():
    """Whatever it promises: `compress --rm` would leave nothing to restore from."""

    class Lower(BytesTokenizer):
        def encode(self, source):
            return super().encode(bytes(source).lower())

    class Short(BytesTokenizer):
        def encode(self, source):
            return super().encode(source)[:-1]

    class Marks(BytesTokenizer):
        def encode(self, source):
            return np.repeat(super().encode(source), 2)

        def decode(self, tokens):
            return super().decode(tokens[::2])

    for tokenizer in (Lower(), Short(), Marks()):
        with pytest.raises(TokpressError, match="does not restore this source"):
            Model(tokenizer, HistogramPrior(256)).encode(b"A source")
