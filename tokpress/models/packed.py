"""Pickling and copying of models: tokenizer and prior as classes, settings, files and tensors.

Process pools that spawn send models this way, and `copy.deepcopy` copies them. The copy has the same id and codes the
same bytes. A pickle names the classes of the components, so unpickling imports their modules, which register them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ..priors.base import Prior
from ..tokenizers.base import Config, Tokenizer
from ..tokens import TokenBuffer

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")


class Parts(NamedTuple):
    """files: name → bytes of the files that the tokenizer saves. inner: classes of the priors inside `prior`."""

    tokenizer: tuple[type[Tokenizer], Config]
    files: dict[str, bytes]
    prior: tuple[type[Prior], Config]
    inner: tuple[type[Prior], ...]
    tensors: Mapping[str, np.ndarray]


def pack(tokenizer: Tokenizer, prior: Prior) -> Parts:
    """The parts of a model, which can be pickled."""
    with tempfile.TemporaryDirectory() as place:
        tokenizer.save(Path(place))
        files = {path.name: path.read_bytes() for path in sorted(Path(place).iterdir())}
    inner = tuple(map(type, _inside(prior)))
    return Parts((type(tokenizer), tokenizer.config()), files, (type(prior), prior.config()), inner, prior.tensors())


def unpack(parts: Parts) -> tuple[Tokenizer, Prior]:
    """The reverse of `pack`."""
    (tokenizer_kind, tokenizer_config), (kind, config) = parts.tokenizer, parts.prior
    with tempfile.TemporaryDirectory() as place:
        for name, data in parts.files.items():
            (Path(place) / name).write_bytes(data)
        tokenizer = tokenizer_kind.load(Path(place), tokenizer_config)
    return tokenizer, kind.load(config, parts.tensors, tokenizer.vocab_size)


def rebuilt(
    model: Callable[..., T],
    parts: Parts,
    settings: tuple[bytes | None, str, str],
    given: tuple[TokenBuffer | None, bytes],
) -> T:
    """A model of these parts: the reverse of `Model.__reduce__`. model: its class. settings: id, name, card. given: tokens and digest."""
    return model(*unpack(parts), *settings, *given)


def _inside(prior: Prior) -> Iterator[Prior]:
    members = [getattr(prior, "base", None), *getattr(prior, "members", ())]
    for inner in members:
        if isinstance(inner, Prior):
            yield inner
            yield from _inside(inner)
