"""A hierarchy of codes (De Fauw et al. 2019): an auxiliary decoder shapes the codes of a picture; a prior of the codes, and a prior of the
picture given its codes.

    p(x) = p(z) · p(x | z),   z = encoder(x)

The chain loses nothing: z is a function of x, and both are coded. The auxiliary decoder is that of the tokenizer `vq`.
"""

import shlex
from pathlib import Path
from typing import Any

import numpy as np

from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.training.run_dir import load_tokenizer

from ..pages import markdown, write_page
from ..registry import Benchmark, Cases, Setup, benchmark
from ..store import Results
from ..training import curve_of, limits, parameters, sets, write
from .coded import payload_of

#: pictures are padded with black, so that their codes are whole bytes
SIDE, DOWN, CODES = 32, 8, 16
CODES_SHAPE = f"{SIDE // DOWN}x{SIDE // DOWN}"
TOKENIZER = {"shape": f"{SIDE}x{SIDE}", "down": DOWN, "codes": CODES, "width": 32, "depth": 1}
#: a token is four pixels side by side, and a code
PICTURE = {"shape": f"{SIDE}x{SIDE // 4}", "width": 64, "depth": 4}
#: name of a prior → its settings
PRIORS: dict[str, dict[str, Any]] = {
    "codes": {"shape": CODES_SHAPE, "width": 64, "depth": 4},
    "given": {**PICTURE, "given": CODES_SHAPE},
    "flat": PICTURE,
}
LEARNED, TESTED = 20_000, 500


def padded(images: np.ndarray) -> np.ndarray:
    """[N, 32, 32] of 0 and 1, of packed pictures of 28×28."""
    edge = (SIDE - 28) // 2
    pixels = np.unpackbits(images, axis=1).reshape(-1, 28, 28)
    return np.pad(pixels, ((0, 0), (edge, edge), (edge, edge)))


def packed_codes(tokens: np.ndarray) -> bytes:
    """Two codes a byte, as the tokenizer `nibbles` reads them."""
    pairs = np.asarray(tokens, np.uint8).reshape(-1, 2)
    return (pairs[:, 0] << 4 | pairs[:, 1]).tobytes()


def words_of(name: str, place: Path, steps: int) -> list[str]:
    settings = PRIORS[name]
    corpus = place / ("codes.raw" if name == "codes" else "pictures.raw")
    words = [
        "train",
        "prior",
        str(corpus),
        "-o",
        str(place / name),
        "--prior",
        "pixelcnn",
        "--tokenizer",
        "nibbles",
        *sets(settings),
    ]
    words += ["--given", str(place / "codes.raw")] if "given" in settings else []
    return [*words, *limits(steps)]


def tokenizer_words(place: Path, steps: int) -> list[str]:
    words = [
        "train",
        "tokenizer",
        str(place / "pixels.raw"),
        "-o",
        str(place / "tokenizer"),
        "--kind",
        "vq",
        *sets(TOKENIZER),
    ]
    return [*words, "--max-steps", str(steps), "-T", "1"]


@benchmark("auxiliary_decoders", page="docs/auxiliary_decoders.md", takes="10 minutes", settings={"steps": 300})
class AuxiliaryDecoders(Benchmark):
    """MNIST by a prior of codes and a prior of the picture given its codes, beside one prior of the picture."""

    packages = ("torch", "numpy", "vector-quantize-pytorch")

    def cases(self, setup: Setup) -> Cases:
        return {"hierarchy": lambda: self.hierarchy(setup), "flat": lambda: self.flat(setup)}

    def pictures(self, setup: Setup) -> tuple[np.ndarray, np.ndarray]:
        data = setup.data
        train = np.load(data / "train/images/mnist/static_binarized_train_valid.npz")["train"][:LEARNED]
        test = np.load(data / "bench/images/mnist_static_binarized_test.npz")["test"][:TESTED]
        return padded(train), padded(test)

    def prior(self, setup: Setup, name: str) -> tuple[Model, dict[str, Any]]:
        """The trained model, and facts about its training."""
        steps = setup.settings["steps"]
        setup.train(words_of(name, setup.work, steps), setup.work / name)
        model, last = load_folder(setup.work / name), curve_of(setup.work / name)[-1]
        facts = {
            "command": "tokpress " + shlex.join(words_of(name, Path(), steps)),
            "parameters": parameters(model),
            "items": last["tokens"] // model.prior.rules.stride,
        }
        return model, facts

    def hierarchy(self, setup: Setup) -> dict[str, Any]:
        work, steps = setup.work, setup.settings["steps"]
        train, test = self.pictures(setup)
        write(work / "pixels.raw", (train * np.uint8(255)).tobytes())
        write(work / "pictures.raw", np.packbits(train).tobytes())
        setup.train(tokenizer_words(work, steps), work / "tokenizer")
        tokenizer = load_tokenizer(work / "tokenizer")

        def codes_of(pixels: np.ndarray) -> bytes:
            return packed_codes(np.asarray(tokenizer.encode((pixels * np.uint8(255)).tobytes())))

        if not (work / "codes.raw").is_file():
            write(work / "codes.raw", codes_of(train))
        tested = codes_of(test)
        of_codes, codes = self.prior(setup, "codes")
        of_pictures, given = self.prior(setup, "given")
        codes_payload, _ = payload_of(of_codes, "the codes", tested)
        picture_payload, _ = payload_of(of_pictures.given(tested), "the pictures", np.packbits(test).tobytes())
        last = curve_of(work / "tokenizer")[-1]
        return {
            "pictures": len(test),
            "codes_bits": 8 * len(codes_payload) / len(test),
            "picture_bits": 8 * len(picture_payload) / len(test),
            "codes": codes,
            "given": given,
            "tokenizer": {
                "command": "tokpress " + shlex.join(tokenizer_words(Path(), steps)),
                "decibels": last["held_out_psnr"],
            },
        }

    def flat(self, setup: Setup) -> dict[str, Any]:
        train, test = self.pictures(setup)
        write(setup.work / "pictures.raw", np.packbits(train).tobytes())
        model, facts = self.prior(setup, "flat")
        payload, _ = payload_of(model, "the pictures", np.packbits(test).tobytes())
        return {"pictures": len(test), "picture_bits": 8 * len(payload) / len(test), "flat": facts}

    def report(self, results: Results, setup: Setup) -> list[str]:
        found = results.values()
        if {"hierarchy", "flat"} <= set(found):
            lines = [*page(found["hierarchy"], found["flat"]), results.made_by()]
            write_page(setup.docs / "auxiliary_decoders.md", lines)
        return []


def page(m: dict[str, Any], flat: dict[str, Any]) -> list[str]:
    total = m["codes_bits"] + m["picture_bits"]
    places = (SIDE // DOWN) ** 2
    facts = {"codes": m["codes"], "picture given its codes": m["given"], "picture by one prior": flat["flat"]}
    bits = dict(zip(facts, (m["codes_bits"], m["picture_bits"], flat["picture_bits"])))
    rows = [
        [name, f"{bits[name]:.2f}", f"{fact['parameters']:,}", f"{fact['items']:,}"] for name, fact in facts.items()
    ]
    rows.insert(2, ["both", f"{total:.2f}", f"{m['codes']['parameters'] + m['given']['parameters']:,}", "–"])
    change = total - flat["picture_bits"]
    commands = [
        m["tokenizer"]["command"],
        *(m[name]["command"] for name in ("codes", "given")),
        flat["flat"]["command"],
    ]
    return [
        "# A hierarchy with an auxiliary decoder",
        "",
        "De Fauw et al. 2019 (§3) code a picture in two levels, p(x) = p(z) · p(x | z). A discrete encoder makes the codes z, a prior of z models the",
        "global structure, and a prior of the pixels adds the detail. The last one could do without codes, and an encoder trained through it",
        "would put nothing in them. So an auxiliary decoder shapes the codes: it must restore the picture from the codes alone, and is thrown",
        "away afterwards.",
        "",
        "The parts are those of tokpress. The tokenizer `vq` is the encoder with a feed-forward auxiliary decoder; `pixelcnn` is the prior of the codes, and with",
        f"`--given` the prior of the picture given its codes. Pictures are binarized MNIST, padded to {SIDE} × {SIDE}; a picture has {CODES_SHAPE.replace('x', ' × ')} = {places} codes of {CODES}, at most",
        f"{places * int(np.log2(CODES))} bits. The auxiliary decoder restores held-out pictures to {m['tokenizer']['decibels']:.1f} dB PSNR. The paper's other auxiliary decoder, masked self-prediction,",
        "is not part of tokpress.",
        "",
        f"Bits of a picture, the mean of {m['pictures']:,} test pictures. Payloads were decoded and compared; both levels together restore the picture without loss.",
        "",
        *markdown(["", "bits", "parameters", "items seen in training"], rows),
        "",
        f"The codes are {m['codes_bits'] / total:.0%} of the bits. All priors are trained for as many steps. The two levels take {abs(change):.2f} bits {'more' if change > 0 else 'less'} than one prior "
        f"({change / flat['picture_bits']:+.1%}). A [hierarchy of smaller pictures](priors/hierarchical.md) needs no encoder.",
        "",
        *(f"* `{command}`" for command in commands),
        "",
    ]  # fmt: skip
