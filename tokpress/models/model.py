"""A model: tokenizer + prior, as a directory in the Hugging Face manner.

    config.json         format, tokenizer and prior by name with their settings, numeric profile
    tokenizer.json      what the tokenizer keeps (if it keeps anything); tokenizer.safetensors of one that is trained
    model.safetensors   int8 weights, float32 scales, counts (if the prior is trained)
    README.md           the card: data, hashes, command, measured bits; not part of the identity

`weights_of` in config.json names other models, by id, whose weights this one uses in place of its own: a product of two models that
are here already takes no more room.

The model id is the first four bytes of a SHA-256 over all but the last. A frame names it, so a wrong
model is an error before anything is decoded. Nothing is unpickled; all lengths are checked.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..coding import Frame
from ..container import proportion
from ..errors import ChecksumError, ModelError, TokenizerError, TokpressError
from ..lazy import np
from ..media import formats
from ..media import grid as grids
from ..media.grid import Grid
from ..priors.base import Prior
from ..storage import tensors
from ..tokenizers.base import Tokenizer
from ..tokens import TokenBuffer, as_array
from . import folder as files
from .guard import Counting

if TYPE_CHECKING:
    from .bits import Bits

Report = Callable[[float], None]


class Model:
    """A tokenizer and a prior over its symbols. Raises ModelError where their numbers of symbols differ.

    A model never changes, so several threads may use one. `kernel` and `threads` of its methods say how to compute
    (`coding.Frame`); the result is the same.

    >>> from tokpress.priors.lecture.histogram import HistogramPrior
    >>> from tokpress.tokenizers.text.bytes import BytesTokenizer
    >>> model = Model(BytesTokenizer(), HistogramPrior(256), name="mine")
    >>> model.config()["prior"], model.id.hex()
    ({'name': 'histogram', 'static': False}, '369217c9')
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        prior: Prior,
        id: bytes | None = None,
        name: str = "",
        card: str = "",
        weights_of: tuple[str, ...] = (),
        given_tokens: TokenBuffer | None = None,
    ) -> None:
        """weights_of: ids of the models whose weights it uses, where it has none of its own. given_tokens: the tokens that its
        prior is bound to (`given`)."""
        if tokenizer.vocab_size != prior.vocab_size:
            raise ModelError(
                f"the tokenizer has {tokenizer.vocab_size} symbols but the prior predicts {prior.vocab_size}"
            )
        self.tokenizer, self.prior, self.name, self.card = tokenizer, prior.for_tokenizer(tokenizer), name, card
        self.weights_of, self.given_tokens = weights_of, given_tokens
        self._id = id

    @property
    def id(self) -> bytes:
        if self._id is None:
            import tempfile  # slow to import, and rarely needed

            with tempfile.TemporaryDirectory() as folder:
                self._write(Path(folder))
                self._id = files.identity(Path(folder))
        return self._id

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        known = f", id {self._id.hex()}" if self._id else ""  # to find it out may take a while
        return f"<Model{name}: {self.tokenizer.name} tokenizer, {self.prior.name} prior{known}>"

    def config(self) -> dict[str, Any]:
        return {
            "format": files.FORMAT,
            "exact_profile": files.EXACT_PROFILE,
            "tokenizer": {"name": self.tokenizer.name, **self.tokenizer.config()},
            **({"weights_of": list(self.weights_of)} if self.weights_of else {}),
            "prior": {"name": self.prior.name, **self.prior.config()},
        }

    def given(self, source: bytes) -> Model:
        """The same model with what its prior conditions on: y is coded given x, which whoever decodes must have too.

        Raises TokpressError where its prior takes nothing."""
        return self._bound_to(self.tokenizer.encode(source))

    def _bound_to(self, tokens: TokenBuffer) -> Model:
        prior = self.prior.bind(tokens)
        return Model(self.tokenizer, prior, self.id, self.name, self.card, self.weights_of, tokens)

    def __reduce__(self) -> tuple[Any, ...]:
        """By content, for pools of processes and for copies. (No model is ever unpickled from a file.)"""
        from .packed import pack  # for pools and copies only

        settings = (self._id, self.name, self.card, self.weights_of)
        return _rebuilt, (type(self), pack(self.tokenizer, self.prior), settings, self.given_tokens)

    # --- one frame -------------------------------------------------------------------------------

    def encode(
        self,
        source: bytes,
        lanes: int | None = None,
        report: Report = lambda share: None,
        grid: Grid | None = None,
        tokens: TokenBuffer | None = None,
        kernel: str = "auto",
        threads: int = 0,
    ) -> tuple[bytes, int, int]:
        """(payload, tokens, lanes), no more lanes than tokens. `report` hears the share done, 0 … 1. grid: where samples are,
        and tokens: those of the source, if they are known already (and known to be its own).

        Raises TokenizerError where the tokens of a tokenizer that calls itself lossless are not those of this source."""
        if tokens is None:
            tokens = (self.tokenizer.on(grid) if grid else self.tokenizer).encode(source)
            if self.tokenizer.lossless:
                self._check_tokens(source, tokens)
        count = len(tokens)
        prior, before = self._on_grid(source, grid, count)
        lanes = max(1, min(lanes or prior.lanes_taken(count), count))
        codec = prior.codec(Frame(count, lanes, kernel, threads))
        payload = codec.encode(prior.arrange(tokens), lambda done: report(done / max(count, 1)))
        lanes = codec.frame.lanes
        return proportion.padded(before + payload, count, lanes, prior.tokens_a_byte), count, lanes

    def _check_tokens(self, source: bytes, tokens: TokenBuffer) -> None:
        """Whether a decoder would take these tokens, and get the source from them: some lose bytes, whatever they promise."""
        if len(tokens) not in self.tokenizer.possible_tokens(len(source)) or self.tokenizer.decode(tokens) != source:
            raise TokenizerError(
                f"the tokenizer {self.tokenizer.name!r} does not give this source back; take another model"
            )

    def decode(
        self,
        payload: bytes,
        tokens: int,
        lanes: int | None = None,
        report: Report = lambda share: None,
        length: int | None = None,
        kernel: str = "auto",
        threads: int = 0,
    ) -> bytes:
        """The source of one frame. Only its length is checked; the caller compares the CRC. `report` hears the share done, 0 … 1.

        Raises ChecksumError; before anything is decoded where no source of this `length`, or no payload that short, has so many
        tokens, and as soon as the tokens make more bytes than that."""
        tiled, whole = self.tokenizer.wants_grid, payload
        if length is not None and not tiled and tokens not in self.tokenizer.possible_tokens(length):
            raise ChecksumError(f"{tokens:,} tokens make no source of that length, {length:,} bytes")
        prior, tokenizer = self.prior, self.tokenizer
        if prior.wants_grid or tokenizer.wants_grid:
            size = payload[0] if payload else 0
            if len(payload) <= size:
                raise ChecksumError("the payload ends before what it is a payload of")
            tokenizer, grid = self._told(payload[1 : 1 + size], tokens, length)
            prior = prior.on(grid, tokens)
            payload = payload[1 + size :]
        codec = prior.codec(Frame(tokens, lanes or prior.lanes(tokens), kernel, threads))
        if lanes and lanes != codec.frame.lanes:
            raise ChecksumError(f"{tokens:,} tokens are coded in {codec.frame.lanes:,} lanes, not {lanes:,}")
        proportion.check(whole, tokens, codec.frame.lanes, prior.tokens_a_byte)
        decoded = prior.restore(codec.decode(payload, tokens, Counting(tokenizer, tokens, length, report)))
        if length is not None and (made := tokenizer.source_length(decoded)) != length:
            raise ChecksumError(f"the decoded tokens make {made:,} bytes, not {length:,}")
        try:
            return tokenizer.decode(decoded)
        except TokenizerError as error:
            raise ChecksumError(f"the decoded tokens make no source: {error}") from None

    def _told(self, packed: bytes, tokens: int, length: int | None) -> tuple[Tokenizer, Grid | None]:
        """What the beginning of a payload says about where samples are, and the tokenizer for it. Raises ChecksumError."""
        if self.tokenizer.wants_grid and packed:
            if length is None:
                raise ChecksumError("the length of what the tokens make is not known")
            grid = grids.unpack(packed, length)
            try:
                tiled = self.tokenizer.on(grid)
            except TokenizerError as error:
                raise ChecksumError(str(error)) from None
            if grid.stop != length or grid.start or grid.padding or tokens not in tiled.possible_tokens(length):
                raise ChecksumError("what it says about the samples cannot be")
            return tiled, grid
        held, over = divmod(tokens, self.tokenizer.unit_tokens)
        held *= self.tokenizer.unit_bytes
        if over or (length is not None and held != length):
            raise ChecksumError(f"{tokens:,} tokens make no source of that length")
        found = grids.unpack(packed, held) if packed else None
        if found and found.frames > 1:  # which a prior over samples has no use for
            raise ChecksumError("what it says about the samples cannot be")
        return self.tokenizer, found

    def _on_grid(self, source: bytes, grid: Grid | None, tokens: int) -> tuple[Prior, bytes]:
        """The prior for this source, and what a decoder reads first to have the same one."""
        if self.tokenizer.wants_grid:  # tokens of tiles; a prior over samples has no use for them
            packed = grid.pack() if grid else b""
            return self.prior, bytes([len(packed)]) + packed
        if not self.prior.wants_grid:
            return self.prior, b""
        grid = grid or formats.grid_of(source)
        packed = grid.pack() if grid else b""
        return self.prior.on(grid, tokens), bytes([len(packed)]) + packed

    # --- bits and samples --------------------------------------------------------------------------

    def score(
        self,
        source: bytes,
        lanes: int | None = 1,
        context: bytes = b"",
        grid: Grid | None = None,
        kernel: str = "auto",
        threads: int = 0,
    ) -> Bits:
        """Bits of each token of `source`, −log2 p, as coding in `lanes` lanes would charge them; None: in as many as `encode` takes.

        Of a picture, recording or video, where the tokenizer is for such: of its samples, an entry an item, without what stands
        around. grid: where they are, if it is known already.

        context: what the model reads first, in one lane and at no cost: −log2 p(source | context). Raises ValueError
        where there is one and several lanes.

        >>> import tokpress
        >>> bits = tokpress.load("adaptive").score(b"again and again and again")
        >>> bits.bits.shape, bits.source_bytes
        ((25,), 25)
        >>> bool(bits.bits[:5].sum() > bits.bits[-5:].sum())  # the third time is expected
        True
        >>> round(bits.total_bits / 25, 6) == round(bits.bits_per_byte, 6)
        True
        """
        from .bits import Bits

        if context and lanes != 1:
            raise ValueError(f"a context is read by one lane, not by {lanes}")
        tokenizer, apart = self.tokenizer, self.tokenizer.wants_grid and not context
        if apart and not grid and (found := formats.find(source)):
            grid = tokenizer.takes(found)
        if apart and grid:
            source, tokenizer = source[grid.start : grid.stop], tokenizer.on(grid._replace(start=0))
        before = self.tokenizer.encode(context)
        if self.prior.order is not None and len(before) % self.prior.stride:
            raise TokpressError("items are predicted one by one: a context should hold whole items")
        tokens = np.concatenate([as_array(before), as_array(tokenizer.encode(source))])
        prior, _ = self._on_grid(context + source, grid, len(tokens))
        codec = prior.codec(Frame(len(tokens), lanes or prior.lanes_taken(len(tokens)), kernel, threads))
        bits = prior.in_place(codec.score(prior.arrange(tokens)))[len(before) :]
        if self.tokenizer.unit_tokens == 1 and not apart:
            return Bits(bits, self.tokenizer.lengths(tokens[len(before) :]))
        bits = bits.reshape(-1, self.tokenizer.unit_tokens).sum(1)
        # items may reach over the edges: each has its share of what there is
        lengths = np.diff(np.arange(len(bits) + 1) * len(source) // max(len(bits), 1))
        return Bits(bits, lengths, self.tokenizer.unit_tokens)

    def sample(
        self,
        tokens: int,
        seed: int | None = None,
        temperature: float = 1.0,
        lanes: int = 1,
        kernel: str = "auto",
        threads: int = 0,
    ) -> bytes:
        """`tokens` tokens drawn from the prior, as bytes. The same seed draws the same ones.

        temperature: tokens are drawn from p^(1/temperature), so below 1 the likelier ones are favoured. lanes: so many
        sequences side by side, each with a part of the tokens. Raises ValueError where temperature is not above 0, or
        `tokens` is below 0.

        >>> import tokpress
        >>> model = tokpress.load("adaptive")
        >>> len(model.sample(20, seed=3)), model.sample(20, seed=3) == model.sample(20, seed=3)
        (20, True)
        """
        count = self._whole(tokens)
        drawn = self.prior.codec(Frame(count, lanes, kernel, threads)).sample(count, seed, temperature)
        return self.tokenizer.decode(self.prior.restore(drawn))

    def sample_bits(self, tokens: int, noise: bytes, lanes: int = 1, kernel: str = "auto", threads: int = 0) -> bytes:
        """A sample from the prior made by decoding random bits: `noise` taken as what symbols were coded to. Raises
        ChecksumError where it is used up, at −log2 p bits a token.

        >>> import tokpress
        >>> model = tokpress.load("adaptive")
        >>> noise = np.random.default_rng(0).bytes(99)
        >>> model.sample_bits(20, noise) == model.sample_bits(20, noise), len(model.sample_bits(20, noise))
        (True, 20)
        """
        count = self._whole(tokens)
        decoded = self.prior.codec(Frame(count, lanes, kernel, threads)).decode_noise(noise, count)
        return self.tokenizer.decode(self.prior.restore(decoded))

    def _whole(self, tokens: int) -> int:
        """So many tokens, rounded up to whole items and bytes."""
        if tokens < 0:
            raise ValueError(f"{tokens} tokens cannot be drawn: give 0 or more")
        whole = math.lcm(self.prior.stride, self.tokenizer.unit_tokens)
        return -(-tokens // whole) * whole

    # --- on disk ---------------------------------------------------------------------------------

    def _write(self, folder: Path) -> None:
        self.tokenizer.save(folder)
        (folder / "config.json").write_text(json.dumps(self.config(), indent=2) + "\n")
        found = {} if self.weights_of else self.prior.tensors()
        if found:
            tensors.write(found, folder / "model.safetensors")

    def save(self, folder: str | os.PathLike, card: str | None = None) -> None:
        """Write the directory: first to a temporary one beside it, then renamed into place. `card`: its README.md;
        without it the one it was loaded with.

        Raises ModelError where something else stands in that place.

        >>> import tempfile, tokpress
        >>> with tempfile.TemporaryDirectory() as place:
        ...     tokpress.load("adaptive").save(place + "/mine", card="# Nothing was trained")
        ...     sorted(os.listdir(place + "/mine")), tokpress.load(place + "/mine").id == tokpress.load("adaptive").id
        (['README.md', 'config.json'], True)
        """

        def write(place: Path) -> None:
            self._write(place)
            if text := self.card if card is None else card:
                (place / "README.md").write_text(text, "utf-8")

        files.place(Path(folder), write)


def _rebuilt(cls: type[Model], parts: Any, settings: tuple[Any, ...], given: TokenBuffer | None) -> Model:
    """What `Model.__reduce__` took apart."""
    from .packed import unpack

    model = cls(*unpack(parts), *settings)
    return model if given is None else model._bound_to(given)
