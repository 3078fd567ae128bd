"""Frames with a context: which models read one, and short frames, which tell no token count."""

from __future__ import annotations

from array import array
from collections.abc import Callable

from ..coding import Codec, Frame
from ..coding.context import ROOM
from ..coding.lanes import FrameRules
from ..errors import ChecksumError, TokenizerError, TokpressError
from ..tokenizers.base import Tokenizer
from ..tokenizers.samples import ItemTokenizer
from ..tokenizers.sizes import Sizes
from ..tokens import TokenBuffer
from .guard import Complete, Counting


def check(name: str, rules: FrameRules, tokenizer: Tokenizer) -> None:
    """Raises TokpressError where a model predicts items, samples or from given tokens, or loses information."""
    whole = rules.on_grid or rules.given_size or rules.order is not None or isinstance(tokenizer, ItemTokenizer)
    if whole or not tokenizer.lossless:
        raise TokpressError(
            f"the model {name} reads no context: choose one that predicts text or bytes, text for instance"
        )


def needs_no_count(sizes: Sizes, length: int) -> bool:
    """Whether a frame of `length` bytes with a context restores its tokens without their number: they are decoded until they make so many
    bytes, and no number of them changes the sizes of tables."""
    possible = sizes.possible_tokens(length)
    return len(possible) > 0 and possible[-1] <= ROOM and (sizes.additive or len(possible) == 1)


def decode(
    tokenizer: Tokenizer,
    codec_of: Callable[[Frame], Codec],
    frame: Frame,
    payload: bytes,
    length: int,
    report: Callable[[float], None],
) -> bytes:
    """The source of a frame that tells no token count. Raises ChecksumError."""
    sizes = tokenizer.sizes
    if frame.context is None or not needs_no_count(sizes, length):
        raise ChecksumError(f"a source of {length:,} bytes has a frame that tells its token count")
    possible = sizes.possible_tokens(length)
    most, ends = possible[-1], len(possible) > 1
    frame = frame._replace(tokens=most, watch_every=1) if ends else frame._replace(tokens=most)
    watch = Counting(tokenizer, most, length, report, ends)
    decoded: TokenBuffer
    try:
        decoded = codec_of(frame).decode(payload, most, watch)
    except Complete:
        decoded = array("i", watch.decoded)
    if (size := sizes.source_length(decoded)) != length:
        raise ChecksumError(f"the decoded tokens make {size:,} bytes, not {length:,}")
    try:
        return tokenizer.decode(decoded)
    except TokenizerError as error:
        raise ChecksumError(f"the decoded tokens make no source: {error}") from None
