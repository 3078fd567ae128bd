"""Context mixing of the binary digits of a token: one mixer adds the odds of the base and the odds of byte contexts. `core/bitwise_model.h` is the same.

    contexts     ten hashes of the bytes before, with bit histories for each nibble (slots, histories)
    direct       a counter for each pair of last byte and node
    ends         counters for the digit that says whether a token ends, under five of the contexts
    match        the byte that followed the last occurrence of the last bytes, in any lane (match)
    mixer        adds all log-odds, with weights from five rows (mixer)
    correction   averages the p of the mixer with how often a one followed such a p (correction)

The weight of the base begins near 1, all others near 0. Lanes share all tables, but the match and three contexts are of one lane: lanes
read different parts of the file, and a part repeats itself more than other parts. After Mahoney's lpaq1; the parts are those of
`context_mixing`.
"""

from collections import defaultdict

from ...lazy import np
from ..context_mixing import correction, counters, mixer
from ..context_mixing.contexts import HASHED, Bytes, is_letter, orders_and_words
from ..context_mixing.counters import UNKNOWN, Counter
from ..context_mixing.histories import history_tables
from ..context_mixing.logistic import CENTRE, LIMIT, clamp, squash_table
from ..context_mixing.match import Match
from ..context_mixing.slots import MASK, Slots, scramble

DIRECT, MATCHED, TEXT = HASHED, HASHED + 1, HASHED + 2  # inputs after the hashed contexts; TEXT: the base
INPUTS = 32
FIRST_WEIGHT, FIRST_MATCHED, FIRST_TEXT = 600, 1500, 14000  # 2^-14
RATE_LAST, RATE_EXTRA = 12, 60  # learning rate of the mixer: LAST + EXTRA · 256 / (256 + bytes / 16)
MAX_SEEN, MAX_DIRECT, MAX_MATCHED = 1023, 30, 255
MAX_COUNTS = [MAX_SEEN] * HASHED + [MAX_DIRECT, MAX_MATCHED]
MAX_ODDS = 20 * 128  # limit for the base, in 128ths of an octave
CURVE = 11357  # 0.3466 · 2^15: log2(1 + x) is x + 0.3466 · x · (1 − x), nearly
END_CONTEXTS, END_LOG2 = (1, 2, 3, 4, 9), 16
HIGH, LOW, END = range(3)  # phases: the high nibble, the low nibble, whether the token ends


def log2(n: int) -> int:
    """2^23 · log2(n), for 0 < n < 2^31, from the float32 n.

    >>> log2(8) / 2**23, round(log2(3) / 2**23, 2)
    (3.0, 1.59)
    """
    bits = int(np.float32(n).view(np.int32))
    part = (bits & 0x7FFFFF) >> 8
    return bits - (127 << 23) - (bits & 0xFF) + (part * (32768 - part) * CURVE >> 22)


def _first_weights(number: int) -> list[int]:
    """Initial weights of a row. Rows are added: row 0 has the weights above, the others have zeros."""
    weights = [0] * INPUTS
    if number == 0:
        weights[: 2 * HASHED + 2 : 2] = [FIRST_WEIGHT] * (HASHED + 1)
        weights[2 * MATCHED], weights[2 * TEXT] = FIRST_MATCHED, FIRST_TEXT
    return weights


class Lane:
    def __init__(self, number: int, position: int, match: Match) -> None:
        """position: of its next byte in the history."""
        self.salt = (number + 1) * 0x9E3779B97F4A7C15 & MASK
        self.position, self.match, self.bytes = position, match, Bytes()
        self.hashes: list[int] | None = None  # of the contexts of the next byte
        self.places: list[tuple[int, int]] = []

    def contexts(self) -> list[int]:
        last, word, _ = self.bytes
        salt = self.salt
        hashes = [
            *orders_and_words(self.bytes),
            (last & 0xFFFFFF0000) + (8 << 60),  # bytes 3 to 5 back
            (last & 0xFFFFFF) + salt + (7 << 60),
            (last & 0xFFFFFFFFFF) + salt * 3 + 9,
            word + ((last & 255) << 52) + salt * 5 + 10,
        ]
        return [scramble(hash & MASK) for hash in hashes]


class BitwiseModel:
    """For each decision: p(…) of a one, then learn(bit). add(lane, byte) after the last bit of a byte."""

    def __init__(self, lanes: int, width: int, size: int) -> None:
        """width: maximum number of bytes of a lane. size: expected number of bytes of all lanes, by which tables are sized."""
        self.history = bytearray(lanes * width + 64)  # zeros beyond the end, for a match that runs over it
        self._slots = Slots(clamp((size * HASHED // 2).bit_length(), 8, 20))
        log2, heads = clamp((2 * size).bit_length(), 8, 22), dict[int, int]()
        self.lanes = [Lane(number, number * width, Match(log2, heads)) for number in range(lanes)]
        for lane in self.lanes:
            self.hash_contexts(lane)
        self._next_state, first = history_tables()
        #: [phase][context][history]
        self._counters = [[[(p, 0) for p in first] for _ in range(HASHED)] for _ in range(2)]
        #: direct counters by (last byte, high nibble + 1 or 0, node)
        self._direct: defaultdict[tuple[int, ...], Counter] = defaultdict(lambda: UNKNOWN)
        self._ends: defaultdict[tuple[int, int], Counter] = defaultdict(lambda: UNKNOWN)
        self._matched: dict[tuple[int, int, int, int], Counter] = {}
        self._weights: dict[tuple[int, ...], list[int]] = {}
        self._corrections: dict[tuple[int, int, int], list[int]] = {}
        self._coded = 0
        self.set_rate()

    def set_rate(self) -> None:
        """Set the learning rate of a step: high in the first bytes."""
        self._rate = RATE_LAST + RATE_EXTRA * 256 // (256 + min(self._coded >> 4, 1 << 24))

    def hash_contexts(self, lane: Lane) -> None:
        """Hash the contexts of the next byte."""
        if lane.hashes is None:
            lane.hashes = lane.contexts()
            lane.places = [self._slots.place(hash) for hash in lane.hashes]

    def add(self, lane: Lane, byte: int) -> None:
        """Append a byte to a lane."""
        match = lane.match
        if match.bucket and match.expected != byte:
            match.miss()
        match.prepare((lane.bytes.last << 8 | byte) & MASK & ~3)
        lane.bytes = lane.bytes.add(byte)
        self.history[lane.position] = byte
        lane.position += 1
        match.update(self.history, lane.position)
        if match.expected == 0:  # probably a place that is not written yet
            match.drop()
        lane.hashes = None
        self._coded += 1

    def find(self, lane: Lane, high: int | None) -> list[tuple[bytearray, int]]:
        """Histories of the low nibble that follows the nibble `high`; None: of the high nibble."""
        if high is None:
            return [self._slots.find(line, check) for line, check in lane.places]
        return [self._slots.find(line ^ (1 + high), (check + 11 * high + 1) & 255) for line, check in lane.places]

    def p(self, lane: Lane, place: int, coded: int, zero: int, one: int, histories: list[tuple[bytearray, int]]) -> int:
        """p · 2^16 that digit `place` of the next byte is one. coded: the bits of the byte before this digit, then zeros. zero, one: mass of
        both under the base. histories: of the nibble, from `find`."""
        match, level, after = lane.match, (place - 1) & 3, 8 - place
        phase = END if place == 0 else HIGH if place <= 4 else LOW
        node = high = guess = 0
        if phase != END:
            if match.bucket and (match.expected ^ coded) >> (after + 1):
                match.miss()
            guess = match.expected >> after & 1
            high = 1 + (coded >> 4) if phase == LOW else 0
            node = 1 << level | coded >> (after + 1) & (1 << level) - 1
        last = lane.bytes.last & 255
        self._phase, self._histories, self._node = phase, histories, node
        if phase == END:
            assert lane.hashes is not None
            self._keys = [(i, lane.hashes[context] >> (64 - END_LOG2)) for i, context in enumerate(END_CONTEXTS)]
            self._now = [self._ends[key] for key in self._keys]
        else:
            states = [line[4 * node + slot] for line, slot in histories]
            self._direct_key, self._match_key = (last, high, node), (phase, level, match.bucket, guess)
            expected = ((1 + 2 * guess) << 20, 8) if match.bucket else UNKNOWN  # p = 3/4 for the expected bit
            self._now = [table[state] for table, state in zip(self._counters[phase], states)]
            self._now += [self._direct[self._direct_key], self._matched.get(self._match_key, expected)]
        inputs = [x for counter in self._now for x in counters.inputs(counter)]
        x = clamp((log2(one) - log2(zero)) >> 16, -MAX_ODDS, MAX_ODDS)
        confidence = (squash_table()[clamp(2 * x, -LIMIT, LIMIT) + CENTRE] >> 6) - 512
        self._inputs = inputs + [0] * (2 * TEXT - len(inputs)) + [x, confidence] + [0] * (INPUTS - 2 * TEXT - 2)
        self._inputs[INPUTS - 1] = mixer.ONE
        letters = sum(is_letter(lane.bytes.last >> 8 * i & 255) << i for i in range(4))
        selectors = (match.bucket, min(abs(x) >> 6, 31), last, high * 16 + node, letters)
        self._rows = [
            self._weights.setdefault((number, phase, selector), _first_weights(number))
            for number, selector in enumerate(selectors)
        ]
        self._corrected = self._corrections.setdefault((last, high, node), correction.new_row())
        self._log_odds = mixer.predict(self._inputs, self._rows)
        p, self._bin = correction.predict(self._corrected, self._log_odds)
        return p

    def learn(self, bit: int) -> None:
        """Learn the bit whose probability `p` gave."""
        phase, at = self._phase, 4 * self._node
        mixer.learn(self._inputs, self._rows, (bit << 16) - squash_table()[self._log_odds + CENTRE], self._rate)
        correction.learn(self._corrected, self._bin, bit)
        after = [counters.learn(counter, bit, max_count) for counter, max_count in zip(self._now, MAX_COUNTS)]
        if phase == END:
            self._ends.update(zip(self._keys, after))
            return
        for table, counter, (line, slot) in zip(self._counters[phase], after, self._histories):
            table[line[at + slot]] = counter
            line[at + slot] = self._next_state[bit][line[at + slot]]
        self._direct[self._direct_key], self._matched[self._match_key] = after[HASHED:]
