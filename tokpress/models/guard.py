"""Stop a decoder when its tokens make more bytes than the frame's source length, or where the frame tells no token count, as many.

Without this check, a frame of a few bytes with a false token count could keep a decoder busy.
"""

from collections.abc import Callable

from ..errors import ChecksumError, TokenizerError
from ..tokenizers.base import Tokenizer
from ..tokens import TokenBuffer, count


class Complete(Exception):
    """The tokens make all bytes of the source."""


class Counting:
    """A decoder's watch (`coding.base.Watch`). It passes the share of decoded tokens, 0 … 1, to `report`, and counts their bytes.

    A call raises ChecksumError if the tokens make more than `limit` bytes. ends: it raises Complete as soon as they make `limit` bytes;
    `decoded` has these tokens then."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        tokens: int,
        limit: int | None,
        report: Callable[[float], None],
        ends: bool = False,
    ) -> None:
        self.tokens, self.limit, self.report, self.ends = tokens, limit, report, ends
        self.decoded: list[int] = []
        self.done = self.source_bytes = 0
        #: None where bytes are not counted: the token count gives the length, or a single token has no length
        self.sizes = tokenizer.sizes if limit is not None and tokenizer.sizes.additive else None

    def __call__(self, tokens: TokenBuffer) -> None:
        self.done += count(tokens)
        if self.sizes is not None and self.limit is not None:
            try:
                self.source_bytes += self.sizes.source_length(tokens)
            except TokenizerError as error:
                raise ChecksumError(f"the decoded tokens make no source: {error}") from None
            if self.source_bytes > self.limit:
                raise ChecksumError(f"{self.done:,} of {self.tokens:,} tokens make more than {self.limit:,} bytes")
        self.report(self.done / max(self.tokens, 1))
        if self.ends:
            self.decoded += tokens.tolist() if hasattr(tokens, "tolist") else list(tokens)
            if self.source_bytes == self.limit:
                raise Complete
