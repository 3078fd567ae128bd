"""Speed: integer products beside the machine's limit, byte-pair encoding beside Hugging Face's library, the start of a process."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from tokpress.bench.report import PACKAGES
from tokpress.coding import Frame
from tokpress.models import store
from tokpress.models.model import Model
from tokpress.models.store import SHIPPED
from tokpress.native import bpe, library
from tokpress.native.product import Packed
from tokpress.tokenizers.text.bpe_form import VOCABULARY
from tokpress.tokenizers.text.merges import CUT_BYTES
from tokpress.tokenizers.text.pieces import CLASSES
from tokpress.tokens import Tokens
from tokpress.training.machine import cores

from .data import ROOT
from .pages import markdown
from .registry import Benchmark, Cases, MeasurementError, Setup, benchmark
from .store import Results

#: rows, inputs and outputs; smaller ones would measure what a call costs
SHAPES = ((96, 192, 576), (96, 384, 192), (96, 512, 1536))
#: of the loop that is timed
SECONDS = 0.3


def product_of(rows: int, inputs: int, outputs: int) -> Callable[[], None]:
    rng = np.random.default_rng(0)
    packed = Packed(rng.integers(-64, 64, (outputs, inputs)).astype(np.int8), outputs, inputs)
    a, out = rng.integers(-127, 128, (rows, inputs)).astype(np.float32), np.empty((rows, outputs), np.float32)
    return lambda: packed.product(a, rows, out)


def operations_per_second(works: list[list[Callable[[], None]]], operations: int, rounds: int) -> float:
    """Operations a second, the best round: each thread does its own `works`, `operations` in all, again and again."""

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
    classes = rows - symbols
    return [*found, (classes + symbols // classes if classes else rows, width)]


def decode_seconds(model: Model, tokens: Tokens, payload: bytes, lanes: int, rounds: int) -> float:
    """Seconds a token, the best of the rounds."""
    best = np.inf
    for _ in range(rounds):
        begun = time.perf_counter()
        back = model.prior.codec(Frame(len(tokens), lanes)).decode(payload, len(tokens))
        best = min(best, time.perf_counter() - begun)
        if not np.array_equal(back, tokens):
            raise MeasurementError("the decoder gave other tokens")
    return best / len(tokens)


@benchmark("products", takes="1 minute", settings={"model": "text", "bytes": (1_000_000,), "rounds": 3})
class Products(Benchmark):
    """Share of the machine's limit for integer matrix products that a whole decode reaches.

    limit: multiply-adds a second of the core's product alone on as many threads, the best of some shapes that caches hold. needed:
    multiply-adds a token, of every int8 weight that is multiplied. share: needed / seconds a token of decoding / limit. products alone:
    the time of the same products in the shapes of a step. The rest is norms, gates, softmax, the memory, the learning head, the coder.
    FILE: dickens of the test files where none is named.
    """

    packages = PACKAGES
    takes_files = True

    def cases(self, setup: Setup) -> Cases:
        path = setup.files[0] if setup.files else setup.bench.get("silesia/dickens")
        if path is None:
            return {}
        model, rounds = store.load(setup.settings["model"]), setup.settings["rounds"]
        return {
            f"{threads} threads, {size} bytes": lambda t=threads, n=size: decoding(model, path, n, t, rounds)
            for size in setup.settings["bytes"]
            for threads in range(1, min(2, cores()) + 1)
        }

    def report(self, results: Results, setup: Setup) -> list[str]:
        head = [
            "file",
            "threads",
            "bytes",
            "lanes",
            "µs a token",
            "limit, 10⁹ a second",
            "share of it",
            "products alone, of the time",
        ]
        rows = [
            [r["file"], str(r["threads"]), f"{r['bytes']:,}", str(r["lanes"]), f"{r['microseconds_a_token']:.1f}",
             f"{r['limit'] / 1e9:.0f}", f"{r['share']:.0%}", f"{r['products_alone']:.0%}"]
            for r in results.values().values()
        ]  # fmt: skip
        return markdown(head, rows)


def decoding(model: Model, path: Path, size: int, threads: int, rounds: int) -> dict[str, Any]:
    data, shapes = path.read_bytes()[:size], shapes_of(model)
    needed = sum(outputs * inputs for outputs, inputs in shapes)
    limit = max(
        operations_per_second([[product_of(*s)] for _ in range(threads)], int(np.prod(s)), rounds) for s in SHAPES
    )
    tokens = model.tokenizer.encode(data)
    lanes = model.prior.rules.lanes(len(tokens))
    payload = model.prior.codec(Frame(len(tokens), lanes)).encode(tokens)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    seconds = decode_seconds(model, tokens, payload, lanes, rounds)
    rows = -(-lanes // threads)
    steps = [[product_of(rows, inputs, outputs) for outputs, inputs in shapes] for _ in range(threads)]
    alone = needed / operations_per_second(steps, rows * needed, rounds)
    return {
        "file": path.name, "threads": threads, "bytes": len(data), "tokens": len(tokens), "lanes": lanes,
        "microseconds_a_token": 1e6 * seconds, "needed": needed, "limit": limit,
        "share": needed / seconds / limit, "products_alone": alone / seconds,
    }  # fmt: skip


# --- byte pairs ------------------------------------------------------------------------------------------------------

SHARE_BYTES = 1 << 22  # the library's tokens take a hundred times the room of ours


@benchmark("byte_pairs", takes="2 minutes", settings={"table_from": 1 << 18})
class BytePairs(Benchmark):
    """Token ids of the core compared with those of Hugging Face's library, and the speed of both in MB/s of CPU time.

    Under every instruction set of this processor; the library gets 64 KiB at a time. A file with another id, or that does not decode,
    fails. Files from `table_from` bytes get a line.
    """

    takes_files = True
    stored = False

    def cases(self, setup: Setup) -> Cases:
        text = (SHIPPED / "text" / "tokenizer.json").read_bytes()
        theirs = Tokenizer.from_str(text.decode())
        at = text.index(VOCABULARY) + len(VOCABULARY)
        ours = {name: bpe.Tables.read(text, at, name)[0] for name in library.instruction_sets()}
        return {
            name: lambda path=path: compared(theirs, ours, path.read_bytes()) for name, path in setup.sources.items()
        }

    def report(self, results: Results, setup: Setup) -> list[str]:
        found = results.values()
        if not found:
            return []
        names = list(next(iter(found.values()))["seconds"])

        def line(name: str, files: list[dict[str, Any]]) -> list[str]:
            size = sum(m["bytes"] for m in files)
            seconds = (sum(m["seconds"][each] for m in files) for each in names)
            return [name, f"{size:,}", *(f"{size / 1e6 / max(each, 1e-9):,.1f}" for each in seconds)]

        large = [line(name, [m]) for name, m in found.items() if m["bytes"] >= setup.settings["table_from"]]
        return markdown(["file", "bytes", *names], [*large, line("all", list(found.values()))])

    def failures(self, results: Results) -> list[str]:
        return [f"{name}: {each} differs" for name, m in results.values().items() for each in m["wrong"]]


def compared(theirs: Tokenizer, ours: dict[str, bpe.Tables], source: bytes) -> dict[str, Any]:
    seconds: dict[str, float] = {}
    expected, seconds["library"] = timed(lambda: by_library(theirs, source))
    wrong = []
    for name, tables in ours.items():
        ids, seconds[name] = timed(lambda tables=tables: tables.encode(source, CLASSES, False))
        restored, decode = timed(lambda tables=tables, ids=ids: tables.decode(ids))
        if ids != expected or restored != source:
            wrong.append(name)
    return {"bytes": len(source), "seconds": seconds | {"decode": decode}, "wrong": wrong}


def timed(make: Callable[[], Any]) -> tuple[Any, float]:
    """A result, and its CPU seconds."""
    begin = time.process_time()
    return make(), time.process_time() - begin


def by_library(tokenizer: Tokenizer, source: bytes) -> array:
    ids = array("i")
    for begin in range(0, len(source), SHARE_BYTES):
        share = source[begin : begin + SHARE_BYTES]
        texts = [share[at : at + CUT_BYTES].decode("latin-1") for at in range(0, len(share), CUT_BYTES)]
        for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False):
            ids.extend(encoding.ids)
    return ids


# --- the start of a process ------------------------------------------------------------------------------------------

SIZES = {"4 KB": 4096, "20 KB": 20_000}
#: runs a command, prints wall seconds, CPU seconds and peak KB; small, because a child's peak is not below its parent's
LAUNCH = """
import os, sys, time
begin = time.perf_counter()
nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=nowhere)
_, status, used = os.wait4(child, 0)
print(time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(bool(status))
"""


def launched(words: list[str], environment: dict[str, str]) -> tuple[float, float, int]:
    """Wall seconds, CPU seconds and peak KB of one process. Raises MeasurementError where it fails."""
    command = [sys.executable, "-I", "-S", "-c", LAUNCH, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise MeasurementError(f"{' '.join(words)} failed: run it by hand")
    wall, cpu, peak = done.stdout.split()
    return float(wall), float(cpu), int(peak)


@benchmark("start", takes="1 minute", settings={"runs": 15})
class Start(Benchmark):
    """Time and memory of whole processes on small files, beside `python -c pass` and `python -c 'import numpy'`.

    Rounds go through all commands, so that other work on the machine meets all of them. The text is FILE, or the documentation. The
    first run after an editable installation, which writes our bytecode (pip does it for a wheel), is measured once.
    """

    takes_files = True
    stored = False

    def cases(self, setup: Setup) -> Cases:
        files = setup.files or tuple(sorted((ROOT / "docs").glob("*.md")))
        return {"start": lambda: starts(b"".join(path.read_bytes() for path in files), setup.settings["runs"])}

    def report(self, results: Results, setup: Setup) -> list[str]:
        if not (found := results.values().get("start")):
            return []
        base = [min(values) for values in list(zip(*found["runs"]["import numpy"]))[:2]]
        rows = []
        for name, runs in found["runs"].items():
            wall, cpu, peak = zip(*runs)
            times = [f"{1000 * value:.0f}" for each in (wall, cpu) for value in (min(each), statistics.median(each))]
            rows.append(
                [name, *times, f"{min(wall) / base[0]:.2f}", f"{min(cpu) / base[1]:.2f}", f"{max(peak) / 1024:.0f}"]
            )
        head = ["", "wall ms, least", "middle", "CPU ms, least", "middle", "× import numpy, wall", "CPU", "peak MB"]
        first = [
            f"{name}: {1000 * wall:.0f} ms wall, {1000 * cpu:.0f} ms CPU"
            for name, (wall, cpu, _) in found["first"].items()
        ]
        return [*markdown(head, rows), "", "First run, without our bytecode: " + "; ".join(first)]


def starts(text: bytes, runs: int) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        environment["PYTHONPYCACHEPREFIX"] = str(place / "bytecode")
        commands = commands_of(place, text, environment)
        for words in commands.values():
            launched(words, environment)  # so that all bytecode is there
        found: dict[str, list[tuple[float, float, int]]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, words in commands.items():
                found[name].append(launched(words, environment))
        first = {}
        for name in ("compress 20 KB", "decompress 20 KB"):
            for part in ("tokpress", "cli"):
                shutil.rmtree(Path(f"{place / 'bytecode'}{ROOT / part}"), ignore_errors=True)
            first[name] = launched(commands[name], environment)
        return {"runs": found, "first": first}


def commands_of(place: Path, text: bytes, environment: dict[str, str]) -> dict[str, list[str]]:
    """Name → words. The files to decompress are made here, once."""
    python = [sys.executable]
    ours = [*python, "-m", "tokpress"]
    found = {
        "pass": [*python, "-c", "pass"],
        "import numpy": [*python, "-c", "import numpy"],
        "--help": [*ours, "--help"],
    }
    for name, size in SIZES.items():
        source, packed, fast, out = (str(place / f"{size}{suffix}") for suffix in ("", ".tokp", ".fast", ".out"))
        Path(source).write_bytes(text[:size])
        launched([*ours, "compress", "-f", source], environment)
        found |= {
            f"compress {name}": [*ours, "compress", "-f", source, "-o", packed],
            f"decompress {name}": [*ours, "decompress", "-f", packed, "-o", out],
            f"test {name}": [*ours, "test", packed],
            f"info {name}": [*ours, "info", packed],
            f"compress --fast {name}": [*ours, "compress", "--fast", "-f", source, "-o", fast],
        }
    return found
