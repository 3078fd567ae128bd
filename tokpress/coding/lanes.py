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

#: a frame of fewer tokens than this is short
SHORT, TOKENS_A_LANE = 8192, 1024


def default_lanes(tokens: int) -> int:
    """Lanes of a frame that does not say otherwise. Part of the format: never change it, add a version.

    Each lane starts with an empty recurrent state, so few lanes compress better; many lanes make
    wide products. One lane per 96 tokens up to 16, then one per 1024 up to 128.
    """
    return max(1, min(tokens // 96, 16), min(tokens // 1024, 128))


def fewer_lanes(tokens: int, rule: int) -> int:
    """Lanes of a short frame: one per 1024 tokens. Fewer lanes are slower, but fewer start with an empty state; this saves
    3.6 % on messages of 1 to 4 KB (docs/notes/text.md, "Few lanes where there are few tokens")."""
    return min(rule, -(-tokens // TOKENS_A_LANE)) if 0 < tokens < SHORT else rule


@dataclass(frozen=True, eq=False)
class FrameRules:
    """How the tokens of a prior lie in a frame, and what the codec of a frame is given. Part of the format."""

    #: lanes begin at multiples of this many tokens: 2 where two tokens make a byte, all tokens of an item where there are items
    stride: int = 1
    #: of items: the order [stride] in which an item's tokens are coded (`exact.orders`); None for sequences without end
    order: Order | None = None
    #: most lanes of a frame
    max_lanes: int = 512
    #: the default number of lanes is divided by this
    lane_divisor: int = 1
    #: whether an encoder takes fewer lanes where there are few tokens
    short_in_few_lanes: bool = False
    #: most tokens that a byte of payload may stand for (`container.proportion`)
    tokens_per_byte: int = 1 << 8
    #: whether the payload says where the samples lie in the source (`Frame.grid`)
    on_grid: bool = False
    #: tokens of the other item that each item is predicted from (`Frame.given`); 0: none
    given_size: int = 0
    #: whether a frame begins with nothing learned, so that the prior gains most on a long one
    starts_empty: bool = False

    def lanes(self, tokens: int) -> int:
        """Lanes of a frame whose header names no number."""
        rule = default_lanes(tokens) if self.order is None else -(-tokens // self.stride)
        return max(1, min(rule // self.lane_divisor, self.max_lanes))

    def lanes_taken(self, tokens: int) -> int:
        """Lanes that an encoder takes by default. The header names them where `lanes` gives another number."""
        rule = self.lanes(tokens)
        return fewer_lanes(tokens, rule) if self.short_in_few_lanes else rule

    def arrange(self, tokens: TokenBuffer) -> TokenBuffer:
        """Tokens [N] of a source in the order in which they are coded."""
        return tokens if self.order is None else arrange(as_array(tokens), self.order)

    def restore(self, tokens: TokenBuffer) -> TokenBuffer:
        """Coded tokens [N] in the order of the source: the reverse of `arrange`."""
        return tokens if self.order is None else restore(as_array(tokens), self.order)

    def in_place(self, bits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bits [N] of coded tokens in the order of the source."""
        return bits if self.order is None else restore(bits, self.order)


class Layout(NamedTuple):
    tokens: int
    lanes: int
    steps: int

    @classmethod
    def of(cls, tokens: int, lanes: int, stride: int = 1) -> Layout:
        """The layout with at most `lanes` lanes; fewer where the last ones would be empty."""
        units = -(-tokens // stride)
        per_lane = -(-units // max(1, min(lanes, units))) * stride if units else 0
        return cls(tokens, -(-tokens // per_lane) if per_lane else 0, per_lane)

    def live(self, step: int) -> int:
        """Rows that still have a token at this step: all, or all but the last lane."""
        last = self.tokens - (self.lanes - 1) * self.steps
        return self.lanes if step < last else self.lanes - 1

    def runs(self) -> list[tuple[int, int, int]]:
        """(live rows, first step, stop): the steps with all lanes, then those without the last."""
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
