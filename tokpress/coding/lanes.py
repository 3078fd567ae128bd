"""Lanes: how the N tokens of a frame are cut into B sequences that are coded in lock-step (docs/format.md, "Token layout").

Lane i holds tokens i·T … min((i+1)·T, N) − 1 with T = ⌈N / B⌉ rounded up to the prior's stride.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..exact.orders import Order, arrange, restore
from ..lazy import np
from ..tokens import TokenBuffer, Tokens, as_array

if TYPE_CHECKING:
    from numpy.typing import NDArray


def default_lanes(tokens: int) -> int:
    """The default number of lanes. Part of the format: never change it, add a version.

    Each lane starts with an empty recurrent state, so few lanes compress better; many lanes are faster, since they make wide
    products. One lane per 96 tokens up to 16 lanes, then one per 1024 tokens up to 128 lanes.
    """
    return max(1, min(tokens // 96, 16), min(tokens // 1024, 128))


@dataclass(frozen=True, eq=False)
class FrameRules:
    """How the tokens of a prior lie in a frame, and what the codec of a frame is given. Part of the format."""

    #: lanes begin at multiples of this many tokens: those of an item for a prior over items, else 1
    stride: int = 1
    #: for a prior over items: the order [stride] in which an item's tokens are coded (`exact.orders`); None: there are no items
    order: Order | None = None
    #: largest number of lanes of a frame
    max_lanes: int = 512
    #: a lane for so many tokens; 0: `default_lanes`
    tokens_a_lane: int = 0
    #: from so many tokens on, half as many make a lane; 0: never
    long_frame: int = 0
    #: largest number of tokens for each byte of payload (`container.proportion`)
    tokens_per_byte: int = 1 << 8
    #: whether the payload says where the samples lie in the source (`Frame.grid`)
    on_grid: bool = False
    #: number of given tokens from which each item is predicted (`Frame.given`); 0: nothing is given
    given_size: int = 0
    #: groups of lanes that bitwise coding codes in turn (`priors.text.token_paths`): 2 where lanes share nothing but a memory
    groups: int = 1
    #: whether the prior knows nothing at the start of a frame, so that it predicts long frames better than short ones
    starts_empty: bool = False

    def lanes(self, tokens: int) -> int:
        """The number of lanes of a frame whose header does not store it."""
        if self.order is not None:
            rule = -(-tokens // self.stride)
        elif self.tokens_a_lane:
            is_long = self.long_frame > 0 and tokens >= self.long_frame
            rule = -(-tokens // (self.tokens_a_lane // 2 if is_long else self.tokens_a_lane))
        else:
            rule = default_lanes(tokens)
        return max(1, min(rule, self.max_lanes))

    def arrange(self, tokens: TokenBuffer) -> TokenBuffer:
        """Tokens [N] of a source in the order in which they are coded."""
        return tokens if self.order is None else arrange(as_array(tokens), self.order)

    def restore(self, tokens: TokenBuffer) -> TokenBuffer:
        """Coded tokens [N] in the order of the source: the reverse of `arrange`."""
        return tokens if self.order is None else restore(as_array(tokens), self.order)

    def in_place(self, bits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bits [N] of coded tokens, in the order of the source: `restore` for bits."""
        return bits if self.order is None else restore(bits, self.order)


class Layout(NamedTuple):
    """A grid [lanes, steps] that holds `tokens` tokens, lane after lane; only the last lane may be shorter."""

    tokens: int
    lanes: int
    steps: int

    @classmethod
    def divide(cls, tokens: int, lanes: int, stride: int = 1) -> Layout:
        """The layout with at most `lanes` lanes; fewer where the last ones would be empty."""
        units = -(-tokens // stride)
        per_lane = -(-units // max(1, min(lanes, units))) * stride if units else 0
        return cls(tokens, -(-tokens // per_lane) if per_lane else 0, per_lane)

    def live(self, step: int) -> int:
        """Number of lanes that still have a token at this step: all, or all but the last."""
        last = self.tokens - (self.lanes - 1) * self.steps
        return self.lanes if step < last else self.lanes - 1

    def runs(self) -> list[tuple[int, int, int]]:
        """(live lanes, first step, stop): a range of steps with all lanes, then one without the last lane."""
        last = self.tokens - (self.lanes - 1) * self.steps
        runs = [(self.lanes, 0, last), (self.lanes - 1, last, self.steps)]
        return [run for run in runs if run[0] > 0 and run[1] < run[2]]

    def split(self, tokens: TokenBuffer) -> Tokens:
        """[N] → [B, T], the end of the last lane padded with zeros that are never coded."""
        grid = np.zeros(self.lanes * self.steps, np.int32)
        grid[: self.tokens] = as_array(tokens)
        return grid.reshape(self.lanes, self.steps)

    def join(self, grid: Tokens) -> Tokens:
        return grid.reshape(-1)[: self.tokens]
