"""A binary tree whose leaves are all tokens: a token is the path of decisions to its leaf.

`core/bitwise_tree.h` is the same. Tokens are numbered by rank, in the order of their bytes. Each byte of a token is nine binary
digits: the first says whether the byte exists (0: the token ends before it), then come its bits, the highest first. The place of split r
is the first digit at which the neighbours r − 1 and r differ. Its decision separates the tokens below rank r from the others. So V tokens
need V − 1 splits, and a digit that all remaining tokens share is no decision. The split of the lowest place is the root of its range (a
Cartesian tree; Vuillemin 1980).
"""

from collections.abc import Sequence

LONGEST = 32
DIGITS = 9  # of a byte


def place_between(one: bytes, other: bytes) -> int:
    """The first digit at which two byte strings differ. `one` is the lower string.

    >>> place_between(b"a", b"ab"), place_between(b"a", b"b"), place_between(b"az", b"b")
    (9, 7, 7)
    """
    at = 0
    while at < len(one) and one[at] == other[at]:
        at += 1
    return DIGITS * at + (0 if at == len(one) else 9 - (one[at] ^ other[at]).bit_length())


class Tree:
    """
    symbol, rank [V]: the symbol of each rank, and the reverse. bytes [V]: the bytes of each rank. place, below, above [V]: the place and the
    children of each split, 0 for none.

    >>> tree = Tree([b"b", b"a", b"ab"]); tree.symbol, tree.root, tree.path(2)
    ([1, 2, 0], 2, [1])
    """

    def __init__(self, token_bytes: Sequence[bytes]) -> None:
        """token_bytes: different strings, none empty."""
        count = len(token_bytes)
        self.symbol = sorted(range(count), key=token_bytes.__getitem__)
        self.rank = sorted(range(count), key=self.symbol.__getitem__)
        self.bytes = [token_bytes[v] for v in self.symbol]
        self.longest = max(map(len, token_bytes))
        self.place, self.below, self.above = [0] * count, [0] * count, [0] * count
        open_: list[int] = []  # splits whose upper side is not complete, from the root down; places rise
        for r in range(1, count):
            self.place[r] = place_between(self.bytes[r - 1], self.bytes[r])
            while open_ and self.place[open_[-1]] >= self.place[r]:
                self.below[r] = open_.pop()
            if open_:
                self.above[open_[-1]] = r
            open_.append(r)
        self.root = open_[0] if open_ else 0

    def path(self, rank: int) -> list[int]:
        """The decisions that lead to a rank."""
        bits, split = [], self.root
        while split:
            bits.append(int(rank >= split))
            split = self.above[split] if rank >= split else self.below[split]
        return bits
