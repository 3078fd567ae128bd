"""Load or fetch a model that may have to come from the Hugging Face Hub: these functions, and `Model.from_pretrained`, download models."""

from __future__ import annotations

import os
from contextlib import suppress

from ..errors import ModelError, ModelMismatchError
from . import hub, store
from . import identity as shipped
from .model import Model
from .store import ModelName


def load(model: ModelName) -> Model:
    """Load a model by name (`tokpress models` lists them), by directory, or by its repository on the Hugging Face Hub: "user/model" or
    "user/model@REVISION". A Model is returned as it is.

    A repository is downloaded into the cache of huggingface_hub, and again where the branch has moved. The name of the model ends in the
    commit: `load(model.name)` loads the same files. Raises ModelError if the model does not exist or a file of it is damaged.

    >>> import tokpress
    >>> model = tokpress.load("context-mixing")
    >>> model.name, model.tokenizer.name, model.prior.name
    ('context-mixing', 'bytes', 'context_mixing')
    >>> tokpress.load("no such model")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tokpress.errors.ModelError: no model called 'no such model', nor a directory; there are: context-mixing, context-mixing-2d, ...
    """
    if hub.repository(model) and not os.path.isdir(str(model)):
        return Model.from_pretrained(str(model))
    return store.load(model)


def fetch(model: str) -> Model:
    """Fetch a model from the Hub, by repository or by id (8 hexadecimal digits); one that is here is not fetched again by its id.

    An id is looked for in the table of former models, in the record of downloads, and by its tag on the Hub. Raises ModelError,
    also where the name is that of a folder."""
    try:
        id = bytes.fromhex(model)
    except ValueError:
        id = b""
    if len(id) != 4:
        if os.path.isdir(model):
            raise ModelError(
                f"{model} is a folder here, which is not fetched: name it with -m, or as user/model@main if a repository is meant"
            )
        if hub.repository(model):
            return Model.from_pretrained(model)
        raise ModelError(f"{model!r} is no id, nor a repository: give 8 hexadecimal digits, or user/model")
    with suppress(ModelMismatchError):
        return store.by_id(id, [])
    repository = _repository_of(id)
    found = Model.from_pretrained(repository)
    if found.id != id:
        raise ModelError(
            f"{repository} holds model {found.id.hex()}, not {model}: name the revision that held it, "
            f"tokpress models --fetch {hub.Repository(repository.partition('@')[0], 'REVISION')}"
        )
    return found


def _repository_of(id: bytes) -> str:
    """The one repository that has the model with this id. Raises ModelError."""
    if (former := shipped.former(id)) is not None:
        if not former.repository:
            raise ModelError(f"{id.hex()} is {former.name} of tokpress {former.release}: pip install {former.package}")
        return former.repository
    if (record := hub.recorded(id)) is not None:
        return record.repository
    found = hub.search(id)
    if len(found) > 1:
        raise ModelError(f"several repositories have model {id.hex()}: fetch one by its name: {', '.join(found)}")
    if not found:
        raise ModelError(f"no repository of the Hub has the tag {hub.tag(id)}: name the repository, user/model")
    return found[0]
