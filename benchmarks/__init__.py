"""The benchmarks behind the figures in docs/: `python -m benchmarks` lists them, `python -m benchmarks NAME` runs one.

registry.py: what a benchmark is. store.py: results on disk. pages.py: Markdown. __main__.py: the runner. data.py, corpora.py: the files
that are measured. Every other file holds benchmarks; importing this package registers all of them.
"""

from . import (  # noqa: F401
    acceptance,
    case_transform,
    contexts,
    kinds,
    lecture,
    media,
    mixer_inputs,
    rates,
    small_files,
    speed,
    structure,
    text,
    tokenizers,
    training_speed,
)
