"""Targets of the text models: one table, and one function that checks a target against measured rows."""

from collections.abc import Callable
from dataclasses import dataclass

from tokpress.bench.measure import Row

from .data import BINARY
from .pages import Figure

#: set → codec → file → row; without rows that failed
Rows = dict[str, dict[str, dict[str, Row]]]
Value = Callable[[Row, Row | None], float | None]


# --- values: of our row, and of the peer's row of the same file; None where one is not known -----------------


def saved(ours: Row, peer: Row | None) -> float | None:
    """Share of the peer's bytes that our codec saves."""
    if peer is None or ours.compressed_bytes is None or not peer.compressed_bytes:
        return None
    return 1 - ours.compressed_bytes / peer.compressed_bytes


def bits_per_byte(ours: Row, peer: Row | None) -> float | None:
    return ours.bits_per_byte


def decode_speed(ours: Row, peer: Row | None) -> float | None:
    """Bytes a second, whole processes."""
    return ours.speed("decompress")


def encode_to_decode(ours: Row, peer: Row | None) -> float | None:
    """Ratio of the two speeds."""
    encode, decode = ours.speed("compress"), ours.speed("decompress")
    return encode / decode if encode and decode else None


def model_bytes(ours: Row, peer: Row | None) -> float | None:
    return ours.model_bytes


def speed_to_peer(action: str) -> Value:
    """Ratio of our speed to the peer's."""

    def value(ours: Row, peer: Row | None) -> float | None:
        mine, theirs = ours.speed(action), peer.speed(action) if peer else None
        return mine / theirs if mine and theirs else None

    return value


# --- how a page shows the values of all files, [(value, file), …] and how many reach the bound ----------------

Found = list[tuple[float, str]]


def single(form: Callable[[float], str]) -> Callable[[Found, int], str]:
    return lambda found, reached: form(found[0][0])


def count(found: Found, reached: int) -> str:
    return f"{reached} of {len(found)} files"


def least(form: Callable[[float], str]) -> Callable[[Found, int], str]:
    return lambda found, reached: f"{count(found, reached)}; least {form(min(found)[0])} ({min(found)[1]})"


def extremes(found: Found, reached: int) -> str:
    return f"{min(found)[0]:.2f} to {max(found)[0]:.2f}"


def percent(value: float) -> str:
    return f"{value:.1%}"


def kilobytes(value: float) -> str:
    return f"{value / 1e3:.0f} KB/s"


@dataclass(frozen=True)
class Target:
    """A value that files of some sets must reach under one of our codecs."""

    name: str
    asked: str
    sets: tuple[str, ...]
    ours: str
    value: Value
    shown: Callable[[Found, int], str]
    #: None: nothing is asked, shown for comparison
    bound: float | None
    #: values must be at most `bound`, not at least
    at_most: bool = False
    #: values equal to `bound` do not reach it
    strict: bool = False
    #: of the files that must reach it
    share: float = 1.0
    peer: str = ""
    #: bytes of the files that count
    low: int = 0
    high: int = 1 << 62
    binaries: bool = True
    #: only this file
    file: str = ""
    #: all files have the same value: the first one tells it
    first: bool = False

    def reached(self, value: float) -> bool:
        if self.bound is None or (self.strict and value == self.bound):
            return False
        return value <= self.bound if self.at_most else value >= self.bound

    def counts(self, row: Row) -> bool:
        size = self.low <= row.source_bytes <= self.high
        return size and self.file in ("", row.file) and (self.binaries or row.file not in BINARY)


def check(target: Target, rows: Rows) -> Figure | None:
    """The figure of a target; None where no file has the value."""
    found: Found = []
    for set_name in target.sets:
        codecs = rows.get(set_name, {})
        peers = codecs.get(target.peer, {})
        for file, ours in codecs.get(target.ours, {}).items():
            if target.counts(ours) and (value := target.value(ours, peers.get(file))) is not None:
                found.append((value, file))
    if not found:
        return None
    found = found[:1] if target.first else found
    reached = sum(target.reached(value) for value, _ in found)
    ok = None if target.bound is None else reached >= target.share * len(found)
    return Figure(target.name, target.asked, target.shown(found, reached), ok)


# --- the table -------------------------------------------------------------------------------------------------


def _saved(set_name: str, ours: str, peer: str, share: float, low: int = 0, high: int = 1 << 62) -> Target:
    sizes = "" if high > 1 << 60 else f", files of {low:,} to {high:,} bytes"
    name = f"{set_name}{sizes}: fewer bytes by {ours} than by {peer}"
    return Target(
        name, f"≥ {share:.0%}, each", (set_name,), ours, saved, least(percent), share, peer=peer, low=low, high=high
    )


def _rate(file: str, ours: str, most: float) -> Target:
    form = single(lambda value: f"{value:.3f}")
    name = f"{file}: bits per byte of {ours}"
    return Target(name, f"≤ {most:.2f}", ("English",), ours, bits_per_byte, form, most, at_most=True, file=file)


def _decoding(set_name: str, ours: str, low: int, speed: float) -> Target:
    name = f"{set_name}, no binaries, files from {low:,} bytes: {ours} decompresses, whole processes"
    asked = f"≥ {speed / 1e3:.0f} KB/s, each"
    return Target(name, asked, (set_name,), ours, decode_speed, least(kilobytes), speed, low=low, binaries=False)


def _models(ours: str, most: int) -> Target:
    form = single(lambda value: f"{value:,.0f}")
    name = f"bytes of the models of {ours}"
    return Target(name, f"≤ {most:,}", ("English",), ours, model_bytes, form, most, at_most=True, first=True)


#: how many times zpaq's speed is asked of our codecs
BESIDE_ZPAQ = {"tokpress": 1.0, "tokpress:fast": 3.0}


def _beside_zpaq(ours: str, action: str) -> Target:
    bound = BESIDE_ZPAQ.get(ours)
    name = f"English, files from 1 MB: speed over zpaq's, {ours} {action}es, whole processes"
    return Target(name, "–" if bound is None else f"≥ {bound:g}", ("English",), ours, speed_to_peer(action), extremes, bound,
                  peer="zpaq", low=1_000_000)  # fmt: skip


BOTH = ("tokpress", "tokpress:best")
TARGETS = (
    *(_saved("English", ours, "zpaq", 0.2, 10_000, 11_000_000) for ours in BOTH),
    *(_saved("English", ours, "brotli", 0.4, 0, 100_000) for ours in BOTH),
    *(_saved("English", ours, "ppmd", 0.28, 0, 100_000) for ours in BOTH),
    _saved("mixed", "tokpress", "xz", 0.0),
    Target("mixed, logs, JSON, source, tables, mark-up: smaller than zpaq's", "≥ 3 of 4", ("mixed",), "tokpress", saved, count,
           0.0, strict=True, share=0.75, peer="zpaq", binaries=False),
    *(_rate("text/canterbury/alice29.txt", ours, 1.42) for ours in BOTH),
    *(_rate("text/calgary/book1", ours, 1.78) for ours in BOTH),
    *(_rate("silesia/dickens", ours, 1.4) for ours in BOTH),
    *(_decoding(set_name, "tokpress", 100_000, 1e5) for set_name in ("English", "mixed")),
    _decoding("English", "tokpress:best", 1_000_000, 4e4),
    Target("both sets, no binaries, files from 100,000 bytes: tokpress compresses as fast as it decompresses", "≥ 1, each",
           ("English", "mixed"), "tokpress", encode_to_decode, lambda f, n: f"{count(f, n)}; {extremes(f, n)}", 1.0,
           low=100_000, binaries=False),
    _models("tokpress", 8_000_000),
    _models("tokpress:best", 25_000_000),
    *(_beside_zpaq(ours, action) for ours in ("tokpress", "tokpress:fast", "tokpress:best")
      for action in ("compress", "decompress")),
)  # fmt: skip


def asked(rows: Rows) -> list[Figure]:
    """The figures of all targets whose codecs were measured."""
    return [figure for target in TARGETS if (figure := check(target, rows)) is not None]
