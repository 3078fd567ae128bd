"""The folder in which a run keeps what it needs to go on: DIR/.checkpoint, gone when the model is done.

run.json        the settings, and the corpus files as they were
tokenizer/      tokenizer.json, config.json
tokens/         packed token files (tokenize.py)
state/          the prior's own checkpoint (checkpoint.py)
model/          the finished model, before it moves up into DIR
"""

import contextlib
import json
import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import ModelError, TokpressError
from ..models.folder import EXACT_PROFILE, FORMAT, tokenizer_only
from ..storage import files as model_files
from ..tokenizers.base import Tokenizer
from ..tokenizers.registry import TOKENIZERS
from ..tokenizers.text.bpe import import_tokenizer
from .options import FitConfig

NAME = ".checkpoint"


@dataclass
class Settings:
    """What decides a run. `--resume` must find the same, but for the limits and how it is computed."""

    corpus: list[str]
    #: (glob, factor): how often files are drawn, per token
    weights: list[tuple[str, float]] = field(default_factory=list)
    #: bytes, nibbles, bpe (trained on the corpus), or the directory or tokenizer.json of one that exists
    tokenizer: str = "bpe"
    #: settings of a tokenizer that is trained (`train tokenizer --set`)
    tokenizer_config: dict[str, Any] = field(default_factory=dict)
    vocab_size: int = 4096
    prior: str = "mingru"
    prior_config: dict[str, Any] = field(default_factory=dict)
    #: the file that the corpus is predicted from, for priors of p(y | x)
    given: str = ""
    #: directory of the model to start from; its tokenizer must be the one above
    init: str = ""
    #: wrap the prior in a memory (tokpress.priors.compose.memory)
    memory: bool = True
    fit: FitConfig = field(default_factory=FitConfig)
    #: for the card
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
        kept = json.loads(path.read_text())["settings"]
        kept["weights"] = [(glob, float(factor)) for glob, factor in kept["weights"]]
        return Settings(**kept | {"fit": FitConfig(**kept["fit"])})
    except FileNotFoundError:
        raise TokpressError(f"{folder} holds no run to resume; leave --resume out to begin one") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TokpressError(f"{path} is damaged ({error}); begin anew with -f") from error


def begin(folder: Path, settings: Settings, files: list[list[Any]], resume: bool, force: bool) -> Path:
    """Make or check DIR/.checkpoint, and return it. `files`: [name, size, time] of each corpus file."""
    work = folder / NAME
    if resume:
        kept, given = asdict(read_settings(folder)), asdict(settings)
        for key in given:
            if key not in FREE:
                _same(folder, key, kept[key], given[key])
        for key in given["fit"]:
            if key not in FREE_OF_FIT:
                _same(folder, key, kept["fit"][key], given["fit"][key])
        before = json.loads((work / "run.json").read_text())["files"]
        if before != files:
            changed = [new[0] for new in files if new not in before] or ["files are missing"]
            raise TokpressError(f"the corpus changed since the run in {folder} began: {changed[0]}; begin anew with -f")
    else:
        check_target(folder, force)
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
    (work / "run.json").write_text(json.dumps({"settings": asdict(settings), "files": files}, indent=1))
    return work


def _same(folder: Path, key: str, kept: Any, given: Any) -> None:
    if kept != given:
        raise TokpressError(
            f"the run in {folder} began with {key.replace('_', ' ')} {kept}, not {given}; "
            "resume it with the same, or begin anew with -f"
        )


def standing(folder: Path) -> str:
    """Where a resumed run continues, in words."""
    place = folder / NAME
    for state in (place / "state", place / "state.old"):
        if (state / "progress.json").is_file():
            progress = json.loads((state / "progress.json").read_text())["progress"]
            return f"resuming at step {progress['step']:,}, after {progress['seconds'] / 60:.1f} minutes of training"
    kept = [name for name in ("tokenizer", "tokens") if (place / name).exists()]
    return f"resuming before the first checkpoint; what is there: {', '.join(kept) or 'nothing yet'}"


def discard(folder: Path) -> None:
    """Leave nothing of a run that came to nothing, unless it has a checkpoint to go on from."""
    work = folder / NAME
    if not any((work / state / "progress.json").is_file() for state in ("state", "state.old")):
        shutil.rmtree(work, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.rmdir()  # where it is empty


def check_target(folder: Path, force: bool) -> None:
    """Raise TokpressError where a run may not write to `folder`."""
    if folder.exists() and not folder.is_dir():
        raise ModelError(f"{folder} is a file; choose another place with -o")
    has_model, has_run = (folder / "config.json").is_file(), (folder / NAME).exists()
    if not folder.exists() or (tokenizer_only(folder) and not has_run) or not any(folder.iterdir()):
        return
    if not has_model and not has_run:
        raise ModelError(f"{folder} exists and is no model directory; choose another place with -o")
    if not force:
        what = "an unfinished run: go on with --resume" if has_run else "a model: choose another place with -o"
        raise ModelError(f"{folder} holds {what}, or replace it with -f")


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
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
    """The tokenizer of a model directory, with or without a prior; or one of other people's, imported: the
    tokenizer.json itself, or the directory of a model that is not ours. Raises ModelError where there is none,
    TokenizerError where it would lose bytes."""
    theirs = place if place.is_file() else place / "tokenizer.json"
    try:
        if place.is_file():
            return import_tokenizer(theirs)
        config = model_files.config(place) if (place / "config.json").exists() or not theirs.is_file() else {}
        if "tokenizer" not in config and theirs.is_file():
            return import_tokenizer(theirs)
        settings = dict(config["tokenizer"])
        return TOKENIZERS.find(settings.pop("name")).load(place, settings)
    except (ModelError, OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{place} holds no tokenizer ({error}); make one with tokpress train tokenizer") from error


def limited(settings: Settings, **changes: Any) -> Settings:
    """`settings` with the given (not None) numbers of its FitConfig."""
    return replace(settings, fit=replace(settings.fit, **{k: v for k, v in changes.items() if v is not None}))
