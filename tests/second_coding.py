"""The coders, lanes and grids of tests/second_reader.py, of docs/format.md. Nothing of tokpress is imported."""

import lzma
import math
import struct
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate, product

WHOLE = 1 << 24


class Refused(ValueError):
    """The file breaks a rule of docs/format.md, or is damaged."""


def need(condition, reason: str) -> None:
    if not condition:
        raise Refused(reason)


class Cursor:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        need(size <= len(self.data) - self.at, "truncated")
        self.at += size
        return self.data[self.at - size : self.at]

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def varint(self) -> int:
        value = 0
        for place in range(9):
            byte = self.number(1)
            value |= (byte & 127) << 7 * place
            if byte < 128:
                need(byte or not place, "a varint that is not as short as possible")
                return value
        raise Refused("a varint of more than nine bytes")


def singles(values) -> tuple[float, ...]:
    """Rounded to float32. One operation on float32 numbers in float64, then this, is the float32 operation."""
    return struct.unpack(f"{len(values)}f", struct.pack(f"{len(values)}f", *values))


@lru_cache(64)
def edges(row: tuple[float, ...]) -> list[int]:
    """The start of each symbol's interval, then 2^24."""
    single = struct.Struct("f")
    sums = list(accumulate(row, lambda a, b: single.unpack(single.pack(a + b))[0]))
    (t,) = singles([(WHOLE - len(row)) / sums[-1]])
    return [0, *(int(scaled) + v for v, scaled in enumerate(singles([s * t for s in sums[:-1]]), 1)), WHOLE]


class RangeDecoder:
    def __init__(self, payload: bytes) -> None:
        self.words = Cursor(payload + bytes(-len(payload) % 4 + 16))  # at most four words of zeros
        self.range, self.above = (1 << 64) - 1, int.from_bytes(self.words.take(8))  # above: the number − lower

    def narrow(self, left: int, right: int) -> None:
        scale = self.range >> 24
        self.above, self.range = self.above - scale * left, scale * (right - left)
        if self.range < 1 << 32:
            self.range, self.above = self.range << 32, self.above << 32 | int.from_bytes(self.words.take(4))

    def target(self) -> int:
        need(self.above // (self.range >> 24) < WHOLE, "words that no encoder writes")
        return self.above // (self.range >> 24)

    def pop(self, rows) -> list[int]:
        symbols = []
        for bounds in (edges(tuple(row)) for row in rows):
            symbols.append(bisect_right(bounds, self.target()) - 1)
            self.narrow(*bounds[symbols[-1] : symbols[-1] + 2])
        return symbols

    def bit(self, one: int) -> int:
        """A decision whose ones have the lower interval, `one` of 2^24."""
        bit = int(self.target() < one)
        self.narrow(*((0, one) if bit else (one, WHOLE)))
        return bit


class Stack:
    def __init__(self, payload: bytes) -> None:
        payload = payload.rstrip(b"\0")
        self.words, self.state = [w for (w,) in struct.iter_unpack("<I", payload + bytes(-len(payload) % 4))], 0
        self.refill()

    def refill(self) -> None:
        while self.words and self.state < 1 << 32:
            self.state = self.state << 32 | self.words.pop()

    def pop(self, rows) -> list[int]:
        symbols = []
        for bounds in (edges(tuple(row)) for row in rows):
            q = self.state % WHOLE
            symbols.append(symbol := bisect_right(bounds, q) - 1)
            self.state = (self.state >> 24) * (bounds[symbol + 1] - bounds[symbol]) + q - bounds[symbol]
            self.refill()
        return symbols

    def push(self, symbols: list[int], rows) -> None:
        for symbol, row in reversed(list(zip(symbols, rows))):
            left, right = edges(tuple(row))[symbol : symbol + 2]
            if self.state >> 40 >= right - left:
                self.words.append(self.state & 0xFFFFFFFF)
                self.state >>= 32
            self.state = (self.state // (right - left) << 24) + self.state % (right - left) + left


def histogram(model):
    """2c + 1 of each symbol by their sum; c counts in training, or in the tokens of all lanes so far."""
    static = model.prior["static"]
    doubled = [2 * c + 1 for c in (model.tensor("counts", "q") if static else [0] * model.symbols)]

    def rows(previous, live: int, classes):
        for symbol in () if static else previous or ():
            doubled[symbol] += 2
        (total,) = singles([sum(doubled)])
        return [singles([d / total for d in singles(doubled)])] * live

    return rows


def by_symbols(model, coder: RangeDecoder, rows):
    """step(tokens before, live lanes, the token if it is known) → tokens"""
    members = len(model.symbol) // model.classes if model.classes else 0

    def step(previous, live: int, given=None):
        found, known = rows(previous, live, None), given is not None
        if not members:
            return [given] if known else coder.pop(found)
        of_class = [model.place[given] // members] if known else coder.pop(found)
        found = rows(previous, live, of_class)
        return [given] if known else [model.symbol[c * members + m] for c, m in zip(of_class, coder.pop(found))]

    return step


def by_decisions(model, coder: RangeDecoder, decisions, lanes: int):
    """As by_symbols. A token's place, or a byte, is a path of decisions."""
    symbols, bits = len(model.symbol), (len(model.symbol) - 1).bit_length()
    first = bits - (symbols // model.classes).bit_length() + 1 if model.classes else bits
    half = lanes // 2 if model.base["name"] == "mingru" and not model.base.get("online") else 0

    def step(previous, live: int, given=None):
        decisions.begin(previous, live)
        places = [0] * live
        for group, part in product((range(min(half, live)), range(half, live)), (range(first), range(first, bits))):
            for lane, at in product(group, part):
                places[lane], after = 2 * places[lane], bits - 1 - at
                if places[lane] + 1 << after < symbols:
                    p = decisions.p()
                    if given is not None:
                        bit = model.place[given] >> after & 1
                    else:
                        bit = coder.bit(p << 8) if model.by_bits else coder.pop([(1 - p / 65536, p / 65536)])[0]
                    decisions.learn(bit)
                    places[lane] += bit
        return [model.symbol[place] for place in places]

    return step


def cut(tokens: int, lanes: int, stride: int) -> tuple[int, int]:
    """(lanes that hold tokens, tokens of each but the last)."""
    steps = -(-tokens // (lanes * stride)) * stride
    return -(-tokens // steps) if steps else 0, steps


def in_lanes(step, tokens: int, lanes: int, stride: int = 1) -> list[int]:
    """Tokens decoded in lock-step: step(tokens before or None, live lanes) → the next token of each, or [] to end early."""
    (_, steps), columns, previous = cut(tokens, lanes, stride), list[list[int]](), None
    for t in range(steps):
        live = -(-(tokens - t) // steps)
        previous = step(previous and previous[:live], live)
        columns.append(previous)
        if not previous:
            break
    return [column[lane] for lane in range(lanes) for column in columns if lane < len(column)]


def in_place(tokens: list[int], order: list[int]) -> list[int]:
    """Tokens in the order of the source. Those before the first whole item are coded last."""
    whole = len(tokens) // len(order) * len(order)
    out = tokens[whole:] + [0] * whole
    for at, token in enumerate(tokens[:whole]):
        out[len(tokens) - whole + at // len(order) * len(order) + order[at % len(order)]] = token
    return out


def mixture(payload: bytes, tokens: int, lanes: int, orders: list[list[int]], rows) -> list[int]:
    """The tokens of an ensemble. orders: that of each member. rows(member, lanes, tokens): the rows of lanes, step by step."""
    stack, size, members, out = Stack(payload), len(orders[0]), len(orders), list[int]()

    def popped(k: int, n: int, tokens: int) -> list[int]:
        member = rows(k, n, tokens)
        return in_lanes(lambda previous, live: stack.pop(member(previous, live, None)), tokens, n, size)

    def likelihood(k: int, items: list[list[int]]) -> list[tuple[float, int]]:
        """p(x) of each item under a member, as m · 2^e with ½ ≤ m < 1."""
        member, previous, joint = rows(k, len(items), len(items) * size), None, [(0.5, 1)] * len(items)
        for position in orders[k]:
            symbols = [item[position] for item in items]
            for i, row in enumerate(member(previous, len(items), None)):
                m, more = math.frexp(joint[i][0] * max(row[symbols[i]], 2.0**-24))
                joint[i] = m, joint[i][1] + more
            previous = symbols
        return joint

    def posterior(joint: tuple[tuple[float, int], ...]) -> tuple[float, ...]:
        most = max(e for _, e in joint)
        weights = [math.ldexp(m, max(e - most, -64)) for m, e in joint]
        total = list(accumulate(weights))[-1]  # in order
        return singles([weight / total for weight in weights])

    lead = popped(0, 1, tokens % size)
    for at in range(0, tokens // size, lanes):
        n = min(lanes, tokens // size - at)
        chosen, items = stack.pop([singles([1 / members] * members)] * n), [list[int]()] * n
        for k in range(members):
            mine = [i for i in range(n) if chosen[i] == k]
            drawn = in_place(popped(k, len(mine), len(mine) * size), orders[k]) if mine else []
            for j, i in enumerate(mine):
                items[i] = drawn[j * size : (j + 1) * size]
        if at + n < tokens // size:
            stack.push(chosen, [posterior(joint) for joint in zip(*(likelihood(k, items) for k in range(members)))])
        out += [token for item in items for token in item]
    need(not stack.words and not stack.state, "words are left over")
    return lead + out


def branches(code: bytes) -> bytes:
    """The source of bytes that went through the filter 86."""
    out = bytearray(code)
    for at in range(len(out) - 4):
        known = at > 1 and out[at] & 0xC7 == 5 and (out[at - 2] & 0xF8 == 0x48 or out[at - 1] in b"\xff\x89\x8b\x8d")
        if out[at + 4] in b"\x00\xff" and (out[at] in b"\xe8\xe9" or known):
            out[at + 1 : at + 4] = ((int.from_bytes(out[at + 1 : at + 4]) - at) % WHOLE).to_bytes(3, "little")
    return bytes(out)


def lzma2(payload: bytes, length: int) -> bytes:
    d = payload[0] if payload else 29
    need(d <= 28, "an lzma dictionary")
    size = max(4096, min((2 + d % 2) << (d // 2 + 11), length))
    decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": size}])
    try:
        source = decoder.decompress(payload[1:], length + 1)
    except lzma.LZMAError as error:
        raise Refused(f"lzma: {error}") from error
    need(decoder.eof and not decoder.unused_data and len(source) == length, "an lzma stream without its end mark")
    return source


class Grid:
    """Where the samples of a source of `length` bytes lie."""

    def __init__(self, packed: bytes, length: int, of_items: bool) -> None:
        cursor, self.packed = Cursor(packed), packed
        kinds = cursor.number(1)
        self.start, rows, columns, channels, padding = (cursor.varint() for _ in range(5))
        frames = cursor.varint() if kinds & 32 else 1
        need(kinds < 64 and cursor.at == len(packed), "a grid with something else")
        need(min(rows, columns, channels) > 0 and max(rows, columns, padding) < 1 << 32, "sides of a grid")
        need(channels <= 8 and (not kinds & 1 or columns * channels <= 1 << 18), "rows of a grid")
        need(not kinds & 32 or (of_items and kinds & 1 and frames > 1 and rows % frames == 0), "frames of a grid")
        self.used = columns * channels * ((kinds >> 3 & 3) + 1)
        self.row, self.stop = self.used + padding, self.start + rows * (self.used + padding)
        need(self.stop <= length, "samples beyond the source")
        need(not of_items or (self.start, padding, self.stop) == (0, 0, length), "bytes around items")

    def around(self, length: int) -> list[int]:
        """The places of the bytes that are not samples."""
        start, stop = self.start, self.stop
        return [at for at in range(length) if not (start <= at < stop and (at - start) % self.row < self.used)]
