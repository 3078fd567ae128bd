"""Stop a decoder when its tokens make more bytes than the frame's source length.

Without this check, a frame of a few bytes with a false token count could keep a decoder busy.
"""

from collections.abc import Callable

from ..errors import ChecksumError, TokenizerError
from ..tokenizers.base import Tokenizer
from ..tokens import TokenBuffer, count


class Counting:
    """A decoder's watch (`coding.base.Watch`). It passes the share of decoded tokens, 0 … 1, to `report`, and counts their bytes.

    A call raises ChecksumError if the tokens make more than `limit` bytes."""

    def __init__(self, tokenizer: Tokenizer, tokens: int, limit: int | None, report: Callable[[float], None]) -> None:
        self.tokens, self.limit, self.report = tokens, limit, report
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
