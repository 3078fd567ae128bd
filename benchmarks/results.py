"""Measurements on disk: each is written when it is made, so that a run which was stopped goes on where it was."""

import hashlib
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data import ROOT

import tokpress
import tokpress.cli
from tokpress.bench.report import PACKAGES
from tokpress.native.library import instruction_set
from tokpress.training.machine import describe


def code() -> str:
    """SHA-256 over the package as it is imported, command line and models included, training left out: what the
    figures are of."""
    digest = hashlib.sha256()
    for folder in (Path(tokpress.__file__).parent, Path(tokpress.cli.__file__).parent):
        for path in sorted(
            p for p in folder.rglob("*") if p.is_file() and not {"__pycache__", "training"} & set(p.parts)
        ):
            name = str(path.relative_to(folder)).encode()
            digest.update(name + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def command() -> str:
    """How this script was called, from the repository's root."""
    words = [str(Path(sys.argv[0]).resolve().relative_to(ROOT)), *sys.argv[1:]]
    return "python " + shlex.join(words)


def unwind_when_terminated() -> None:
    """SIGTERM as an exception, so that the process being measured is ended too, and its files removed."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


class Results:
    """A JSON file of sections, each a table key → measurement, with the code it is of.

    A section that other code made is measured anew when it is asked for, and stands until then. Those of another
    machine are dropped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        here = machine()
        self.data: dict[str, Any] = {"machine": here, "sections": {}}
        if path.is_file():
            old = json.loads(path.read_text())
            if all(old["machine"].get(key) == here[key] for key in ("cpu", "int8")):
                self.data["sections"] = old["sections"]
            else:
                print(f"{path}: made on another machine; measuring anew", file=sys.stderr)

    def section(self, name: str, again: bool = False) -> "Section":
        fresh = {"code": code(), "measurements": {}, "started": _now(), "command": command()}
        kept = {} if again else self.data["sections"].get(name, {})
        if kept and kept.get("code") != fresh["code"]:
            print(f"{name}: made by other code; measuring anew", file=sys.stderr)
            kept = {}
        self.data["sections"][name] = fresh | kept
        return Section(self, name)

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(self.data, indent=1, ensure_ascii=False) + "\n")
        temporary.replace(self.path)


class Section:
    def __init__(self, results: Results, name: str) -> None:
        self._results, self.name = results, name
        self.data: dict[str, Any] = results.data["sections"][name]

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """The measurement of this key: from the file, or made now and written."""
        measurements = self.data["measurements"]
        if key not in measurements:
            print(f"{time.strftime('%H:%M:%S')}  {self.name}: {key}", file=sys.stderr, flush=True)
            measurements[key] = make()
            # a machine that has other work to do shows in the times
            self.data |= {
                "finished": _now(),
                "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
            }
            self._results.write()
        return measurements[key]


@dataclass
class Figure:
    """One figure asked for. `ok` None: nothing was asked, it is told for comparison."""

    name: str
    asked: str
    measured: str
    ok: bool | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


#: whether a figure reached what was asked
SIGN = {True: "yes", False: "**no**", None: ""}


def figures_table(figures: list[dict[str, Any]]) -> list[str]:
    """Of figures as `Figure.to_json` tells them."""
    rows = [[figure["name"], figure["asked"], figure["measured"], SIGN[figure["ok"]]] for figure in figures]
    return markdown(["figure", "asked", "measured", "reached"], rows)


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())


def machine() -> dict[str, Any]:
    """This one, with the instruction that makes int8 products: processors of one name differ in that by a factor of two."""
    return describe(*PACKAGES) | {"int8": instruction_set() or "twin"}


def machine_line(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    memory = f"{machine['memory_bytes'] / 1e9:.0f} GB, " if machine["memory_bytes"] else ""
    products = f"int8 products by {machine['int8']}, " if "int8" in machine else ""
    return f"{machine['cpu']}, {machine['cores']} cores, {products}{memory}{machine['system']}; {versions}"


def markdown(head: list[str], rows: list[list[str]]) -> list[str]:
    """A table: the first column to the left, the others to the right; without columns that hold nothing but dashes."""
    told = [i for i in range(len(head)) if not i or not rows or any(row[i] not in ("", "–") for row in rows)]
    head, rows = [head[i] for i in told], [[row[i] for i in told] for row in rows]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return lines + [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows]
