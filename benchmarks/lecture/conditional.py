"""Text → picture and text → sound by an encoder–decoder: bits of an item given its text, another text, and no text.

    text_to_picture   the encoder reads "a seven", the decoder predicts a binarized MNIST digit (Parti)
    text_to_sound     the same for a spoken digit, as tokens of `audio_rvq` (MusicGen, of AudioCraft)

In training the text of some items is left out (classifier-free guidance), so that the same model also predicts items without text.
"""

import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tokpress.media import formats
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.training.run_dir import load_tokenizer

from ..pages import markdown, write_page
from ..registry import Benchmark, Cases, Setup, benchmark, tokpress
from ..store import Results
from ..tokenizers.runs import voices
from ..training import curve_of, limits, parameters, sets, write
from .coded import payload_of
from .sequences import NAMES, caption, labels

#: in place of a text
NO_TEXT = b" " * len(caption(0))
#: in training one text in so many is left out
DROPPED = 5
Digits = Sequence[int]


def texts(digits: Digits, dropped: int = 0) -> bytes:
    """The captions, one in `dropped` left out."""
    return b"".join(NO_TEXT if dropped and i % dropped == 0 else caption(digit) for i, digit in enumerate(digits))


def prior_words(corpus: Path, given: Path, model: Path, settings: dict[str, Any], limited: list[str]) -> list[str]:
    words = ["train", "prior", str(corpus), "--given", str(given), "-o", str(model), "--prior", "encoder_decoder"]
    return [*words, *sets(settings), *limited]


def bits_given(model: Model, given: bytes, source: bytes, items: int) -> float:
    """Bits of an item in the payload of all items, which was decoded and compared."""
    payload, _ = payload_of(model.given(given), "the items given their texts", source)
    return 8 * len(payload) / items


def measured(folder: Path, source: bytes, digits: Digits, words: list[str], texts_read: bool = True) -> dict[str, Any]:
    """Bits of each item given no text; and, of a model that has read texts, given its text and the text of the next digit."""
    model, last = load_folder(folder), curve_of(folder)[-1]
    count = len(digits)
    given = {"own": texts(digits), "other": texts([(digit + 1) % len(NAMES) for digit in digits])} if texts_read else {}
    given["none"] = NO_TEXT * count
    return {
        "command": "tokpress " + shlex.join(word.replace(f"{folder.parent}/", "") for word in words),
        "items": count,
        **{name: bits_given(model, each, source, count) for name, each in given.items()},
        "parameters": parameters(model),
        "minutes": round(last["seconds"] / 60, 1),
        "items_seen": last["tokens"] // model.prior.rules.stride,
    }


def table(m: dict[str, Any], item: str) -> list[str]:
    rows = [[f"{item} given {what}", f"{m[key]:.2f}", f"{m[key] - m['none']:+.2f}"]
            for what, key in (("its text", "own"), ("another text", "other"), ("no text", "none"))]  # fmt: skip
    return markdown(["", "bits", "against no text"], rows)


def verdict(m: dict[str, Any], item: str) -> str:
    return (
        f"The right text changes the bits of {item} by {m['own'] - m['none']:+.2f}, and the text of the next digit by {m['other'] - m['none']:+.2f}, against "
        f"no text. With a perfect model the right text would save at most log₂ 10 = {math.log2(10):.2f} bits."
    )


# --- text → picture --------------------------------------------------------------------------------------------------------

#: a token is four pixels side by side; the text is two tokens a byte
PICTURE = {"shape": "28x7", "given": f"{len(NO_TEXT)}x2", "width": 64, "depth": 2}
PICTURES = 500
MNIST = "images/mnist"


@benchmark("text_to_picture", page="docs/text_to_picture.md", takes="10 minutes", settings={"steps": 500})
class TextToPicture(Benchmark):
    """An encoder–decoder from a caption to an MNIST digit: bits given the caption, another one, and none."""

    packages = ("torch", "numpy")

    def cases(self, setup: Setup) -> Cases:
        return {name: lambda name=name: self.one(setup, name) for name in ("texts", "no texts")}

    def one(self, setup: Setup, name: str) -> dict[str, Any]:
        """texts: the model; no texts: the same network that has never read a text."""
        data, work = setup.data, setup.work
        train = np.load(data / f"train/{MNIST}/static_binarized_train_valid.npz")["train"]
        digits = labels(data / f"train/{MNIST}/train-labels-idx1-ubyte.gz")[: len(train)]
        test = np.load(data / "bench/images/mnist_static_binarized_test.npz")["test"][:PICTURES]
        corpus = write(work / "pictures.raw", train.tobytes())
        folder = work / name.replace(" ", "_")
        given = write(work / f"{folder.name}.txt", texts(digits, DROPPED) if name == "texts" else NO_TEXT * len(train))
        words = prior_words(corpus, given, folder, PICTURE, limits(setup.settings["steps"], 16))
        words += ["--tokenizer", "nibbles"]
        setup.train(words, folder)
        if name == "texts":
            ten = write(work / "ten.txt", texts(range(10)))
            picture = setup.docs / "samples" / "text_to_picture.png"
            picture.parent.mkdir(parents=True, exist_ok=True)
            tokpress(
                "sample",
                "-f",
                "-m",
                folder,
                "--given",
                ten,
                "--items",
                10,
                "--seed",
                1,
                "--png",
                "28x28",
                "-o",
                picture,
            )
        test_digits = labels(data / f"bench/{MNIST}/t10k-labels-idx1-ubyte.gz")[: len(test)].tolist()
        return measured(folder, test.tobytes(), test_digits, words, name == "texts")

    def report(self, results: Results, setup: Setup) -> list[str]:
        found = results.values()
        if {"texts", "no texts"} <= set(found):
            write_page(setup.docs / "text_to_picture.md", [*picture_page(found), results.made_by()])
        return []


def picture_page(found: dict[str, Any]) -> list[str]:
    m, without = found["texts"], found["no texts"]
    return [
        "# From text to a picture",
        "",
        "Parti (Yu et al. 2022, §2) makes pictures from text by an encoder–decoder: the encoder reads the text, the decoder predicts the tokens of",
        'the picture one after the other. Here the text is a caption ("a seven"), the picture a binarized MNIST digit with a token for four pixels,',
        f"and the model the prior [encoder_decoder](priors/encoder_decoder.md) of {m['parameters']:,} parameters. `--given` names the file of captions, which both sides have. One caption in {DROPPED} is",
        "left out in training, as for classifier-free guidance (Ho & Salimans 2021), so the model also predicts a",
        "picture without text.",
        "",
        f"Bits of a picture, the mean of the first {m['items']:,} test pictures in one payload, which was decoded and compared:",
        "",
        *table(m, "picture"),
        "",
        verdict(m, "a picture"),
        f"The same network that never reads a text in training takes {without['none']:.2f} bits after as many steps, so the right text",
        f"changes them by {m['own'] - without['none']:+.2f}. After so short a training all are far from a perfect model. One prior over",
        "captions and pictures in one sequence is on [another page](multimodal.md).",
        "",
        "A picture drawn for each of the ten captions, from zero to nine:",
        "",
        "![Pictures drawn from captions](samples/text_to_picture.png)",
        "",
        *(f"* {name}: `{each['command']}`" for name, each in found.items()),
        "",
    ]  # fmt: skip


# --- text → sound ----------------------------------------------------------------------------------------------------------

#: samples of an item of the tokenizer, and of a recording, which is cut or padded with silence
ITEM, RECORDING = 2048, 4096
CODES, LEVELS, DOWN = 256, 4, 64
TOKENIZER = {"shape": ITEM, "down": DOWN, "codes": CODES, "levels": LEVELS, "width": 48, "depth": 1}
SOUND = {"shape": f"{RECORDING // DOWN}x{LEVELS}", "given": len(NO_TEXT), "width": 96, "depth": 2, "dropout": 0.1}


def recording(path: Path) -> bytes:
    """Its first samples, 16 bits each."""
    raw = path.read_bytes()
    found = formats.find(raw)
    assert found is not None
    samples = raw[found.start : found.stop][: 2 * RECORDING]
    return samples + bytes(2 * RECORDING - len(samples))


@benchmark(
    "text_to_sound",
    page="docs/text_to_sound.md",
    takes="10 minutes",
    settings={"tokenizer_steps": 700, "steps": 300},
)
class TextToSound(Benchmark):
    """An encoder–decoder from the name of a digit to tokens of the spoken digit: bits given the name, another one, and none."""

    packages = ("torch", "numpy", "vector-quantize-pytorch", "soundfile")

    def cases(self, setup: Setup) -> Cases:
        return {"texts": lambda: self.one(setup)}

    def one(self, setup: Setup) -> dict[str, Any]:
        work, folder = setup.work, setup.work / "model"
        wavs, test = voices(setup.data, work / "voices")
        learn = [
            "train",
            "tokenizer",
            str(wavs),
            "-o",
            str(work / "tokenizer"),
            "--kind",
            "audio_rvq",
            *sets(TOKENIZER),
        ]
        learn += ["--max-steps", str(setup.settings["tokenizer_steps"]), "--rows", "16", "-T", "1"]
        setup.train(learn, work / "tokenizer")
        tokenizer = load_tokenizer(work / "tokenizer")

        def tokens(paths: Sequence[Path]) -> tuple[bytes, list[int]]:
            """(a byte for each token of these recordings, their digits)"""
            found = tokenizer.encode(b"".join(map(recording, paths)))
            return np.asarray(found).astype(np.uint8).tobytes(), [int(path.name[0]) for path in paths]

        learned, digits = tokens(shuffled(sorted(wavs.glob("*.wav"))))
        held, test_digits = tokens(test)
        corpus, given = write(work / "tokens.raw", learned), write(work / "names.txt", texts(digits, DROPPED))
        words = prior_words(corpus, given, folder, SOUND, limits(setup.settings["steps"], 16))
        words += ["--tokenizer", "bytes"]
        setup.train(words, folder)
        return measured(folder, held, test_digits, words) | {
            "tokenizer_command": "tokpress " + shlex.join(word.replace(f"{work}/", "") for word in learn),
            "tokenizer_steps": setup.settings["tokenizer_steps"],
            "decibels": curve_of(work / "tokenizer")[-1]["held_out_snr"],
            "recordings": len(digits),
            "item_tokens": len(held) // len(test),
        }

    def report(self, results: Results, setup: Setup) -> list[str]:
        if m := results.values().get("texts"):
            write_page(setup.docs / "text_to_sound.md", [*sound_page(m), results.made_by()])
        return []


def shuffled(paths: list[Path]) -> list[Path]:
    """The end of a corpus is held out, and must not be of one digit."""
    return [paths[i] for i in np.random.default_rng(0).permutation(len(paths))]


def sound_page(m: dict[str, Any]) -> list[str]:
    return [
        "# From text to sound",
        "",
        "MusicGen (Copet et al. 2023, §2; AudioCraft) predicts the tokens of a residual VQ of sound, and its decoder attends to an encoded text.",
        f"Here the text is the name of a digit (\"a seven\"), the sound a recording of the spoken digit, its first {RECORDING:,} samples at 8 kHz. The tokenizer",
        f"`audio_rvq` makes {m['item_tokens']} tokens of it: {RECORDING // DOWN} times × {LEVELS} levels of {CODES} codes, the levels of a time one after the other",
        f"(MusicGen, fig. 1, *flattening*). It restores held-out recordings to {m['decibels']:.1f} dB SNR after {m['tokenizer_steps']:,} steps of training. The prior",
        f"[encoder_decoder](priors/encoder_decoder.md) of {m['parameters']:,} parameters learns from {m['recordings']:,} recordings of five speakers, with variants in level and speed, for",
        f"{m['items_seen']:,} items in all. One name in {DROPPED} is left out in training, as for classifier-free guidance.",
        "",
        f"Bits of the tokens of a recording, the mean of {m['items']} recordings of a sixth speaker in one payload, which was decoded and compared:",
        "",
        *table(m, "recording"),
        "",
        verdict(m, "a recording"),
        f"Without a prior the tokens take {m['item_tokens'] * math.log2(CODES):,.0f} bits.",
        "",
        f"* tokenizer: `{m['tokenizer_command']}`",
        f"* prior: `{m['command']}`",
        "",
    ]  # fmt: skip
