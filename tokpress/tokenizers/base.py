"""The contract of every tokenizer: source bytes to tokens and back.

    source bytes ──Tokenizer.encode──► tokens [N] ──lanes──► [B, T] ──Prior.step, once per column──► pmf [n, V]

N tokens in all · B lanes · T steps · n ≤ B live lanes at a step · V symbols.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import TokenizerError
from ..lazy import np
from ..media.grid import Grid
from ..tokens import TokenBuffer, as_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..media.formats import Samples

Config = dict[str, Any]  # what config.json holds: plain JSON values


class Tokenizer(ABC):
    """Turns bytes into tokens and back: decode(encode(b)) == b for every byte string b, unless it is lossy."""

    name: str
    vocab_size: int
    #: a source is a whole number of units, of so many bytes, which so many tokens make together: a byte in two nibbles, a
    #: pixel of three bytes, a picture (at most 8 tokens a byte)
    unit_bytes: int = 1
    unit_tokens: int = 1
    #: whether a part of a sequence has a length by itself; not where that depends on the tokens before it
    lengths_add_up: bool = True
    #: whether decode(encode(b)) is b; else it is a reconstruction of it, as short as b, with the same tokens
    lossless: bool = True

    @abstractmethod
    def encode(self, source: bytes) -> TokenBuffer:
        """A buffer of int32, or of uint8 where V ≤ 256 (`tokens.py`)."""

    @abstractmethod
    def decode(self, tokens: TokenBuffer) -> bytes:
        """Of a buffer of either kind. Raises TokenizerError on a token outside 0 … V−1."""

    def spellings(self) -> list[bytes]:
        """[V]: the bytes of each token, where a token stands for the same ones wherever it is."""
        return [self.decode(array("i", [v])) for v in range(self.vocab_size)]

    @abstractmethod
    def token_bytes(self) -> NDArray[np.int64]:
        """[V]: how many source bytes each token stands for. Raises TokenizerError where several tokens make a unit."""

    def source_length(self, tokens: TokenBuffer) -> int:
        """How many bytes `decode(tokens)` gives, without making them."""
        if self.unit_tokens > 1:
            return len(tokens) // self.unit_tokens * self.unit_bytes
        lengths, tokens, at_once = self.token_bytes(), as_array(tokens), 1 << 20
        return sum(int(lengths[tokens[at : at + at_once]].sum()) for at in range(0, len(tokens), at_once))

    def possible_tokens(self, length: int) -> range:
        """Range of token counts for a source of `length` bytes. A frame with another count is refused before decoding."""
        if self.unit_tokens > 1:
            whole, over = divmod(length, self.unit_bytes)
            return range(0) if over else range(whole * self.unit_tokens, whole * self.unit_tokens + 1)
        try:
            lengths = self.token_bytes()
        except TokenizerError:
            lengths = np.array([0, length])
        shortest, longest = int(lengths.min()), max(int(lengths.max()), 1)
        return range(-(-length // longest), (length // shortest if shortest else 8 * length) + 1)

    def whole(self, source: bytes) -> int:
        """How many bytes of the beginning of a longer source can be encoded without the rest, to the tokens that they have
        in the whole: where frames, and the pieces that a corpus is read in, may end. Only tokenizers that know where something
        begins and ends need say less than all."""
        return len(source)

    def lengths(self, tokens: TokenBuffer) -> NDArray[np.int64]:
        """[N]: the source bytes that each of these tokens stands for; the last of a unit stands for the unit."""
        if self.unit_tokens == 1:
            return self.token_bytes()[as_array(tokens)]
        out = np.zeros(len(tokens), np.int64)
        out[self.unit_tokens - 1 :: self.unit_tokens] = self.unit_bytes
        return out

    def average_bytes(self) -> NDArray[np.float64]:
        """[V]: source bytes of each token, on average; nibbles are half a byte each, bits an eighth."""
        if self.unit_tokens > 1:
            return np.full(self.vocab_size, self.unit_bytes / self.unit_tokens)
        return self.token_bytes().astype(np.float64)

    def config(self) -> Config:
        """JSON settings from which `load` rebuilds this tokenizer (beside the files `save` wrote)."""
        return {}

    def save(self, folder: Path) -> None:
        """Write what config() cannot hold. Nothing by default."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, config: Config) -> Tokenizer: ...

    #: of lossy ones: whether a source is sound of 16 bits, else pixels of a byte a channel
    sound: bool = False
    #: of lossy ones: samples that lie side by side at one place of it
    channels: int = 0
    #: of those of items: sides and channels of one
    sample_shape: tuple[int, ...] = ()

    @property
    def video(self) -> bool:
        """Whether its items have a side of time, beside rows and columns."""
        return len(self.sample_shape) == 4

    def takes(self, found: Samples) -> Grid:
        """Of lossy ones: how the samples of a file lie. Raises TokenizerError where it is not for them."""
        grid = None
        if found.dtype == ("<i2" if self.sound else "|u1") and not found.padding and not found.blue_first:
            if self.video:
                grid = found.video(self.channels)
            elif (found.kind == "sound") == self.sound and found.shape[-1] == self.channels:
                grid = found.grid()
        if grid is None or (self.wants_grid and grid.picture == self.sound):
            raise TokenizerError(
                f"the tokenizer {self.name!r} takes other samples than these: tokenizers of pictures take pixels of a byte a "
                "channel, raw or in a PPM or PGM file, those of sound 16 bits, raw or in a WAV file, those of video pixels, raw "
                "or in an NPY file"
            )
        return grid

    #: whether it takes apart pictures, sound or video, and can be told how these lie in a source (`on`)
    wants_grid: bool = False

    def on(self, grid: Grid) -> Tokenizer:
        """This tokenizer for one source that is the samples of this grid and nothing else."""
        return self

    #: of an item's tokens, where sources are items of several: what priors of items take for their `shape`
    item_shape: tuple[int, ...] = ()
