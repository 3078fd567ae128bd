"""Hierarchical PixelCNN: a small picture first, then larger ones given it; or top bits first, then the other bits given them.

    coarse to fine   p(x) = p(x at 7×7) · p(x at 14×14 | 7×7) · p(x at 28×28 | 14×14)      `scales=7x7,14x14`
    depth            p(x) = p(top bits of all pixels) · p(the other bits | top bits)       `scales=` empty

Each stage is a `pixelcnn`; a later one is given the stage before (the super-resolution form). Pixels that an earlier stage has
coded are not coded again. The stages follow each other within an item, so the chain is one lossless codec.
Kolesnikov & Lampert 2017, "PixelCNN models with auxiliary variables for natural image modeling": §3.2 (grayscale PixelCNN,
a picture of few levels first), §3.3 (pyramid PixelCNN, a smaller picture first; its auxiliary decoder is the later stage).
Depth needs a tokenizer of two tokens a pixel, top bits first: `nibbles`, or `top_bit` with `levels=2` for a binary picture.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...coding import Frame
from ...coding.base import Pmf
from ...coding.lanes import FrameRules
from ...errors import ModelError, TokpressError
from ...exact.orders import Shape, parse_shape, subsample
from ...storage.settings import settings_of
from ...tokenizers.base import Config
from ...tokens import Tokens
from ..base import SteppedPrior
from .network import NetworkPrior
from .pixelcnn import PixelCNNPrior

#: each stage is a network
MAX_STAGES = 16


@dataclass
class Stage:
    prior: NetworkPrior
    cells: NDArray[np.int64]  # positions of the stage's grid within the item
    is_coded: NDArray[np.bool_]  # of cells: an earlier stage codes it


def plan(settings: Config, vocab_size: int) -> list[tuple[Config, int, NDArray[np.int64], NDArray[np.bool_]]]:
    """(settings of its pixelcnn, symbols, cells, is_coded) of each stage. Raises TokpressError."""
    shape = parse_shape(settings["shape"])
    if len(shape) != 2:
        raise TokpressError("the prior 'hierarchical' needs pictures of one channel: --set shape=28x28")
    size = {"width": settings["width"], "depth": settings["depth"]}
    positions = np.arange(shape[0] * shape[1])
    if not settings["scales"]:
        uncoded = np.zeros(len(positions), bool)
        first = size | {"shape": settings["shape"]}
        levels = settings["levels"] or vocab_size
        return [
            (first, min(levels, vocab_size), 2 * positions, uncoded),
            (first | {"given": settings["shape"]}, vocab_size, 2 * positions + 1, uncoded),
        ]
    plans, before = [], np.zeros(0, np.int64)
    names = [*settings["scales"].split(","), settings["shape"]]
    if len(names) > MAX_STAGES:
        raise TokpressError(f"the prior 'hierarchical' has at most {MAX_STAGES} scales, not {len(names):,}")
    for i, name in enumerate(names):
        cells = subsample(positions[None], shape, _shape(name))[0]
        given = {"given": names[i - 1]} if i else {}
        plans.append((size | {"shape": name} | given, vocab_size, cells, np.isin(cells, before)))
        if not np.isin(before, cells).all():
            raise TokpressError(f"the scale {name} does not hold all pixels of the scale before it")
        before = cells
    return plans


def _shape(name: str) -> Shape:
    shape = parse_shape(name)
    if len(shape) != 2:
        raise TokpressError(f"{name!r} is no scale: write ROWSxCOLUMNS, with commas between several")
    return shape


@dataclass
class State:
    items: NDArray[np.int32]  # [lanes, N], in the item's own order
    at: int = 0  # coded symbols of this item
    stage: int = -1
    cell: int = 0
    running: tuple[NetworkPrior, Any] | None = None


class HierarchicalPrior(SteppedPrior):
    name = "hierarchical"
    defaults: ClassVar = {"shape": "", "scales": "", "levels": 0, "width": 96, "depth": 6}

    def __init__(self, settings: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> None:
        self.settings = settings_of(self.name, settings, self.defaults)
        self.vocab_size, self._tensors = vocab_size, tensors
        self.stages: list[Stage] = []
        for i, (inner, symbols, cells, is_coded) in enumerate(plan(self.settings, vocab_size)):
            own_tensors = {k.removeprefix(f"{i}."): v for k, v in tensors.items() if k.startswith(f"{i}.")}
            self.stages.append(Stage(PixelCNNPrior.load(inner, own_tensors, symbols), cells, is_coded))
        if foreign := [k for k in tensors if k.partition(".")[0] not in map(str, range(len(self.stages)))]:
            raise ModelError(f"the tensor {foreign[0]} is none of this model; the file is damaged or foreign")
        self.places = np.concatenate([stage.cells[~stage.is_coded] for stage in self.stages])
        self.rules = FrameRules(len(self.places), self.places)

    def for_frame(self, frame: Frame) -> "HierarchicalPrior":
        bound = copy.copy(self)
        bound.stages = [replace(stage, prior=stage.prior.for_frame(frame)) for stage in self.stages]
        return bound

    def init(self, lanes: int, tokens: int) -> State:
        return State(np.zeros((lanes, len(self.places)), np.int32))

    def step(self, state: State, previous: Tokens | None, rows: int) -> Pmf:
        if previous is not None:
            state.items[:rows, self.places[state.at]] = previous
            state.at = (state.at + 1) % len(self.places)
        if state.stage < 0 or state.at == 0:
            self._enter(state, 0)
        while True:
            if state.cell == len(self.stages[state.stage].cells):
                self._enter(state, state.stage + 1)
            stage = self.stages[state.stage]
            pmf = self._next(state, stage, rows)
            state.cell += 1
            if not stage.is_coded[state.cell - 1]:
                missing = self.vocab_size - pmf.shape[1]
                return np.pad(pmf, ((0, 0), (0, missing))) if missing else pmf

    def _enter(self, state: State, number: int) -> None:
        """Begin a stage, given the symbols of the stage before."""
        prior, lanes = self.stages[number].prior, len(state.items)
        if number:
            prior = prior.with_given(state.items[:, self.stages[number - 1].cells].reshape(-1))
        state.stage, state.cell = number, 0
        state.running = prior, prior.init(lanes, lanes * prior.stride)

    def _next(self, state: State, stage: Stage, rows: int) -> Pmf:
        assert state.running is not None
        prior, inner = state.running
        if not state.cell:
            return prior.step(inner, None, rows)
        symbols = state.items[:rows, stage.cells[state.cell - 1]]
        return prior.step(inner, np.minimum(symbols, prior.vocab_size - 1), rows)

    def config(self) -> Config:
        return dict(self.settings)

    def tensors(self) -> Mapping[str, NDArray[Any]]:
        return self._tensors

    @classmethod
    def load(cls, config: Config, tensors: Mapping[str, NDArray[Any]], vocab_size: int) -> "HierarchicalPrior":
        try:
            return cls(config, tensors, vocab_size)
        except TokpressError as error:
            raise ModelError(f"config.json or model.safetensors: {error}") from error
