"""Bits-back coding: a mixture of priors over whole items, exactly at the rate of its joint likelihood.

    p(x) = 1/K Σ_k p_k(x)        the mean of *joint* likelihoods; the mean of conditionals would need pixels not yet known
    push x:  pop k from the stack under q(k | x) = p_k(x) / Σ_j p_j(x),  push x under p_k,  push k under 1/K
    cost     log2 q(k | x) − log2 p_k(x) + log2 K  =  −log2 p(x)

Which member k codes an item is free to choose, so the choice carries bits that are coded already: they come back when
the decoder, having x, pushes k under q again. Frey & Hinton 1997; Townsend, Bird & Barber 2019 ("Practical lossless
compression with latent variables using bits back coding", §2.3). q is computed exactly (`exact.likelihood`), since both
sides must agree on it.

Items are taken a group at a time, those of one member in lock-step, one lane each; a group has as many items as the
frame has lanes. The first group on the stack finds nothing to take its choices from: it takes each item's likeliest
member, and pays log2 K for telling. What is no whole item (a header) is coded by the first member.
"""

import numpy as np

from . import conditionals
from .coders.stack import Stack
from .conditionals import Report, follow, known_conditionals
from .exact.likelihood import Joint, posterior
from .exact.threads import one_blas_thread
from .lanes import Layout
from .types import ItemMixture, Pmf, Prior, Tokens
from .watch import Watch


def _uniform(n: int, symbols: int) -> Pmf:
    return np.full((n, symbols), 1 / symbols, np.float32)


def _in_lanes(items: np.ndarray) -> Layout:
    return Layout.of(items.size, len(items), items.shape[1])


def _arranged(member: Prior, items: np.ndarray) -> np.ndarray:
    """Items [n, N], each in the member's order."""
    return member.arrange(items.reshape(-1)).reshape(items.shape)


def _likelihoods(prior: ItemMixture, items: np.ndarray) -> list[Joint]:
    """p_k(x) of items [n, N] for each member."""
    out = []
    for member in prior.members:
        joint = Joint(len(items))
        for pmf, symbols, _ in known_conditionals(member, _in_lanes(items), _arranged(member, items)):
            joint.times(pmf, symbols)
        out.append(joint)
    return out


def _push(stack: Stack, member: Prior, layout: Layout, grid: np.ndarray) -> None:
    """Symbols [lanes, steps] under one member: its last step first, as a stack wants it."""
    steps = [(pmf.copy(), symbols) for pmf, symbols, _ in known_conditionals(member, layout, grid)]
    for pmf, symbols in reversed(steps):
        for rows, row in zip(pmf[::-1], symbols[::-1]):
            stack.push(row, rows)


def _header(prior: ItemMixture, count: int) -> Layout:
    """What is no whole item: one lane of the first member, cut off."""
    return Layout.of(count, 1, prior.members[0].stride)


@one_blas_thread()
def encode(prior: ItemMixture, tokens: Tokens, group: int, report: Report) -> bytes:
    size, stack = prior.stride, Stack()
    whole = len(tokens) // size
    items, done = tokens[: whole * size].reshape(whole, size), 0
    starts = list(range(0, whole, group))
    for at in reversed(starts):  # what is pushed last is popped first
        some = items[at : at + group]
        q = posterior(_likelihoods(prior, some))
        chosen = q.argmax(1).astype(np.int32) if at == starts[-1] else stack.pop(q)
        for k in reversed(range(len(prior.members))):
            if (mine := chosen == k).any():
                _push(stack, prior.members[k], _in_lanes(some[mine]), _arranged(prior.members[k], some[mine]))
        stack.push(chosen, _uniform(len(some), len(prior.members)))
        report(done := done + some.size)
    rest = tokens[whole * size :]
    _push(stack, prior.members[0], _header(prior, len(rest)), rest[None])
    return stack.finish()


@one_blas_thread()
def decode(prior: ItemMixture, stack: Stack, count: int, group: int, watch: Watch) -> Tokens:
    """The reverse of `encode`. Raises ChecksumError where the stack of a sampler is used up."""
    size = prior.stride
    whole, rest = divmod(count, size)
    header = follow(prior.members[0], _header(prior, rest), stack.pop)
    watch(header)
    out = []
    for at in range(0, whole, group):
        n = min(group, whole - at)
        some = np.zeros((n, size), np.int32)
        chosen = stack.pop(_uniform(n, len(prior.members)))
        for k, member in enumerate(prior.members):
            if (mine := chosen == k).any():
                drawn = follow(member, _in_lanes(some[mine]), stack.pop)
                some[mine] = member.restore(drawn).reshape(-1, size)
        if at + group < whole:
            stack.push(chosen, posterior(_likelihoods(prior, some)))
        out.append(some.reshape(-1))
        watch(out[-1])
    return np.concatenate([*out, header])


@one_blas_thread()
def score(prior: ItemMixture, tokens: Tokens, group: int, report: Report) -> np.ndarray:
    """−log2 p of each item, in equal parts for its tokens: single ones have no conditional."""
    size = prior.stride
    whole, done = len(tokens) // size, 0
    bits = np.zeros(len(tokens))
    for at in range(0, whole, group):
        some = tokens[at * size : (at + min(group, whole - at)) * size].reshape(-1, size)
        log2 = np.stack([joint.log2() for joint in _likelihoods(prior, some)])
        peak = log2.max(0)
        item = np.log2(len(log2)) - peak - np.log2(np.exp2(log2 - peak).sum(0))
        bits[at * size :][: some.size] = np.repeat(item / size, size)
        report(done := done + some.size)
    bits[whole * size :] = conditionals.score(prior.members[0], tokens[whole * size :], 1)
    return bits


@one_blas_thread()
def sample(prior: ItemMixture, count: int, seed: int | None, temperature: float, lanes: int) -> Tokens:
    """Each item by a member drawn at random."""
    rng = np.random.default_rng(seed)
    size, whole = prior.stride, -(-count // prior.stride)
    items, chosen = np.zeros((whole, size), np.int32), rng.integers(len(prior.members), size=whole)
    for k, member in enumerate(prior.members):
        if n := int((chosen == k).sum()):
            drawn = conditionals.sample(member, n * size, int(rng.integers(1 << 32)), temperature, min(n, lanes))
            items[chosen == k] = member.restore(drawn).reshape(n, size)
    return items.reshape(-1)[:count]
