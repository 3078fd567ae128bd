"""Models of the Hugging Face Hub: names of repositories, downloads, the record of downloads, and the methods of `Model` for it.

Only what fetches, pushes or searches imports huggingface_hub, which honours HF_ENDPOINT, HF_HOME, HF_HUB_OFFLINE and the token of
`hf auth login`. Only the files of a model directory (JSON, safetensors, the card) are fetched, of one commit.

A model is identified by its content, so a branch that moves cannot decode a file by another model. A record of each download, an id and the
repository and commit that it came from, is kept beside the cache, so that decoding finds the model without the network:

    $HF_HOME/assets/tokpress/models/ID.json     {"repository": "user/model@COMMIT", "folder": "/…/snapshots/COMMIT"}
"""

from __future__ import annotations

import json
import os
import re
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

from ..arguments import path
from ..errors import ModelError
from ..priors.base import Prior
from ..storage import files
from ..tokenizers.base import Tokenizer
from . import contents
from . import folder as folders

#: what a model directory may hold; nothing else is fetched
FETCHED = tuple(files.MAX_BYTES)
_NAME = re.compile(r"(?P<id>[\w-][\w.-]*/[\w-][\w.-]*)(?:@(?P<revision>[\w./-]+))?", re.ASCII)
_MAX_RECORD_BYTES = 1 << 16


class Repository(NamedTuple):
    """A repository, and one of its branches, tags or commits; None: the main branch."""

    id: str
    revision: str | None = None

    def __str__(self) -> str:
        return self.id if self.revision is None else f"{self.id}@{self.revision}"


class Record(NamedTuple):
    """Where the model with this id was fetched from, and the folder it was fetched to, which may be gone."""

    id: bytes
    repository: str
    folder: Path


def repository(name: object) -> Repository | None:
    """The repository that a name such as user/model or user/model@REVISION stands for.

    >>> repository("user/model@1f0c"), repository("text"), repository("../text")
    (Repository(id='user/model', revision='1f0c'), None, None)
    """
    match = _NAME.fullmatch(name) if isinstance(name, str) and ".." not in name else None
    return Repository(match["id"], match["revision"]) if match else None


# --- download


def library(module: str = "huggingface_hub") -> Any:
    """huggingface_hub or a module that needs it. Raises ModelError where it is not installed."""
    try:
        return import_module(module, __package__)
    except ModuleNotFoundError as error:
        raise ModelError(f"the Hugging Face Hub needs {error.name}: pip install 'tokpress[hub]'") from None


def fetch(wanted: Repository, **options: Any) -> tuple[Path, Repository]:
    """Download a model: its folder in the cache of huggingface_hub, and the repository with the commit that it is of.

    options: those that `hf_hub_download` and `snapshot_download` of huggingface_hub share. Raises ModelError."""
    hub = library()
    with _explained(wanted):
        config = Path(hub.hf_hub_download(wanted.id, files.CONFIG, revision=wanted.revision, **options))
    if "exact_profile" not in files.config(config.parent):  # known before gigabytes of weights of another library
        raise ModelError(f"{wanted} is no model of tokpress: its {files.CONFIG} has no exact_profile")
    commit = config.parent.name
    with _explained(wanted):
        folder = Path(hub.snapshot_download(wanted.id, revision=commit, allow_patterns=[*FETCHED], **options))
    return folder, wanted._replace(revision=commit)


def cached(wanted: Repository) -> tuple[Path, Repository] | None:
    """What `fetch` gives, from the cache of huggingface_hub; None where it is not there.

    The cache is read as its documentation describes it: huggingface_hub itself asks the Hub for other things even when told to use local
    files only, and takes a second to import."""
    place = _directory("HUB_CACHE", "hub") / f"models--{wanted.id.replace('/', '--')}"
    revision = wanted.revision or "main"
    with suppress(ModelError):
        branch = files.read(place / "refs" / revision, _MAX_RECORD_BYTES)
        commit = revision if branch is None else branch.decode("ascii", "replace").strip()
        folder = place / "snapshots" / commit
        if commit.isalnum() and (folder / files.CONFIG).is_file():
            return folder, wanted._replace(revision=commit)
    return None


def _directory(variable: str, name: str) -> Path:
    """A directory of huggingface_hub, as that computes it."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    named = os.environ.get(f"HF_{variable}") or os.environ.get(f"HUGGINGFACE_{variable}") or Path(home, name)
    return Path(os.path.expandvars(os.path.expanduser(named)))


def search(id: bytes) -> list[str]:
    """The repositories of the Hub whose cards have the tag of a model's id. Raises ModelError."""
    hub = library()
    with _explained("the models with this id"):
        return sorted(found.id for found in hub.HfApi().list_models(filter=tag(id)))


def tag(id: bytes) -> str:
    """The tag by which a model is found on the Hub."""
    return f"tokpress-{id.hex()}"


@contextmanager
def _explained(wanted: object) -> Iterator[None]:
    """Errors of huggingface_hub within become a ModelError about `wanted`."""
    try:
        yield
    except (ModelError, MemoryError):
        raise
    except Exception as error:  # of HTTP, of the file system, of names
        raise ModelError(f"{wanted}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    errors, endpoint = library("huggingface_hub.errors"), library("huggingface_hub.constants").ENDPOINT
    if isinstance(error, errors.GatedRepoError):
        return f"ask for access on {endpoint}, then log in: hf auth login"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{endpoint} has no such repository, or a private one: check the name, or log in: hf auth login"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the repository has no such revision: name a branch, a tag or a commit"
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        return f"not in the cache, and {endpoint} cannot be reached: connect, and unset HF_HUB_OFFLINE"
    if isinstance(error, errors.EntryNotFoundError):
        return f"no model of tokpress: the repository has no {files.CONFIG}"
    lines = str(error).strip().splitlines() or [""]
    return f"{endpoint}: {type(error).__name__}: {lines[0]}; try again"


# --- the record of downloads


def _record_folder() -> Path:
    return _directory("ASSETS_CACHE", "assets") / "tokpress" / "models"


def record(id: bytes, found: Repository, folder: Path) -> None:
    """Keep where a model came from. A home that cannot be written to is no error."""
    with suppress(OSError):
        place = _record_folder()
        place.mkdir(parents=True, exist_ok=True)
        new = place / f".{id.hex()}.{os.getpid()}"
        new.write_text(json.dumps({"repository": str(found), "folder": str(folder.absolute())}) + "\n", "utf-8")
        new.replace(place / f"{id.hex()}.json")


def records() -> Iterator[Record]:
    """All readable records, by id."""
    with suppress(OSError):
        for path in sorted(_record_folder().glob("*.json")):
            if (found := _read(path)) is not None:
                yield found


def recorded(id: bytes) -> Record | None:
    return _read(_record_folder() / f"{id.hex()}.json")


def _read(path: Path) -> Record | None:
    """A record; None where it is missing or damaged."""
    with suppress(ModelError, ValueError, KeyError, TypeError):
        if (data := files.read(path, _MAX_RECORD_BYTES)) is not None:
            entry = files.parse(data, path)
            if repository(entry["repository"]) and len(id := bytes.fromhex(path.stem)) == 4:
                return Record(id, entry["repository"], Path(entry["folder"]))
    return None


# --- methods of Model


class OnHub:
    """What `Model` does with the Hugging Face Hub. It needs the extra: pip install 'tokpress[hub]'."""

    @property
    @abstractmethod
    def id(self) -> bytes: ...

    @classmethod
    def from_pretrained(
        cls, name_or_folder: str | os.PathLike[str], *, revision: str | None = None, **options: Any
    ) -> Self:
        """Load a model from a repository of the Hub, "user/model" or "user/model@REVISION", or from a directory.

        The name of the model then ends in the commit: `tokpress.load(model.name)` loads the same files again. options: token, cache_dir,
        force_download, local_files_only and others that `hf_hub_download` and `snapshot_download` of huggingface_hub share. Raises ModelError."""
        if os.path.isdir(path("name_or_folder", name_or_folder)):
            return contents.build(name_or_folder, cls._made)
        if (wanted := repository(name_or_folder)) is None:
            raise ModelError(f"{name_or_folder!r} is no directory, nor a repository: write user/model")
        if revision is not None and wanted.revision is not None:
            raise ModelError(f"{wanted} names a revision, and so does revision={revision!r}: leave one out")
        folder, found = fetch(wanted._replace(revision=revision or wanted.revision), **options)
        model = contents.build(folder, cls._made, str(found))
        record(model.id, found, folder)
        return model

    def save_pretrained(self, folder: str | os.PathLike[str], **options: Any) -> str | None:
        """Write the model directory with a card for the Hub. options: push_to_hub, repo_id and others of
        `huggingface_hub.ModelHubMixin.save_pretrained`. Raises ModelError."""
        folders.check_target(Path(path("folder", folder)))
        address: str | None = self._pretrained().save_pretrained(folder, **options)
        return address

    def push_to_hub(self, repository: str, **options: Any) -> str:
        """Upload the model to a repository, which is made if there is none. Returns the address of the commit.

        options: private, token, branch, commit_message and others of `huggingface_hub.ModelHubMixin.push_to_hub`. Raises ModelError."""
        with _explained(repository):
            return str(self._pretrained().push_to_hub(repository, **options))

    def _pretrained(self) -> Any:
        return library(".hub_mixin").Pretrained(self, tag(self.id))

    @classmethod
    def _made(cls, tokenizer: Tokenizer, prior: Prior, id: bytes, name: str, card: str) -> Self:
        return cast(Callable[..., Self], cls)(tokenizer, prior, id, name, card)
