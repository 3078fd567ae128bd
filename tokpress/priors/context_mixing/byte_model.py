"""Context mixing of bytes, without training: every table starts empty and learns from the bytes already coded.

A byte is two nibbles of four bits each, the highest bit first. Each bit is predicted in four stages:

    contexts    a hash of each context finds its bit history (slots, histories); a few index a counter directly
    counters    one for each pair (context, history): the learned p of a one
    mixer       sums the counters' log-odds, with weights from three rows
    correction  averages the mixer's p with how often a one followed such a p

Then every stage learns the bit. Encoding, decoding, scoring and sampling share one loop; only the source of the bit differs.
After Mahoney's lpaq1 and zpaq. `core/context_mixing.c` is the same.
"""

from collections import defaultdict

from . import correction, counters, mixer, records
from .contexts import HASHED, Bytes, Pixels, byte_contexts, pixel_contexts
from .counters import UNKNOWN, Counter
from .histories import history_tables
from .logistic import CENTRE, clamp, squash_table
from .match import Match
from .slots import Slots

INPUTS = 32  # two of each counter, and a constant
FIRST_WEIGHT, FIRST_MATCHED = 2000, 4915  # in 2^-14: weights of the log-odds of each context, and of the match
RATE_LAST, RATE_EXTRA = 48, 220  # learning rate of the mixer: LAST + EXTRA · 256 / (256 + bytes / 16)
#: limits of `counters.learn`: for histories; for the last bytes, which change faster; for matches
MAX_SEEN, MAX_DIRECT, MAX_MATCHED = 1023, 30, 255
MAX_COUNTS = [MAX_SEEN] * HASHED + [MAX_DIRECT, MAX_DIRECT, MAX_MATCHED, MAX_DIRECT]


def _first_weights(rows: int) -> list[int]:
    """Initial weights of a row. Rows are added, so row 0 has the weights above and the others have zeros."""
    weights = [0] * INPUTS
    if rows == 0:
        weights[: 2 * len(MAX_COUNTS) : 2] = [FIRST_WEIGHT] * len(MAX_COUNTS)
        weights[2 * (HASHED + 2)] = FIRST_MATCHED
    return weights


class ContextMixing:
    """p() of the next bit, then update(bit), eight times a byte.

    >>> model = ContextMixing(1); model.p()
    32768
    """

    def __init__(self, n: int, pixels: Pixels | None = None) -> None:
        """n: number of bytes of the source, by which tables are sized."""
        self.history = bytearray()
        self._pixels = pixels
        self._slots = Slots(clamp((2 * n * HASHED).bit_length() - 2, 8, 20))
        self._match = Match(clamp((2 * n).bit_length(), 8, 22))
        self._next_state, first = history_tables()
        #: [phase][context][history]
        self._counters = [[[(p, 0) for p in first] for _ in range(HASHED)] for _ in range(2)]
        #: counters indexed without a hash: by (number of the context, its value, high nibble + 1 or 0, node)
        self._direct: defaultdict[tuple[int, int, int, int], Counter] = defaultdict(lambda: UNKNOWN)
        #: by (phase, level, bucket, expected bit)
        self._matched: dict[tuple[int, int, int, int], Counter] = {}
        #: weights by (number of the row, its context, phase, node); corrections by (bucket, high nibble + 1 or 0, node)
        self._weights: dict[tuple[int, int, int, int], list[int]] = {}
        self._corrections: dict[tuple[int, int, int], list[int]] = {}
        self._bytes = Bytes()
        self._record = 0
        self._channel = self._west = self._north = 0  # contexts of direct counters
        self._node, self._phase, self._high = 1, 0, 0
        self._bucket = self._set = 0
        self._selectors = 0, 0, 0  # contexts that select the rows of weights
        self._hash_contexts(1)
        self._begin_nibble()

    def p(self) -> int:
        """p · 2^16 that the next bit is one."""
        level, phase, high, node = self._node.bit_length() - 1, self._phase, self._high, self._node
        self._guess = self._match.expected >> (7 - 4 * phase - level) & 1
        states = [line[4 * node + slot] for line, slot in self._lines]
        self._direct_keys = [(0, self._channel, high, node), (1, self._west, high, node), (2, self._north, high, node)]
        self._match_key = phase, level, self._bucket, self._guess
        first, second, third = (self._direct[key] for key in self._direct_keys)
        expected = self._matched.get(self._match_key)
        if expected is None:  # p = 3/4 for the expected bit
            expected = ((1 + 2 * self._guess) << 20, 8) if self._bucket else UNKNOWN
        self._now = [table[state] for table, state in zip(self._counters[phase], states)]
        self._now += [first, second, expected, third]
        self._inputs = [x for counter in self._now for x in counters.inputs(counter)]
        self._inputs += [0] * (INPUTS - 2 - len(self._inputs)) + [mixer.ONE, 0]
        self._row = [
            self._weights.setdefault((number, selector, phase, node), _first_weights(number))
            for number, selector in enumerate(self._selectors)
        ]
        key = self._set, high, node
        if key not in self._corrections:
            self._corrections[key] = correction.new_row()
        self._corrected = self._corrections[key]
        self._log_odds = mixer.predict(self._inputs, self._row)
        p, self._bin = correction.predict(self._corrected, self._log_odds)
        return p

    def update(self, bit: int) -> None:
        """Learn the bit whose probability `p` gave."""
        phase, node = self._phase, self._node
        done = len(self.history)
        rate = RATE_LAST + RATE_EXTRA * 256 // (256 + min(done >> 4, 1 << 24))
        mixer.learn(self._inputs, self._row, (bit << 16) - squash_table()[self._log_odds + CENTRE], rate)
        correction.learn(self._corrected, self._bin, bit)
        after = [counters.learn(counter, bit, max_count) for counter, max_count in zip(self._now, MAX_COUNTS)]
        for table, counter, (line, slot) in zip(self._counters[phase], after, self._lines):
            at = 4 * node + slot
            table[line[at]] = counter
            line[at] = self._next_state[bit][line[at]]
        first, second, self._matched[self._match_key], third = after[HASHED:]
        self._direct.update(zip(self._direct_keys, (first, second, third)))
        if self._bucket and self._guess != bit:
            self._match.miss()
            self._bucket = 0
        self._node = node = 2 * node + bit
        if phase == 0 and node >= 16:
            self._step_to_low(node & 15)
        elif phase and node >> 2 == 1:
            self._hash_contexts((self._high - 1) << 4 | (node & 3) << 2 | 1)
        elif phase and node >= 16:
            self._next_byte((self._high - 1) << 4 | node & 15)

    def _hash_contexts(self, newest: int) -> None:
        """Hash the contexts of the next byte. The last two bits of the current byte are not coded yet and count as 01."""
        at = len(self.history) + (self._phase == 1)
        k = self._pixels.channel(at) if self._pixels else -1
        if self._pixels and k >= 0:
            hashes = pixel_contexts(self.history, at, newest, self._pixels, k)
        else:
            hashes = byte_contexts(self._bytes, self.history, self._record, newest, at)
        self._places = [self._slots.place(hash) for hash in hashes]
        self._match.prepare(self._bytes.last << 8 | newest)

    def _step_to_low(self, high: int) -> None:
        aside = 1 + (high >> 2 | (self._bytes.last & 3) << 2)
        self._places = [(line ^ aside, (check + 11 * high + 1) & 255) for line, check in self._places]
        self._phase, self._node, self._high = 1, 1, high + 1
        self._begin_nibble()

    def _next_byte(self, byte: int) -> None:
        self.history.append(byte)
        self._bytes = self._bytes.add(byte)
        at = len(self.history)
        k = self._pixels.channel(at) if self._pixels else -1
        self._channel, self._west, self._north = 0, byte, self._bytes.last >> 8 & 255
        if self._pixels and k >= 0:
            west, north = at - self._pixels.pixel, at - self._pixels.row
            self._channel = k & 7
            self._west = self.history[west] if west >= 0 else 0
            self._north = self.history[north] if north >= 0 else 0
        else:
            if at % records.EVERY == 0:
                self._record = records.find_record(self.history, self._record)
            if self._record:
                self._north = self.history[at - self._record]
        self._match.update(self.history, at)
        self._places = [(line, check ^ (byte & 3) * 0x55) for line, check in self._places]
        self._phase, self._node, self._high = 0, 1, 0
        self._begin_nibble()

    def _begin_nibble(self) -> None:
        self._lines = [self._slots.find(line, check) for line, check in self._places]
        self._bucket = self._match.bucket
        self._set = self._bucket // 4
        self._selectors = self._bucket, self._bytes.last & 255, self._north
