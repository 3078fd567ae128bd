"""Discrete autoencoders: an item (a picture, a stretch of sound or of video) becomes a small grid of indices and comes back.

    z = encoder(x)      a grid coarser by `down` in each dimension, `dim` numbers a place
    t = index(z)        the bottleneck: the nearest of K codes, or a point of a lattice
    x̂ = decoder(c_t)    the reconstruction, from the codes alone

van den Oord, Vinyals & Kavukcuoglu 2017, "Neural discrete representation learning", §3. The kinds (`vq`, `fsq`, `lfq`,
`gumbel` …) share this file; the bottleneck of each has a file of its own. `training.learners.autoencoder`
trains them. Encoder and decoder are networks in the operations of `exact.network_ops.FieldOps`: patches, then at each resolution `depth` residual blocks with a convolution 3 wide.

The decoder is exact: tokens decode to the same bytes on every machine. So a file can hold a checksum of the reconstruction, and a
residual can make it lossless. A source is a number of items, bytes as they lie in the file (x = byte/127.5 − 1; 16-bit samples
are little-endian: x = sample/2^15); `tiled` cuts a larger picture, recording or video into items.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError, TokenizerError, TokpressError
from ...exact.fields import Fields
from ...exact.kernels import make_kernel
from ...exact.network_ops import FieldOps, Spans, Values
from ...exact.orders import Shape, parse_shape
from ...exact.threads import share_rows
from ...exact.weights import Weights
from ...media.grid import Grid
from ...native import library
from ...storage import files, tensors
from ...storage.settings import settings_of
from ...tokens import TokenBuffer, Tokens
from ..base import Config, in_vocabulary
from ..samples import ItemTokenizer, SampleKind
from ..sizes import Units
from .tiled import Tiled

R = TypeVar("R")

FILE = "tokenizer.safetensors"
#: places of the finest grid that are computed at once
PLACES_AT_ONCE = 1 << 13
#: maximum values of an item, and symbols (token files hold 16 bits a token)
MAX_VALUES, MAX_CODES = 1 << 20, 1 << 16


class Autoencoder(ItemTokenizer):
    """Abstract: a kind defines `name`, `defaults`, and the abstract methods."""

    lossless = False
    #: whether items are sound of 16 bits, else pixels
    sound: ClassVar[bool] = False
    #: dimensions of the grid: 1 for sound, 2 for pictures, 3 for video
    spatial: ClassVar[int] = 2
    #: places to each side that a convolution sees
    reach: ClassVar[int] = 1
    #: dimensions in which a place sees only earlier places
    causal: ClassVar[tuple[int, ...]] = ()
    defaults: ClassVar[Config] = {"shape": "32x32x3", "down": 4, "width": 64, "depth": 2}

    def __init__(self, settings: Config, tensors: Mapping[str, NDArray[Any]]) -> None:
        self.settings = settings_of(self.name, settings, self.defaults, "the tokenizer")
        shape = parse_shape(self.settings["shape"], self.spatial)
        if len(shape) not in (self.spatial, self.spatial + 1):
            raise TokpressError(
                f"shape={self.settings['shape']} of the tokenizer {self.name!r} should have {self.spatial} sides"
            )
        self.sides, self.channels = shape[: self.spatial], (*shape, 1)[self.spatial]
        self.samples = SampleKind(self.channels, self.sound, self.sides)
        self.stage_factors = self.factors()
        self.latent = self.grid_sides()
        for factors in self.stage_factors:
            if any(side % f for side, f in zip(self.latent, factors)):
                raise TokpressError(
                    f"the sides of shape={self.settings['shape']} should be multiples of {self.settings['down']}"
                )
            self.latent = tuple(side // f for side, f in zip(self.latent, factors))
        if math.prod(shape) > MAX_VALUES:
            raise TokpressError(f"shape={self.settings['shape']} makes items of more than {MAX_VALUES:,} values")
        self.item_shape = self.shape_of_tokens()
        self.vocab_size = self.symbols()
        if not 2 <= self.vocab_size <= MAX_CODES:
            raise TokpressError(
                f"the tokenizer {self.name!r} should have 2 to {MAX_CODES:,} codes, not {self.vocab_size:,}"
            )
        #: of a sample: 8, unsigned, or 16, signed
        self.bits = self.samples.bits
        self.sizes = Units(self.vocab_size, math.prod(shape) * self.bits // 8, math.prod(self.item_shape))
        kernel = make_kernel("native") if library.is_here() else None
        self._tensors, self._weights = tensors, Weights(tensors, kernel)

    # --- defined by each kind --------------------------------------------------------------------------

    @abstractmethod
    def symbols(self) -> int:
        """K, from the settings."""

    @abstractmethod
    def dim(self) -> int:
        """Numbers of each place that the encoder gives."""

    def code_dim(self) -> int:
        """Numbers of a code."""
        return self.dim()

    @abstractmethod
    def indices(self, z: NDArray[np.float32]) -> NDArray[np.int64]:
        """[n·places, dim] → the tokens of n items. Need not be exact, since only its result is written."""

    @abstractmethod
    def codes(self, tokens: Tokens) -> NDArray[np.float32]:
        """Tokens [n, tokens of an item] → [n·places, code_dim] float32, exactly."""

    def grid_sides(self) -> tuple[int, ...]:
        """Sides of the grid that the first stage coarsens."""
        return tuple(self.sides)

    def shape_of_tokens(self) -> Shape:
        return self.latent

    def shape_of_codes(self) -> Shape:
        """Sides of the grid at the input of the decoder."""
        return self.latent

    def factors(self) -> list[tuple[int, ...]]:
        """Factors by which each stage of the encoder coarsens the grid: `down` in twos; in one dimension in fours, then a two."""
        down = self.settings["down"]
        if down < 2 or down & (down - 1):
            raise TokpressError(f"down={down} of the tokenizer {self.name!r} should be 2, 4, 8 …")
        twos = down.bit_length() - 1
        steps = [4] * (twos // 2) + [2] * (twos % 2) if self.spatial == 1 else [2] * twos
        return [(step,) * self.spatial for step in steps]

    # --- the network -------------------------------------------------------------------------------

    def encoder(self, m: FieldOps, x: Values) -> Values:
        s = self.settings
        h = x
        for i, factors in enumerate(self.stage_factors):
            h = m.linear(f"encoder.{i}.in", m.down(h, factors), s["width"])
            h = self._blocks(m, f"encoder.blocks.{i}", h)
        return m.linear("encoder.out", h, self.dim(), normed=True)

    def decoder(self, m: FieldOps, codes: Values) -> Values:
        s = self.settings
        h = m.linear("decoder.in", codes, s["width"])
        for i, factors in reversed(list(enumerate(self.stage_factors))):
            h = self._blocks(m, f"decoder.blocks.{i}", h)
            if i:
                h = m.up(m.linear(f"decoder.{i}.out", h, s["width"] * math.prod(factors)), factors)
        h = m.conv("decoder.out", m.norm(h), self._spans(), self.channels * math.prod(self.stage_factors[0]), gain=0.3)
        return m.up(h, self.stage_factors[0])

    def _spans(self) -> Spans:
        r = self.reach
        return [(-2 * r, 0) if i in self.causal else (-r, r) for i in range(self.spatial)]

    def _blocks(self, m: FieldOps, name: str, h: Values) -> Values:
        width = self.settings["width"]
        for i in range(self.settings["depth"]):
            u = m.relu(m.conv(f"{name}.{i}.conv", m.norm(h), self._spans(), width))
            h = h + m.linear(f"{name}.{i}.out", u, width, gain=0.5)
        return h

    # --- items and tokens --------------------------------------------------------------------------

    def to_values(self, source: bytes) -> NDArray[np.float32]:
        """[n, places, channels] float32 in −1 … 1."""
        values = np.frombuffer(source, "u1" if self.bits == 8 else "<i2").astype(np.float32)
        scaled = values / np.float32(127.5) - np.float32(1) if self.bits == 8 else values / np.float32(1 << 15)
        return scaled.reshape(-1, math.prod(self.sides), self.channels)

    def from_values(self, x: NDArray[np.float32]) -> bytes:
        """The reverse of `to_values`, rounded."""
        if self.bits == 8:
            pixels = np.round(np.clip(x * np.float32(127.5) + np.float32(127.5), 0, 255)).astype("u1")
            return bytes(pixels.tobytes())
        top = np.float32(1 << 15)
        samples = np.round(np.clip(x * top, -top, top - np.float32(1))).astype("<i2")
        return bytes(samples.tobytes())

    def encode(self, source: bytes) -> Tokens:
        size = self.sizes.unit_bytes
        if len(source) % size:
            raise TokenizerError(
                f"{len(source):,} bytes are not a whole number of items of {size:,} bytes: a {self.name} "
                f"tokenizer takes raw samples, {self.settings['shape']} an item"
            )

        def encode_part(part: slice) -> NDArray[np.int64]:
            m = self._fields(self.sides, part.stop - part.start)
            x = self.to_values(source[part.start * size : part.stop * size])
            with np.errstate(all="ignore"):  # checked below
                z = self.encoder(m, x.reshape(-1, self.channels))
            if not np.isfinite(z).all():
                raise ModelError(f"{FILE}: its numbers grow beyond all bounds; the file is damaged")
            return self.indices(z).reshape(part.stop - part.start, -1)

        return (
            np.concatenate(
                [np.zeros((0, self.sizes.unit_tokens), np.int32), *self._map_items(encode_part, len(source) // size)]
            )
            .ravel()
            .astype(np.int32)
        )

    def decode(self, tokens: TokenBuffer) -> bytes:
        if len(tokens) % self.sizes.unit_tokens:
            raise TokenizerError(
                f"{len(tokens):,} tokens are not a whole number of items of {self.sizes.unit_tokens:,}"
            )
        indices = in_vocabulary(tokens, self.vocab_size).reshape(-1, self.sizes.unit_tokens)

        def decode_part(part: slice) -> bytes:
            m = self._fields(self.shape_of_codes(), part.stop - part.start)
            with np.errstate(all="ignore"):
                x = self.decoder(m, self.codes(indices[part]))
            if not np.isfinite(x).all():  # conversion of NaN to bytes differs between machines
                raise ModelError(f"{FILE}: its numbers grow beyond all bounds; the file is damaged")
            return self.from_values(x)

        return b"".join(self._map_items(decode_part, len(indices)))

    def _fields(self, dims: tuple[int, ...], items: int) -> Fields:
        return Fields(self._weights, dims, items)

    def _map_items(self, function: Callable[[slice], R], items: int) -> list[R]:
        """`function` of slices of a few items, on all threads."""
        size = max(1, PLACES_AT_ONCE * math.prod(self.stage_factors[0]) // math.prod(self.sides))
        parts = [slice(at, min(at + size, items)) for at in range(0, items, size)]
        halves = share_rows(lambda numbers: [function(part) for part in parts[numbers]], len(parts))
        return [result for half in halves for result in half]

    def tiled(self, grid: Grid) -> Tiled:
        return Tiled(self, grid)

    # --- on disk -----------------------------------------------------------------------------------

    def config(self) -> Config:
        return dict(self.settings)

    def save(self, folder: Path) -> None:
        tensors.write(self._tensors, Path(folder) / FILE)

    @classmethod
    def load(cls, folder: Path, config: Config) -> "Autoencoder":
        path = Path(folder) / FILE
        try:
            tokenizer = cls(config, tensors.read(files.read(path) or b"", path))
            # reads every tensor
            tokenizer.decode(tokenizer.encode(bytes(tokenizer.sizes.unit_bytes)))
            tokenizer._weights.nothing_else()
        except TokpressError as error:
            raise TokenizerError(f"{path} is no {cls.name} tokenizer: {error}") from error
        return tokenizer
