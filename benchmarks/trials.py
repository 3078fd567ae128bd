"""python benchmarks/trials.py [FILE …]: how well parts of a large file tell which shipped model suits the whole.

Of the bench's files, or of those given, a line each: what `tokpress.codec.selection` knows before any trial (bytes of a token of the text model, and
what lzma takes for one: PROSE_BYTES, PROSE_LZMA), bits per byte of the trial and of the first frame under the text model and the
adaptive one, and how much more the second gained from one to the other (STARTS_EMPTY stands for that).
"""

import argparse
from pathlib import Path

from data import ENGLISH, FOLDER, MIXED, SCRATCH, chosen, expanded
from results import markdown

from tokpress.codec import choose, options, selection
from tokpress.container.lzma2 import lzma_encode
from tokpress.models import store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="instead of those of the bench")
    parser.add_argument("--data", type=Path, default=FOLDER, help="the data folder (%(default)s)")
    parser.add_argument("--scratch", type=Path, default=SCRATCH, help="where archives are expanded (%(default)s)")
    asked = parser.parse_args()
    models = [store.load(name) for name in options.EFFORTS["default"][0]]
    files = {path.name: path for path in asked.files}
    if not files:
        files = chosen(expanded(asked.data, asked.scratch), (*ENGLISH, *MIXED))
    rows = []
    for name, path in files.items():
        source = path.read_bytes()[: options.FRAME_SIZE]
        if len(source) <= selection.TRIAL_SIZE:
            continue
        part, _ = choose._part(source, None)
        if selection._hopeless(models[0], part):
            continue
        tokens = len(models[0].tokenizer.encode(part))
        known = len(part) / tokens, len(lzma_encode(part)) / tokens
        rates = [8 * len(model.encode(data)[0]) / len(data) for data in (part, source) for model in models]
        gained = rates[3] / rates[2] / (rates[1] / rates[0])
        rows.append([name, f"{len(source):,}", *(f"{each:.2f}" for each in known), *(f"{rate:.3f}" for rate in rates)])
        rows[-1].append(f"{gained:.3f}")
        print(rows[-1], flush=True)
    head = ["file", "bytes", "a token", "lzma's for it"]
    head += [*(f"{what}, {m.name}" for what in ("trial", "whole") for m in models), "gained"]
    print("\n".join(markdown(head, rows)))


if __name__ == "__main__":
    main()
