"""What a training step costs, how much of that is matrix products, and how long the recurrence takes.

    python benchmarks/training_speed.py [--preset text] [--rounds 10] [--precision auto] [--no-compile]

A step is what `tokpress train` does: forward, backward, optimisers, on random tokens (its cost does not depend on
them). The products are those of the same step alone, in their shapes and dtype: for each linear layer of K inputs
and N outputs over M = rows · window tokens, one forward [M,K]·[K,N] and two backward [M,N]·[N,K] and [N,M]·[M,K].
No implementation of this network can be faster than they are; their share of the step says how near we are. The
recurrence is its forward and backward scan, as often as there are blocks. The three are timed in turn, so that other
work on the machine hits them alike; the median of the rounds counts.

Prints a table and writes benchmarks/results/training_speed.json.
"""

import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import torch
from rich.console import Console
from rich.table import Table

from tokpress._version import __version__
from tokpress.training.card import processor
from tokpress.training.loop.fit import keep_freed_memory, make_optimizers
from tokpress.training.nets.mingru import MinGRUNet
from tokpress.training.nets.quantized import QuantLinear, product_dtype, set_product_dtype
from tokpress.training.nets.scan import scan
from tokpress.training.presets import PRESETS

RESULT = Path(__file__).with_name("results") / "training_speed.json"


def step_of(net: MinGRUNet, rows: int, window: int, compiled: bool) -> Callable[[], None]:
    """One training step, as in tokpress.training.loop.fit."""
    device = net.bias.device
    optimizers = make_optimizers(net, 1e-3)
    run = torch.compile(net) if compiled else net
    tokens = torch.randint(0, net.config["symbols"], (rows, window + 1), device=device)
    state = net.initial_state(rows)

    def step() -> None:
        loss, _ = run(tokens[:, :-1], tokens[:, 1:], state)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        float(loss.detach())

    return step


def products_of(net: MinGRUNet, tokens: int, dtype: torch.dtype) -> tuple[Callable[[], None], int]:
    """The matrix products of a step and nothing else; and how many multiplications and additions they are."""
    shapes = [tuple(m.weight.shape) for m in net.modules() if isinstance(m, QuantLinear)]
    device = net.bias.device
    operands = [
        tuple(torch.randn(shape, device=device).to(dtype) for shape in ((tokens, inputs), (outputs, inputs), (tokens, outputs)))
        for outputs, inputs in shapes
    ]  # fmt: skip

    def products() -> None:
        for x, w, g in operands:
            x @ w.T
            g @ w
            g.T @ x

    return products, sum(3 * 2 * tokens * outputs * inputs for outputs, inputs in shapes)


def recurrence_of(net: MinGRUNet, rows: int, window: int) -> Callable[[], None]:
    """The scans of a step, forward and backward."""
    shape, device = (rows, window, net.config["width"]), net.bias.device
    f = torch.rand(shape, device=device, requires_grad=True)
    c = torch.randn(shape, device=device, requires_grad=True)
    h0, g = torch.randn(rows, shape[2], device=device), torch.randn(shape, device=device)

    def recurrence() -> None:
        for _ in range(net.config["depth"]):
            scan(f, c, h0).backward(g)
            f.grad = c.grad = None

    return recurrence


def median_seconds(works: dict[str, Callable[[], None]], rounds: int, device: torch.device) -> dict[str, float]:
    """Each work once per round, in turn; two more rounds before, which do not count (compilation, caches)."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 2):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds[2:]) for name, seconds in taken.items()}


def measure(preset: str, rounds: int, precision: str, compiled: bool, device: str = "cpu") -> dict:
    """Everything the table shows, as JSON values."""
    p, on = PRESETS[preset], torch.device(device)
    keep_freed_memory()
    torch.manual_seed(0)
    net = MinGRUNet(p.vocab_size, p.width, p.depth, p.hidden).to(on)
    dtype = product_dtype(precision, on)
    set_product_dtype(net, dtype)
    tokens = p.rows * p.window
    products, operations = products_of(net, tokens, dtype)
    works = {
        "step": step_of(net, p.rows, p.window, compiled),
        "products": products,
        "recurrence": recurrence_of(net, p.rows, p.window),
    }
    seconds = median_seconds(works, rounds, on)
    return {
        "preset": preset,
        "parameters": sum(q.numel() for q in net.parameters()),
        "rows": p.rows,
        "window": p.window,
        "dtype": str(dtype).removeprefix("torch."),
        "compiled": compiled,
        "rounds": rounds,
        "seconds": seconds,
        "tokens_per_second": tokens / seconds["step"],
        "tokens_per_second_of_products_alone": tokens / seconds["products"],
        "products_share": seconds["products"] / seconds["step"],
        "recurrence_share": seconds["recurrence"] / seconds["step"],
        "products_gflops": operations / seconds["products"] / 1e9,
        "machine": {
            "processor": processor() if on.type == "cpu" else torch.cuda.get_device_name(on),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
            "torch": torch.__version__,
            "tokpress": __version__,
        },
        "command": " ".join(["python", "benchmarks/training_speed.py", *sys.argv[1:]]),
    }


def show(result: dict) -> None:
    machine, seconds = result["machine"], result["seconds"]
    title = (
        f"{result['preset']}: {result['parameters']:,} parameters, {result['rows']} × {result['window']} tokens a step"
    )
    table = Table("", "ms", "share of the step", "tokens/s", title=title)
    for name, label in (("step", "training step"), ("products", "its matrix products alone"), ("recurrence", "its recurrence alone")):  # fmt: skip
        rate = result["rows"] * result["window"] / seconds[name]
        table.add_row(label, f"{1000 * seconds[name]:,.1f}", f"{seconds[name] / seconds['step']:.1%}", f"{rate:,.0f}")
    console = Console()
    console.print(table)
    console.print(
        f"products in {result['dtype']} at {result['products_gflops']:,.0f} GFLOP/s; "
        f"{'compiled' if result['compiled'] else 'not compiled'}; {machine['processor']}, {machine['threads']} threads, "
        f"torch {machine['torch']}, load before {machine['load_before']}",
        highlight=False,
    )


@click.command()
@click.option("--preset", type=click.Choice(list(PRESETS)), default="text", show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=10, show_default=True)
@click.option("--precision", type=click.Choice(["auto", "bf16", "fp32"]), default="auto", show_default=True)
@click.option("--compile/--no-compile", "compiled", default=shutil.which("g++") is not None, help="[default: with g++]")
@click.option("--device", default="cpu", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=RESULT, help="[default: benchmarks/results/…]")
def main(preset, rounds, precision, compiled, device, output):
    """Tokens/s of training, and what share of the matrix-product limit that is."""
    result = measure(preset, rounds, precision, compiled, device)
    show(result)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
