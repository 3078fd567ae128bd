"""The settings of a run, from the options of a call: defaults, presets, the settings of an unfinished run; checks of their combination.

None is an option that was not given. `api` has the meaning of each.
"""

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import TokpressError
from ..models.folder import tokenizer_only
from ..tokenizers.registry import TOKENIZERS
from .learners.registry import tokenizer_learner
from .presets import PRESETS
from .run_dir import Settings, limited, read_settings

Changes = dict[str, Any]


def model(
    corpus: list[str], folder: Path, *, resume: bool, command: str,
    prior: str, preset: str, config: Changes, init: str | None, given: str | None, memory: bool | None,
    tokenizer: str | None, vocab_size: int | None, weights: list[tuple[str, float]], numbers: Changes,
) -> Settings:  # fmt: skip
    """The settings of a run that trains a prior: those of the unfinished run or the defaults, then a preset, then the options."""
    changes: Changes = {}
    defaults: Changes = {}
    if preset or not (prior or resume):
        changes, defaults = _of_preset(preset, bool(init), resume)
    elif not resume:
        changes["memory"] = prior == "mingru"
        if tokenizer is None and not init:
            changes["tokenizer"] = os.path.abspath(folder) if tokenizer_only(folder) else "bytes"
    config = changes.get("prior_config", {}) | config
    changes |= _given({"prior": prior or None, "tokenizer": tokenizer, "prior_config": config or None, "given": given})
    if init:
        changes |= {"init": init, "tokenizer": changes.get("tokenizer") or init}
    _check_vocab_size(changes.get("tokenizer"), vocab_size)
    changes |= _given(
        {"vocab_size": vocab_size, "memory": memory, "weights": weights or None, "corpus": corpus or None}
    )
    planned = replace(read_settings(folder) if resume else Settings(corpus), **changes)
    return _complete(planned, defaults | numbers_of(numbers), folder, command)


def _of_preset(name: str, has_init: bool, resume: bool) -> tuple[Changes, Changes]:
    """What a preset sets in the run, and in its FitConfig. Without a name it is "text", in the size of a model to start from."""
    if not isinstance(name, str) or (preset := PRESETS.get(name or "text")) is None:
        raise TokpressError(f"there is no preset {name!r}: take one of {', '.join(PRESETS)}")
    changes: Changes = {"prior": "mingru", "vocab_size": preset.vocab_size}
    if not has_init:
        changes["tokenizer"] = "bpe"
    if name or not has_init:
        changes["prior_config"] = {"width": preset.width, "depth": preset.depth, "hidden": preset.hidden}
    numbers: Changes = {"rows": preset.rows, "window": preset.window}
    if not resume:
        numbers["max_minutes"] = preset.max_minutes
    return changes, numbers


def tokenizer(
    kind: str, corpus: list[str], folder: Path, *, resume: bool, command: str,
    config: Changes, vocab_size: int | None, rate: float | None, weights: list[tuple[str, float]], numbers: Changes,
) -> Settings:  # fmt: skip
    """The settings of a run that trains a tokenizer."""
    numbers = numbers_of(numbers)
    if resume:
        planned = read_settings(folder)
        if corpus:
            planned = replace(planned, corpus=corpus, weights=weights or planned.weights)
    else:
        numbers = {"rows": 32} | numbers
        planned = Settings(corpus, weights, kind, config)
        planned = replace(planned, vocab_size=vocab_size or planned.vocab_size)
    _check_vocab_size(planned.tokenizer, vocab_size)
    if rate is not None:
        _check_rate(planned.tokenizer, rate)
        planned = replace(planned, rate=float(rate))
    return _complete(planned, numbers, folder, command)


def _given(options: Changes) -> Changes:
    return {name: value for name, value in options.items() if value is not None}


def numbers_of(numbers: Changes) -> Changes:
    """Numbers of the FitConfig that were given. With max_steps alone, time does not end the run."""
    given = _given(numbers)
    return {"max_minutes": math.inf} | given if given.get("max_steps") else given


def _complete(planned: Settings, numbers: Changes, folder: Path, command: str) -> Settings:
    """With numbers of the FitConfig, and with the title and the commands for the card."""
    planned = limited(planned, **numbers)
    if "evaluate_seconds" not in numbers:
        planned = limited(planned, evaluate_seconds=min(60.0, max(3.0, 6 * planned.fit.max_minutes)))
    command = " && ".join(filter(None, [planned.command, command]))
    return replace(planned, title=os.path.basename(os.path.abspath(folder)), command=command)


def _check_rate(tokenizer: str, rate: float) -> None:
    """Raise TokpressError where the tokenizer does not choose the nearest code of a codebook, or the rate is no number from 0 on."""
    if not 0 <= rate < math.inf:
        raise TokpressError(f"rate={rate:g} should be a number from 0 on")
    learner = tokenizer_learner(TOKENIZERS.find(tokenizer))
    if rate and not (learner and learner.takes_rate):
        kinds = [
            name for name in TOKENIZERS.names() if (it := tokenizer_learner(TOKENIZERS.find(name))) and it.takes_rate
        ]
        raise TokpressError(
            f"the tokenizer {tokenizer!r} does not choose the nearest code: leave --rate out, or take one of {', '.join(kinds)}"
        )


def _check_vocab_size(tokenizer: str | None, vocab_size: int | None) -> None:
    """Raise TokpressError where the tokenizer does not take --vocab-size, or not this one."""
    if not vocab_size or not tokenizer:
        return
    if os.path.isabs(tokenizer):
        raise TokpressError(f"the tokenizer in {tokenizer} has its symbols already: leave --vocab-size out")
    kind = TOKENIZERS.find(tokenizer)
    learner = tokenizer_learner(kind)
    if learner is None:
        raise TokpressError(
            f"the tokenizer {tokenizer!r} always has {kind.vocab_size} symbols: leave --vocab-size out, or choose another one"
        )
    if not learner.sized_by.startswith("--vocab-size"):
        raise TokpressError(
            f"the tokenizer {tokenizer!r} takes its number of symbols from {learner.sized_by}: leave --vocab-size out"
        )
    if vocab_size < learner.least_symbols:
        raise TokpressError(
            f"--vocab-size {vocab_size} is too small for the tokenizer {tokenizer!r}: {learner.least_symbols} or more"
        )
