"""Pickling and copying of models: settings, files and tensors, without caches or compiled code.

Process pools that spawn send models this way, and `copy.deepcopy` copies them. What comes back has the same id and codes the
same bytes. The components' classes are named, so that their modules are imported, and register them, on the other side.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..priors.base import Prior
from ..tokenizers.base import Config, Tokenizer
from ..tokens import TokenBuffer

if TYPE_CHECKING:
    import numpy as np

    from .model import Model


class Parts(NamedTuple):
    """files: what the tokenizer saves, by name. inner: the classes of the priors inside `prior`."""

    tokenizer: tuple[type[Tokenizer], Config]
    files: dict[str, bytes]
    prior: tuple[type[Prior], Config]
    inner: tuple[type[Prior], ...]
    tensors: Mapping[str, np.ndarray]
    id: bytes | None
    name: str
    card: str
    weights_of: tuple[str, ...]
    given: TokenBuffer | None


def reduce_model(model: Model) -> tuple[Any, ...]:
    """(function, arguments), as `__reduce__` gives them."""
    tokenizer, prior = model.tokenizer, model.prior
    with tempfile.TemporaryDirectory() as place:
        tokenizer.save(Path(place))
        files = {path.name: path.read_bytes() for path in sorted(Path(place).iterdir())}
    parts = Parts(
        (type(tokenizer), tokenizer.config()), files, (type(prior), prior.config()), tuple(map(type, _inside(prior))),
        prior.tensors(), model._id, model.name, model.card, model.weights_of, model.given_tokens,
    )  # fmt: skip
    return rebuild_model, (type(model), parts)


def rebuild_model(cls: type[Model], parts: Parts) -> Model:
    (tokenizer_kind, tokenizer_config), (kind, config) = parts.tokenizer, parts.prior
    with tempfile.TemporaryDirectory() as place:
        for name, data in parts.files.items():
            (Path(place) / name).write_bytes(data)
        tokenizer = tokenizer_kind.load(Path(place), tokenizer_config)
    prior = kind.load(config, parts.tensors, tokenizer.vocab_size)
    model = cls(tokenizer, prior, parts.id, parts.name, parts.card, parts.weights_of)
    return model if parts.given is None else model._bound_to(parts.given)


def _inside(prior: Prior) -> Iterator[Prior]:
    members = [getattr(prior, "base", None), *getattr(prior, "members", ())]
    for inner in members:
        if isinstance(inner, Prior):
            yield inner
            yield from _inside(inner)
