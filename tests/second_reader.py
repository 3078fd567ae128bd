"""A second reader of .tokp files: plain Python of the standard library, written from docs/format.md. It imports nothing of tokpress.
The container was written from that page alone. The definitions that the page then lacked were read in the code and added to the page.

Independent, here and in second_coding.py: frames of all kinds, limits and checks; members; short frames; embedded models and ids; lanes, their
default, order in items; least payloads; the range coder, the stack, intervals and float32; class-factored symbols; the order of bitwise decisions
and of bits; mixtures of whole items; contexts; grids, bytes around samples, the x86 filter; residuals; the prior `histogram`; the tokenizers
`bytes`, `nibbles`, `top_bit` and `bits`, and tokens of `bpe`, `chars` and `words` to bytes.

Not independent: what the format defines by modules of the package. The caller supplies it as an object with these methods:

    order(model, member)                  positions of an item's tokens, in the order of coding; [] for a prior that is not over items
    rows(model, member, lanes, tokens)    a function of (tokens before or None, live lanes, their classes or None): their next rows
    decisions(model, lanes, tokens, grid) an object: begin(tokens before or None, live lanes) a step; p() · 2^16 of a decision; learn(bit)
    samples(grid, source, bit)            linear prediction: writes samples to their places; bit(p · 2^24) decodes a decision
    tokenize(model, context)              tokens of a context by `bpe`
    reconstruct(model, tokens, grid, n)   n bytes from the tokens of a learned tokenizer
`member` is that of an ensemble, else None; `tokens` sizes tables; `grid` is packed, b"" without samples. Not here: archives, indexes, the
search for frames around damage, given frames, segments."""

import binascii
import hashlib
import json
import math
import struct
import zlib
from contextlib import suppress
from functools import partial
from itertools import accumulate, count
from typing import Any

from . import second_coding as coding
from .second_coding import Cursor, Grid, RangeDecoder, Refused, need

RAW, LZMA, MODEL, RESIDUAL, CONTEXT, WEIGHTS, GIVEN = range(7)
MODEL_FILES = "config.json", "tokenizer.json", "model.safetensors", "tokenizer.safetensors"
#: bits of each token of a byte
SPLITS = {"bytes": (8,), "nibbles": (4, 4), "top_bit": (1, 7), "bits": (1,) * 8}
#: the most lanes of priors over items, where not 512
MOST = {"linear_attention": 256} | dict.fromkeys(
    ("transformer", "sparse_transformer", "encoder_decoder", "next_scale"), 128
)
#: most tokens for each byte of a payload, where not 256
DENSITY = {"context_mixing": 1 << 14, "linear_prediction": 1 << 14, "mingru": 64}


def blake2b(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=8).digest()


class Model:
    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, config = files, json.loads(files["config.json"])
        self.prior, self.tokenizer, self.words = config["prior"], config["tokenizer"]["name"], dict[int, bytes]()
        hashed = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
        for name in MODEL_FILES[1 : 4 if MODEL_FILES[3] in files else 3]:
            data = files.get(name, b"")
            hashed.update(name.encode() + struct.pack("<Q", len(data)) + data)
        self.id, self.name, self.base = hashed.digest()[:4], self.prior["name"], self.prior
        self.of_items = "shape" in config["tokenizer"]
        listed = json.loads(files.get("tokenizer.json", b"{}"))
        if self.tokenizer in ("bpe", "chars", "words"):
            self.words = {symbol: token.encode("latin-1") for token, symbol in listed["model"]["vocab"].items()}
            self.words |= {} if self.tokenizer == "bpe" else {byte: bytes([byte]) for byte in range(256)}
            self.symbols = max(self.words) + 1
        elif self.tokenizer == "palette":
            self.symbols = len(listed["colours"])
        elif self.tokenizer in SPLITS:
            self.symbols = 1 << max(SPLITS[self.tokenizer])
        else:  # a learned tokenizer, or one of segments, which is not here
            settings = config["tokenizer"]
            self.symbols = settings.get("codes") or math.prod(map(int, settings.get("levels", "0").split(",")))
        self.by_bits = self.name in ("context_mixing", "linear_prediction")
        self.on_grid = self.of_items or self.prior.get("on_grid") or self.name == "linear_prediction"
        while self.base["name"] in ("bitwise", "memory"):
            self.base = self.base["base"]
        self.classes = self.base.get("classes", 0)
        key: Any = self.tensor("place", "i").__getitem__ if self.classes else self.words.get if self.words else int
        self.symbol = sorted(range(self.symbols), key=key)  # of each place
        self.place = sorted(range(self.symbols), key=self.symbol.__getitem__)

    def tensor(self, name: str, kind: str) -> list[int]:
        data = self.files["model.safetensors"]
        start = 8 + int.from_bytes(data[:8], "little")
        begin, end = (start + at for at in json.loads(data[8:start])[name]["data_offsets"])
        return [value for (value,) in struct.iter_unpack(f"<{kind}", data[begin:end])]

    def default_lanes(self, n: int, item: int) -> int:
        if self.by_bits:
            return 1
        if self.name == "ensemble":
            return min(-(-n // item), max(1, min(128, coding.WHOLE // (item * self.symbols))))
        if item:
            return min(-(-n // item), MOST.get(self.base["name"], 512))
        if self.base["name"] == "mingru":
            return min(-(-n // (1024 if self.name != "bitwise" else 4096 if n < 1 << 17 else 2048)), 128)
        return max(1, min(n // 96, 16), min(n // 1024, 128))


def density(prior) -> int:
    if "base" in prior:
        return density(prior["base"])
    return min(map(density, prior["members"])) if prior["name"] == "product" else DENSITY.get(prior["name"], 256)


class Frame:
    def __init__(self, cursor: Cursor) -> None:
        start, sync = cursor.at, cursor.take(4)
        need(sync[:3] == b"\xd4TP", "not a .tokp file, or damaged")
        flags = cursor.number(1)
        kind, self.last, follows, layout = flags & 7, flags & 8, flags & 16, flags & 32
        known = flags < 64 and kind <= GIVEN and not (layout and kind not in (MODEL, RESIDUAL, GIVEN))
        need(sync[3] == 1 and known, "of a later version: upgrade")
        has_tokens = kind in (MODEL, RESIDUAL, CONTEXT, GIVEN)
        self.number, self.link = (cursor.varint(), cursor.number(4)) if follows else (0, 0)
        self.length = cursor.varint()
        self.model = cursor.take(4 if kind >= MODEL else 0)
        self.second = cursor.take(4 if kind in (RESIDUAL, CONTEXT, GIVEN) else 0)
        self.tokens = cursor.varint() if has_tokens else 0
        self.lanes = cursor.varint() if layout else 0
        self.total = cursor.varint() if self.last and follows else None
        self.digest = cursor.take(8 if self.last and (follows or self.length >= 1 << 14) else 0)
        size, self.crc = cursor.varint(), cursor.number(4)
        checked, check = cursor.data[start + 4 : cursor.at], cursor.number(2)
        self.kind, self.header = kind, cursor.data[start : cursor.at]
        need(self.number or not follows, "sequence number 0")
        need(kind in (LZMA, WEIGHTS) or self.length <= 1 << 26, "source length")
        need(kind in (RAW, WEIGHTS) or self.length >= 1, "source length 0")
        need(kind != RAW or size == self.length, "payload length of a raw frame")
        alone = self.length == self.crc == 0 and size <= 1 << 31 and self.last and not follows
        need(kind != WEIGHTS or alone, "weights")
        need(not has_tokens or 1 <= self.tokens <= 8 * self.length, "token count")
        need(not layout or 1 <= self.lanes <= min(self.tokens, 512), "lanes")
        need(not has_tokens or least(self.tokens, self.lanes) <= size <= 8 * self.length + 64, "payload length")
        self.payload = cursor.take(size)
        need(binascii.crc_hqx(checked + self.payload, 0xFFFF) == check, "check")


def least(tokens: int, lanes: int, density: int = 1 << 14) -> int:
    return max(-(-tokens // density) - 4, lanes - 16)


class Reader:
    def __init__(self, models=(), context: bytes | None = None, supplied=None) -> None:
        self.models, self.context, self.supplied = list(models), context, supplied

    def read(self, data: bytes) -> list[bytes]:
        """The source of each member."""
        cursor, members, waits = Cursor(data), [], not data
        while cursor.at < len(data):
            if data[cursor.at] in b"\xd1\xd2\xd7":
                members, waits = [*members, self.short(cursor)], False
                continue
            frame, source, before = Frame(cursor), b"", 0
            for number in count():
                need(frame.number == number and frame.link == before, "sequence or link")
                restored = self.restored(frame)
                need(zlib.crc32(restored) == frame.crc and len(restored) == frame.length, "source CRC")
                source, before = source + restored, zlib.crc32(frame.header)
                if frame.last:
                    break
                frame = Frame(cursor)
            need(frame.total in (None, len(source)), "total length")
            need(not frame.digest or frame.digest == blake2b(source), "digest")
            waits = frame.kind == WEIGHTS
            members += [] if waits else [source]
        need(not waits, "no frame at the end")
        return members

    def short(self, cursor: Cursor) -> bytes:
        start, mark, key = cursor.at, cursor.number(1), cursor.take(2)
        if mark == 0xD2:
            size, length = divmod(cursor.number(3), 1 << 14)
        else:
            length, size = cursor.number(1 + mark // 0xD7), cursor.number(1 + mark // 0xD7)
        fits = 0xD1 if max(length, size) < 256 else 0xD2 if size < 1024 else 0xD7
        need(mark == fits and 1 <= length < 1 << 14 and size <= 8 * length + 64, "lengths of a short frame")
        header, check, payload = cursor.data[start : cursor.at], cursor.number(2), cursor.take(size)
        context = blake2b(self.context or b"")
        found = [model for model in self.models if blake2b(model.id + context)[:2] == key]
        for model in found if self.context is not None else ():
            with suppress(Refused):
                source = self.source(model, payload, None, 0, length, self.context)
                need(binascii.crc_hqx(header + source, 0xFFFF) == check, "check")
                return source
        raise Refused("no model or context for the key, or damage")

    def model(self, id: bytes) -> Model:
        found = [model for model in self.models if model.id == id]
        need(found, f"no model {id.hex()}")
        return found[0]

    def restored(self, frame: Frame) -> bytes:
        cursor = Cursor(frame.payload)
        if frame.kind == RAW:
            return frame.payload
        if frame.kind == LZMA:
            return coding.lzma2(frame.payload, frame.length)
        if frame.kind == WEIGHTS:
            files = dict[str, bytes]()
            while cursor.at < len(cursor.data):
                name = cursor.take(cursor.varint()).decode("latin-1")
                need([*files, name] == [n for n in MODEL_FILES if n in (*files, name)], "another name or order")
                files[name] = cursor.take(cursor.varint())
            need("config.json" in files and Model(files).id == frame.model, "another model than its id says")
            self.models.append(Model(files))
            return b""
        need(frame.kind != GIVEN, "items that are given others are not here")
        model, context = self.model(frame.model), self.context if frame.kind == CONTEXT else None
        if frame.kind == CONTEXT:
            need(context is not None and blake2b(context)[:4] == frame.second, "another context")
        if frame.kind != RESIDUAL:
            return self.source(model, frame.payload, frame.tokens, frame.lanes, frame.length, context)
        second, width = self.model(frame.second), 2 if model.tokenizer == "audio_rvq" else 1
        near = self.source(model, cursor.take(cursor.varint()), frame.tokens, frame.lanes, frame.length)
        tokens = frame.length * len(SPLITS[second.tokenizer])
        residual = Cursor(self.source(second, cursor.rest(), tokens, 0, frame.length))
        middle, reconstruction = (0 if width == 2 else 128), Cursor(near)
        sums = (reconstruction.number(width) + residual.number(width) - middle for _ in range(frame.length // width))
        return b"".join((each % (1 << 8 * width)).to_bytes(width, "little") for each in sums)

    def source(self, model: Model, payload: bytes, tokens, lanes: int, length: int, context=None) -> bytes:
        """The bytes that a payload restores. tokens None: as many as make them."""
        cursor, packed, padded, split = Cursor(payload), b"", tokens is not None, SPLITS.get(model.tokenizer)
        grid: Grid | None = None
        if split:
            need(tokens in (None, length * len(split)), "token count")
            tokens = length * len(split)
        elif model.words:
            need(not padded or -(-length // max(map(len, model.words.values()))) <= tokens <= length, "token count")
        stepped = not model.by_bits and model.name not in ("histogram", "bitwise")
        members = range(len(model.prior["members"])) if model.name == "ensemble" else [None]
        orders = [self.supplied.order(model, member) if stepped else [] for member in members]
        default = 1 if context is not None else model.default_lanes(tokens, len(orders[0]))
        need(lanes != default and (not lanes or not model.by_bits), "the default number of lanes is not stored")
        lanes = lanes or default
        need(not padded or len(payload) >= least(tokens, lanes, density(model.prior)), "a payload that is too short")
        if model.on_grid:
            packed = cursor.take(cursor.number(1))
            grid = Grid(packed, length, model.of_items) if packed else None
        if grid and model.name == "linear_prediction":
            around, source, first = grid.around(length), bytearray(length), cursor.take(cursor.varint())
            self.supplied.samples(packed, source, RangeDecoder(cursor.rest()).bit)
            for at, byte in zip(around, self.tokens(model, first, len(around), 1, 0, 0, None, b"")):
                source[at] = byte
            return bytes(source)
        if model.name == "ensemble":
            coded = coding.mixture(cursor.rest(), tokens, lanes, orders, partial(self.supplied.rows, model))
        else:
            coded = self.tokens(model, cursor.rest(), tokens, lanes, len(orders[0]), length, context, packed)
            coded = coding.in_place(coded, orders[0]) if orders[0] else coded
        if model.words:
            return b"".join(map(model.words.__getitem__, coded))
        if not split:
            return self.supplied.reconstruct(model, coded, packed, length)
        source = bytearray()
        for at in range(0, len(coded), len(split)):
            parts = list(zip(coded[at : at + len(split)], split))
            need(all(token < 1 << bits for token, bits in parts), "a token outside its part of a byte")
            source.append(int("".join(f"{token:0{bits}b}" for token, bits in parts), 2))
        return bytes(source)

    def tokens(self, model: Model, payload: bytes, tokens, lanes: int, item: int, length: int, context, packed: bytes):
        if model.by_bits and not tokens:
            need(not payload, "a payload of no bytes")
            return []
        kind, payload = (payload[:1], payload[1:]) if model.by_bits and context is None else (b"\0", payload)
        need(kind in (b"\0", b"\x86"), "another filter")
        known, ends = list[int](), list(accumulate(SPLITS.get(model.tokenizer, ())))
        if context is not None and model.words:
            known = self.supplied.tokenize(model, context)
        elif context is not None:
            known = [
                byte >> (8 - end) & (1 << bits) - 1
                for byte in context
                for end, bits in zip(ends, SPLITS[model.tokenizer])
            ]
        tables = tokens if context is None else len(known) + max(tokens or 0, 1 << 14)
        coder, (lanes, _) = RangeDecoder(payload), coding.cut(tokens or length, lanes, item or 1)
        if model.by_bits or model.name == "bitwise":
            step = coding.by_decisions(model, coder, self.supplied.decisions(model, lanes, tables, packed), lanes)
        else:
            counted = model.name == "histogram"
            rows = coding.histogram(model) if counted else self.supplied.rows(model, None, lanes, tables)
            step = coding.by_symbols(model, coder, rows)
        first, restored = None, 0
        for token in known:
            first = step(first, 1, token)

        def within(previous, live: int):
            nonlocal restored
            if tokens is None and restored == length:
                return []
            found = step(first if previous is None else previous, live)
            need(not model.words or all(token in model.words for token in found), "no token of the vocabulary")
            restored += sum(len(model.words.get(token, b"")) for token in found)
            need(restored <= length or not model.words, "tokens of more bytes than the source")
            return found

        found = coding.in_lanes(within, tokens or length, lanes, item or 1)
        return list(coding.branches(bytes(found))) if kind == b"\x86" else found
