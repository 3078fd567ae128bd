"""Context mixing of the binary decisions that lead to a token. `core/bitwise_model.h` is the same.

The D decisions are the bits of the token's place, the highest first. Node 1 is the root; the children of a node are 2 · node and
2 · node + 1.

    base         log-odds of a decision under the base prior, with and without its memory
    contexts     13 hashes of what came before (bitwise_contexts): each has a counter of the root, and histories of the other
                 nodes, a line of them for each four decisions (slots, histories)
    match        the token that followed the last occurrence of the last tokens
    mixer        adds all log-odds, with weights from five rows (mixer)
    correction   averages the p of the mixer with how often a one followed such a p at this node (correction)

The weights of the base begin near 1 in sum, all others near 0. All lanes share the tables. After Mahoney's lpaq1; the parts are
those of `context_mixing`.
"""

from __future__ import annotations

from collections import defaultdict

from ...lazy import np
from ..context_mixing import correction, counters, mixer
from ..context_mixing.contexts import is_letter
from ..context_mixing.counters import UNKNOWN, Counter
from ..context_mixing.histories import history_tables
from ..context_mixing.logistic import CENTRE, LIMIT, clamp, squash_table
from ..context_mixing.slots import Slots
from .bitwise_contexts import CONTEXTS, Lane, bucket_of
from .priming import Priming
from .vocabulary import Vocabulary

MATCH, MEMORY, NETWORK = CONTEXTS, CONTEXTS + 1, CONTEXTS + 2  # inputs after those of contexts
IN_A_LINE = 4  # decisions whose histories lie in one line
PHASES = 5  # the root, then lines of at most 16 decisions
CHOICES = [
    32,
    256,
    256,
    16,
    0,
]  # rows of each phase, by match, base, last byte and letters; those by node have no phase
FIRST_WEIGHT, FIRST_MATCH, FIRST_MEMORY, FIRST_NETWORK = 600, 1500, 10000, 6000  # 2^-14
RATE_LAST, RATE_EXTRA = 16, 40  # learning rate of the mixer: LAST + EXTRA · 256 / (256 + bytes / 16)
MAX_COUNTS = [1023] * CONTEXTS + [255]
MAX_ODDS = 20 * 128  # limit for the base, in 128ths of an octave
CURVE = 11357  # 0.3466 · 2^15: log2(1 + x) is x + 0.3466 · x · (1 − x), nearly


def log2(n: int) -> int:
    """2^23 · log2(n), for 0 < n < 2^31, from the float32 n.

    >>> log2(8) / 2**23, round(log2(3) / 2**23, 2)
    (3.0, 1.59)
    """
    bits = int(np.float32(n).view(np.int32))
    part = (bits & 0x7FFFFF) >> 8
    return bits - (127 << 23) - (bits & 0xFF) + (part * (32768 - part) * CURVE >> 22)


def log_odds(zero: int, one: int) -> int:
    """log2(one / zero) in 128ths of an octave."""
    return clamp((log2(one) - log2(zero)) >> 16, -MAX_ODDS, MAX_ODDS)


def _first_weights(number: int) -> list[int]:
    """Initial weights of a row, where mixing is not primed. Rows are added: row 0 has the weights above, the others have zeros."""
    weights = [0] * 2 * (NETWORK + 1)
    if number == 0:
        weights[::2] = [*[FIRST_WEIGHT] * CONTEXTS, FIRST_MATCH, FIRST_MEMORY, FIRST_NETWORK]
    return weights


def _in_base(odds: int) -> int:
    """One of 16 ranges of log-odds."""
    return clamp((odds + 1024) >> 7, 0, 15)


class BitwiseModel:
    """For each decision: p(…) of a one, then learn(bit). add(lane, place) after the last decision of a token."""

    def __init__(
        self, tokens: Vocabulary, decisions: int, lanes: int, steps: int, priming: Priming | None = None
    ) -> None:
        """lanes of `steps` tokens each, by which tables are sized. priming: where mixing begins."""
        count = lanes * steps
        self._tokens, self._decisions, self._priming = tokens, decisions, priming
        self._slots = Slots(clamp((8 * count).bit_length(), 8, 20))
        self._root_log2 = clamp((2 * count).bit_length(), 6, 16)
        self._match_log2 = clamp((2 * count).bit_length(), 8, 22)
        self._history = [0] * (count + 1)  # places plus 1; 0: not written yet, and the end
        self._heads: dict[int, int] = {}
        self.lanes = [Lane(number, steps) for number in range(lanes)]
        self._next_state, first = history_tables()
        #: counters by (phase, context, history); by (context, hash) at the root; by (decision, bucket, expected bit) of the match
        self._counters: dict[tuple[int, int, int], Counter] = {}
        self._first: list[Counter] = [(p, 0) for p in first]
        self._roots: defaultdict[tuple[int, int], Counter] = defaultdict(lambda: UNKNOWN)
        self._matched: dict[tuple[int, int, int], Counter] = {}
        self._weights: dict[tuple[int, int, int], list[int]] = {}
        self._corrections: dict[int, list[int]] = {}
        self._coded = 0
        self.set_rate()

    def set_rate(self) -> None:
        """Set the learning rate of a step: high in the first bytes."""
        self._rate = RATE_LAST + RATE_EXTRA * 256 // (256 + min(self._coded >> 4, 1 << 24))

    def add(self, lane: Lane, place: int) -> None:
        """Append a token to a lane."""
        token = self._tokens.bytes[place]
        lane.add(token, place, self._history, self._heads, self._match_log2)
        self._coded += len(token)

    def _first_row(self, number: int, phase: int, choice: int) -> list[int]:
        weights = _first_weights(number)
        if self._priming:
            row = CHOICES[number] * phase + choice + PHASES * sum(CHOICES[:number])
            weights = [clamp(weight + more, -32768, 32767) for weight, more in zip(weights, self._priming.weights(row))]
        return weights

    def _first_counter(self, phase: int, context: int, history: int) -> Counter:
        return self._priming.counter(phase, context, history) if self._priming else self._first[history]

    def _first_match(self, at: int, bucket: int, guess: int) -> Counter:
        if self._priming:
            return self._priming.matched(at, bucket, guess)
        return ((1 + 2 * guess) << 20, 8) if bucket else UNKNOWN  # p = 3/4 for the expected bit

    def find(self, lane: Lane, node: int) -> list[tuple[bytearray, int]]:
        """Histories of all contexts, in the lines that begin at a node: those of the next four decisions."""
        change = ((node >> 2) * 0x9E3779B1 & 0xFFFFFFFF) >> 12 & (1 << self._slots.log2) - 1
        found = []
        for hash_ in lane.hashes:
            line, check = self._slots.place(hash_)
            found.append(self._slots.find(line ^ change, (check + 29 * node) & 255))
        return found

    def p(
        self, lane: Lane, at: int, node: int, memory: int, network: int, histories: list[tuple[bytearray, int]]
    ) -> int:
        """p · 2^16 that decision `at`, at `node`, is a one. memory, network: its log-odds under the base,
        with and without memory. histories: from `find`, but none at the root."""
        after, bucket, guess = self._decisions - 1 - at, bucket_of(lane.length), 0
        if bucket:
            path = 1 << self._decisions | lane.expected
            if path >> (after + 1) == node:
                guess = path >> after & 1
            else:
                bucket = 0
        phase = self._phase = 1 + (at - 1) // IN_A_LINE if at else 0
        self._histories = histories
        if phase == 0:
            self._keys = [(i, hash_ >> (64 - self._root_log2)) for i, hash_ in enumerate(lane.hashes)]
            self._now = [self._roots[key] for key in self._keys]
        else:
            level = (at - 1) % IN_A_LINE
            self._place = 4 * (1 << level | node & (1 << level) - 1)
            states = [line[self._place + slot] for line, slot in self._histories]
            self._now = [
                self._counters.get(key) or self._first_counter(*key)
                for key in ((phase, i, s) for i, s in enumerate(states))
            ]
        self._match_key = at, bucket, guess
        self._now.append(self._matched.get(self._match_key) or self._first_match(*self._match_key))
        inputs = [x for counter in self._now for x in counters.inputs(counter)]
        inputs[2 * CONTEXTS - 1] = mixer.ONE  # in place of the last context's p − ½
        for odds in (memory, network):
            inputs += [odds, (squash_table()[clamp(2 * odds, -LIMIT, LIMIT) + CENTRE] >> 6) - 512]
        last = lane.bytes.last
        letters = sum(is_letter(last >> 8 * i & 255) << i for i in range(4))
        selectors = [(phase, bucket), (phase, 16 * _in_base(memory) + _in_base(network))]
        selectors += [(phase, last & 255), (phase, letters), (0, node)]
        self._inputs = inputs
        self._rows = [
            self._weights.get(key) or self._weights.setdefault(key, self._first_row(*key))
            for key in ((number, *selector) for number, selector in enumerate(selectors))
        ]
        self._log_odds = mixer.predict(inputs, self._rows)
        self._corrected = self._corrections.setdefault(node, correction.new_row())
        p, self._bin = correction.predict(self._corrected, self._log_odds)
        return p

    def learn(self, bit: int) -> None:
        """Learn the bit whose probability `p` gave."""
        mixer.learn(self._inputs, self._rows, (bit << 16) - squash_table()[self._log_odds + CENTRE], self._rate)
        correction.learn(self._corrected, self._bin, bit)
        after = [counters.learn(counter, bit, max_count) for counter, max_count in zip(self._now, MAX_COUNTS)]
        self._matched[self._match_key] = after[MATCH]
        if self._phase == 0:
            self._roots.update(zip(self._keys, after))
            return
        for i, (counter, (line, slot)) in enumerate(zip(after, self._histories)):
            state = line[self._place + slot]  # two contexts may share a slot
            self._counters[self._phase, i, state] = counter
            line[self._place + slot] = self._next_state[bit][state]
