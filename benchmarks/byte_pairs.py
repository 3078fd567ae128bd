"""python benchmarks/byte_pairs.py [FILE …]: ids of the core against those of Hugging Face's library, and CPU time of both.

Whole files of the bench (or those given), 64 KiB at a time for the library, under every instruction set of this processor. Ends with
status 1 where an id differs or a file does not decode. MB/s of CPU time; the first column is the file's length.
"""

import argparse
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data import FOLDER, SCRATCH, expanded
from results import markdown
from tokenizers import Tokenizer

from tokpress.models.store import SHIPPED
from tokpress.native import bpe, library
from tokpress.tokenizers.text.bpe_form import VOCABULARY
from tokpress.tokenizers.text.merges import CUT_BYTES
from tokpress.tokenizers.text.pieces import CLASSES

SHARE_BYTES = 1 << 22  # the library's tokens take a hundred times the room of ours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="instead of those of the bench")
    parser.add_argument("--data", type=Path, default=FOLDER, help="the data folder (%(default)s)")
    parser.add_argument("--scratch", type=Path, default=SCRATCH, help="where archives are expanded (%(default)s)")
    parser.add_argument(
        "--table-from", type=int, default=1 << 18, help="bytes of the files that get a line (%(default)s)"
    )
    asked = parser.parse_args()
    text = (SHIPPED / "text" / "tokenizer.json").read_bytes()
    theirs = Tokenizer.from_str(text.decode())
    at = text.index(VOCABULARY) + len(VOCABULARY)
    ours = {name: bpe.Tables.read(text, at, name)[0] for name in library.instruction_sets()}
    files = {path.name: path for path in asked.files} or expanded(asked.data, asked.scratch)
    rows, wrong, seconds, total_bytes = [], 0, dict.fromkeys(("library", *ours, "decode"), 0.0), 0
    for name, path in files.items():
        source = path.read_bytes()
        spent: dict[str, float] = {}
        expected, spent["library"] = timed(lambda s=source: by_library(theirs, s))
        for which, tables in ours.items():
            ids, spent[which] = timed(lambda t=tables, s=source: t.encode(s, CLASSES, False))
            restored, spent["decode"] = timed(lambda t=tables, i=ids: t.decode(i))
            if ids != expected or restored != source:
                print(f"{name}: {which} differs", file=sys.stderr)
                wrong += 1
        total_bytes += len(source)
        seconds = {which: seconds[which] + spent[which] for which in seconds}
        if len(source) >= asked.table_from:
            rows.append([name, f"{len(source):,}", *(rate(len(source), spent[which]) for which in seconds)])
    rows.append(["all", f"{total_bytes:,}", *(rate(total_bytes, seconds[which]) for which in seconds)])
    print(*markdown(["file", "bytes", *seconds], rows), sep="\n")
    sys.exit(wrong > 0)


def timed(make: Callable[[], Any]) -> tuple[Any, float]:
    """A result, and the CPU seconds it took."""
    begin = time.process_time()
    return make(), time.process_time() - begin


def rate(size: int, seconds: float) -> str:
    return f"{size / 1e6 / max(seconds, 1e-9):,.1f}"


def by_library(tokenizer: Tokenizer, source: bytes) -> array:
    ids = array("i")
    for begin in range(0, len(source), SHARE_BYTES):
        share = source[begin : begin + SHARE_BYTES]
        texts = [share[at : at + CUT_BYTES].decode("latin-1") for at in range(0, len(share), CUT_BYTES)]
        for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False):
            ids.extend(encoding.ids)
    return ids


if __name__ == "__main__":
    main()
