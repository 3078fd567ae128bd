"""The folder of an unfinished run: DIR/.checkpoint, deleted when the model is done.

run.json        the settings, and path, size and time of the corpus files
tokenizer/      tokenizer.json, config.json
tokens/         packed token files (`data.tokenize`)
state/          the checkpoint of the prior (`loop.checkpoint`)
model/          the finished model, before it moves up into DIR
"""

import contextlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import ModelError, TokpressError
from ..models.folder import EXACT_PROFILE, FORMAT, tokenizer_only
from ..registry import blame
from ..storage import files as model_files
from ..tokenizers.base import Tokenizer
from ..tokenizers.registry import TOKENIZERS
from ..tokenizers.text.bpe_import import import_tokenizer
from .options import FitConfig

NAME = ".checkpoint"


@dataclass
class Settings:
    """Settings of a run. A resumed run must have the same, except those in FREE and FREE_OF_FIT."""

    corpus: list[str]
    #: (glob, factor): tokens of the files that match are drawn so many times as often
    weights: list[tuple[str, float]] = field(default_factory=list)
    #: name of a tokenizer, which may learn from the corpus; or a directory or tokenizer.json
    tokenizer: str = "bpe"
    #: settings of the tokenizer (`train tokenizer --set`)
    tokenizer_config: dict[str, Any] = field(default_factory=dict)
    #: weight of the bits in the choice of codes (`train tokenizer --rate`)
    rate: float = 0.0
    vocab_size: int = 4096
    prior: str = "mingru"
    prior_config: dict[str, Any] = field(default_factory=dict)
    #: file that the corpus is predicted from, for priors p(y | x)
    given: str = ""
    #: directory of the model to start from, which has the same tokenizer
    init: str = ""
    #: whether the prior is wrapped in a memory (tokpress.priors.compose.memory)
    memory: bool = True
    fit: FitConfig = field(default_factory=FitConfig)
    #: title and command line on the card
    title: str = ""
    command: str = ""


#: settings that a resumed run may change
FREE = ("memory", "title", "command", "fit")
FREE_OF_FIT = (
    "max_minutes",
    "max_steps",
    "max_passes",
    "compile",
    "precision",
    "device",
    "learning_rate",
    "evaluate_seconds",
    "checkpoint_seconds",
)


def read_settings(folder: Path) -> Settings:
    """The settings of the run in `folder`. Raises TokpressError where there is none."""
    path = folder / NAME / "run.json"
    try:
        saved = json.loads(path.read_text())["settings"]
        saved["weights"] = [(glob, float(factor)) for glob, factor in saved["weights"]]
        return Settings(**saved | {"fit": FitConfig(**saved["fit"])})
    except FileNotFoundError:
        if (folder / "config.json").is_file():
            raise TokpressError(
                f"the run that made {folder} is over, and no checkpoint was kept (--keep-checkpoint); "
                f"to train on from its weights, begin a run with --init {folder}"
            ) from None
        raise TokpressError(f"{folder} holds no run to resume; leave --resume out to begin one") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TokpressError(f"{path} is damaged ({error}); begin anew with -f") from error


def begin(folder: Path, settings: Settings, files: list[list[Any]], resume: bool, force: bool) -> None:
    """Make DIR/.checkpoint, or check that of a resumed run. files: [path, size, time] of each corpus file."""
    checkpoint = folder / NAME
    if resume:
        _check_unchanged(folder, settings, files)
    else:
        check_target(folder, force, keeps_tokenizer=os.path.abspath(folder) == settings.tokenizer)
        shutil.rmtree(checkpoint, ignore_errors=True)
        checkpoint.mkdir(parents=True)
    (checkpoint / "run.json").write_text(json.dumps({"settings": asdict(settings), "files": files}, indent=1))


def _check_unchanged(folder: Path, settings: Settings, files: list[list[Any]]) -> None:
    """Raises TokpressError where the run in `folder` had other settings or other files."""
    before, now = asdict(read_settings(folder)), asdict(settings)
    for key in now:
        if key not in FREE:
            _check_same(folder, key, before[key], now[key])
    for key in now["fit"]:
        if key not in FREE_OF_FIT:
            _check_same(folder, key, before["fit"][key], now["fit"][key])
    files_before = json.loads((folder / NAME / "run.json").read_text())["files"]
    if files_before != files:
        changed = [file[0] for file in files if file not in files_before] or ["files are missing"]
        raise TokpressError(f"the corpus changed since the run in {folder} began: {changed[0]}; begin anew with -f")


def _check_same(folder: Path, key: str, before: Any, now: Any) -> None:
    if before != now:
        raise TokpressError(
            f"the run in {folder} began with {key.replace('_', ' ')} {before}, not {now}; "
            "resume it with the same, or begin anew with -f"
        )


def progress_of(folder: Path) -> dict[str, Any] | None:
    """The progress in the checkpoint of a run; None where there is none."""
    place = folder / NAME
    for state in (place / "state", place / "state.old"):
        if (state / "progress.json").is_file():
            progress: dict[str, Any] = json.loads((state / "progress.json").read_text())["progress"]
            return progress
    return None


def standing(folder: Path) -> str:
    """Where a resumed run continues, in words."""
    place = folder / NAME
    if progress := progress_of(folder):
        return f"resuming at step {progress['step']:,}, after {progress['seconds'] / 60:.1f} minutes of training"
    parts = [name for name in ("tokenizer", "tokens") if (place / name).exists()]
    return f"resuming before the first checkpoint; what is there: {', '.join(parts) or 'nothing yet'}"


def discard(folder: Path) -> None:
    """Delete what a failed run has written, unless it has a checkpoint to resume from."""
    checkpoint = folder / NAME
    if not any((checkpoint / state / "progress.json").is_file() for state in ("state", "state.old")):
        shutil.rmtree(checkpoint, ignore_errors=True)
        (folder / model_files.SHEET).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()  # only where it is empty


def check_target(folder: Path, force: bool, keeps_tokenizer: bool = False) -> None:
    """Raises ModelError where a run may not write to `folder`. keeps_tokenizer: whether it trains a prior for the tokenizer in it."""
    if folder.exists() and not folder.is_dir():
        raise ModelError(f"{folder} is a file; choose another place with -o")
    has_model, has_run = (folder / "config.json").is_file(), (folder / NAME).exists()
    has_tokenizer = tokenizer_only(folder)
    if not folder.exists() or (has_tokenizer and keeps_tokenizer and not has_run) or not any(folder.iterdir()):
        return
    if not has_model and not has_run:
        raise ModelError(f"{folder} exists and is no model directory; choose another place with -o")
    if not force:
        what = f"a {'tokenizer' if has_tokenizer else 'model'}: choose another place with -o"
        what = "an unfinished run: go on with --resume" if has_run else what
        raise ModelError(f"{folder} holds {what}, or replace it with -f (force=True)")


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write the files of a tokenizer, and config.json last."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder)
    config = {
        "format": FORMAT,
        "exact_profile": EXACT_PROFILE,
        "tokenizer": {"name": tokenizer.name, **tokenizer.config()},
    }
    new = folder / "config.json.new"
    new.write_text(json.dumps(config, indent=2) + "\n")
    new.replace(folder / "config.json")


def load_tokenizer(place: Path) -> Tokenizer:
    """The tokenizer in a directory of tokpress, with or without a prior. A tokenizer.json of another program, or the directory
    that holds it, is imported. Raises ModelError where there is no tokenizer, TokenizerError where it would lose bytes."""
    foreign = place if place.is_file() else place / "tokenizer.json"
    try:
        if place.is_file():
            return import_tokenizer(foreign)
        config = model_files.config(place) if (place / "config.json").exists() or not foreign.is_file() else {}
        if "tokenizer" not in config and foreign.is_file():
            return import_tokenizer(foreign)
        settings = dict(config["tokenizer"])
        return TOKENIZERS.find(settings.pop("name")).load(place, settings)
    except (ModelError, OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{place} holds no tokenizer ({blame(error) or error}); make one with tokpress train tokenizer"
        ) from error


def limited(settings: Settings, **changes: Any) -> Settings:
    """`settings` with other numbers in its FitConfig; None changes nothing."""
    return replace(settings, fit=replace(settings.fit, **{k: v for k, v in changes.items() if v is not None}))
