"""The 64-bit digest of a member's source. It finds a wrong decoder, and intact frames that do not belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ChecksumError
from .frames import DIGEST_BYTES, MAX_NUMBER, FrameHeader
from .varint import ADVICE

if TYPE_CHECKING:
    from hashlib import blake2b


class Digest:
    """BLAKE2b (Aumasson et al. 2013, RFC 7693), 8 bytes, of the source of a member, taken piece by piece."""

    def __init__(self) -> None:
        self._hash: blake2b | None = None
        self._length = 0

    def take(self, piece: bytes, at: int | None = None) -> None:
        """Take the next piece, or one that begins at byte `at` of the member. Bytes taken before are skipped, and a piece after a
        gap is ignored."""
        overlap = 0 if at is None else self._length - at
        if 0 <= overlap < len(piece):
            self._started().update(memoryview(piece)[overlap:])
            self._length += len(piece) - overlap

    def _started(self) -> blake2b:
        if self._hash is None:
            from hashlib import blake2b  # slow to import

            self._hash = blake2b(digest_size=DIGEST_BYTES)
        return self._hash

    def value(self) -> bytes:
        return self._started().digest()

    def check(self, header: FrameHeader) -> None:
        """Raises ChecksumError where the last frame of a member has another digest than the pieces. Does nothing where part of the
        member was not taken."""
        if header.digest and self._length == header.member_length and self.value() != header.digest:
            several = "each frame of its member is intact, the whole is not"
            what = "its checksum of 32 bits is right, its digest is not" if header.alone else several
            raise ChecksumError(f"{header.where}: {what}: {ADVICE}")


def digest_of(data: bytes) -> bytes:
    """The same digest of bytes in memory: of a context, and of a file that a model is given."""
    digest = Digest()
    digest.take(data)
    return digest.value()


class DigestInOrder:
    """The digests of the members of a stream, whose frames come in order (`DigestInAnyOrder` is for files that can seek). Pieces may be
    missing: their member is then not compared."""

    def __init__(self) -> None:
        self._digest, self._at = Digest(), 0

    def begin(self, header: FrameHeader) -> None:
        """Begin a frame, perhaps of a new member."""
        if not header.sequence:
            self._digest, self._at = Digest(), 0

    def take(self, header: FrameHeader, piece: bytes) -> None:
        """Take the next piece of the frame."""
        if header.has_member_digest:
            self._digest.take(piece, self._at)
        self._at += len(piece)

    def lose(self) -> None:
        """Note that a piece is missing."""
        self._at = MAX_NUMBER

    def check(self, header: FrameHeader) -> None:
        """Raises ChecksumError where the frame ends a member with another digest."""
        self._digest.check(header)


class DigestInAnyOrder:
    """The digest of a member whose frames are read in any order, by their places. It begins again at each jump to another member; a part that
    was read twice counts once, and a member with a gap is not compared."""

    def __init__(self) -> None:
        self._digest, self._member_start = Digest(), 0

    def take(self, header: FrameHeader, member_start: int, at: int, piece: bytes, frame_end: int) -> None:
        """Take the piece that begins at byte `at` of the source. Raises ChecksumError where it completes a member with another
        digest."""
        if not header.has_member_digest:
            return
        if member_start != self._member_start:
            self._digest, self._member_start = Digest(), member_start
        self._digest.take(piece, at - member_start)
        if at + len(piece) == frame_end:
            self._digest.check(header)
