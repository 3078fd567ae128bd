"""The cost of a training step, the part of it that is matrix products, and the time of the recurrence.

A step is what `tokpress train` does: forward, backward, optimisers, on random tokens (its cost does not depend on
them). The products are those of the same step alone, in their shapes and dtype: for each linear layer of K inputs
and N outputs over M = rows · window tokens, one forward [M,K]·[K,N] and two backward [M,N]·[N,K] and [N,M]·[M,K].
No implementation of this network can be faster than these products; their share of the step says how near ours is. The
recurrence is its forward and backward scan, once for each block. The three are timed in turn, so that other work on the
machine affects them alike; the median of the rounds counts.
"""

import shutil
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .pages import markdown, write_part
from .registry import Benchmark, Cases, Setup, benchmark
from .store import Results

if TYPE_CHECKING:
    import torch

    from tokpress.training.nets.mingru import MinGRUNet


def step_of(net: "MinGRUNet", rows: int, window: int, compiled: bool) -> Callable[[], None]:
    """One training step, as in tokpress.training.loop."""
    import torch

    from tokpress.training.loop.optimizers import make_optimizers

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


def products_of(net: "MinGRUNet", tokens: int, dtype: "torch.dtype") -> tuple[Callable[[], None], int]:
    """The matrix products of a step and nothing else; and their number of multiplications and additions."""
    import torch

    from tokpress.training.nets.quantized import QuantLinear

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


def recurrence_of(net: "MinGRUNet", rows: int, window: int) -> Callable[[], None]:
    """The scans of a step, forward and backward."""
    import torch

    from tokpress.training.nets.scan import scan

    shape, device = (rows, window, net.config["width"]), net.bias.device
    f = torch.rand(shape, device=device, requires_grad=True)
    c = torch.randn(shape, device=device, requires_grad=True)
    h0, g = torch.randn(rows, shape[2], device=device), torch.randn(shape, device=device)

    def recurrence() -> None:
        for _ in range(net.config["depth"]):
            scan(f, c, h0).backward(g)
            f.grad = c.grad = None

    return recurrence


def median_seconds(works: dict[str, Callable[[], None]], rounds: int, device: "torch.device") -> dict[str, float]:
    """Each work once per round, in turn; two more rounds before, which do not count (compilation, caches)."""
    import torch

    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 2):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds[2:]) for name, seconds in taken.items()}


def measure(preset: str, rounds: int, precision: str, compiled: bool, device: str = "cpu") -> dict[str, Any]:
    """All values of the table, as JSON values."""
    import torch

    from tokpress.training.loop.steps import keep_freed_memory
    from tokpress.training.nets.mingru import MinGRUNet
    from tokpress.training.nets.quantized import product_dtype, set_product_dtype
    from tokpress.training.presets import PRESETS

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
        "device": str(on) if on.type == "cpu" else torch.cuda.get_device_name(on),
        "threads": torch.get_num_threads(),
    }


@benchmark(
    "training_speed",
    page="docs/training.md",
    takes="2 minutes",
    settings={
        "presets": ("text", "small"),
        "rounds": 10,
        "precisions": ("bf16", "fp32"),
        "compile": shutil.which("g++") is not None,
        "device": "cpu",
    },
)
class TrainingSpeed(Benchmark):
    """Tokens a second of `tokpress train`, and its share of the limit that matrix products set.

    Settings: presets; precisions, of bf16, fp32 and auto; compile true or false (default: where g++ is); device.
    """

    packages = ("torch",)

    def cases(self, setup: Setup) -> Cases:
        s = setup.settings
        return {
            f"{preset}, {precision}": lambda preset=preset, precision=precision: measure(
                preset, s["rounds"], precision, s["compile"], s["device"]
            )
            for preset in s["presets"]
            for precision in s["precisions"]
        }

    def report(self, results: Results, setup: Setup) -> list[str]:
        if found := results.values():
            write_part(setup.docs / "training.md", self.name, [*table(found), "", results.made_by()])
        return []


def table(found: dict[str, Any]) -> list[str]:
    head = ["preset, factors of products", "parameters", "tokens a step", "tokens/s", "limit by products alone", "share of it",
            "recurrence, of the step", "GFLOP/s of products"]  # fmt: skip
    rows = [
        [f"{m['preset']}, {m['dtype']}", f"{m['parameters']:,}", f"{m['rows']} × {m['window']}", f"{m['tokens_per_second']:,.0f}",
         f"{m['tokens_per_second_of_products_alone']:,.0f}", f"{m['products_share']:.0%}", f"{m['recurrence_share']:.1%}",
         f"{m['products_gflops']:,.0f}"]
        for m in found.values()
    ]  # fmt: skip
    compiled = {"compiled" if m["compiled"] else "not compiled" for m in found.values()}
    where = {f"{m['device']}, {m['threads']} threads" for m in found.values()}
    return [*markdown(head, rows), "", f"{' and '.join(sorted(compiled))}; {'; '.join(sorted(where))}."]
