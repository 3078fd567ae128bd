"""Segments: several tokenizers share one vocabulary, and a mark before each segment names its tokenizer.

    source   segments of several kinds (`tokpress.media.segments`): a caption, its picture …
    tokens   mark_k, then the tokens of kind k's tokenizer, shifted to a range of their own; mark_j …
    V        kinds + 1 + 256 + Σ_k V_k

One prior over text and pictures in one sequence, as in DALL·E (Ramesh et al. 2021, §2) and Chameleon (2024, §2). From the first
segment on that its tokenizer cannot restore, the last mark and plain bytes follow. So every source is coded without loss where all
tokenizers are lossless.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import TokenizerError, TokpressError
from ..media.segments import HEAD, MAX_KINDS, complete, split
from ..storage import files as model_files
from ..storage import tensors
from ..tokens import TokenBuffer, Tokens, as_array
from .base import Config, Tokenizer, in_vocabulary
from .registry import TOKENIZERS
from .sizes import Sizes

FILE = "tokenizer.safetensors"


class SegmentSizes(Sizes):
    """The bytes of a token, from the tokenizer of its segment."""

    def __init__(self, segments: "SegmentsTokenizer") -> None:
        self._segments = segments

    def source_length(self, tokens: TokenBuffer) -> int:
        try:
            return sum(
                len(part_tokens)
                if kind == self._segments.marks - 1
                else HEAD + self._segments.parts[kind].sizes.source_length(part_tokens)
                for kind, part_tokens in self._segments.runs(tokens)
            )
        except TokenizerError:
            return -1  # no source has this length

    def possible_tokens(self, length: int) -> range:
        """A mark has the bytes of the head of a segment; the mark for bytes has none."""
        tokens_a_byte = max(1, *(-(-part.sizes.unit_tokens // part.sizes.unit_bytes) for part in self._segments.parts))
        return range(min(length, 1), (length > 0) + tokens_a_byte * length + 1)

    def lengths(self, tokens: TokenBuffer) -> NDArray[np.int64]:
        out = []
        for kind, part_tokens in self._segments.runs(tokens):
            if kind == self._segments.marks - 1:
                out += [[0], np.ones(len(part_tokens), np.int64)]
            else:
                out += [[HEAD], self._segments.parts[kind].sizes.lengths(part_tokens)]
        return np.concatenate([np.zeros(0, np.int64), *out]).astype(np.int64)

    def average(self) -> NDArray[np.float64]:
        marks = [float(HEAD)] * len(self._segments.parts) + [0.0]
        return np.concatenate([marks, np.ones(256), *(part.sizes.average() for part in self._segments.parts)])


class SegmentsTokenizer(Tokenizer):
    """
    >>> from tokpress.media.segments import join
    >>> from tokpress.tokenizers.text.bytes import BitsTokenizer, BytesTokenizer
    >>> both = SegmentsTokenizer([BytesTokenizer(), BitsTokenizer()])
    >>> tokens = both.encode(join([(0, b"A"), (1, b"\\x81")])); tokens.tolist()
    [0, 324, 1, 516, 515, 515, 515, 515, 515, 515, 516]
    >>> both.decode(tokens) == join([(0, b"A"), (1, b"\\x81")])
    True
    """

    name = "segments"
    #: settings of training
    defaults: ClassVar = {"parts": ""}

    def __init__(self, parts: Sequence[Tokenizer]) -> None:
        if not 1 <= len(parts) <= MAX_KINDS:
            raise TokenizerError(f"segments are of 1 to {MAX_KINDS} kinds, not {len(parts)}")
        self.parts = list(parts)
        self.lossless = all(part.lossless for part in parts)
        self.reproducible = all(part.reproducible for part in parts)
        #: number of marks, the last of which is for bytes; the symbols are the marks, the bytes, then those of each kind
        self.marks = len(parts) + 1
        sizes = np.cumsum([self.marks + 256, *(part.vocab_size for part in parts)])
        self.begins, self.vocab_size = sizes[:-1], int(sizes[-1])
        if self.vocab_size > 1 << 16:
            raise TokenizerError(f"a vocabulary of {self.vocab_size:,} symbols is too large")
        self.sizes = SegmentSizes(self)

    def encode(self, source: bytes) -> Tokens:
        out, done = [], 0
        try:
            for kind, data in split(source, len(self.parts)):
                part_tokens = self._encode_part(kind, data)
                if part_tokens is None:
                    break
                out += [[kind], part_tokens + self.begins[kind]]
                done += HEAD + len(data)
        except TokenizerError:
            pass
        if done < len(source):
            plain = np.frombuffer(source, np.uint8, offset=done).astype(np.int64)
            out += [[self.marks - 1], plain + self.marks]
        return np.concatenate([np.zeros(0, np.int64), *out]).astype(np.int32)

    def safe_prefix(self, source: bytes) -> int:
        return complete(source, len(self.parts))

    def _encode_part(self, kind: int, data: bytes) -> NDArray[np.int64] | None:
        """Tokens of a segment; None where its tokenizer does not take it, or gives another length."""
        part = self.parts[kind]
        try:
            tokens = part.encode(data)
        except TokenizerError:
            return None
        return as_array(tokens).astype(np.int64) if part.sizes.source_length(tokens) == len(data) else None

    def runs(self, tokens: TokenBuffer) -> list[tuple[int, Tokens]]:
        """(kind, tokens) of each segment. Raises TokenizerError."""
        tokens = in_vocabulary(tokens, self.vocab_size)
        if not len(tokens):
            return []
        at = np.flatnonzero(tokens < self.marks)
        if not len(at) or at[0]:
            raise TokenizerError("a sequence of segments begins with a mark")
        out = []
        for start, stop in zip(at, [*at[1:], len(tokens)]):
            kind, part_tokens = int(tokens[start]), tokens[start + 1 : stop]
            begin, size = (
                (self.marks, 256) if kind == self.marks - 1 else (self.begins[kind], self.parts[kind].vocab_size)
            )
            if len(part_tokens) and (part_tokens.min() < begin or part_tokens.max() >= begin + size):
                raise TokenizerError(f"a token of another kind stands in a segment of kind {kind}")
            out.append((kind, (part_tokens - begin).astype(np.int32)))
        return out

    def decode(self, tokens: TokenBuffer) -> bytes:
        out = []
        for kind, part_tokens in self.runs(tokens):
            if kind == self.marks - 1:
                out.append(part_tokens.astype(np.uint8).tobytes())
            else:
                data = self.parts[kind].decode(part_tokens)
                out.append(bytes([kind]) + len(data).to_bytes(HEAD - 1, "little") + data)
        return b"".join(out)

    # --- on disk -----------------------------------------------------------------------------------

    def config(self) -> Config:
        return {"parts": [{"name": part.name, **part.config()} for part in self.parts]}

    def save(self, folder: Path) -> None:
        """Write the files of all parts as tensors of one file."""
        files = {"parts": np.array([len(self.parts)], np.int64)}
        for i, part in enumerate(self.parts):
            with TemporaryDirectory() as place:
                part.save(Path(place))
                for path in sorted(Path(place).iterdir()):
                    files[f"{i}/{path.name}"] = np.frombuffer(path.read_bytes(), np.uint8)
        tensors.write(files, Path(folder) / FILE)

    @classmethod
    def load(cls, folder: Path, config: Config) -> "SegmentsTokenizer":
        path = Path(folder) / FILE
        try:
            model_files.check_settings("a segments tokenizer", config, {"parts"})
            files, parts = tensors.read(model_files.read(path) or b"", path), []
            if not isinstance(config["parts"], list) or len(config["parts"]) > MAX_KINDS:
                raise ValueError(f"parts should be a list of at most {MAX_KINDS} tokenizers")
            for i, settings in enumerate(config["parts"]):
                settings = dict(settings)
                kind = TOKENIZERS.find(settings.pop("name"))
                with TemporaryDirectory() as place:
                    for name in ("tokenizer.json", FILE):
                        if f"{i}/{name}" in files:
                            if (stored := files[f"{i}/{name}"]).dtype != np.uint8:
                                raise ValueError(f"{i}/{name} should be bytes")
                            (Path(place) / name).write_bytes(stored.tobytes())
                    parts.append(kind.load(Path(place), settings))
            return cls(parts)
        except (OSError, KeyError, TypeError, ValueError, TokpressError) as error:
            raise TokenizerError(f"{path} holds no segments of tokenizers: {error}") from error
