"""Small records coded after a context, other records of the same source: bytes of tokpress beside `zstd -19 -D` with the same bytes as raw
dictionary.

The context is the first 120 KB of each source; the 500 records after it are compressed one by one, decoded and compared. Nothing is
trained. Bytes include the headers of the files.
"""

from __future__ import annotations

import io
import time
from typing import Any

import tokpress
from tokpress.container.frames import read_header

from .pages import Figure, figures_table, markdown, write_page
from .registry import Benchmark, Cases, MeasurementError, Setup, benchmark
from .store import Results

CONTEXT, RECORDS = 120_000, 500
#: source → what ends a record
SOURCES = {
    "logs/Linux_2k.log": b"\n", "logs/OpenSSH_2k.log": b"\n", "logs/HDFS_2k.log": b"\n", "records/packages.txt": b"\n\n"
}  # fmt: skip
#: largest header of a small record
ASKED = 8


@benchmark("contexts", page="docs/contexts.md", takes="2 minutes")
class Contexts(Benchmark):
    """Bytes of records after a context, against zstd with a raw dictionary."""

    packages = ("zstandard",)

    def cases(self, setup: Setup) -> Cases:
        return {name: lambda name=name: _records(setup, name) for name in SOURCES if name in setup.bench}

    def report(self, results: Results, setup: Setup) -> list[str]:
        if not (found := results.values()):
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
            *markdown(columns, rows), "", results.made_by(),
        ]  # fmt: skip
        write_page(setup.docs / "contexts.md", lines)
        return []


def _records(setup: Setup, name: str) -> dict[str, Any]:
    import zstandard

    end = SOURCES[name]
    records = [record + end for record in setup.bench[name].read_bytes().split(end) if record.strip()]
    context, at = b"", 0
    while at < len(records) and len(context) + len(records[at]) <= CONTEXT:
        context, at = context + records[at], at + 1
    new = records[at : at + RECORDS]
    if not new:
        raise MeasurementError(f"{name} has no records after a context of {CONTEXT:,} bytes")
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
