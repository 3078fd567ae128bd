"""Bits-back coding: code whole items under a mixture of priors, at exactly the rate of its joint likelihood.

    p(x) = 1/K Σ_k p_k(x)        the mean of *joint* likelihoods; the mean of conditionals would need pixels not yet known
    push x:  pop k from the stack under q(k | x) = p_k(x) / Σ_j p_j(x),  push x under p_k,  push k under 1/K
    cost     log2 q(k | x) − log2 p_k(x) + log2 K  =  −log2 p(x)

The encoder may code an item under any member k. It chooses k by popping bits that are coded already. When the decoder has x, it
pushes k under q, which restores these bits. Frey & Hinton 1997; Townsend, Bird & Barber 2019 ("Practical lossless
compression with latent variables using bits back coding", §2.3). q is computed exactly (`exact.likelihood`), since both
sides must agree on it.

Items are coded in groups of as many items as the frame has lanes. The items of one member advance in lock-step, one lane each.
The encoder finds no bits to pop for its first group: each item of this group takes its likeliest member, which costs log2 K bits.
Tokens before the first whole item (a file's header, for instance) come last in coding order. The first member codes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import ChecksumError
from ..exact.likelihood import Joint, posterior
from ..lazy import np
from ..tokens import TokenBuffer, Tokens, as_array
from .base import Codec, Frame, Pmf, Report, Stepped, Watch, silent, unwatched
from .coders.stack import Stack
from .lanes import Layout
from .symbolwise import Symbolwise, follow, known_conditionals

if TYPE_CHECKING:
    from numpy.typing import NDArray


class BitsBack(Codec):
    def __init__(self, members: Sequence[Stepped], frame: Frame, scored: int) -> None:
        """members: the priors of the mixture; each codes items in an order of its own. scored: number of items whose likelihoods
        `score` computes at once."""
        super().__init__(frame)
        self.members, self.size, self.scored = members, members[0].rules.stride, scored

    def stepped(self) -> list[Stepped]:
        return list(self.members)

    def encode(self, tokens: TokenBuffer, report: Report = silent) -> bytes:
        with self.limits():
            tokens, size, stack, group = as_array(tokens), self.size, Stack(), self.frame.lanes
            whole = len(tokens) // size
            items, done = tokens[: whole * size].reshape(whole, size), 0
            starts = list(range(0, whole, group))
            for at in reversed(starts):  # the group that is pushed last is popped first
                some = items[at : at + group]
                q = posterior(self._likelihoods(some))
                chosen = q.argmax(1).astype(np.int32) if at == starts[-1] else stack.pop(q)
                for k, member in reversed(list(enumerate(self.members))):
                    if (mine := chosen == k).any():
                        _push(stack, member, _in_lanes(some[mine]), _arranged(member, some[mine]))
                stack.push(chosen, _uniform(len(some), len(self.members)))
                report(done := done + some.size)
            rest = tokens[whole * size :]
            _push(stack, self.members[0], self._header(len(rest)), rest[None])
            return stack.finish()

    def decode(self, payload: bytes, count: int, watch: Watch = unwatched) -> Tokens:
        tokens = self._pop(stack := Stack(payload), count, watch)
        if not stack.is_empty():
            raise ChecksumError("the coded words are damaged: some are left over")
        return tokens

    def decode_noise(self, noise: bytes, count: int, watch: Watch = unwatched) -> Tokens:
        return self._pop(Stack(noise, noise=True), count, watch)

    def _pop(self, stack: Stack, count: int, watch: Watch) -> Tokens:
        """The reverse of `encode`. Raises ChecksumError where noise is too short."""
        with self.limits():
            size, group = self.size, self.frame.lanes
            whole, rest = divmod(count, size)
            header = follow(self.members[0], self._header(rest), stack.pop)
            watch(header)
            out = []
            for at in range(0, whole, group):
                n = min(group, whole - at)
                some = np.zeros((n, size), np.int32)
                chosen = stack.pop(_uniform(n, len(self.members)))
                for k, member in enumerate(self.members):
                    if (mine := chosen == k).any():
                        drawn = follow(member, _in_lanes(some[mine]), stack.pop)
                        some[mine] = as_array(member.rules.restore(drawn)).reshape(-1, size)
                if at + group < whole:
                    stack.push(chosen, posterior(self._likelihoods(some)))
                out.append(some.reshape(-1))
                watch(out[-1])
            return np.concatenate([*out, header])

    def score(self, tokens: TokenBuffer, report: Report = silent) -> NDArray[np.float64]:
        """−log2 p of each item, shared out equally among its tokens, since tokens have no conditionals."""
        with self.limits():
            tokens, size, group = as_array(tokens), self.size, max(self.frame.lanes, self.scored)
            whole, done = len(tokens) // size, 0
            bits = np.zeros(len(tokens))
            for at in range(0, whole, group):
                some = tokens[at * size : (at + min(group, whole - at)) * size].reshape(-1, size)
                log2 = np.stack([joint.log2() for joint in self._likelihoods(some)])
                peak = log2.max(0)
                item = np.log2(len(log2)) - peak - np.log2(np.exp2(log2 - peak).sum(0))
                bits[at * size :][: some.size] = np.repeat(item / size, size)
                report(done := done + some.size)
            header = Symbolwise(self.members[0], self.frame._replace(lanes=1))
            bits[whole * size :] = header.score(tokens[whole * size :])
            return bits

    def sample(self, count: int, seed: int | None = None, temperature: float = 1.0) -> Tokens:
        """Each item by a member drawn at random."""
        with self.limits():
            rng = np.random.default_rng(seed)
            size, whole = self.size, -(-count // self.size)
            items, chosen = np.zeros((whole, size), np.int32), rng.integers(len(self.members), size=whole)
            for k, member in enumerate(self.members):
                if n := int((chosen == k).sum()):
                    codec = Symbolwise(member, self.frame._replace(lanes=min(n, self.frame.lanes)))
                    drawn = codec.sample(n * size, int(rng.integers(1 << 32)), temperature)
                    items[chosen == k] = as_array(member.rules.restore(drawn)).reshape(n, size)
            return items.reshape(-1)[:count]

    def _likelihoods(self, items: Tokens) -> list[Joint]:
        """p_k(x) of items [n, N] for each member."""
        out = []
        for member in self.members:
            joint = Joint(len(items))
            for pmf, symbols, _ in known_conditionals(member, _in_lanes(items), _arranged(member, items)):
                joint.times(pmf, symbols)
            out.append(joint)
        return out

    def _header(self, count: int) -> Layout:
        """The layout of the tokens before the first whole item: one lane."""
        return Layout.of(count, 1, self.size)


def _uniform(n: int, symbols: int) -> Pmf:
    return np.full((n, symbols), 1 / symbols, np.float32)


def _in_lanes(items: Tokens) -> Layout:
    return Layout.of(items.size, len(items), items.shape[1])


def _arranged(member: Stepped, items: Tokens) -> Tokens:
    """Items [n, N], each in the member's order."""
    return as_array(member.rules.arrange(items.reshape(-1))).reshape(items.shape)


def _push(stack: Stack, member: Stepped, layout: Layout, grid: Tokens) -> None:
    """Push symbols [lanes, steps] under one member, the last step first, so that the stack returns them in order."""
    steps = [(pmf.copy(), symbols) for pmf, symbols, _ in known_conditionals(member, layout, grid)]
    for pmf, symbols in reversed(steps):
        for rows, row in zip(pmf[::-1], symbols[::-1]):
            stack.push(row, rows)
