"""The paths of tokens through their decisions: the definition of what `core/bitwise.c` codes (bitwise.py has the idea).

Lanes are in one group, or in two that are coded in turn (`FrameRules.groups`). At each step a group codes its classes, or tokens; then the
members of these classes. The base learns its symbols once the other group has the probabilities of its step: so while the core codes one
group, it can compute these on other threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from ...coding.base import Pmf, step
from ...coding.bitwise import Path, Stage
from ...coding.classes import classes_of
from ...coding.lanes import FrameRules, Layout
from ...lazy import np
from ...tokens import Tokens
from ..base import SteppedPrior
from ..compose.memory import MemoryPrior
from .bitwise_model import IN_A_LINE, BitwiseModel, log_odds
from .priming import Priming
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...coding.class_factored import FactoredPrior


@dataclass
class Group:
    """Lanes that are coded together: first … first + lanes − 1, and the base's state of them."""

    first: int
    lanes: int
    base: Any


@dataclass
class State:
    groups: list[Group]
    model: BitwiseModel
    nodes: list[int]  # of each lane: how far its token is coded
    #: a group, and how many of its lanes, whose symbols the base has not learned yet
    coded: tuple[Group, int] | None = None


class TokenPaths:
    """What `coding.bitwise.Bitwise` walks."""

    def __init__(
        self, base: SteppedPrior, tokens: Vocabulary, rules: FrameRules, priming: Priming | None = None
    ) -> None:
        """base: the prior of the tokens, with the kernel of the frame. rules: those of the frame. priming: where mixing begins."""
        self.base, self.tokens, self.rules, self._priming = base, tokens, rules, priming
        self.decisions = (base.vocab_size - 1).bit_length()
        self.classes = classes_of(self.base)
        self._pairs = self.base if isinstance(self.base, MemoryPrior) else _Alone(self.base)
        of_class = self.decisions if self.classes is None else self.decisions - self.classes.members.bit_length() + 1
        outcomes = (base.vocab_size,) if self.classes is None else (self.classes.classes, self.classes.members)
        #: of each part: its first decision, the decision after its last one, and how many outcomes there are
        self._parts = list(zip((0, of_class), (of_class, self.decisions), outcomes))

    def init(self, lanes: int, tokens: int) -> State:
        steps = Layout.divide(tokens, lanes, self.rules.stride).steps
        model = BitwiseModel(self.tokens, self.decisions, lanes, steps, self._priming)
        count = min(self.rules.groups, lanes)
        bounds = [lanes * group // count for group in range(count + 1)]
        sizes = [stop - first for first, stop in pairwise(bounds)]
        groups = list(map(Group, bounds, sizes, self.base.init_groups(sizes, tokens)))
        return State(groups, model, [1] * lanes)

    def stages(self, state: State, previous: Tokens | None, rows: int) -> Iterator[Stage]:
        for group in state.groups:
            n = min(group.lanes, rows - group.first)
            if n > 0:
                yield from self._group_stages(state, group, previous, n)

    def _group_stages(self, state: State, group: Group, previous: Tokens | None, n: int) -> Iterator[Stage]:
        lanes = slice(group.first, group.first + n)
        before = None if previous is None else previous[lanes]
        state.model.set_rate()
        if state.coded and state.coded[0] is group:
            self._learn(state)
        if self.classes is None:
            pair = [p[:, self.tokens.symbol] for p in self._pairs.step_pair(group.base, before, n)]
        else:
            pair = list(self._pairs.class_pair(group.base, before, n))
        self._learn(state)
        state.nodes[lanes] = [1] * n
        yield self._stage(state, group, pair, 0)
        if self.classes is not None:
            of_class = np.array(state.nodes[lanes], np.int32) - np.int32(1 << self._parts[0][1])
            yield self._stage(state, group, list(self._pairs.member_pair(group.base, of_class)), 1)
        state.coded = group, n

    def _learn(self, state: State) -> None:
        """The base learns the symbols of the group that was coded last."""
        if state.coded is None:
            return
        (group, n), state.coded = state.coded, None
        nodes = state.nodes[group.first : group.first + n]
        places = [node - (1 << self.decisions) for node in nodes]
        self.base.learn(group.base, np.array([self.tokens.symbol[place] for place in places], np.int32))

    def _stage(self, state: State, group: Group, pair: list[Pmf], part: int) -> Stage:
        below = zip(*(_mass_below(p).tolist() for p in pair))
        paths = [self._path(state, lane, sums, part) for lane, sums in enumerate(below, group.first)]
        return Stage(group.first, part, paths)

    def _path(self, state: State, lane: int, below: tuple[list[int], ...], part: int) -> Path:
        first, stop, outcomes = self._parts[part]
        model, context, node, low = state.model, state.model.lanes[lane], state.nodes[lane], 0
        histories, begun = [], 0
        for at in range(first, stop):
            half = 1 << (stop - 1 - at)
            split, high = low + half, min(low + 2 * half, outcomes)
            if split >= outcomes:  # there is nothing above
                node *= 2
                continue
            memory, network = (log_odds(mass[split] - mass[low], mass[high] - mass[split]) for mass in below)
            if at and begun != (begin := at - (at - 1) % IN_A_LINE):
                histories, begun = model.find(context, node >> (at - begin)), begin
            p = model.p(context, at, node, memory, network, histories)
            bit = yield np.array([[65536 - p, p]], np.float32) / np.float32(65536)
            model.learn(bit)
            node = 2 * node + bit
            low = split if bit else low
        state.nodes[lane] = node
        if stop < self.decisions:
            return low
        place = node - (1 << self.decisions)
        model.add(context, place)
        return self.tokens.symbol[place]

    def bits(self, symbol: int) -> list[list[int]]:
        place, parts = self.tokens.place[symbol], []
        for first, stop, outcomes in self._parts:
            in_part = place >> (self.decisions - stop) & (1 << (stop - first)) - 1
            bits, low = [], 0
            for at in range(first, stop):
                half = 1 << (stop - 1 - at)
                if low + half < outcomes:
                    bits.append(int(in_part >= low + half))
                    low += half * bits[-1]
            parts.append(bits)
        return parts


def _mass_below(p: Pmf) -> NDArray[np.int64]:
    """[n, K + 1]: 2^30 · Σ p of the outcomes before each; no outcome has mass 0."""
    below = np.zeros((len(p), p.shape[1] + 1), np.int64)
    masses = (np.clip(p, 0, 1) * np.float32(1 << 30)).astype(np.int32) + 1
    np.cumsum(masses, 1, out=below[:, 1:], dtype=np.int64)
    return below


class _Alone:
    """A prior without a memory, asked as `MemoryPrior` is: its probabilities are those with and without memory."""

    def __init__(self, base: SteppedPrior) -> None:
        self._base = base

    def step_pair(self, state: Any, previous: Tokens | None, rows: int) -> tuple[Pmf, Pmf]:
        p = step(self._base, state, previous, rows)
        return p, p

    def class_pair(self, state: Any, previous: Tokens | None, rows: int) -> tuple[Pmf, Pmf]:
        p = cast("FactoredPrior", self._base).class_pmf(state, previous, rows)
        return p, p

    def member_pair(self, state: Any, of_class: Tokens) -> tuple[Pmf, Pmf]:
        p = cast("FactoredPrior", self._base).member_pmf(state, of_class)
        return p, p
