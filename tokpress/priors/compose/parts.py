"""Priors made of other priors: their settings hold the members' settings, and one file holds all tensors, numbered by member."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import ModelError, TokpressError
from ...lazy import np
from ...storage.tensors import Tensors
from ...tokenizers.base import Config
from ..base import Prior, SteppedPrior
from ..registry import PRIORS


def side_by_side(tensors: Sequence[Mapping[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
    """
    >>> side_by_side([{"bias": np.zeros(2)}, {"bias": np.ones(2)}])["1.bias"].tolist()
    [1.0, 1.0]
    """
    of_files = [each for each in tensors if isinstance(each, Tensors)]
    if len(of_files) == len(tensors):
        return Tensors.side_by_side(of_files)
    return {f"{k}.{name}": value for k, each in enumerate(tensors) for name, value in each.items()}


def kind_of(told: Any) -> tuple[type[Prior], Config]:
    """The class and the settings of a prior that another one holds. Raises ModelError, UnknownComponentError."""
    if not isinstance(told, dict) or not isinstance(told.get("name"), str):
        raise ModelError(f"config.json: {str(told)[:80]} is no prior: an object with a name and settings is")
    return PRIORS.find(told["name"]), {key: value for key, value in told.items() if key != "name"}


def loaded_members(told: Any, most: int, tensors: Mapping[str, np.ndarray], vocab_size: int) -> list[Prior]:
    """The priors whose names and settings are told, each with its own of the tensors. Raises ModelError."""
    if not isinstance(told, list) or len(told) > most:
        raise ModelError(f"config.json: members should be a list of at most {most}")
    if strange := [name for name in tensors if name.partition(".")[0] not in map(str, range(len(told)))]:
        raise ModelError(f"the tensor {strange[0]} is none of this model; the file is damaged or foreign")
    members = []
    for k, settings in enumerate(told):
        of_this: Mapping[str, np.ndarray]
        if isinstance(tensors, Tensors):
            of_this = tensors.part(f"{k}.")
        else:
            of_this = {n.removeprefix(f"{k}."): v for n, v in tensors.items() if n.startswith(f"{k}.")}
        kind, rest = kind_of(settings)
        try:
            members.append(kind.load(rest, of_this, vocab_size))
        except TokpressError as error:
            raise ModelError(f"config.json, member {k + 1}: {error}") from error
    return members


def stepped_members(members: Sequence[Prior], what: str) -> list[SteppedPrior]:
    """The members, checked. Raises TokpressError where one is not stepped, or predicts items from given ones."""
    stepped = []
    for member in members:
        if not isinstance(member, SteppedPrior) or member.rules.given_size:
            raise TokpressError(
                f"a {member.name} prior cannot be a member of {what}: it is not stepped, or is given items"
            )
        stepped.append(member)
    return stepped


def innermost(prior: Prior) -> Prior:
    """The prior inside all wrappers (memory, bitwise); the prior itself where there are none."""
    while isinstance(inside := getattr(prior, "base", None), Prior):
        prior = inside
    return prior
