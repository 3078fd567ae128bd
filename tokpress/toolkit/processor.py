"""`Processor`: text, bytes, arrays and pictures to tokens and back, one at a time or many. `Encoding`: the tokens of a source."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import arguments
from ..errors import TokenizerError
from ..exact.threads import allowed, at_most, processors
from ..media.images import MODES
from ..tokenizers.base import Tokenizer, encoded
from ..tokenizers.samples import samples_of
from ..tokens import Tokens, as_array
from ..training.run_dir import check_target, save_tokenizer
from . import hugging_face, values, views

if TYPE_CHECKING:
    from PIL.Image import Image

    Source = str | bytes | bytearray | memoryview | NDArray[Any] | Image

A = TypeVar("A")
B = TypeVar("B")


class Encoding(Sequence[int]):
    """The tokens of one source: a sequence of integers, and an array where numpy asks for one.

    A notebook shows the text cut into its tokens, or the picture beside its codes."""

    def __init__(self, processor: Processor, value: values.Value, ids: Tokens) -> None:
        self._processor, self._value = processor, value
        #: int32 [N]
        self.ids = ids
        #: of the array or picture that was encoded, with the axis of the channels; None for text and bytes
        self.shape = value.shape

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, at: Any) -> Any:
        return self.ids[at].tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.ids, dtype, copy=copy)

    def __repr__(self) -> str:
        return f"<Encoding: {len(self.ids):,} tokens of the {self._processor.name} tokenizer, {len(self._value.data):,} bytes>"

    @property
    def source(self) -> bytes:
        """The bytes that were encoded."""
        return self._value.data

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._value.dtype

    @property
    def offsets(self) -> NDArray[np.int64]:
        """[N, 2]: the first byte of each token in the source, and the byte after its last.

        Raises TokenizerError where a token has no bytes of its own: several tokens together make an item.

        >>> import tokpress.tokenizers
        >>> tokpress.tokenizers.load("bytes").encode("é!").offsets.tolist()
        [[0, 1], [1, 2], [2, 3]]
        """
        sizes = self._processor.tokenizer.sizes
        if sizes.unit_tokens > 1:
            raise TokenizerError(
                f"tokens of the tokenizer {self._processor.name!r} have no offsets: {sizes.unit_tokens:,} tokens make "
                f"{sizes.unit_bytes:,} bytes together"
            )
        ends = np.cumsum(sizes.lengths(self.ids))
        return np.stack([np.append(0, ends)[:-1], ends], 1)

    @property
    def character_offsets(self) -> NDArray[np.int64]:
        """[N, 2]: as `offsets`, in characters of UTF-8 text. A token that holds a part of a character covers the whole character.

        Raises TokenizerError where the source is no UTF-8.

        >>> import tokpress.tokenizers
        >>> tokpress.tokenizers.load("bytes").encode("é!").character_offsets.tolist()
        [[0, 1], [0, 1], [1, 2]]
        """
        try:
            self.source.decode()
        except UnicodeDecodeError as error:
            raise TokenizerError(f"the source is no UTF-8 text ({error}): take `offsets`, which count bytes") from None
        begins = (np.frombuffer(self.source, np.uint8) & 0xC0) != 0x80
        characters = np.append(0, np.cumsum(begins))  # characters that begin before each byte
        starts, stops = self.offsets.T
        inside = np.append(~begins, False)
        return np.stack([characters[starts] - inside[starts], characters[stops]], 1)

    @property
    def pieces(self) -> list[bytes]:
        """The bytes of each token in the source. Raises TokenizerError as `offsets`."""
        return [self.source[start:stop] for start, stop in self.offsets.tolist()]

    def _repr_html_(self) -> str:
        return views.html(self._processor.tokenizer, self._value, self.ids)


class Processor:
    """A tokenizer for text, bytes, arrays and pictures, from Python.

    >>> import tokpress.tokenizers
    >>> text = tokpress.tokenizers.load("text")
    >>> encoding = text.encode("to be or not to be")
    >>> encoding.pieces, text.decode(encoding)
    ([b'to', b' be', b' or', b' not', b' to', b' be'], b'to be or not to be')
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        #: of the contract (`tokpress.tokenizers.base`), which knows bytes only
        self.tokenizer = tokenizer
        self.name, self.vocab_size, self.lossless = tokenizer.name, tokenizer.vocab_size, tokenizer.lossless

    def __repr__(self) -> str:
        return f"<Processor: {self.name} tokenizer, {self.vocab_size:,} symbols{'' if self.lossless else ', lossy'}>"

    # --- tokens ----------------------------------------------------------------------------------

    def encode(self, source: Source) -> Encoding:
        """The tokens of a source. A str is encoded as UTF-8; an array or a picture is cut into items where the tokenizer has items.

        Raises TokenizerError where the tokenizer does not take this source: a tokenizer of pictures takes no text."""
        value = values.value_of(self.tokenizer, source)
        return Encoding(self, value, as_array(encoded(value.tokenizer, value.data)))

    def encode_batch(self, sources: Iterable[Source], threads: int = 0) -> list[Encoding]:
        """The tokens of many sources, in their order. threads: 0 for all processors."""
        return _on_threads(self.encode, arguments.several("sources", sources), threads)

    def decode(self, tokens: Any) -> bytes:
        """The bytes of tokens: an Encoding, an array or a list. A lossy tokenizer gives a reconstruction."""
        shape = tokens.shape if isinstance(tokens, Encoding) else None
        return values.tokenizer_of(self.tokenizer, shape).decode(_ids(tokens))

    def decode_batch(self, many: Iterable[Any], threads: int = 0) -> list[bytes]:
        """`decode` of each, in their order."""
        return _on_threads(self.decode, arguments.several("many", many), threads)

    def decode_text(self, tokens: Any) -> str:
        """`decode` as UTF-8 text; U+FFFD stands for bytes that are none, such as a part of a character."""
        return self.decode(tokens).decode("utf-8", "replace")

    def decode_array(self, tokens: Any, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
        """`decode` as an array: of the shape that was encoded, or of `shape`, or items [N, sides …, channels] of the tokenizer."""
        encoding = tokens if isinstance(tokens, Encoding) else None
        shape = shape or (encoding.shape if encoding else None)
        data = values.tokenizer_of(self.tokenizer, shape).decode(_ids(tokens))
        return values.array_of(self.tokenizer, data, shape, encoding.dtype if encoding else values.DTYPES[8])

    def decode_image(self, tokens: Any, shape: tuple[int, ...] | None = None) -> Image:
        """`decode_array` as a PIL image. Raises TokenizerError where the array is no picture, such as one of several items."""
        array = self.decode_array(tokens, shape)
        if array.ndim == 4 and len(array) == 1:
            array = array[0]
        if array.ndim != 3 or array.dtype != np.uint8 or array.shape[-1] not in MODES:
            raise TokenizerError(
                f"an array of shape {array.shape} is no picture: say its shape, (rows, columns, channels)"
            )
        from PIL import Image

        mode = MODES[array.shape[-1]]
        return Image.frombytes(mode, array.shape[1::-1], array.tobytes())

    def token_bytes(self, token: int) -> bytes:
        """The bytes of one symbol. Raises TokenizerError where symbols have no bytes of their own."""
        if self.tokenizer.sizes.unit_tokens > 1 or samples_of(self.tokenizer).sides:
            raise TokenizerError(f"a symbol of the tokenizer {self.name!r} has no bytes of its own")
        return self.tokenizer.decode(as_array(np.array([arguments.whole("token", token)])))

    # --- on disk ---------------------------------------------------------------------------------

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write a directory that `load` and `tokpress train prior --tokenizer DIR` take; a tokenizer in it is replaced. Raises ModelError where
        it has a model."""
        place = Path(arguments.path("folder", folder))
        check_target(place, force=False, keeps_tokenizer=True)
        save_tokenizer(self.tokenizer, place)

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write a Hugging Face tokenizer.json, with which the library `tokenizers` gives the same ids for the same text.

        Folders above it are made. Raises TokenizerError where the library has no such tokenizer: of text, `bpe`, `words`, `chars` and `bytes`
        can be exported; also where `path` is a folder."""
        place = Path(arguments.path("path", path))
        if place.is_dir():
            raise TokenizerError(f"{place} is a folder: name the file, such as {place / 'tokenizer.json'}")
        text = hugging_face.exported(self.tokenizer)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text + "\n", "utf-8", newline="")


def _ids(tokens: Any) -> Tokens:
    return tokens.ids if isinstance(tokens, Encoding) else as_array(np.asarray(tokens).reshape(-1))


def _on_threads(function: Callable[[A], B], items: list[A], threads: int) -> list[B]:
    """`function` of each item. Tokenizers release the interpreter while they compute."""
    workers = min(len(items), allowed(threads) or processors())
    if workers < 2:
        return [function(item) for item in items]

    def alone(item: A) -> B:
        with at_most(1):
            return function(item)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(alone, items))
