"""python benchmarks/acceptance.py: measure the figures that the project must show, asked against measured.

Writes docs/acceptance.md, its table into README.md, and benchmarks/results/acceptance.json; each measurement as soon as it is made, so
that a run which was stopped goes on where it was. --only NAME (repeatable) measures some sections; those
measured before stay on the page. Exit code 1 where a figure is missed.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from checks import Bench, Outcome, bound, coding, english, memory, mixed, small, speed
from data import FOLDER, ROOT, SCRATCH, expanded
from results import SIGN, Figure, Results, figures_table, machine_line, unwind_when_terminated

#: name → what measures it, the short ones first
SECTIONS: dict[str, Callable[[Bench], Outcome]] = {
    "small": small.run,
    "speed": speed.run,
    "coding": coding.run,
    "memory": memory.run,
    "mixed": mixed.run,
    "english": english.run,
    "bound": bound.run,
}
BEGIN, END = "<!-- figures: benchmarks/acceptance.py writes what follows -->", "<!-- end of figures -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=SECTIONS, help="this section; repeatable")
    parser.add_argument("--again", action="store_true", help="measure these sections anew")
    parser.add_argument("--data", type=Path, default=FOLDER, help="the data folder (%(default)s)")
    parser.add_argument("--scratch", type=Path, default=SCRATCH, help="where files are made (%(default)s)")
    parser.add_argument("--root", type=Path, default=ROOT, help="write docs and results below this folder")
    asked = parser.parse_args()
    unwind_when_terminated()

    asked.scratch.mkdir(parents=True, exist_ok=True)
    files = expanded(asked.data, asked.scratch)
    results = Results(asked.root / "benchmarks" / "results" / "acceptance.json")
    page = asked.root / "docs" / "acceptance.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    for name in asked.only or SECTIONS:
        section = results.section(name, asked.again)
        try:
            figures, details = SECTIONS[name](Bench(files, asked.scratch, section.once))
        except RuntimeError as error:  # told, and tried again next time; the other sections go on
            figures, details = [Figure(f"the section {name}", "can be measured", str(error), False)], []
        section.data |= {"figures": [figure.to_json() for figure in figures], "details": details}
        results.write()
        page.write_text(written(results))
        into_readme(asked.root / "README.md", results)
        for figure in figures:
            print(f"{SIGN[figure.ok] or '–':8} {figure.name}: asked {figure.asked}, measured {figure.measured}")
    missed = [f for s in results.data["sections"].values() for f in s.get("figures", []) if f["ok"] is False]
    sys.exit(bool(missed))


def sections_of(results: Results) -> dict[str, Any]:
    found = {name: results.data["sections"][name] for name in SECTIONS if name in results.data["sections"]}
    return {name: section for name, section in found.items() if "figures" in section}


def table(sections: dict[str, Any]) -> list[str]:
    """All figures."""
    return figures_table([figure for section in sections.values() for figure in section["figures"]])


def into_readme(path: Path, results: Results) -> None:
    """Where the two marks are."""
    text = path.read_text() if path.is_file() else ""
    if text.count(BEGIN) == text.count(END) == 1:
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        figures = "\n".join(table(sections_of(results)))
        path.write_text(f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}")


def written(results: Results) -> str:
    """The page: all figures in one table, then what stands behind them."""
    sections = sections_of(results)
    lines = [
        "# Asked and measured", "",
        "Made by `python benchmarks/acceptance.py` on: "
        f"{machine_line(results.data['machine'])}. KB and MB are 10³ and 10⁶ bytes. All sizes are those of files "
        "that were written, decoded and compared.", "",
        *table(sections),
    ]  # fmt: skip
    for name, section in sections.items():
        when = f"`{section['command']}`, {section.get('finished', section['started'])}"
        load = f", load average at the end {section['load']}" if section.get("load") is not None else ""
        lines += ["", f"## {name}", "", f"{when}, code {section['code']}{load}.", "", *section["details"]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
