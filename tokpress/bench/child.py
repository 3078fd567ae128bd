"""Code one file in a process of its own: python -m tokpress.bench.child CODEC ACTION SOURCE TARGET ROUNDS.

Prints JSON: the result of `InPython.run`, and the codec's own seconds in the fastest round. Later rounds find the models loaded.
"""

import json
import sys
from pathlib import Path
from typing import Any

from .codec import InPython
from .peers import find


def main() -> None:
    name, action, source, target, rounds = sys.argv[1:]
    codec = find(name)
    if not isinstance(codec, InPython):
        raise TypeError(f"{name} has a program of its own")
    facts: dict[str, Any] = {}
    seconds = []
    for _ in range(int(rounds)):
        taken, facts = codec.run(action, Path(source), Path(target))
        seconds.append(taken)
    json.dump({"codec_seconds": min(seconds), **facts}, sys.stdout)


if __name__ == "__main__":
    main()
