"""Priors that are made of others: the others' tensors in one file, side by side, told apart by a number in front."""

import numpy as np

from ..errors import ModelError, TokpressError
from ..types import Config, Prior


def side_by_side(tensors: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """
    >>> side_by_side([{"bias": np.zeros(2)}, {"bias": np.ones(2)}])["1.bias"].tolist()
    [1.0, 1.0]
    """
    return {f"{k}.{name}": value for k, each in enumerate(tensors) for name, value in each.items()}


def loaded_members(told: list[Config], tensors: dict[str, np.ndarray], vocab_size: int) -> list[Prior]:
    """The priors whose names and settings are told, each with its own of the tensors. Raises ModelError."""
    from ..registry import prior_class

    members = []
    for k, settings in enumerate(told):
        of_this = {n.removeprefix(f"{k}."): v for n, v in tensors.items() if n.startswith(f"{k}.")}
        rest = {key: value for key, value in settings.items() if key != "name"}
        try:
            members.append(prior_class(settings["name"]).load(rest, of_this, vocab_size))
        except TokpressError as error:
            raise ModelError(f"config.json, member {k + 1}: {error}") from error
    return members
