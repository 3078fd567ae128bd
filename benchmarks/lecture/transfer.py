"""Pretrain on one corpus, go on with a smaller one of another kind; beside the same network that begins with nothing (GPT-1).

All models are trained by the command line. A pair has the same corpus and the same number of steps.
"""

import lzma
import shlex
from pathlib import Path
from typing import Any

from tokpress.models.loading import load_folder

from ..pages import markdown, write_page
from ..registry import Benchmark, Cases, MeasurementError, Setup, benchmark
from ..store import Results
from ..training import curve_of, limits, parameters, sets, write
from .coded import payload_of
from .sequences import novels

NETWORK = {"width": 64, "depth": 2, "hidden": 128, "online": 0}
#: bytes of e-mail that are learned from
SIZES = (75_000, 250_000, 1_000_000)
#: e-mail of the same corpus that is never learned from: where it begins, and how many bytes
HELD_OUT = 5_000_000, 200_000
#: files of the test folder
OTHERS = "modern/email/"
#: the pretrained network goes on at a lower rate than one that begins, as in Radford et al. 2018, §4.1
RATE = "0.001"


def command(corpus: Path | str, model: Path | str, steps: int, init: Path | str = "") -> list[str]:
    words = ["train", "prior", str(corpus), "-o", str(model), "--prior", "mingru", "--no-memory"]
    words += ["--window", "128", *limits(steps)]
    if init:
        return [*words, "--init", str(init), "--set", "online=0", "--learning-rate", RATE]
    return [*words, "--tokenizer", "bytes", *sets(NETWORK)]


def email(setup: Setup, begin: int, size: int) -> bytes:
    """Messages of mailing lists, in random order."""
    with lzma.open(setup.train_data / "modern" / "email.xz") as file:
        return file.read(begin + size)[begin:]


def measure(setup: Setup, folder: Path, words: list[str]) -> dict[str, Any]:
    model, last = load_folder(folder), curve_of(folder)[-1]
    sources = {"held out": [email(setup, *HELD_OUT)]}
    sources["others"] = [path.read_bytes() for name, path in setup.bench.items() if name.startswith(OTHERS)]
    if not sources["others"]:
        raise MeasurementError(f"there are no files {OTHERS}* to report on")
    sizes = {}
    for name, parts in sources.items():
        made = sum(len(payload_of(model, f"e-mail ({name})", part)[0]) for part in parts)
        sizes[name] = [sum(map(len, parts)), made]
    return {
        "command": "tokpress " + shlex.join(words),
        "parameters": parameters(model),
        "tokens": last["tokens"],
        "sizes": sizes,
    }


@benchmark(
    "pretraining",
    page="docs/pretraining.md",
    takes="10 minutes",
    settings={"pretraining_steps": 800, "steps": 200},
)
class Pretraining(Benchmark):
    """A model of novels that goes on with e-mail, beside one that begins with nothing."""

    packages = ("torch", "numpy")

    def cases(self, setup: Setup) -> Cases:
        pairs = [(size, start) for size in SIZES for start in ("nothing", "novels")]
        return {"novels": lambda: self.first(setup)} | {
            f"{size} from {start}": lambda size=size, start=start: self.one(setup, size, start) for size, start in pairs
        }

    def first(self, setup: Setup) -> dict[str, Any]:
        """The model to start from."""
        steps, folder = setup.settings["pretraining_steps"], setup.work / "novels"
        setup.train(command(novels(setup), folder, steps), folder)
        return measure(setup, folder, command("novels.txt", "novels", steps))

    def one(self, setup: Setup, size: int, start: str) -> dict[str, Any]:
        steps, folder = setup.settings["steps"], setup.work / f"{size}_from_{start}"
        init = setup.work / "novels"
        if start == "novels" and not (init / "config.json").is_file():
            raise MeasurementError("the case 'novels' comes first")
        corpus = write(setup.work / f"email_{size}.txt", email(setup, 0, size))
        setup.train(command(corpus, folder, steps, init if start == "novels" else ""), folder)
        shown = command(f"email_{size}.txt", folder.name, steps, "novels" if start == "novels" else "")
        return measure(setup, folder, shown)

    def report(self, results: Results, setup: Setup) -> list[str]:
        found = results.values()
        if "novels" in found and all(
            f"{size} from {start}" in found for size in SIZES for start in ("nothing", "novels")
        ):
            write_page(setup.docs / "pretraining.md", [*page(found), results.made_by()])
        return []


def rate(m: dict[str, Any], name: str) -> float:
    """Bits per byte of these sources."""
    source, made = m["sizes"][name]
    return 8 * made / source


def table(found: dict[str, Any], name: str) -> list[str]:
    rows = []
    for size in SIZES:
        nothing, novel = (found[f"{size} from {start}"] for start in ("nothing", "novels"))
        change = rate(novel, name) / rate(nothing, name) - 1
        passes = f"{nothing['tokens'] / size:.1f}"
        rows.append([f"{size:,}", passes, f"{rate(nothing, name):.3f}", f"{rate(novel, name):.3f}", f"{change:+.1%}"])
    return markdown(["bytes of e-mail", "passes", "from nothing", "from novels", "change"], rows)


def page(found: dict[str, Any]) -> list[str]:
    first = found["novels"]
    held, other = (first["sizes"][name][0] for name in ("held out", "others"))
    return [
        "# Pretraining",
        "",
        "GPT-1 (Radford et al. 2018, §3.1, §3.2) learns a language model from a large corpus and goes on with a small one of the task. Here a",
        f"`mingru` of {first['parameters']:,} parameters, with a token for each byte, learns from English novels in {first['tokens'] // (32 * 128):,} steps of 32 × 128 bytes.",
        "It goes on (`--init`) with e-mail of three sizes. A second network of the same shape learns from the same e-mail in as many steps, and starts",
        f"from random weights. The network that goes on has a lower rate of learning, {RATE} for 0.003, as in the paper (§4.1).",
        "",
        f"Bits per byte of {held:,} bytes of e-mail, held out of the same corpus. Payloads were decoded and compared; models are not counted. *passes*: over",
        "the e-mail.",
        "",
        *table(found, "held out"),
        "",
        f"The model of novels takes {rate(first, 'held out'):.3f} bits per byte before it has seen an e-mail.",
        "",
        f"The same of the test folder, {other:,} bytes: a web page that lists the threads of a mailing list, mostly links with random names. It is unlike both",
        f"corpora, and the model of novels alone takes {rate(first, 'others'):.3f} bits per byte:",
        "",
        *table(found, "others"),
        "",
        *(f"* {name}: `{m['command']}`" for name, m in found.items()),
        "",
    ]  # fmt: skip
