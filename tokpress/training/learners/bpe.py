"""Learn a byte-pair vocabulary from a sample of the corpus.

Count neighbouring symbols inside pieces, merge the most frequent pair, repeat until V symbols exist
(Gage 1994; Sennrich, Haddow & Birch 2016, Algorithm 1). The 256 bytes come first, so id == byte below
256; there are no special tokens. The same seed and corpus give the same vocabulary.

Raises TokenizerError (a vocabulary below 256 symbols) and CorpusError (see `corpus.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Regex, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as HFTokenizer

from ...errors import TokenizerError
from ...tokenizers.text.bpe import BPETokenizer
from ...tokenizers.text.bpe_form import MAX_VOCAB
from ...tokenizers.text.pieces import PIECE_PATTERN
from ..data.corpus import sample
from ..options import TokenizerOptions

#: longer tokens are quotations of the sample, not parts of the language
MAX_TOKEN_BYTES = 16
#: a pair seen once is no pattern; matters for tiny corpora, which then get fewer symbols than asked for
MIN_FREQUENCY = 2
#: the trainer takes quadratic time in the length of a piece, and "words" of DNA or base64 never end
MAX_PIECE_BYTES = 64
#: the trainer keeps every distinct piece, ≈ 80 bytes per byte: fewer bytes of sample where few repeat
MAX_DISTINCT_BYTES = 1 << 24


def fit_bpe(cls: type[BPETokenizer], paths: Sequence[Path], options: TokenizerOptions) -> BPETokenizer:
    """A tokenizer of `options.vocab_size` symbols (`train_bpe`)."""
    seed, weights = options.config.seed, options.weights
    return train_bpe(paths, options.vocab_size, seed=seed, weights=weights, report=options.report)


def train_bpe(
    paths: Sequence[Path | str],
    vocab_size: int = 4096,
    sample_bytes: int = 64 << 20,
    seed: int = 0,
    weights: Sequence[float] | None = None,
    report: Callable[[int, int], None] = lambda done_bytes, total_bytes: None,
) -> BPETokenizer:
    """A tokenizer of `vocab_size` symbols, or fewer where the corpus holds no more patterns.

    weights: one per path (see `sample`). report: bytes counted, bytes to count; merging follows and is short.
    Where pieces hardly repeat (binary data), only the start of a shuffled sample is learned from."""
    if not 256 <= vocab_size < MAX_VOCAB:
        raise TokenizerError(f"vocab_size is {vocab_size}; give at least the 256 bytes, below {MAX_VOCAB}")
    words = pre_tokenizers.Split(Regex(PIECE_PATTERN), "isolated")
    cuts = pre_tokenizers.Split(Regex(rf"[\s\S]{{1,{MAX_PIECE_BYTES}}}"), "isolated")
    model = HFTokenizer(models.BPE())
    model.pre_tokenizer = pre_tokenizers.Sequence([words, cuts])
    chunks = sample(paths, sample_bytes, seed, weights)
    np.random.default_rng(seed).shuffle(chunks)
    chunks = _within_memory(chunks, model.pre_tokenizer)
    model.train_from_iterator(_texts(chunks, report), _trainer(vocab_size))
    model.pre_tokenizer = words  # the cuts were for the trainer's sake
    return BPETokenizer(model.to_str(pretty=False))


def _trainer(vocab_size: int) -> trainers.BpeTrainer:
    return trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=MIN_FREQUENCY,
        initial_alphabet=[chr(byte) for byte in range(256)],
        special_tokens=[],
        max_token_length=MAX_TOKEN_BYTES,
        show_progress=False,
    )


def _texts(chunks: list[bytes], report: Callable[[int, int], None]) -> Iterator[str]:
    """The chunks as text of one character a byte; each is reported when the trainer asks for the next."""
    total_bytes, done_bytes = sum(map(len, chunks)), 0
    for chunk in chunks:
        yield str(chunk, "latin-1")
        done_bytes += len(chunk)
        report(done_bytes, total_bytes)


def _within_memory(chunks: list[bytes], pieces: pre_tokenizers.PreTokenizer) -> list[bytes]:
    """As many of the first chunks as hold MAX_DISTINCT_BYTES of distinct pieces, estimated from the first MiB.
    (Later parts of a text have fewer new pieces, so the estimate errs on the side of less memory.)"""
    seen_bytes = 0
    distinct: set[str] = set()
    for chunk in chunks:
        if seen_bytes >= 1 << 20:
            break
        distinct.update(piece for piece, _ in pieces.pre_tokenize_str(str(chunk, "latin-1")))
        seen_bytes += len(chunk)
    left_bytes = MAX_DISTINCT_BYTES * seen_bytes / max(1, sum(len(piece) for piece in distinct))
    kept: list[bytes] = []
    for chunk in chunks:
        left_bytes -= len(chunk)
        if left_bytes < 0 and kept:
            break
        kept.append(chunk)
    return kept
