"""Bits per byte of a text model on a development mix, in about a minute: what is tried is tried on this, not on the bench.

    python benchmarks/text_dev.py [MODEL …] [--online RATE …] [--bytes 80000] [--only NAME …]

The mix: the last bytes of each training text, which the shipped models were not trained on (training holds 32,768 tokens of each
file out), and the first 2 MB of the package descriptions, which they were not trained on at all. Bits are −log2 p, exactly
as coding would charge them, in as many lanes as `compress` takes. --online sets the rate at which the head learns.
"""

import lzma
import time
from pathlib import Path

import click
from data import ROOT
from results import markdown

from tokpress.coding import Frame
from tokpress.models import store
from tokpress.models.model import Model
from tokpress.priors.compose.memory import MemoryPrior
from tokpress.priors.text.mingru import MinGRUPrior

TRAIN = ROOT.parent / "shared" / "data" / "train"
RECORDS_BYTES = 2_000_000


def mix(folder: Path, count: int) -> dict[str, bytes]:
    """name → bytes"""
    pieces = {}
    for path in sorted((folder / "text").glob("*.xz")):
        pieces[path.stem] = lzma.decompress(path.read_bytes())[-count:]
    with lzma.open(folder / "records" / "packages.txt.xz") as file:
        pieces["packages"] = file.read(RECORDS_BYTES)
    return pieces


def with_rate(model: Model, rate: float) -> Model:
    """The same weights, and a head that learns at this rate."""
    prior = model.prior
    assert isinstance(prior, MemoryPrior) and isinstance(prior.base, MinGRUPrior)
    base = MinGRUPrior({**prior.base.config(), "online": rate}, prior.base.tensors())
    return Model(
        model.tokenizer, MemoryPrior(base, tuple(prior.orders.tolist())), name=f"{model.name}, online {rate:g}"
    )


def bits(model: Model, data: bytes) -> float:
    tokens = model.tokenizer.encode(data)
    codec = model.prior.codec(Frame(len(tokens), model.prior.lanes(len(tokens))))
    return float(codec.score(tokens).sum())


@click.command()
@click.argument("names", nargs=-1)
@click.option("--online", "rates", type=float, multiple=True, help="Learning rate of the head; repeatable.")
@click.option("--bytes", "count", default=80_000, show_default=True, help="Of the end of each training text.")
@click.option("--only", multiple=True, help="These pieces of the mix.")
@click.option("--data", type=click.Path(exists=True, path_type=Path), default=TRAIN)
def main(names, rates, count, only, data):
    loaded = [store.load(name) for name in names or ["text"]]
    models = [with_rate(model, rate) for model in loaded for rate in rates] if rates else loaded
    pieces = {name: piece for name, piece in mix(data, count).items() if not only or name in only}
    rows, totals, seconds = [], [0.0] * len(models), [0.0] * len(models)
    for name, piece in pieces.items():
        each = []
        for i, model in enumerate(models):
            begun = time.monotonic()
            each.append(bits(model, piece) / len(piece))
            seconds[i] += time.monotonic() - begun
            totals[i] += each[-1] / len(pieces)
        rows.append([name, f"{len(piece):,}", *(f"{rate:.4f}" for rate in each)])
    rows.append(["mean of the rates", "", *(f"{rate:.4f}" for rate in totals)])
    rows.append(["seconds", "", *(f"{each:.1f}" for each in seconds)])
    print("\n".join(markdown(["bits per byte", "bytes", *(model.name for model in models)], rows)))


if __name__ == "__main__":
    main()
