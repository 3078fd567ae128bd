"""A model: a tokenizer and a prior, stored as a directory with files as Hugging Face names them.

    config.json         format, exact profile; names and settings of tokenizer and prior
    tokenizer.json      the tokenizer's vocabulary, if it has one; tokenizer.safetensors holds a trained tokenizer's weights
    model.safetensors   int8 weights, float32 scales, counts (if the prior is trained)
    README.md           the card: data, hashes, command, measured bits; not part of the id

The model id is the first four bytes of a SHA-256 over all of these files but the card. A frame stores the id, so a wrong model is an
error before anything is decoded. Nothing is unpickled; all lengths are checked.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arguments import path, whole
from ..coding import Codec, Frame
from ..coding.context import ContextTokens, States
from ..container import proportion
from ..container.digest import digest_of
from ..container.frames import CONTEXT_BYTES, MAX_LANES
from ..container.varint import as_bytes
from ..errors import ChecksumError, ModelError, TokenizerError, TokpressError
from ..lazy import np
from ..media import formats
from ..media import grid as grids
from ..media.grid import Grid
from ..priors.base import Prior, ReadsTokenizer
from ..storage import tensors
from ..tokenizers.base import Tokenizer, encoded
from ..tokenizers.samples import ItemTokenizer, for_grid, grid_for
from ..tokenizers.sizes import equal_parts
from ..tokens import TokenBuffer, as_array
from . import contexts
from . import folder as files
from .guard import Counting
from .hub import OnHub
from .states import found

if TYPE_CHECKING:
    from .bits import Bits
    from .likeliest import NextToken

Report = Callable[[float], None]


class Model(OnHub):
    """A tokenizer and a prior over its symbols. Raises ModelError where their numbers of symbols differ.

    A model never changes, so several threads may use one. The parameters `kernel` and `threads` choose how its methods compute
    (`coding.Frame`); they do not change the result.

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
        given_tokens: TokenBuffer | None = None,
        given_digest: bytes = b"",
    ) -> None:
        """given_tokens, given_digest: of x, for a prior of p(y | x) (`given`)."""
        if tokenizer.vocab_size != prior.vocab_size:
            raise ModelError(
                f"the tokenizer has {tokenizer.vocab_size} symbols but the prior predicts {prior.vocab_size}"
            )
        self.tokenizer, self.name, self.card = tokenizer, name, card
        self.prior = prior.for_tokenizer(tokenizer) if isinstance(prior, ReadsTokenizer) else prior
        self.given_tokens, self.given_digest = given_tokens, given_digest
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
        id_text = f", id {self._id.hex()}" if self._id else ""  # not computed here: it may take seconds
        return f"<Model{name}: {self.tokenizer.name} tokenizer, {self.prior.name} prior{id_text}>"

    def _repr_html_(self) -> str:
        from . import html  # for notebooks only

        facts = {"tokenizer": f"{self.tokenizer.name}, {self.tokenizer.vocab_size:,} symbols", "prior": self.prior.name}
        return html.table(f"Model {self.name}".strip(), facts | ({"id": self._id.hex()} if self._id else {}))

    def config(self) -> dict[str, Any]:
        return {
            "format": files.FORMAT,
            "exact_profile": files.EXACT_PROFILE,
            "tokenizer": {"name": self.tokenizer.name, **self.tokenizer.config()},
            "prior": {"name": self.prior.name, **self.prior.config()},
        }

    def given(self, source: bytes) -> Model:
        """This model of p(y | x) for the file x, `source`. It codes other files y; the decoder needs the same x.

        Raises TokpressError if the prior predicts from nothing but earlier tokens, or other machines may tokenize x otherwise."""
        if not self.prior.rules.given_size:
            raise TokpressError(f"a {self.prior.name} prior is not conditional: leave --given out")
        if not (self.tokenizer.lossless and self.tokenizer.reproducible):
            raise TokpressError(
                f"--given needs a lossless tokenizer that makes the same tokens everywhere: {self.tokenizer.name} is none"
            )
        tokens, digest = self.tokenizer.encode(source), digest_of(source)[:CONTEXT_BYTES]
        return Model(self.tokenizer, self.prior, self.id, self.name, self.card, tokens, digest)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the content, for pools of processes and for copies. (No model file is ever unpickled.)"""
        from . import packed  # for pools and copies only

        settings = (self._id, self.name, self.card)
        return packed.rebuilt, (
            type(self),
            packed.pack(self.tokenizer, self.prior),
            settings,
            (self.given_tokens, self.given_digest),
        )

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
        context: ContextTokens | None = None,
        most_lanes: int = MAX_LANES,
    ) -> tuple[bytes, int, int]:
        """Encode one frame. Returns (payload, number of tokens, number of lanes).

        lanes: by default as many as the prior's rules give, at most `most_lanes`, and 1 with a context (`context`). report: called with the share done, 0 … 1. grid: where the source has
        samples. tokens: the tokens of the source, if the caller has them already; they are not checked.

        Raises TokenizerError if a lossless tokenizer does not restore this source."""
        if tokens is None:
            tokens = encoded(for_grid(self.tokenizer, grid), source)
            if self.tokenizer.lossless:
                self._check_tokens(source, tokens)
        count, rules, tokenizer = len(tokens), self.prior.rules, self.tokenizer
        grid = self._grid_of(source, grid)
        lanes = max(1, min(lanes or min(rules.lanes(count), most_lanes), count))
        codec = self._codec(Frame(count, lanes, kernel, threads, grid, context=context))
        payload = self._pack_grid(grid) + codec.encode(rules.arrange(tokens), lambda done: report(done / max(count, 1)))
        lanes = codec.frame.lanes
        if context is None or not contexts.needs_no_count(tokenizer.sizes, len(source)):
            payload = proportion.padded(payload, count, lanes, rules.tokens_per_byte)
        return payload, count, lanes

    def context(self, source: bytes, keep: bool = False, states: States | None = None) -> ContextTokens:
        """A context for frames of this model: bytes that the model reads before each frame. keep: keep what it is after them, so that later
        frames of up to 2^14 tokens do not read them again. states: where that may be found; by default on disk (`models.states`).

        Raises TokpressError if the model predicts items, samples or from given tokens, or loses information."""
        contexts.check(self.name, self.prior.rules, self.tokenizer)
        return ContextTokens(encoded(self.tokenizer, source), keep, states or found(source))

    @property
    def _stores_grid(self) -> bool:
        """Whether a payload begins with a grid: the prior or the tokenizer has to know where samples lie."""
        return self.prior.rules.on_grid or isinstance(self.tokenizer, ItemTokenizer)

    def _codec(self, frame: Frame) -> Codec:
        grid = (
            None if isinstance(self.tokenizer, ItemTokenizer) else frame.grid
        )  # the grid of items is for the tokenizer only
        return self.prior.codec(frame._replace(grid=grid, given=self.given_tokens))

    def _check_tokens(self, source: bytes, tokens: TokenBuffer) -> None:
        """Raises TokenizerError unless a decoder accepts these tokens and restores the source: a tokenizer may break its promise."""
        if (
            len(tokens) not in self.tokenizer.sizes.possible_tokens(len(source))
            or self.tokenizer.decode(tokens) != source
        ):
            raise TokenizerError(
                f"the tokenizer {self.tokenizer.name!r} does not restore this source: choose another model"
            )

    def decode(
        self,
        payload: bytes,
        tokens: int | None,
        lanes: int | None = None,
        report: Report = lambda share: None,
        length: int | None = None,
        kernel: str = "auto",
        threads: int = 0,
        context: ContextTokens | None = None,
    ) -> bytes:
        """The source of one frame. report: called with the share done, 0 … 1. length: bytes of the source; the caller compares its CRC.
        context: that of the encoder. tokens: None with a context, for as many as make `length` bytes (`contexts.needs_no_count`).

        Raises ChecksumError. Nothing is decoded if a source of `length` bytes, or a payload of this size, cannot have so many tokens.
        Decoding ends as soon as the tokens make more than `length` bytes."""
        tokenizer, rules, framed, grid = self.tokenizer, self.prior.rules, payload, None
        if tokens is None:
            frame = Frame(0, 1, kernel, threads, context=context)
            return contexts.decode(self.tokenizer, self._codec, frame, payload, length or 0, report)
        fixed = not isinstance(tokenizer, ItemTokenizer)  # the token counts of items depend on their grid
        if length is not None and fixed and tokens not in tokenizer.sizes.possible_tokens(length):
            raise ChecksumError(f"{tokens:,} tokens make no source of that length, {length:,} bytes")
        if self._stores_grid:
            size = payload[0] if payload else 0
            if len(payload) <= size:
                raise ChecksumError("the payload ends within its grid")
            tokenizer, grid = self._unpack_grid(payload[1 : 1 + size], tokens, length)
            payload = payload[1 + size :]
        lanes = 1 if context else lanes
        codec = self._codec(Frame(tokens, lanes or rules.lanes(tokens), kernel, threads, grid, context=context))
        if lanes and lanes != codec.frame.lanes:
            raise ChecksumError(f"{tokens:,} tokens are coded in {codec.frame.lanes:,} lanes, not {lanes:,}")
        proportion.check(framed, tokens, codec.frame.lanes, rules.tokens_per_byte)
        decoded = rules.restore(codec.decode(payload, tokens, Counting(tokenizer, tokens, length, report)))
        if length is not None and (size := tokenizer.sizes.source_length(decoded)) != length:
            raise ChecksumError(f"the decoded tokens make {size:,} bytes, not {length:,}")
        try:
            return tokenizer.decode(decoded)
        except TokenizerError as error:
            raise ChecksumError(f"the decoded tokens make no source: {error}") from None

    def _unpack_grid(self, packed: bytes, tokens: int, length: int | None) -> tuple[Tokenizer, Grid | None]:
        """The grid at the beginning of a payload, and the tokenizer for this grid. Raises ChecksumError."""
        if isinstance(self.tokenizer, ItemTokenizer) and packed:
            if length is None:
                raise ChecksumError("the length of the source is not known")
            grid = grids.unpack(packed, length)
            try:
                tiled = self.tokenizer.tiled(grid)
            except TokenizerError as error:
                raise ChecksumError(str(error)) from None
            if grid.stop != length or grid.start or grid.padding or tokens not in tiled.sizes.possible_tokens(length):
                raise ChecksumError("what it says about the samples cannot be")
            return tiled, grid
        size, over = divmod(tokens, self.tokenizer.sizes.unit_tokens)
        size *= self.tokenizer.sizes.unit_bytes
        if over or (length is not None and size != length):
            raise ChecksumError(f"{tokens:,} tokens make no source of that length")
        sample_grid = grids.unpack(packed, size) if packed else None
        if sample_grid and sample_grid.frames > 1:  # never written
            raise ChecksumError("what it says about the samples cannot be")
        return self.tokenizer, sample_grid

    def _grid_of(self, source: bytes, grid: Grid | None) -> Grid | None:
        """The grid that the payload of a source stores, if it stores one."""
        if isinstance(self.tokenizer, ItemTokenizer):
            return grid
        return (grid or formats.grid_of(source)) if self.prior.rules.on_grid else None

    def _pack_grid(self, grid: Grid | None) -> bytes:
        """The beginning of a payload: the grid, if it stores one. The reverse of `_unpack_grid`."""
        if not self._stores_grid:
            return b""
        packed = grid.pack() if grid else b""
        return bytes([len(packed)]) + packed

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
        """The bits of each token of `source`, −log2 p, coded in `lanes` lanes; None: as many lanes as `encode` takes.

        If the tokenizer takes items of pictures, sound or video, an entry is an item, and bytes around the samples are left out.
        grid: where the samples are, if the caller knows it.

        context: bytes that the model reads first, at no cost: the bits are −log2 p(source | context). Raises ValueError if there is
        a context and several lanes.

        >>> import tokpress
        >>> bits = tokpress.load("context-mixing").score(b"again and again and again")
        >>> bits.bits.shape, bits.source_bytes
        ((25,), 25)
        >>> bool(bits.bits[:5].sum() > bits.bits[-5:].sum())  # the third time is expected
        True
        >>> round(bits.total_bits / 25, 6) == round(bits.bits_per_byte, 6)
        True
        """
        from .bits import Bits

        source, context = bytes(as_bytes(source)), bytes(as_bytes(context))
        if context and lanes != 1:
            raise ValueError(f"a context needs one lane, not {lanes}")
        tokenizer, rules = self.tokenizer, self.prior.rules
        apart = isinstance(tokenizer, ItemTokenizer) and not context
        if apart and not grid and (samples := formats.find(source)):
            grid = grid_for(tokenizer, samples)
        if apart and grid:
            source, tokenizer = source[grid.start : grid.stop], for_grid(tokenizer, grid._replace(start=0))
        before = self.tokenizer.encode(context)
        if rules.order is not None and len(before) % rules.stride:
            raise TokpressError("items are predicted one by one: give a context of complete items")
        tokens = np.concatenate([as_array(before), as_array(encoded(tokenizer, source))])
        grid = self._grid_of(context + source, grid)
        codec = self._codec(Frame(len(tokens), lanes or rules.lanes(len(tokens)), kernel, threads, grid))
        bits = rules.in_place(codec.score(rules.arrange(tokens)))[len(before) :]
        sizes = self.tokenizer.sizes
        if sizes.unit_tokens == 1 and not apart:
            return Bits(bits, sizes.lengths(tokens[len(before) :]))
        bits = bits.reshape(-1, sizes.unit_tokens).sum(1)
        return Bits(bits, equal_parts(len(source), len(bits)), sizes.unit_tokens)  # the last items may be padded

    def next_tokens(self, context: bytes, top: int = 5, kernel: str = "auto") -> list[NextToken]:
        """The `top` likeliest tokens after `context`, each with its bytes and its probability, the likeliest first. Of a model that mixes
        bits of tokens, such as the shipped `text`, these are the probabilities before mixing.

        Raises TokpressError where the model has no probabilities of tokens: it codes bits, samples or items.

        >>> import tokpress
        >>> [token.data for token in tokpress.load("text").next_tokens(b"The United States of", top=1)]
        [b' America']
        """
        from .likeliest import next_tokens

        return next_tokens(self, context, top, kernel)

    def sample(
        self,
        tokens: int,
        seed: int | None = None,
        temperature: float = 1.0,
        lanes: int = 1,
        kernel: str = "auto",
        threads: int = 0,
        prompt: bytes = b"",
    ) -> bytes:
        """Draw `tokens` tokens from the prior, and return their bytes. The same seed draws the same tokens.

        prompt: bytes that the model reads first; there is one lane then (`context`). temperature: tokens are drawn from p^(1/temperature), so a temperature below 1 favours likely tokens. lanes: number of
        sequences that share the tokens. Raises ValueError where temperature is not above 0, or `tokens` is below 0.

        >>> import tokpress
        >>> model = tokpress.load("context-mixing")
        >>> len(model.sample(20, seed=3)), model.sample(20, seed=3) == model.sample(20, seed=3)
        (20, True)
        """
        count = self._rounded_up(tokens)
        if seed is not None and (seed := whole("seed", seed)) < 0:
            raise ValueError(f"seed must be 0 or more, not {seed}")
        context = self.context(prompt) if prompt else None
        drawn = self._codec(Frame(count, lanes, kernel, threads, context=context)).sample(count, seed, temperature)
        return self.tokenizer.decode(self.prior.rules.restore(drawn))

    def sample_bits(self, tokens: int, noise: bytes, lanes: int = 1, kernel: str = "auto", threads: int = 0) -> bytes:
        """Draw `tokens` tokens by decoding the random bits `noise`. A token uses about −log2 p bits. Raises ChecksumError where
        `noise` is too short.

        >>> import tokpress
        >>> model = tokpress.load("context-mixing")
        >>> noise = np.random.default_rng(0).bytes(99)
        >>> model.sample_bits(20, noise) == model.sample_bits(20, noise), len(model.sample_bits(20, noise))
        (True, 20)
        """
        count = self._rounded_up(tokens)
        decoded = self._codec(Frame(count, lanes, kernel, threads)).decode_noise(bytes(as_bytes(noise)), count)
        return self.tokenizer.decode(self.prior.rules.restore(decoded))

    def _rounded_up(self, tokens: int) -> int:
        """A number of tokens, rounded up to whole items and bytes."""
        if (tokens := whole("tokens", tokens)) < 0:
            raise ValueError(f"{tokens} tokens cannot be drawn: give 0 or more")
        multiple = math.lcm(self.prior.rules.stride, self.tokenizer.sizes.unit_tokens)
        return -(-tokens // multiple) * multiple

    # --- on disk ---------------------------------------------------------------------------------

    def _write(self, folder: Path) -> None:
        self.tokenizer.save(folder)
        (folder / "config.json").write_text(json.dumps(self.config(), indent=2) + "\n")
        if weights := self.prior.tensors():
            tensors.write(weights, folder / "model.safetensors")

    def save(self, folder: str | os.PathLike[str], card: str | None = None) -> None:
        """Write the model directory: first under a temporary name, then renamed. card: its README.md; by default the card that the
        model was loaded with.

        Raises ModelError if `folder` exists and is not a model directory.

        >>> import tempfile, tokpress
        >>> with tempfile.TemporaryDirectory() as place:
        ...     tokpress.load("context-mixing").save(place + "/mine", card="# Nothing was trained")
        ...     sorted(os.listdir(place + "/mine")), tokpress.load(place + "/mine").id == tokpress.load("context-mixing").id
        (['README.md', 'config.json'], True)
        """

        def write(place: Path) -> None:
            self._write(place)
            if text := self.card if card is None else card:
                (place / "README.md").write_text(text, "utf-8")

        files.place(Path(path("folder", folder)), write)
