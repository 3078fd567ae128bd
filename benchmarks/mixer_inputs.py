"""The worth of each input of the bitwise mixing of text, and of each choice of weights: the shipped `text` without it.

The core is built once more from a copy of its sources, with a switch that the product has no use for: an input is 0, so its weights never
learn, or a set of weights is chosen by nothing. The other inputs adapt while they code; their first weights are those of training with all.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import tokpress

from .pages import markdown, write_page
from .registry import Benchmark, Cases, MeasurementError, Setup, benchmark
from .store import Results
from .text import PROSE

ROOT = Path(__file__).parents[1]
#: name → number that the switch takes: inputs as in native/core/bitwise_contexts.h and bitwise_model.h, then sets of weights
INPUTS = {
    "all": -1,
    "the word so far and the last byte": 0,
    "the word so far and the one before": 1,
    "the last token, in its lane": 2,
    "the last two tokens, in their lane": 3,
    "the word so far, in its lane": 4,
    "the line's first token and the last": 5,
    "kinds of the last eight characters": 6,
    "the same and the last token": 7,
    "first tokens of this line and the line before, column": 8,
    "the third and the fourth token back": 9,
    "the token above, column": 10,
    "the last two bytes": 11,
    "the last byte": 12,
    "the match": 13,
    "the network with its memory": 14,
    "the network alone": 15,
}
CHOICES = {
    "weights by match length": 16,
    "weights by the odds of network and memory": 17,
    "weights by the last byte": 18,
    "weights by the last four characters": 19,
    "weights by the node of the token's path": 20,
    "the correction at the end": 21,
}
PATCHES = [
    (
        "    const size_t phase = (size_t)d->phase;\n",
        """    static int without = -2;
    if (without == -2) without = atoi(getenv("WITHOUT"));
    if (without >= 0 && without <= INPUT_NETWORK) {
        d->inputs[without / 8][2 * (without % 8)] = 0;
        if (without != TOKEN_CONTEXTS - 1) d->inputs[without / 8][2 * (without % 8) + 1] = 0; /* that one is the bias */
    }
""",
    ),
    (
        "    d->log_odds = mixer_predict(",
        """    const size_t first[BITWISE_ROWS] = {
        phase * FOLLOWED_BUCKETS, ROWS_BY_ODDS + phase * 256, ROWS_BY_BYTE + phase * 256, ROWS_BY_LETTERS + phase * 16, ROWS_BY_NODE};
    if (without > INPUT_NETWORK && without <= INPUT_NETWORK + BITWISE_ROWS)
        d->row[without - INPUT_NETWORK - 1] = m->weights + first[without - INPUT_NETWORK - 1] * BITWISE_VECTORS;
""",
    ),
    (
        "    return clamp(correction_predict(",
        """    if (without > INPUT_NETWORK + BITWISE_ROWS) {
        correction_predict(m->correction + (size_t)node * CORRECTION_BINS, d->log_odds, m->squash, &d->bin);
        return clamp(m->squash[d->log_odds + ODDS_CENTRE], 4, 65532);
    }
""",
    ),
]
#: what the copy of the package runs: bits and bytes of each piece of the mix
CHILD = """
import json, sys
from pathlib import Path
from benchmarks.text import VARIANTS, mix, scored
print(json.dumps(scored(VARIANTS["as shipped"], mix(Path(sys.argv[1]), int(sys.argv[2])))))
"""


def patched(source: str) -> str:
    """The mixing's source with the switch. Raises MeasurementError where it has changed so much that the switch has no place."""
    for line, added in PATCHES:
        if source.count(line) != 1:
            raise MeasurementError(f"bitwise_model.h does not hold this line once: {line.strip()}")
        source = source.replace(line, added + line)
    return source.replace("#include", "#include <stdlib.h>\n#include", 1)


def copy_with_switch(folder: Path) -> None:
    """A copy of the package and of the benchmarks, with a core that has the switch."""
    ignored = shutil.ignore_patterns("__pycache__", "_core.*", "text-large", "results")
    shutil.copytree(Path(tokpress.__file__).parent, folder / "tokpress", ignore=ignored)
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks", ignore=ignored)
    mixing = folder / "tokpress/native/core/bitwise_model.h"
    mixing.write_text(patched(mixing.read_text("utf-8")), "utf-8")
    build = folder / "tokpress/native/build_core.py"
    subprocess.run([sys.executable, build], check=True, stdout=subprocess.DEVNULL)


@benchmark("mixer_inputs", page="docs/mixer_inputs.md", takes="10 minutes", settings={"bytes": 80_000})
class MixerInputs(Benchmark):
    """The shipped `text` without one input of the mixing, or with one set of weights chosen by nothing, on the development mix.

    Settings: bytes of the end of each training text.
    """

    def cases(self, setup: Setup) -> Cases:
        folder = tempfile.TemporaryDirectory()
        made: list[Path] = []

        def one(number: int) -> dict[str, Any]:
            if not made:
                copy_with_switch(Path(folder.name))
                made.append(Path(folder.name))
            environment = os.environ | {"WITHOUT": str(number), "PYTHONPATH": folder.name}
            words = [sys.executable, "-c", CHILD, str(setup.train_data.absolute()), str(setup.settings["bytes"])]
            run = subprocess.run(words, cwd=folder.name, env=environment, capture_output=True, text=True, check=False)
            if run.returncode:
                raise MeasurementError(run.stderr[-1000:])
            found: dict[str, Any] = json.loads(run.stdout)
            return found

        return {name: lambda number=number: one(number) for name, number in {**INPUTS, **CHOICES}.items()}

    def report(self, results: Results, setup: Setup) -> list[str]:
        found = results.values()
        if "all" in found:
            write_page(setup.docs / "mixer_inputs.md", page(found, results.made_by()))
        return []


def page(found: dict[str, Any], made_by: str) -> list[str]:
    def rates(name: str) -> dict[str, float]:
        return {key: each["bits"] / each["bytes"] for key, each in found[name].items()}

    base = rates("all")
    rows = {}
    for name in (name for name in (*INPUTS, *CHOICES) if name in found):
        each = rates(name)
        mean, prose = (float(np.mean([r[key] for key in keys])) for r, keys in ((each, each), (each, PROSE)))
        at_first, prose_at_first = (float(np.mean([base[key] for key in keys])) for keys in (base, PROSE))
        worst = max(each, key=lambda key: each[key] / base[key])
        rows[name] = [name, f"{mean:.4f}", f"{mean / at_first - 1:+.2%}", f"{prose / prose_at_first - 1:+.2%}",
                      f"{each[worst] / base[worst] - 1:+.2%} {worst}" if name != "all" else ""]  # fmt: skip
    head = [
        "without",
        "bits per byte, mean of the rates",
        "against all",
        "novels and books",
        "the kind that needs it most",
    ]
    return [
        "# Inputs of the mixer",
        "",
        "Bitwise mixing (`tokpress/priors/text/bitwise.py`) adds sixteen log-odds for each binary decision of a token, by the sum of five rows of weights,",
        "and corrects the result. Here the shipped `text` codes the development mix of [the parts of the text model](text_ablation.md) without one of them.",
        "Inputs overlap: what one is missing, others know in part, so the losses do not add up. The network and its memory are two inputs that share most of",
        "what they know. Nothing is trained again.",
        "",
        *markdown(head, [rows[name] for name in INPUTS if name in rows]),
        "",
        "The rows of weights, each with one row for all cases in place of one for each, and no correction:",
        "",
        *markdown(head, [rows[name] for name in CHOICES if name in rows]),
        "",
        made_by,
    ]  # fmt: skip
