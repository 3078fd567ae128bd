"""What golden files are made of: sources, and small models of random but fixed weights that only these files use."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.models import (
    GIVEN,
    NETWORKS,
    tiny_autoencoders,
    tiny_class_factored,
    tiny_mingru,
    tiny_models,
    tiny_network,
    tiny_product,
)  # fmt: skip
from tokpress.media.grid import Grid
from tokpress.media.segments import join
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.base import Tokenizer
from tokpress.tokenizers.pixels.palette import PaletteTokenizer
from tokpress.tokenizers.segments import SegmentsTokenizer
from tokpress.tokenizers.text.bytes import BitsTokenizer, BytesTokenizer, NibblesTokenizer
from tokpress.tokenizers.text.chars import CharsTokenizer
from tokpress.tokenizers.text.words import WordsTokenizer

HERE = Path(__file__).parent
SOURCES = HERE / "sources"
MODELS = HERE / "models"
#: of tests.models; what is not of these is one of the small models below
LECTURE = (*NETWORKS, "bayes_net", "logistic_mixture", "hierarchical", "hierarchical-depth", "ensemble", "memory-items")

#: the pattern `fixed` of sparse_transformer
SPARSE_FIXED = {"shape": "6x4", "width": 12, "depth": 2, "heads": 2, "stride": 4, "pattern": "fixed"}


def binary() -> bytes:
    """Records of a walk, 16 bytes each, and the same walk in text: what no text model expects."""
    x, rows, lines = 12345, [], []
    for i in range(400):
        x = (1103515245 * x + 12345) & 0x7FFFFFFF
        rows.append(struct.pack("<IHhd", i, x >> 20, (x >> 8) % 200 - 100, x / 4096))
        lines.append(b"%d\t%x\n" % (i, x))
    return b"".join(rows + lines)


def picture() -> bytes:
    """21 × 19 pixels of a walk in two directions, as a PPM file with something behind it."""
    x, values = 12345, []
    for row in range(19):
        for column in range(21):
            x = (1103515245 * x + 12345) & 0x7FFFFFFF
            values += [(8 * row + 3 * column + (x >> 27)) % 256, 5 * row + (x >> 28), (255 - 9 * column) % 256]
    return b"P6 21 19 255 " + bytes(values) + b"the end"


def sound(width: int, channels: int) -> bytes:
    """700 times a triangle with noise, `width` bytes a sample, as a WAV file."""
    x, samples = 12345, []
    for t in range(700 * channels):
        x = (1103515245 * x + 12345) & 0x7FFFFFFF
        wave = abs(t // channels % 80 - 40) * 5 - 100 + (x >> 28)
        samples.append((wave << 8 * (width - 1)) + (x >> 12) % 256 * (width > 1))
    raw = b"".join(s.to_bytes(width, "little", signed=True) for s in samples)
    told = struct.pack("<HHIIHH", 1, channels, 8000, 8000 * width * channels, width * channels, 8 * width)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + len(raw))
        + b"WAVEfmt \x10\0\0\0"
        + told
        + b"data"
        + struct.pack("<I", len(raw))
        + raw
    )


def calls() -> bytes:
    """x86 code of calls of one function, whose relative addresses differ: the filter of context mixing makes them alike."""
    each = [bytes(7) + b"\xe8" + (900 - at).to_bytes(4, "little", signed=True) for at in range(8, 400, 12)]
    return b"".join(each) + b"\x48\x8b\x05\x10\0\0\0"


def sources() -> dict[str, bytes]:
    made = {"empty": b"", "one": b"a", "zeros": bytes(5000), "binary": binary(), "bytes": bytes(range(256)) * 3}
    made |= {"picture": picture(), "sound": sound(2, 2), "sound24": sound(3, 1)}
    made |= {"pixels": picture()[13:-7], "items": picture()[13 : 13 + 2 * 576], "samples": sound(2, 2)[44:]}
    made |= {"frames": picture()[13 : 13 + 4 * 270]}
    made |= {path.stem: path.read_bytes() for path in sorted(SOURCES.glob("*.txt"))}
    made |= {"calls": calls(), "segments": join([(0, made["prose"][:400]), (1, made["bytes"][:64])] * 3)}
    return made | {"paragraph": made["prose"][:700]}


#: where the samples are; `items` are whole items
GRIDS = {
    "pixels": Grid(True, 0, 19, 21, 3, 8),
    "samples": Grid(False, 0, 1, 700, 2, 16, signed=True, little=True),
    "frames": Grid(True, 0, 36, 10, 3, 8, frames=4),
}


def small_models() -> dict[str, Model]:
    """Models of random but fixed weights, one per kind of prior and tokenizer; made once, then read from models/."""
    text = (SOURCES / "prose.txt").read_bytes()
    counts = np.bincount(np.frombuffer(text, np.uint8), minlength=256).astype(np.int64)
    made: dict[str, Callable[[], Model]] = {
        "histogram": lambda: Model(BytesTokenizer(), HistogramPrior(256, counts)),
        "histogram-adaptive": lambda: Model(BytesTokenizer(), HistogramPrior(256)),
        "mingru": lambda: Model(BytesTokenizer(), tiny_mingru()),
        "memory": lambda: Model(BytesTokenizer(), MemoryPrior(tiny_mingru())),
        "memory-bpe": _bpe,
        "mingru-grams": lambda: Model(BytesTokenizer(), tiny_mingru(grams=128)),
        "bitwise-bpe": _bitwise,
        "product": lambda: Model(BytesTokenizer(), MemoryPrior(tiny_product())),
        "memory-online": lambda: Model(BytesTokenizer(), MemoryPrior(tiny_mingru(online=0.01))),
    }
    made |= {f"tokens-{name}": lambda model=model: model for name, model in tiny_autoencoders().items()}
    made |= {f"lecture-{name}": lambda name=name: tiny_models()[name] for name in LECTURE}
    made |= {name: lambda name=name: _of_tokenizer(name, text) for name in ("chars", "words", "segments", "palette")}
    made["classes"] = lambda: Model(BytesTokenizer(), tiny_class_factored())
    made["lecture-sparse_fixed"] = lambda: Model(BitsTokenizer(), tiny_network("sparse_transformer", SPARSE_FIXED, 2))
    made |= {f"given-{name}": lambda name=name: _conditional(name) for name in GIVEN}
    return {name: load(MODELS / name) if (MODELS / name).is_dir() else make() for name, make in made.items()}


def load(folder: Path) -> Model:
    """A golden model. One of p(y | x) gets as much of `bytes` as it needs."""
    model = load_folder(folder)
    return bound(model) if model.prior.rules.given_size else model


def bound(model: Model) -> Model:
    source, rules = sources()["bytes"], model.prior.rules
    return model.given(source[: len(source) * rules.given_size // rules.stride])


def _conditional(name: str) -> Model:
    prior, settings, tokenizer = GIVEN[name]
    return bound(Model(tokenizer, tiny_network(prior, settings, tokenizer.vocab_size)))


def _of_tokenizer(name: str, text: bytes) -> Model:
    made: dict[str, Callable[[], Tokenizer]] = {
        "chars": lambda: CharsTokenizer.learn([text], 300),
        "words": lambda: WordsTokenizer.learn([text], 400),
        "segments": lambda: SegmentsTokenizer([WordsTokenizer.learn([text], 400), NibblesTokenizer()]),
        "palette": lambda: PaletteTokenizer(np.arange(24, dtype=np.uint8).reshape(8, 3) * 10),
    }
    tokenizer = made[name]()
    return Model(tokenizer, HistogramPrior(tokenizer.vocab_size))


def _bpe() -> Model:
    from tokpress.training.learners.bpe import train_bpe

    tokenizer = train_bpe([SOURCES / "prose.txt"], 300)
    return Model(tokenizer, MemoryPrior(tiny_mingru(symbols=tokenizer.vocab_size)))


def _bitwise() -> Model:
    from tokpress.priors.text.bitwise import BitwisePrior

    model = load_folder(MODELS / "memory-bpe")
    return Model(model.tokenizer, BitwisePrior(model.prior))
