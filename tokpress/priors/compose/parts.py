"""Priors made of other priors: config.json holds the settings of each member, model.safetensors all tensors, numbered by member."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import ModelError, TokpressError
from ...storage.tensors import Tensors, split
from ...tokenizers.base import Config
from ..base import Prior, SteppedPrior
from ..registry import PRIORS

if TYPE_CHECKING:
    from numpy.typing import NDArray


def side_by_side(tensors: Sequence[Mapping[str, NDArray[Any]]]) -> Mapping[str, NDArray[Any]]:
    """The tensors of several members, with the number of the member before each name.

    >>> import numpy as np
    >>> side_by_side([{"bias": np.zeros(2)}, {"bias": np.ones(2)}])["1.bias"].tolist()
    [1.0, 1.0]
    """
    from_files = [member for member in tensors if isinstance(member, Tensors)]
    if len(from_files) == len(tensors):
        return Tensors.side_by_side(from_files)
    return {f"{k}.{name}": value for k, member in enumerate(tensors) for name, value in member.items()}


def kind_of(component: Any) -> tuple[type[Prior], Config]:
    """(class, settings) of a prior, from its JSON object. Raises ModelError, UnknownComponentError."""
    if not isinstance(component, dict) or not isinstance(component.get("name"), str):
        raise ModelError(
            f"config.json: {str(component)[:80]} is no prior: a prior is an object with a name and settings"
        )
    return PRIORS.find(component["name"]), {key: value for key, value in component.items() if key != "name"}


def loaded_members(
    components: Any, max_members: int, tensors: Mapping[str, NDArray[Any]], vocab_size: int
) -> list[Prior]:
    """The priors of a JSON list, each with its tensors. Raises ModelError."""
    if not isinstance(components, list) or len(components) > max_members:
        raise ModelError(f"config.json: members should be a list of at most {max_members}")
    if foreign := [name for name in tensors if name.partition(".")[0] not in map(str, range(len(components)))]:
        raise ModelError(f"the tensor {foreign[0]} is none of this model; the file is damaged or foreign")
    members = []
    for k, component in enumerate(components):
        kind, settings = kind_of(component)
        try:
            members.append(kind.load(settings, split(tensors, f"{k}.")[0], vocab_size))
        except TokpressError as error:
            raise ModelError(f"config.json, member {k + 1}: {error}") from error
    return members


def stepped_members(members: Sequence[Prior], owner: str) -> list[SteppedPrior]:
    """The members, checked. owner: for the message. Raises TokpressError where a member is not stepped, or is given items."""
    stepped = []
    for member in members:
        if not isinstance(member, SteppedPrior) or member.rules.given_size:
            raise TokpressError(
                f"a {member.name} prior cannot be a member of {owner}: it is not stepped, or is given items"
            )
        stepped.append(member)
    return stepped


def innermost(prior: Prior) -> Prior:
    """The prior inside all wrappers (memory, bitwise); the prior itself where there are none."""
    while isinstance(inner := getattr(prior, "base", None), Prior):
        prior = inner
    return prior
