"""Messages of 1 to 4 KB, and records of one kind after training on such records: docs/small_files.md.

Messages: pieces of the bench's English, each compressed alone by the shipped models. The dictionary of zstd, 112,640 bytes, is
learned from pieces of the same length, of the text that the shipped models were trained on.

Records: `tokpress train --preset small` on 20 MB of package descriptions, then new ones, each compressed alone, and all of them
as one file. The dictionary of zstd is learned from the records that tokpress trained on, one sample each. So is that of OpenZL,
where its command `zli` is on the PATH: `zli train -p zstd … -O …`, its only profile that carries text from one file to the
next. That takes some 20 minutes of one core; the result is kept beside the model.

Contexts (`--context`) are as long as the dictionaries, and of the same samples, evenly chosen. Bytes are those of complete files, headers
included. Models, dictionaries and contexts are not counted; their sizes are on the page. Every file is decoded and compared.
"""

import importlib
import lzma
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tokpress
from tokpress.bench.measure import measure
from tokpress.bench.peers import find
from tokpress.codec.efforts import Effort
from tokpress.models.loading import load_folder

from .data import ENGLISH, chosen
from .pages import Figure, figures_table, markdown, write_page
from .registry import Benchmark, Cases, MeasurementError, Setup, benchmark
from .store import Results
from .training import curve_of

DICTIONARY = 112_640
SAMPLES_OF_EACH = 2_000  # of each training text, for the dictionary
PIECES, SIZES = 12, (1 << 10, 2 << 10, 3 << 10, 4 << 10)
RECORDS, PACKAGES = 400, "records/packages.txt.xz"
OPENZL = "OpenZL, trained"


def piece(data: bytes, at: int, size: int) -> bytes:
    """From the line after `at` on."""
    at = data.find(b"\n", at) + 1
    return data[at : at + size]


def messages(files: dict[str, Path]) -> list[bytes]:
    out = []
    for path in files.values():
        data = path.read_bytes()
        for i in range(PIECES):
            size = SIZES[i % len(SIZES)]
            made = piece(data, (2 * i + 1) * len(data) // (2 * PIECES + 1), size)
            if len(made) == size:
                out.append(made)
    return out


def texts(folder: Path) -> Iterator[bytes]:
    """Samples for the dictionary."""
    for path in sorted((folder / "text").glob("*.xz")):
        data = lzma.decompress(path.read_bytes())
        for i in range(SAMPLES_OF_EACH):
            yield piece(data, i * (len(data) - (8 << 10)) // SAMPLES_OF_EACH, SIZES[i % len(SIZES)])


def records(path: Path) -> list[bytes]:
    return [record + b"\n\n" for record in lzma.decompress(path.read_bytes()).split(b"\n\n") if record.strip()]


class Dictionary:
    """zstd -19 and a dictionary of its own training, in a frame that names it, with its checksum."""

    def __init__(self, samples: list[bytes]) -> None:
        self.zstd = importlib.import_module("zstandard")
        self.made = self.zstd.train_dictionary(DICTIONARY, samples)
        self.encoder = self.zstd.ZstdCompressor(level=19, dict_data=self.made, write_checksum=True)
        self.decoder = self.zstd.ZstdDecompressor(dict_data=self.made)

    def size(self, data: bytes) -> int:
        packed = self.encoder.compress(data)
        if self.decoder.decompress(packed) != data:
            raise MeasurementError("zstd did not restore a file")
        return len(packed)


class OpenZL:
    """`zli` with a compressor and dictionary of its own training, a file each, as it comes."""

    def __init__(self, samples: list[bytes], work: Path) -> None:
        self.how = work / "openzl.zc", work / "openzl.zd"
        if not all(path.is_file() for path in self.how):
            with tempfile.TemporaryDirectory() as folder:
                for i, sample in enumerate(samples):
                    (Path(folder) / f"{i:06}").write_bytes(sample)
                self._run("train", "-p", "zstd", folder, "--use-all-samples", "-o", self.how[0], "-O", self.how[1])

    def _run(self, *words: str | Path) -> None:
        subprocess.run(["zli", *words, "-f", "-v", "1"], check=True, capture_output=True)

    def size(self, data: bytes) -> int:
        with tempfile.TemporaryDirectory() as folder:
            source, packed, restored = (Path(folder) / name for name in ("source", "packed", "restored"))
            source.write_bytes(data)
            self._run("compress", source, "-c", self.how[0], "-D", self.how[1], "-o", packed)
            self._run("decompress", packed, "-D", self.how[1], "-o", restored)
            if restored.read_bytes() != data:
                raise MeasurementError("OpenZL did not restore a file")
            return packed.stat().st_size


def ours(
    model: str | None, effort: Effort = "default", context: tokpress.Context | None = None
) -> Callable[[bytes], int]:
    loaded = None if model is None else load_folder(model)

    def size(data: bytes) -> int:
        packed = tokpress.compress(data, loaded, effort=effort, context=context)
        if tokpress.decompress(packed, loaded, context=context) != data:
            raise MeasurementError("tokpress did not restore a file")
        return len(packed)

    return size


def context_of(samples: list[bytes]) -> tokpress.Context:
    """As many of the samples as fit into a dictionary, evenly chosen."""
    count = max(1, DICTIONARY * len(samples) // sum(map(len, samples)))
    even = [samples[i * len(samples) // count] for i in range(count)]
    return tokpress.Context(b"".join(even)[:DICTIONARY])


def library(name: str) -> Callable[[bytes], int]:
    codec = find(name)
    module = importlib.import_module(codec.module)  # type: ignore[attr-defined]
    return lambda data: len(codec.compress(module, data))  # type: ignore[attr-defined]


def sums(sources: list[bytes], ways: dict[str, Callable[[bytes], int]]) -> dict[str, Any]:
    """Bytes of all sources, each compressed alone."""
    out: dict[str, Any] = {"number": len(sources), "bytes": sum(map(len, sources)), "packed": {}, "seconds": {}}
    for name, size in ways.items():
        begun = time.monotonic()
        out["packed"][name] = sum(map(size, sources))
        out["seconds"][name] = round(time.monotonic() - begun, 1)
        print(f"{name}: {out['packed'][name]:,}", file=sys.stderr, flush=True)
    return out


def measure_messages(setup: Setup) -> dict[str, Any]:
    samples = list(texts(setup.train_data))
    ways = {
        "tokpress": ours(None),
        "tokpress --context": ours(None, context=context_of(samples)),
        "tokpress --best": ours(None, "best"),
        "zstd -19, dictionary": Dictionary(samples).size,
        "zstd -19": library("zstd:19"),
        "brotli -11": library("brotli"),
        "xz -9e": library("xz"),
    }
    return sums(messages(chosen(setup.bench, ENGLISH)), ways)


def package_records(setup: Setup) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Records to learn from, some new ones, and all new ones."""
    new = records(setup.bench_data / PACKAGES)
    return records(setup.train_data / PACKAGES), new[:: max(1, len(new) // RECORDS)][:RECORDS], new


def measure_openzl(setup: Setup) -> dict[str, Any]:
    samples, tested, _ = package_records(setup)
    return sums(tested, {OPENZL: OpenZL(samples, setup.work).size})


def measure_records(setup: Setup) -> dict[str, Any]:
    (samples, tested, new), model = package_records(setup), setup.work / "records"
    limit = f"{setup.settings['training_minutes']:g}"
    corpus = setup.train_data / PACKAGES
    words = ["train", str(corpus), "-o", str(model), "--preset", "small", "--max-minutes", limit]
    setup.train(words, model)
    context = context_of(samples)
    ways = {
        "tokpress -m, trained": ours(str(model)),
        "tokpress -m, trained, --context": ours(str(model), context=context),
        "tokpress --context": ours(None, context=context),
        "tokpress": ours(None),
        "zstd -19, dictionary": Dictionary(samples).size,
        "zstd -19": library("zstd:19"),
        "brotli -11": library("brotli"),
    }
    out = sums(tested, ways)
    with tempfile.NamedTemporaryFile() as joined:
        Path(joined.name).write_bytes(b"".join(new))
        names = [f"tokpress:{model}", "tokpress", "zpaq", "xz", "zstd"]
        out["whole"] = {
            name.replace(str(model), "trained"): measure(find(name), Path(joined.name)).to_json()
            for name in names
            if not find(name).missing()
        }
    curve = curve_of(model)
    shown = [*words[:1], "packages.txt.xz", "-o", "records", *words[4:]]
    return out | {
        "training_minutes": round(curve[-1]["seconds"] / 60, 1),
        "model_bytes": sum(p.stat().st_size for p in model.iterdir() if p.suffix in (".json", ".safetensors")),
        "command": "tokpress " + subprocess.list2cmdline(shown),
    }


def table(m: dict[str, Any], against: list[str]) -> list[str]:
    ours = [name for name in m["packed"] if name.startswith("tokpress")]
    rows = []
    for name, packed in m["packed"].items():
        less = [f"{1 - m['packed'][mine] / packed:.1%}" if name in against else "" for mine in ours]
        rows.append([name, f"{packed:,}", f"{8 * packed / m['bytes']:.3f}", *less])
    return markdown(["compressor", "bytes", "bits per byte", *(f"less with {mine}" for mine in ours)], rows)


#: (part, ours, peer, share of its bytes to be saved)
SAVED = (
    ("messages", "tokpress", "zstd -19, dictionary", 0.45),
    ("messages", "tokpress --best", "zstd -19, dictionary", 0.45),
    ("records", "tokpress -m, trained", "zstd -19, dictionary", 0.45),
    ("records", "tokpress -m, trained, --context", "zstd -19, dictionary", 0.45),
    ("records", "tokpress -m, trained, --context", OPENZL, 0.45),
)


def asked(kept: dict[str, Any]) -> list[Figure]:
    """The figures of messages and records, of the parts that were measured."""
    figures = []
    for part, ours, peer, least in SAVED:
        packed = kept[part]["packed"] if kept.get(part) else {}
        if ours in packed and peer in packed:
            share = 1 - packed[ours] / packed[peer]
            name = f"{part}: fewer bytes by {ours} than by {peer}"
            figures.append(Figure(name, f"≥ {least:.0%}", f"{share:.1%}", share >= least))
    if m := kept.get("records"):
        whole = {name: row["compressed_bytes"] for name, row in m["whole"].items()}
        if "zpaq" in whole:
            share = 1 - whole["tokpress:trained"] / whole["zpaq"]
            figures.append(Figure("records as one file: fewer bytes than zpaq", "> 0%", f"{share:.1%}", share > 0))
        minutes = m["training_minutes"]
        figures.append(Figure("minutes of training", "≤ 15", str(minutes), minutes <= 15))
    return figures


def page(kept: dict[str, Any], made_by: str) -> list[str]:
    peers = ["zstd -19, dictionary", OPENZL, "zstd -19", "brotli -11", "xz -9e"]
    lines = [
        "# Small files",
        "",
        "Each file is compressed alone, headers included. Every file was decoded and compared.",
        "",
    ]
    if figures := asked(kept):
        lines += ["## Asked and measured", "", *figures_table(figures), ""]
    if m := kept.get("messages"):
        lines += [
            f"## {m['number']} messages of 1 to 4 KB, {m['bytes']:,} bytes",
            "",
            "The messages are pieces of the English test files. The dictionary is learned from the text that the models were trained on;",
            f"the context is of the same text. Both have at most {DICTIONARY:,} bytes.",
            "",
            *table(m, peers),
            "",
        ]
    if m := kept.get("records"):
        whole = [
            [name, f"{row['compressed_bytes']:,}", f"{row['bits_per_byte']:.3f}",
             f"{row['compress_bytes_per_second'] / 1e6:.3g}", f"{row['decompress_bytes_per_second'] / 1e6:.3g}"]
            for name, row in m["whole"].items()
        ]  # fmt: skip
        size = next(iter(m["whole"].values()))["source_bytes"]
        lines += [
            f"## {m['number']} new records of one kind, {m['bytes']:,} bytes",
            "",
            f"The records are package descriptions. `{m['command']}` trained for {m['training_minutes']} minutes on 20 MB of other descriptions and",
            f"made a model of {m['model_bytes']:,} bytes. The dictionaries are learned from the same 20 MB, and the context is a part of them.",
            "",
            *table(m, peers),
            "",
            f"All new records as one file, {size:,} bytes:",
            "",
            *markdown(["compressor", "bytes", "bits per byte", "compress MB/s", "decompress MB/s"], whole),
            "",
        ]
    return [*lines, made_by]


@benchmark(
    "small_files",
    page="docs/small_files.md",
    takes="1 hour, 12 minutes of it training",
    settings={"training_minutes": 12.0},
)
class SmallFiles(Benchmark):
    """Messages of 1 to 4 KB and records of one kind, each compressed alone, beside zstd and OpenZL with dictionaries."""

    packages = ("numpy", "zstandard", "brotli")

    def cases(self, setup: Setup) -> Cases:
        made: Cases = {"messages": lambda: measure_messages(setup), "records": lambda: measure_records(setup)}
        return made | ({"openzl": lambda: measure_openzl(setup)} if shutil.which("zli") else {})

    def report(self, results: Results, setup: Setup) -> list[str]:
        if kept := results.values():
            ours, openzl = kept.get("records"), kept.get("openzl")
            if ours and openzl and openzl["bytes"] == ours["bytes"]:  # of the same records
                ours["packed"] |= openzl["packed"]
            write_page(setup.docs / "small_files.md", page(kept, results.made_by()))
        return []
