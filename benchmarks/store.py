"""Results on disk, one schema for all benchmarks: benchmarks/results/NAME.json.

    {"benchmark": NAME,
     "runs": [{"command", "settings", "code", "started", "finished", "load", "machine", "versions", "facts"}, …],
     "cases": {CASE: {"run": index into runs, "result": …}, …}}

A run is one combination of machine, code and command, which several calls may complete. `code` is a fingerprint of the
package, null where it is not known. `load` is the load average when the last case ended: other work on the machine shows in the times.
The file is written after each case, so a stopped call loses only the current case.
"""

import hashlib
import json
import os
import shlex
import sys
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import tokpress
import tokpress.cli
from tokpress.native.library import instruction_set
from tokpress.training.machine import describe

#: fields of the machine that decide whether times compare
SAME_MACHINE = ("cpu", "int8")


@cache
def fingerprint() -> str:
    """First 16 hex digits of SHA-256 over the package as imported, command line and models included, training excluded."""
    digest = hashlib.sha256()
    for folder in (Path(tokpress.__file__).parent, Path(tokpress.cli.__file__).parent):
        files = (p for p in folder.rglob("*") if p.is_file() and not {"__pycache__", "training"} & set(p.parts))
        for path in sorted(files):
            name = str(path.relative_to(folder)).encode()
            digest.update(name + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def command() -> str:
    """The command line of this process, without the options that name folders of this machine."""
    words, kept = iter(sys.argv[1:]), []
    for word in words:
        if word in ("--data", "--work", "--root"):
            next(words, None)
        elif not word.startswith(("--data=", "--work=", "--root=")):
            kept.append(word)
    return shlex.join(["python", "-m", "benchmarks", *kept])


def this_machine() -> dict[str, Any]:
    """With the instruction set of int8 products: processors of one name differ by it by a factor of two."""
    machine = describe()
    del machine["versions"]
    return machine | {"int8": instruction_set() or "twin"}


def machine_line(run: dict[str, Any]) -> str:
    machine, versions = run["machine"], ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    memory = f"{machine['memory_bytes'] / 1e9:.0f} GB, " if machine.get("memory_bytes") else ""
    products = f"int8 products by {machine['int8']}, " if machine.get("int8") else ""
    system = f"{machine['system']}; " if machine.get("system") else ""
    return f"{machine['cpu']}, {machine['cores']} cores, {products}{memory}{system}{versions}"


def now() -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())


class Results:
    """The stored cases of one benchmark."""

    def __init__(self, path: Path | None, name: str) -> None:
        self.path, self.name = path, name
        self.runs: list[dict[str, Any]] = []
        self._cases: dict[str, dict[str, Any]] = {}
        self._current: dict[str, Any] | None = None
        if path is not None and path.is_file():
            data = json.loads(path.read_text("utf-8"))
            self.runs, self._cases = data["runs"], data["cases"]

    def begin(self, settings: dict[str, Any], packages: Iterable[str], facts: dict[str, Any]) -> None:
        """Cases that are kept from now on belong to this run."""
        run = {
            "command": command(), "settings": json.loads(json.dumps(settings)), "code": fingerprint(), "started": now(), "finished": None,
            "load": None, "machine": this_machine(), "versions": describe(*packages)["versions"], "facts": facts,
        }  # fmt: skip
        for old in self.runs:
            if all(old[key] == run[key] for key in ("command", "settings", "code", "machine", "versions")):
                old["facts"] = facts
                run = old
        if run not in self.runs:
            self.runs.append(run)
        self._current = run

    def stands(self, case: str) -> bool:
        """Whether the case was measured by this code, on such a machine and with these settings."""
        if case not in self._cases or self._current is None:
            return False
        run, current = self.run_of(case), self._current
        same = all(run["machine"].get(key) == current["machine"].get(key) for key in SAME_MACHINE)
        return same and run["code"] == current["code"] and run["settings"] == current["settings"]

    def keep(self, case: str, result: Any) -> None:
        """Store a measurement and write the file."""
        if self._current is None:
            raise RuntimeError("begin() comes first")
        load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
        self._current |= {"finished": now(), "load": load}
        result = json.loads(json.dumps(result))  # what a report sees does not depend on whether it was stored before
        self._cases[case] = {"run": self.runs.index(self._current), "result": result}
        self.write()

    def __contains__(self, case: str) -> bool:
        return case in self._cases

    def values(self, beginning: str = "") -> dict[str, Any]:
        """Case → result, of the cases whose name begins so, without that beginning."""
        found = {name: case["result"] for name, case in self._cases.items() if name.startswith(beginning)}
        return {name.removeprefix(beginning): result for name, result in found.items()}

    def run_of(self, case: str) -> dict[str, Any]:
        return self.runs[self._cases[case]["run"]]

    def runs_of(self, cases: Iterable[str]) -> list[dict[str, Any]]:
        """The runs that these cases come from, oldest first."""
        used = {self._cases[case]["run"] for case in cases if case in self._cases}
        return [self.runs[index] for index in sorted(used)]

    def made_by(self, cases: Iterable[str] | None = None, machine: bool = True) -> str:
        """Sentences for a page: command, date, code, load and machine of each run that these cases come from."""
        return " ".join(made_by(run, machine) for run in self.runs_of(self._cases if cases is None else cases))

    def machines(self) -> str:
        return " ".join(sorted({f"Machine: {machine_line(run)}." for run in self.runs_of(self._cases)}))

    def write(self) -> None:
        """One case a line: a diff shows which cases were measured. Runs without cases are dropped."""
        if self.path is None:
            return
        used = sorted({case["run"] for case in self._cases.values()})
        index = {old: new for new, old in enumerate(used)}
        self.runs = [self.runs[old] for old in used]
        for case in self._cases.values():
            case["run"] = index[case["run"]]
        lines = [f" {_json(name)}: {_json(case)}" for name, case in self._cases.items()]
        runs = ",\n".join(f" {_json(run)}" for run in self.runs)
        text = (
            f'{{"benchmark": {_json(self.name)},\n"runs": [\n{runs}\n],\n"cases": {{\n' + ",\n".join(lines) + "\n}}\n"
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        temporary.write_text(text, "utf-8")
        temporary.replace(self.path)


def made_by(run: dict[str, Any], machine: bool = True) -> str:
    parts = [f"`{run['command']}`"]
    parts += [run["finished"]] * bool(run["finished"])
    parts += [f"code {run['code']}"] * bool(run["code"])
    parts += [f"load average at the end {run['load']:g}"] if run["load"] is not None else []
    return f"Made by {', '.join(parts)}{f'; {machine_line(run)}' if machine else ''}."


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
