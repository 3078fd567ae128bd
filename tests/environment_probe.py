"""Run in a process of its own by test_environments.py: decode the reference files, code the sources again.

Arguments: folder with sources, models and reference payloads. Prints one JSON line.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

import tests.models  # noqa: F401  registers a prior for models of one item given another
from tokpress.codec import residual
from tokpress.models import store
from tokpress.models.loading import load_folder

KERNELS = ("auto", "numpy", "native", "int8", "float")


def main(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.model")):
        model = load_folder(path)
        network = path.stem.startswith("network")
        if path.stem.startswith("tokens"):
            items = np.random.default_rng(3).bytes(3 * model.tokenizer.sizes.unit_bytes)
            rest, silent = store.load("linear-prediction"), lambda share: None
            payload, tokens, lanes = residual.encode(model, rest, items, None, silent, None)
            reference = folder / f"{path.stem}.payload"
            if not reference.exists():
                reference.write_bytes(payload)
            same = residual.decode(model, rest, reference.read_bytes(), tokens, lanes, silent, len(items)) == items
            found[path.stem] = [f"{same} {hashlib.sha256(payload).hexdigest()}"]
            continue
        for source in sorted(folder.glob("*.source")):
            data = source.read_bytes()
            if (path.stem in ("linear_prediction", "context_mixing_2d")) != (source.stem in ("picture", "sound")):
                continue
            if network:
                data = data[-480:]
            for kernel in KERNELS[: 2 if network else None]:
                for lanes in (1, 24):
                    if network and (lanes == 1 or source.stem != "short"):
                        continue
                    # torch's kernels take minutes where the machine is busy with more threads than it has processors
                    if kernel in ("int8", "float") and (lanes == 1 or source.stem != "short"):
                        continue
                    # the slow ones; of the shipped model only what the small ones lack: symbols coded in two steps
                    if source.stat().st_size > 2000 and (lanes == 1 or path.stem == "text"):
                        continue
                    # their twin mixes in plain Python: a decision takes a quarter of a millisecond
                    if path.stem in ("bitwise", "text"):
                        data = data[: 300 if path.stem == "bitwise" else 80]
                    payload, tokens, taken = model.encode(data, lanes, kernel=kernel)
                    reference = folder / f"{path.stem}.{source.stem}.{lanes}.payload"
                    if not reference.exists():
                        reference.write_bytes(payload)
                    # the reference was made by another process, in another environment
                    same = model.decode(reference.read_bytes(), tokens, taken, kernel=kernel) == data
                    digest = hashlib.sha256(payload).hexdigest()
                    found.setdefault(f"{path.stem}/{source.stem}/{lanes}", []).append(f"{same} {digest}")
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
