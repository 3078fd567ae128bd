"""Small records coded after a context, other records of the same source: bytes of tokpress beside `zstd -19 -D` with the same bytes as raw
dictionary.

The context is the first 120 KB of each source; the 500 records after it are compressed one by one, decoded and compared. Nothing is
trained. Bytes include the headers of the files.
"""

from __future__ import annotations

import io
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tokpress
from tokpress.container.frames import read_header

from .pages import Figure, figures_table, markdown, write_page
from .registry import COMMAND, Benchmark, Cases, MeasurementError, Setup, benchmark
from .store import Results

CONTEXT, RECORDS = 120_000, 500
#: records of whole calls, each in a process of its own
CALLS = 15
#: source → what ends a record
SOURCES = {
    "logs/Linux_2k.log": b"\n", "logs/OpenSSH_2k.log": b"\n", "logs/HDFS_2k.log": b"\n", "records/packages.txt": b"\n\n"
}  # fmt: skip
#: cases of whole calls; and their kinds
OF_CALLS, WHICH = "calls ", ("without", "unprimed", "primed")
#: largest header of a small record
ASKED = 8


@benchmark("contexts", page="docs/contexts.md", takes="6 minutes")
class Contexts(Benchmark):
    """Bytes of records after a context, against zstd with a raw dictionary."""

    packages = ("zstandard",)

    def cases(self, setup: Setup) -> Cases:
        here = [name for name in SOURCES if name in setup.bench]
        in_one = {name: lambda name=name: _records(setup, name) for name in here}
        return in_one | {f"{OF_CALLS}{name}": lambda name=name: _calls(setup, name) for name in here}

    def report(self, results: Results, setup: Setup) -> list[str]:
        calls = results.values(OF_CALLS)
        if not (found := {name: r for name, r in results.values().items() if name in SOURCES}):
            return []
        rows = [
            [
                name, f"{r['records']:,}", f"{r['source']:,}", f"{r['tokpress']:,}", f"{r['zstd']:,}",
                f"{1 - r['tokpress'] / r['zstd']:.1%}", f"{r['headers'] / r['records']:.2f}",
                f"{1e3 * r['compress_seconds'] / r['records']:.1f}, {1e3 * r['decompress_seconds'] / r['records']:.1f}",
            ]
            for name, r in found.items()
        ]  # fmt: skip
        most = max(r["headers"] / r["records"] for r in found.values())
        figure = Figure(
            "contexts: bytes of header of a record",
            f"≤ {ASKED}",
            f"{most:.2f} on average at most",
            round(most, 2) <= ASKED,
        )
        columns = ["source", "records", "bytes", "tokpress --context", "zstd -19 -D", "saved", "header", "ms out, back"]
        lines = [
            "# Records after a context", "", (__doc__ or "").strip().replace("\n", " "), "", *figures_table([figure]), "",
            "Both ways in one process, which has read the context before; by default two models are tried:", "",
            *markdown(columns, rows), "", *_calls_section(calls), results.made_by(),
        ]  # fmt: skip
        write_page(setup.docs / "contexts.md", lines)
        return []


def _calls_section(calls: dict[str, Any]) -> list[str]:
    if not calls:
        return []
    rows = [
        [
            name, *(f"{1e3 * r[which]['compress']:.0f}, {1e3 * r[which]['decompress']:.0f}" for which in WHICH),
            f"{r['prime_seconds']:.1f}", f"{r['state_bytes']:,}",
        ]
        for name, r in calls.items()
    ]  # fmt: skip
    columns = ["source", "without a context", "--context", "the same after prime", "prime, s", "bytes of states"]
    return [
        f"Whole calls of the command, each in a process of its own: `tokpress compress --context FILE RECORD`, then `decompress`. ms out, back, the "
        f"median of {CALLS} records. `tokpress prime FILE` keeps what both models are after the context in a cache:", "",
        *markdown(columns, rows), "",
    ]  # fmt: skip


def _split(setup: Setup, name: str) -> tuple[bytes, list[bytes]]:
    """(the context, the records after it)"""
    end = SOURCES[name]
    records = [record + end for record in setup.bench[name].read_bytes().split(end) if record.strip()]
    context, at = b"", 0
    while at < len(records) and len(context) + len(records[at]) <= CONTEXT:
        context, at = context + records[at], at + 1
    new = records[at : at + RECORDS]
    if not new:
        raise MeasurementError(f"{name} has no records after a context of {CONTEXT:,} bytes")
    return context, new


def _calls(setup: Setup, name: str) -> dict[str, Any]:
    context, records = _split(setup, name)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "context").write_bytes(context)
        environment = os.environ | {"TOKPRESS_CACHE": folder}

        def timed(*words: str) -> float:
            begun = time.perf_counter()
            subprocess.run([*COMMAND, *words], cwd=place, env=environment, check=True)
            return time.perf_counter() - begun

        def medians(option: Sequence[str]) -> dict[str, float]:
            seconds = []
            for record in records[:CALLS]:
                (place / "record").write_bytes(record)
                out = timed("compress", "-q", "-f", *option, "record")
                (place / "record").unlink()
                back = timed("decompress", "-q", "-f", *option, "record.tokp")
                if (place / "record").read_bytes() != record:
                    raise MeasurementError(f"a record of {name} did not come back")
                seconds.append((out, back))
            return {
                "compress": statistics.median(s[0] for s in seconds),
                "decompress": statistics.median(s[1] for s in seconds),
            }

        option = ["--context", "context"]
        without, unprimed, prime_seconds = medians([]), medians(option), timed("prime", "-q", "context")
        return {
            "without": without,
            "unprimed": unprimed,
            "primed": medians(option),
            "prime_seconds": prime_seconds,
            "state_bytes": sum(path.stat().st_size for path in (place / "contexts").iterdir()),
        }


def _records(setup: Setup, name: str) -> dict[str, Any]:
    import zstandard

    context, new = _split(setup, name)
    dictionary = zstandard.ZstdCompressionDict(context, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    zstd = zstandard.ZstdCompressor(level=19, dict_data=dictionary, write_checksum=False)
    read = tokpress.Context(context)
    tokpress.decompress(tokpress.compress(new[0], context=read), context=read)
    begun = time.perf_counter()
    packed = [tokpress.compress(record, context=read) for record in new]
    between = time.perf_counter()
    if [tokpress.decompress(file, context=read) for file in packed] != new:
        raise MeasurementError(f"records of {name} did not come back")
    return {
        "records": len(new),
        "source": sum(map(len, new)),
        "tokpress": sum(map(len, packed)),
        "zstd": sum(len(zstd.compress(record)) for record in new),
        "headers": sum(len(read_header(io.BytesIO(file)).pack()) for file in packed),
        "compress_seconds": between - begun,
        "decompress_seconds": time.perf_counter() - between,
    }
