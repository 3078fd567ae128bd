"""The digest of a member's source: what its frames, each of them intact, make together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ChecksumError
from .frames import DIGEST_BYTES, FrameHeader
from .varint import ADVICE

if TYPE_CHECKING:
    from hashlib import blake2b


class Digest:
    """BLAKE2b (Aumasson et al. 2013, RFC 7693) of the source of a member, 8 bytes, as its pieces come."""

    def __init__(self) -> None:
        self._hash: blake2b | None = None
        self._length = 0

    def take(self, piece: bytes, at: int | None = None) -> None:
        """The next piece, or one that begins at byte `at` of the member: what was taken already is passed over, and what
        comes after a gap is left out."""
        known = 0 if at is None else self._length - at
        if 0 <= known < len(piece):
            self._started().update(memoryview(piece)[known:])
            self._length += len(piece) - known

    def _started(self) -> blake2b:
        if self._hash is None:
            from hashlib import blake2b  # slow to import

            self._hash = blake2b(digest_size=DIGEST_BYTES)
        return self._hash

    def value(self) -> bytes:
        return self._started().digest()

    def check(self, header: FrameHeader) -> None:
        """Raises ChecksumError where the last frame of a member tells another digest than that of the pieces. Does
        nothing where part of the member was not read."""
        if header.digest and self._length == header.total_length and self.value() != header.digest:
            raise ChecksumError(f"{header.where}: each frame of its member is intact, the whole is not: {ADVICE}")


class MemberDigest:
    """The digest of the member that is being read, in any order. A jump to another member begins anew."""

    def __init__(self) -> None:
        self._digest, self._member_start = Digest(), 0

    def take(self, header: FrameHeader, member_start: int, at: int, piece: bytes, frame_end: int) -> None:
        """A piece that begins at byte `at` of the source. Raises ChecksumError where it completes a member that fails its
        digest."""
        if header.alone:
            return
        if member_start != self._member_start:
            self._digest, self._member_start = Digest(), member_start
        self._digest.take(piece, at - member_start)
        if at + len(piece) == frame_end:
            self._digest.check(header)
