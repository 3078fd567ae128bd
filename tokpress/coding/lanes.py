"""How N tokens are cut into lanes that are coded in lock-step (docs/format.md, "Token layout").

Lane i holds tokens i·T … min((i+1)·T, N) − 1 with T = ⌈N / B⌉ rounded up to the prior's stride.
"""

from __future__ import annotations

from typing import NamedTuple

from ..lazy import np
from ..tokens import TokenBuffer, Tokens, as_array

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
