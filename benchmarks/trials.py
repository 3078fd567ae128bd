"""python benchmarks/trials.py: how well a trial on parts of a large file tells which shipped model suits the whole.

Prints a line per file: bits per byte of the trial and of the first frame under the text model and the adaptive one,
and how much more the second gained from one to the other (tokpress.choice.STARTS_EMPTY stands for that).
"""

import argparse
from pathlib import Path

from data import ENGLISH, FOLDER, MIXED, SCRATCH, chosen, expanded
from results import markdown

from tokpress import choice, store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=FOLDER, help="the data folder (%(default)s)")
    parser.add_argument("--scratch", type=Path, default=SCRATCH, help="where archives are expanded (%(default)s)")
    asked = parser.parse_args()
    models = [store.load(name) for name in choice.EFFORTS["default"][0]]
    rows = []
    for name, path in chosen(expanded(asked.data, asked.scratch), (*ENGLISH, *MIXED)).items():
        source = path.read_bytes()[: choice.FRAME_SIZE]
        part, _ = choice._part(source, None)
        if len(source) < choice.LARGE or choice._hopeless(models[0], part):
            continue
        rates = [8 * len(model.encode(data)[0]) / len(data) for data in (part, source) for model in models]
        gained = rates[3] / rates[2] / (rates[1] / rates[0])
        rows.append([name, f"{len(source):,}", *(f"{rate:.3f}" for rate in rates), f"{gained:.3f}"])
        print(rows[-1], flush=True)
    head = ["file", "bytes", *(f"{what}, {m.name}" for what in ("trial", "whole") for m in models), "gained"]
    print("\n".join(markdown(head, rows)))


if __name__ == "__main__":
    main()
