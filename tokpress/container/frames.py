"""The .tokp container: frames, one after another, and nothing else. docs/format.md describes every byte.

Four checks guard a file. A CRC-16 of each frame finds damage before anything is decoded. A CRC-32 of its source finds a wrong decoder.
In a member (the frames of one source), each later frame holds its link, a CRC-32 of the header before it, so frames of two members
are never joined. The last frame of a member of 16 KiB or of several frames holds a 64-bit digest of the member's source (`digest`). No length is believed: payloads
are read in pieces of at most 1 MiB, so memory is bounded by the bytes that were read.

>>> import io, zlib
>>> header = FrameHeader(kind=Kind.RAW, source_length=5, payload_length=5, source_crc=zlib.crc32(b"hello"))
>>> header = write_frame(file := io.BytesIO(), header, b"hello")
>>> len(header.pack()), len(file.getvalue())
(13, 18)
>>> _ = file.seek(0)
>>> header = read_header(file)
>>> b"".join(restore_plain(header, Payload(file, header)))
b'hello'
"""

import io
import zlib
from binascii import crc_hqx
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import BinaryIO, NamedTuple

from ..errors import ChecksumError, FormatError
from .lzma2 import lzma_decode
from .proportion import least_payload
from .short import KEY_BYTES, MARKS, MAX_PAYLOAD, MAX_SHORT, RESERVED_MARKS, pack_sizes, take_sizes
from .varint import ADVICE, PIECE, pack_varint, read_if_ready, read_some, read_up_to, size, take_varint, write_all

SYNC = b"\xd4TP\x01"  # the last byte is the version of the format
LAST, CONTINUES, LAYOUT, RESERVED = 8, 16, 32, 192  # flags in the kind byte, above its three bits of kind
MAX_SOURCE = (
    1 << 26
)  # source bytes of a raw or model frame; lzma frames have no limit, since they are restored in pieces
MAX_NUMBER = (1 << 63) - 1  # the largest varint of nine bytes
#: most tokens for each source byte
MAX_TOKENS = 8
#: most lanes of a frame (docs/format.md, "Default lane rule")
MAX_LANES = 512
#: most bytes of an embedded model
MAX_WEIGHTS = 1 << 31
ID_BYTES, LINK_BYTES, DIGEST_BYTES, CONTEXT_BYTES = 4, 4, 8, 4
#: source bytes from which a member has a digest, though it is one frame; below, 8 bytes would be a part of the file that counts
DIGEST_FROM = MAX_SHORT + 1


def ends_with_digest(last: bool, sequence: int, source_length: int) -> bool:
    """Whether such a frame holds the digest of its member."""
    return last and (sequence > 0 or source_length >= DIGEST_FROM)


class Kind(IntEnum):
    """RESIDUAL: tokens of a lossy model, then the residual of their reconstruction, coded by a second model. CONTEXT: tokens of a model
    that has read a context, which the decoder needs too. WEIGHTS: a model for the frames after it; it restores nothing. GIVEN: tokens of
    a model of p(y | x), whose x the decoder needs too. SHORT: a CONTEXT frame without sync (`short`); no kind byte holds it."""

    RAW, LZMA, MODEL, RESIDUAL, CONTEXT, WEIGHTS, GIVEN, SHORT = 0, 1, 2, 3, 4, 5, 6, 8

    @property
    def model_ids(self) -> int:
        """Number of model ids in the header."""
        return {Kind.MODEL: 1, Kind.RESIDUAL: 2, Kind.CONTEXT: 1, Kind.WEIGHTS: 1, Kind.GIVEN: 1}.get(self, 0)

    @property
    def counts_tokens(self) -> bool:
        """Whether the header has a token count."""
        return self in (Kind.MODEL, Kind.RESIDUAL, Kind.CONTEXT, Kind.GIVEN)

    @property
    def is_coded(self) -> bool:
        """Whether a model restores the frame."""
        return self not in (Kind.RAW, Kind.LZMA, Kind.WEIGHTS)

    @property
    def reads_context(self) -> bool:
        """Whether the model has read a context."""
        return self in (Kind.CONTEXT, Kind.SHORT)

    @property
    def context_bytes(self) -> int:
        """Size of `FrameHeader.context_id`."""
        return {Kind.CONTEXT: CONTEXT_BYTES, Kind.GIVEN: CONTEXT_BYTES, Kind.SHORT: KEY_BYTES}.get(self, 0)


#: whether a rule holds, and its words
Rule = tuple[bool, str]


def _where(number: int, offset: int) -> str:
    return f"frame {number} (at byte {offset:,})"


@dataclass(frozen=True, kw_only=True)
class FrameHeader:
    """The header of a payload. Raises FormatError where it breaks a rule of the format."""

    kind: Kind
    source_length: int  # bytes this frame restores
    payload_length: int
    source_crc: int = 0  # CRC-32 of the bytes this frame restores; not of a short frame
    last: bool = True  # this frame ends its member (the frames of one source)
    sequence: int = 0  # 0 for the first frame of a member, then 1, 2, …
    link: bytes = b""  # CRC-32 of the header before it in the member; if sequence > 0
    total_length: int | None = None  # source bytes of the member; if last and sequence > 0
    digest: bytes = b""  # BLAKE2b of the member's source, 8 bytes; if `ends_with_digest`
    model_id: bytes | None = None  # see `Kind.model_ids`
    residual_id: bytes | None = None  # of the model that codes the residual: residual frames only
    context_id: bytes = b""  # second id: of the context, or of x; of a short frame, its key
    tokens: int | None = None
    lanes: int | None = None  # None: as many as the model's rule says
    check: int = 0  # CRC-16 of header and payload, which write_frame fills in; of a short frame, of header and source
    offset: int = field(default=0, compare=False)  # byte offset and frame number (from 1), for messages only
    number: int = field(default=1, compare=False)

    def __post_init__(self) -> None:
        for holds, rule in (*self._length_rules(), *self._member_rules(), *self._model_rules(), *self._context_rules()):
            if not holds:
                raise FormatError(
                    f"{self.where}: impossible header, against the rule “{rule}”: {ADVICE}; or a newer tokpress wrote it"
                )

    def _length_rules(self) -> tuple[Rule, ...]:
        numbers = (self.sequence, self.source_length, self.payload_length, self.total_length or 0)
        return (
            (min(numbers) >= 0 and max(numbers) <= MAX_NUMBER, "lengths lie in 0 … 2^63 − 1"),
            (self.source_length <= MAX_SOURCE or self.kind == Kind.LZMA, "at most 64 MiB of source"),
            (self.source_length > 0 or self.kind in (Kind.RAW, Kind.WEIGHTS), "only a raw frame may restore nothing"),
            (not (self.source_length or self.source_crc) or self.kind != Kind.WEIGHTS, "a model restores nothing"),
            (self.payload_length <= MAX_WEIGHTS or self.kind != Kind.WEIGHTS, "a model has at most 2^31 bytes"),
            (self.payload_length == self.source_length or self.kind != Kind.RAW, "a raw payload is the source"),
            # bounds memory; a real payload is smaller than its source
            (
                self.payload_length <= 8 * self.source_length + 64 or not self.kind.is_coded,
                "payload ≤ 8 · source length + 64",
            ),
        )

    def _member_rules(self) -> tuple[Rule, ...]:
        later = self.sequence > 0
        digest = ends_with_digest(self.last, self.sequence, self.source_length)
        return (
            (len(self.link) == LINK_BYTES * later, "later frames, and no others, have a link (4 bytes)"),
            ((self.total_length is not None) == (self.last and later), "a total ends several frames"),
            (self.alone or self.kind != Kind.WEIGHTS, "a model is a member by itself"),
            (
                len(self.digest) == DIGEST_BYTES * digest,
                f"a digest (8 bytes) ends several frames, or one of {DIGEST_FROM:,} bytes",
            ),
        )

    def _model_rules(self) -> tuple[Rule, ...]:
        count, tokens, counts = self.kind.model_ids, self.tokens or 0, self.kind.counts_tokens
        ids = [len(id) for id in self.model_ids] == [ID_BYTES] * count and (self.model_id is not None or not count)
        possible = 1 <= tokens <= MAX_TOKENS * self.source_length if counts else self.tokens is None
        least = least_payload(tokens, self.lanes or 1) if counts else 0
        return (
            (ids, "frames have as many model ids (4 bytes) as their kind says"),
            (possible, "1 … 8 · source length tokens"),
            (self.lanes is None or 1 <= self.lanes <= min(tokens, MAX_LANES), f"1 … min(tokens, {MAX_LANES}) lanes"),
            (self.payload_length >= least, "payload ≥ tokens / 2^14 − 4, and ≥ lanes − 16"),
        )

    def _context_rules(self) -> tuple[Rule, ...]:
        short, size = self.kind == Kind.SHORT, self.kind.context_bytes
        fits = self.alone and self.source_length <= MAX_SHORT and self.payload_length <= MAX_PAYLOAD
        return (
            (len(self.context_id) == size, "frames with a context or a given x, and no others, have its digest"),
            (
                self.lanes is None or not self.kind.reads_context,
                "a frame with a context has one lane, and does not say so",
            ),
            (fits or not short, f"a short frame is a member of at most {MAX_SHORT:,} bytes"),
        )

    @property
    def where(self) -> str:
        """Place of the frame, for messages."""
        return _where(self.number, self.offset)

    @property
    def alone(self) -> bool:
        """Whether it is the only frame of its member."""
        return self.last and not self.sequence

    @property
    def has_member_digest(self) -> bool:
        """Whether the last frame of its member holds a digest."""
        return not self.alone or bool(self.digest)

    @property
    def member_length(self) -> int | None:
        """Source bytes of the member, where this frame ends it."""
        return self.source_length if self.alone else self.total_length

    @property
    def frame_bytes(self) -> int:
        """Bytes of header and payload."""
        return len(self.pack()) + self.payload_length

    @property
    def model_ids(self) -> list[bytes]:
        """The models of the frame."""
        return [id for id in (self.model_id, self.residual_id) if id is not None]

    def pack(self) -> bytes:
        """The bytes of the header. A number has one encoding, so this is the exact reverse of read_header."""
        if self.kind == Kind.SHORT:
            mark, sizes = pack_sizes(self.source_length, self.payload_length)
            return bytes([mark]) + self.context_id + sizes + self.check.to_bytes(2, "little")
        flags = LAST * self.last + CONTINUES * (self.sequence > 0) + LAYOUT * (self.lanes is not None)
        head = SYNC + bytes([self.kind + flags])
        head += pack_varint(self.sequence) + self.link if self.sequence else b""
        head += pack_varint(self.source_length) + b"".join(self.model_ids) + self.context_id
        for number in (self.tokens, self.lanes, self.total_length):
            head += b"" if number is None else pack_varint(number)
        head += self.digest + pack_varint(self.payload_length)
        return head + self.source_crc.to_bytes(4, "little") + self.check.to_bytes(2, "little")

    def crc(self) -> int:
        """CRC-16 of the header between sync and check; the payload, or the source of a short frame, follows in it. It finds every single
        flipped bit, which half a CRC-32 does not."""
        return crc_hqx(self.pack()[0 if self.kind == Kind.SHORT else len(SYNC) : -2], 0xFFFF)

    def next_link(self) -> bytes:
        """The link of the frame that follows this one in its member."""
        return zlib.crc32(self.pack()).to_bytes(LINK_BYTES, "little")


class Damaged(NamedTuple):
    """A hole: `length` bytes from `offset` on hold no intact frame. Length 0: frames are missing there.

    unverified: it is not known that bytes are missing, but the frames around `offset` may not belong together."""

    offset: int
    length: int
    reason: str
    unverified: bool = False


class Payload:
    """The payload after a header, to be read once: by `read()`, or by iterating over pieces of at most 1 MiB.

    waits: give an empty piece where a non-blocking stream has no bytes yet, instead of raising BlockingIOError.
    The check is verified before the last piece; that of a short frame, by `check_source`. Raises FormatError (truncated) or ChecksumError (damaged).
    """

    def __init__(self, stream: BinaryIO, header: FrameHeader, waits: bool = False) -> None:
        self._stream, self._header, self._left, self._crc = stream, header, header.payload_length, header.crc()
        self._take = read_if_ready if waits else read_some
        self._verify()

    def _verify(self) -> None:
        if not self._left and self._crc != self._header.check and self._header.kind != Kind.SHORT:
            raise ChecksumError(f"{self._header.where}: damaged, header and payload fail their check: {ADVICE}")

    def __iter__(self) -> Iterator[bytes]:
        while self._left:
            if (piece := self._take(self._stream, min(PIECE, self._left))) == b"":
                missing = f"{size(self._left)} of its payload of {size(self._header.payload_length)} missing"
                raise FormatError(f"{self._header.where}: truncated, {missing}: get a complete copy of the file")
            piece = piece or b""
            self._left, self._crc = self._left - len(piece), crc_hqx(piece, self._crc)
            self._verify()
            yield piece

    def read(self) -> bytes:
        return b"".join(self)


def write_frame(out: BinaryIO, header: FrameHeader, payload: bytes | BinaryIO) -> FrameHeader:
    """Write header and payload. Returns the header with its check. A payload in a seekable file is read from its position, twice,
    because the check comes before it. (`short_check` gives the check of a short frame.)"""
    stream = io.BytesIO(payload) if isinstance(payload, bytes) else payload
    start, crc, left = stream.tell(), header.crc(), header.payload_length
    while left and (piece := stream.read(min(PIECE, left))):
        crc, left = crc_hqx(piece, crc), left - len(piece)
    if left or stream.read(1):
        raise ValueError("payload_length is not the length of the payload")
    stream.seek(start)
    if header.kind != Kind.SHORT:
        header = replace(header, check=crc)
    write_all(out, header.pack())
    for piece in Payload(stream, header):
        write_all(out, piece)
    return header


def short_check(header: FrameHeader, source: bytes) -> FrameHeader:
    """The header of a short frame with its check."""
    return replace(header, check=crc_hqx(source, header.crc()))


def read_header(stream: BinaryIO, offset: int = 0, number: int = 1) -> FrameHeader | None:
    """The header at the position of the stream; None at its end. `offset` and `number` are for messages only."""
    where = _where(number, offset)

    def take(count: int) -> bytes:
        if len(data := read_up_to(stream, count)) < count:
            raise FormatError(f"{where}: truncated inside the frame's header: get a complete copy of the file")
        return data

    sync = read_up_to(stream, 1)
    if not sync:
        return None
    if sync in MARKS:
        key = take(KEY_BYTES)
        source_length, payload_length = take_sizes(sync[0], take, where)
        return FrameHeader(
            kind=Kind.SHORT, context_id=key, source_length=source_length, payload_length=payload_length,
            check=int.from_bytes(take(2), "little"), offset=offset, number=number,
        )  # fmt: skip
    sync += read_up_to(stream, len(SYNC) - 1)
    if not SYNC.startswith(sync):
        raise FormatError(f"{where}: {_instead_of_sync(sync, stream, offset, number)}")
    flags = take(1)[0]
    kind, last = _kind_of(flags, where), bool(flags & LAST)
    sequence = take_varint(take, where) if flags & CONTINUES else 0
    if flags & CONTINUES and not sequence:
        raise FormatError(f"{where}: impossible header, it continues a member as its frame 0: {ADVICE}")
    link = take(LINK_BYTES) if sequence else b""
    source_length = take_varint(take, where)
    return FrameHeader(  # the arguments are evaluated in the order of the fields in the file
        kind=kind, last=last, sequence=sequence, offset=offset, number=number, link=link, source_length=source_length,
        model_id=take(ID_BYTES) if kind.model_ids else None,
        residual_id=take(ID_BYTES) if kind.model_ids > 1 else None,
        context_id=take(kind.context_bytes),
        tokens=take_varint(take, where) if kind.counts_tokens else None,
        lanes=take_varint(take, where) if flags & LAYOUT else None,
        total_length=take_varint(take, where) if last and sequence else None,
        digest=take(DIGEST_BYTES) if ends_with_digest(last, sequence, source_length) else b"",
        payload_length=take_varint(take, where),
        source_crc=int.from_bytes(take(4), "little"),
        check=int.from_bytes(take(2), "little"),
    )  # fmt: skip


def _kind_of(flags: int, where: str) -> Kind:
    """The kind in the kind byte. Raises FormatError where it, or a flag beside it, is unknown."""
    kind, in_lanes = flags & 7, (Kind.MODEL, Kind.RESIDUAL, Kind.GIVEN)
    if kind > Kind.GIVEN or flags & RESERVED or (flags & LAYOUT and Kind(kind) not in in_lanes):
        raise FormatError(
            f"{where}: kind byte {flags:#04x} is unknown: upgrade tokpress, or if it is damaged, {ADVICE}"
        )
    return Kind(kind)


def _instead_of_sync(found: bytes, stream: BinaryIO, offset: int, number: int) -> str:
    """Description of the bytes at which a frame should begin, and advice."""
    if number > 1 and not any(found) and _only_zeros_follow(stream):
        remedy = f"cut them off, `truncate -s {offset} FILE` does it"
        return f"only zero bytes follow the last frame, the padding of a copy: {remedy}"
    if found.startswith(SYNC[:3]):
        return f"format version {found[3]}, but this tokpress reads {SYNC[3]}: upgrade tokpress, or if it is damaged, {ADVICE}"
    what = "not a .tokp file: check its name" if number == 1 else f"no frame begins here, damaged: {ADVICE}"
    what += "; or a short frame of a later version: upgrade tokpress" if found[0] in RESERVED_MARKS else ""
    return f"{what} (a frame begins with the bytes {SYNC.hex(' ')})"


def _only_zeros_follow(stream: BinaryIO) -> bool:
    while piece := read_up_to(stream, PIECE):
        if piece.strip(b"\0"):
            return False
    return True


def check_source(header: FrameHeader, source: bytes) -> None:
    """Raises ChecksumError unless `source` has the length and the checksum in the header."""
    if header.kind == Kind.SHORT:
        crc, right = crc_hqx(source, header.crc()), header.check
    else:
        crc, right = zlib.crc32(source), header.source_crc
    _check_source(header, len(source), crc, right)


def _check_source(header: FrameHeader, length: int, crc: int, right: int) -> None:
    if (length, crc) != (header.source_length, right):
        raise ChecksumError(
            f"{header.where}: probably damaged, the {size(length)} decoded from it are not the source of "
            f"{size(header.source_length)} that its checksum tells: {ADVICE}; if a copy that is surely undamaged fails in the "
            "same way, please report it"
        )


def restore_plain(header: FrameHeader, payload: Iterable[bytes]) -> Iterator[bytes]:
    """The source of a raw or lzma frame in pieces of at most 1 MiB. All are verified before the last piece. An empty piece of the
    payload gives an empty piece."""
    if header.kind.is_coded:
        raise ValueError("a model frame is restored by its model")
    length, crc, held = 0, 0, b""
    for piece in payload if header.kind == Kind.RAW else lzma_decode(payload, header.source_length, header.where):
        length, crc = length + len(piece), zlib.crc32(piece, crc)
        if held or not piece:
            yield held if piece else piece
        held = piece or held
    _check_source(header, length, crc, header.source_crc)
    yield held
