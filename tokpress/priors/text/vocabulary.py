"""All tokens, in an order in which like tokens are near."""

from collections.abc import Sequence
from typing import NamedTuple


class Vocabulary(NamedTuple):
    """The place of a token is its number in the order."""

    symbol: Sequence[int]  # [V], of each place
    place: Sequence[int]  # [V], of each symbol
    bytes: Sequence[bytes]  # [V], of the token at each place
