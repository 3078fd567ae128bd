"""The two contracts every component fulfils. Shapes are the contract.

    source bytes ──Tokenizer.encode──► tokens [N] ──lanes──► [B, T] ──Prior.step, once per column──► pmf [n, V]

N tokens in all · B lanes · T steps · n ≤ B live lanes at a step · V symbols.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .coding.base import Codec, Frame, Pmf
from .coding.lanes import default_lanes
from .errors import TokenizerError, TokpressError
from .exact.orders import Order, arrange, restore
from .lazy import np
from .media.grid import Grid
from .tokens import TokenBuffer, Tokens, as_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .media.formats import Samples
    from .training.data.streams import Source
    from .training.options import FitOptions, TokenizerOptions

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
    #: whether `fit` finds another one for another corpus
    learns: bool = False
    #: whether it has settings (`train tokenizer --set`)
    takes_settings: bool = False
    #: whether that takes a training run, with limits, settings and checkpoints
    trains: bool = False
    #: of those that learn: what says how many symbols it has
    sized_by: str = "--vocab-size V"
    #: of those sized by --vocab-size: the fewest; the others have the 256 bytes
    least_symbols: int = 256

    @classmethod
    def fit(cls, paths: Sequence[Path], options: TokenizerOptions) -> Tokenizer:
        """Learn from a corpus: what `tokpress train tokenizer --kind NAME` calls. A tokenizer that does not define it has
        nothing to learn."""
        return cls.load(Path(), {})


class Prior(ABC):
    """p(x_t | x_<t) one step at a time, computed exactly (docs/exactness.md).

    The caller alternates `step` and the symbols it learned: first `step(state, None)`, then
    `step(state, previous)` with previous [n] int32, one symbol per live lane. n never grows from one
    step to the next; rows that disappear are the last ones. `state` is mutated in place. Nothing a
    prior learns while coding is kept on the prior itself, so one prior may serve many states.
    """

    name: str
    vocab_size: int
    #: lanes may only begin at multiples of this many tokens (2 where two tokens make a byte, an item's where there are)
    stride: int = 1
    #: whether `fit` can go on from `options.init`, a trained prior of this class (`tokpress train --init`)
    warm_start: bool = False
    #: what `fit` imports that may not be installed; asked for before a tokenizer is trained
    trains_with: tuple[str, ...] = ()
    #: of items (pictures): the order in which an item's tokens are coded (`orders`); None for sequences without end
    order: Order | None = None
    #: lanes of a frame of items
    most_lanes: int = 512
    #: tokens that a byte of payload may stand for (`proportion`): 1/32 bit each. Part of the format
    tokens_a_byte: int = 1 << 8

    def lanes(self, tokens: int) -> int:
        """Lanes of a frame of so many tokens that does not say otherwise: part of the format."""
        return default_lanes(tokens) if self.order is None else max(1, min(-(-tokens // self.stride), self.most_lanes))

    def lanes_taken(self, tokens: int) -> int:
        """Lanes in which an encoder that is told nothing codes so many tokens. The frame tells them where the rule says others."""
        return self.lanes(tokens)

    def arrange(self, tokens: TokenBuffer) -> TokenBuffer:
        """Tokens [N] as they are coded: in which order, and by which symbols where those are others."""
        return tokens if self.order is None else arrange(as_array(tokens), self.order)

    def restore(self, tokens: TokenBuffer) -> TokenBuffer:
        """The reverse of `arrange`."""
        return tokens if self.order is None else restore(as_array(tokens), self.order)

    def in_place(self, bits: np.ndarray) -> np.ndarray:
        """What coding each symbol took [N], in the order of the tokens."""
        return bits if self.order is None else restore(bits, self.order)

    #: whether it predicts samples, pixels or sound, and has to be told where they are (`on`)
    wants_grid: bool = False

    def on(self, grid: Grid | None, tokens: int) -> Prior:
        """This prior for one source of so many tokens, whose samples lie on this grid; None: there are none."""
        return self

    #: whether it predicts an item from another one that both sides have (`bind`)
    wants_given: bool = False

    def bind(self, given: TokenBuffer) -> Prior:
        """This prior with what it conditions on, p(y | x): the tokens [M] of x. Raises TokpressError where it takes none."""
        raise TokpressError(f"a {self.name} prior predicts from nothing but what came before; leave --given out")

    def for_tokenizer(self, tokenizer: Tokenizer) -> Prior:
        """This prior for the tokens of that tokenizer, where it has to know their bytes."""
        return self

    def for_frame(self, frame: Frame) -> Prior:
        """This prior with the arithmetic for a frame (`Frame.kernel`): the same conditionals, to the bit."""
        return self

    def codec(self, frame: Frame) -> Codec:
        """The codec of one frame: symbol by symbol, unless the prior has one of its own."""
        from .coding.symbolwise import Symbolwise  # most files are coded by codecs in the core

        return Symbolwise(self.for_frame(frame), frame)

    @property
    def starts_empty(self) -> bool:
        """Whether it begins with nothing learned, and so gains most on a longer file."""
        return not self.tensors()

    @abstractmethod
    def init(self, lanes: int, tokens: int) -> Any:
        """A fresh state for `lanes` rows that will code `tokens` tokens in all (to size tables by)."""

    @abstractmethod
    def step(self, state: Any, previous: Tokens | None, rows: int) -> Pmf:
        """The next conditional of the first `rows` lanes, [rows, V]. The array may be reused by the next step."""

    def stretch(self, state: Any, previous: Tokens | None, symbols: Tokens) -> Iterator[Pmf]:
        """The conditionals of T steps whose symbols [n, T] are known already, as an encoder's are, in blocks
        [steps, n, V]: the same bits as T calls of `step`, and the same state afterwards. A prior that can
        compute many steps at once (its parallel form) overrides this. A block may be reused by the next."""
        for t in range(symbols.shape[1]):
            yield self.step(state, previous, len(symbols))[None]
            previous = symbols[:, t].copy()

    def config(self) -> Config:
        return {}

    def tensors(self) -> Mapping[str, np.ndarray]:
        """Trained weights, as they go into model.safetensors. Integers and float32 only."""
        return {}

    @classmethod
    @abstractmethod
    def load(cls, config: Config, tensors: Mapping[str, np.ndarray], vocab_size: int) -> Prior: ...

    @classmethod
    def fit(cls, sources: list[Source], tokenizer: Tokenizer, config: Config, options: FitOptions) -> Prior:
        """Learn from a corpus: what `tokpress train prior --prior NAME --set key=value…` calls.

        sources: packed token files; `source.tokens` [N] uint16 to learn from, `source.weight` its share per
        token, `source.validation` never to be learned from. config: the --set settings, whose values may be
        text (`settings_of` checks them). options: limits, seed, a folder for checkpoints, `report`, `stop`.

        A prior that does not define it has nothing to learn beforehand, and is made from its settings as it is."""
        return cls.load(config, {}, tokenizer.vocab_size)


class NotStepped(Prior):
    """A prior that codes otherwise than symbol by symbol (whole items, bits), so that no symbol has a conditional that could be
    stepped. It defines `codec`."""

    def init(self, lanes: int, tokens: int) -> Any:
        raise TokpressError(f"the prior {self.name} does not predict one symbol after the other")

    def step(self, state: Any, previous: Tokens | None, rows: int) -> Pmf:
        return self.init(rows, rows)
