"""Decoding 1 MB of English text on two cores."""

import contextlib
import os
from collections.abc import Iterator

from data import part
from results import Figure

from . import Bench, Outcome, rate

ASKED = 150.0
SOURCE = "silesia/dickens"


def run(bench: Bench) -> Outcome:
    if SOURCE not in bench.files:
        return [], [f"{SOURCE} is not in the data folder."]
    path = part(bench.files[SOURCE], 1_000_000, bench.scratch / "english-1MB")
    name = f"the first 1,000,000 bytes of {SOURCE}"
    with two_cores():
        whole = bench.row("tokpress", name, path, repeat=3)
        warm = bench.row("tokpress", name, path, rounds=3)

    def told(action: str, row: dict, own: str) -> float:
        return rate(row["source_bytes"], row[f"{action}{own}_seconds"])

    decode, decode_warm = told("decompress", whole, ""), told("decompress", warm, "_codec")
    encode, encode_warm = told("compress", whole, ""), told("compress", warm, "_codec")
    title = "1 MB of English text, two cores, best of 3"
    return [
        Figure(f"{title}: decoding, whole process", f"≥ {ASKED:g} KB/s", f"{decode:.0f} KB/s", decode >= ASKED),
        Figure(
            f"{title}: decoding, model loaded", f"≥ {ASKED:g} KB/s", f"{decode_warm:.0f} KB/s", decode_warm >= ASKED
        ),
        Figure(f"{title}: encoding, whole process", "–", f"{encode:.0f} KB/s", None),
        Figure(f"{title}: encoding, model loaded", "–", f"{encode_warm:.0f} KB/s", None),
    ], [f"Source: {name}; stored as {whole['stored']}."]


@contextlib.contextmanager
def two_cores() -> Iterator[None]:
    """This process and those it starts use two processors only, where the system lets us say so."""
    if not hasattr(os, "sched_setaffinity"):
        raise RuntimeError("this system has no sched_setaffinity: run the section on Linux")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:2])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
