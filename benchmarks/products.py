"""What share of the machine's limit for integer matrix products the decoder reaches, everything included.

    python benchmarks/products.py [--model text] [--bytes 1000000 …] [--rounds 3] [--output FILE] [FILE]

    limit       multiply-adds a second of the core's product alone (floats in and out), on as many threads: the best of some shapes that caches hold
    needed      multiply-adds a token: every int8 weight of the blocks, of the mix of n-grams and of the head that is multiplied
    share       needed / seconds a token of decoding (model loaded) / limit
    products    the same products in the shapes of a step, one after the other on each thread: what part of the time is theirs

The rest of the time goes to what is between the products (norms, gates, softmax), the memory and what the head learns, the coder,
waiting for memory, and one thread waiting for the other. FILE: dickens of the bench, where it is. Prints a table and writes
benchmarks/results/products.json.
"""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import numpy as np
from data import FOLDER, SCRATCH, expanded
from results import command, machine, machine_line, markdown

from tokpress.coding import Frame
from tokpress.models import store
from tokpress.models.model import Model
from tokpress.native.product import Packed
from tokpress.tokens import Tokens
from tokpress.training.machine import cores

RESULT = Path(__file__).with_name("results") / "products.json"
#: rows, inputs and outputs; smaller ones would measure what a call costs
SHAPES = ((96, 192, 576), (96, 384, 192), (96, 512, 1536))
#: of the loop that is timed
SECONDS = 0.3


def product_of(rows: int, inputs: int, outputs: int) -> Callable[[], None]:
    rng = np.random.default_rng(0)
    packed = Packed(rng.integers(-64, 64, (outputs, inputs)).astype(np.int8), outputs, inputs)
    a, out = rng.integers(-127, 128, (rows, inputs)).astype(np.float32), np.empty((rows, outputs), np.float32)
    return lambda: packed.product(a, rows, out)


def rate(works: list[list[Callable[[], None]]], operations: int, rounds: int) -> float:
    """Operations a second of all threads, each of which does its own works, `operations` in all, again and again; the best."""

    def again(mine: list[Callable[[], None]]) -> float:
        for work in mine:
            work()
        done, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < SECONDS:
            for work in mine:
                work()
            done += 1
        return done / (time.perf_counter() - begun)

    with ThreadPoolExecutor(len(works)) as pool:
        return max(sum(pool.map(again, works)) * operations for _ in range(rounds))


def shapes_of(model: Model) -> list[tuple[int, int]]:
    """(outputs, inputs) of each product of a token."""
    tensors = model.prior.tensors()
    found = [t.shape for k, t in tensors.items() if k.endswith(".weight") and ("blocks." in k or k.endswith("grams.mix.weight"))]  # fmt: skip
    symbols, width = tensors["embedding.weight"].shape
    rows = len(tensors["head.weight"])
    groups = rows - symbols
    return [*found, (groups + symbols // groups if groups else rows, width)]


def decode_seconds(model: Model, tokens: Tokens, payload: bytes, lanes: int, rounds: int) -> float:
    """A token, the best of the rounds."""
    best = np.inf
    for _ in range(rounds):
        begun = time.perf_counter()
        back = model.prior.codec(Frame(len(tokens), lanes)).decode(payload, len(tokens))
        best = min(best, time.perf_counter() - begun)
        if not np.array_equal(back, tokens):
            raise click.ClickException("what came back is not what was coded")
    return best / len(tokens)


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--model", "name", default="text", show_default=True)
@click.option("--bytes", "sizes", type=int, multiple=True, default=(1_000_000,), show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=RESULT, help="[default: benchmarks/results/…]")
def main(file, name, sizes, rounds, output):
    file = file or expanded(FOLDER, SCRATCH).get("silesia/dickens")
    if file is None:
        raise click.ClickException("the bench's dickens is not here; name a FILE")
    data, model, found = file.read_bytes(), store.load(name), []
    shapes, counts = shapes_of(model), range(1, min(2, cores()) + 1)
    needed = sum(outputs * inputs for outputs, inputs in shapes)
    limits = {
        threads: max(rate([[product_of(*s)] for _ in range(threads)], int(np.prod(s)), rounds) for s in SHAPES)
        for threads in counts
    }
    for size in sizes:
        tokens = model.tokenizer.encode(data[:size])
        lanes = model.prior.lanes(len(tokens))
        payload = model.prior.codec(Frame(len(tokens), lanes)).encode(tokens)
        for threads in counts:
            os.environ["OMP_NUM_THREADS"] = str(threads)
            seconds = decode_seconds(model, tokens, payload, lanes, rounds)
            rows = -(-lanes // threads)
            steps = [[product_of(rows, inputs, outputs) for outputs, inputs in shapes] for _ in range(threads)]
            alone = needed / rate(steps, rows * needed, rounds)
            found.append({
                "threads": threads, "bytes": len(data[:size]), "tokens": len(tokens), "lanes": lanes,
                "microseconds_a_token": 1e6 * seconds, "needed": needed, "limit": limits[threads],
                "share": needed / seconds / limits[threads], "products_alone": alone / seconds,
            })  # fmt: skip
    told = {"model": name, "file": file.name, "machine": machine(), "command": command(), "rows": found}
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(told, indent=1) + "\n")
    print(f"{name}, {needed:,} multiply-adds a token, {file.name}; {machine_line(told['machine'])}\n")
    head = ["threads", "bytes", "lanes", "µs a token", "limit, 10⁹ a second", "share of it", "products alone, of the time"]  # fmt: skip
    rows_of = [
        [str(r["threads"]), f"{r['bytes']:,}", str(r["lanes"]), f"{r['microseconds_a_token']:.1f}", f"{r['limit'] / 1e9:.0f}",
         f"{r['share']:.0%}", f"{r['products_alone']:.0%}"]
        for r in found
    ]  # fmt: skip
    print("\n".join(markdown(head, rows_of)))


if __name__ == "__main__":
    main()
