"""Learn a byte-pair vocabulary from a sample of the corpus.

Count neighbouring symbols inside pieces, merge the most frequent pair, repeat until V symbols exist
(Gage 1994; Sennrich, Haddow & Birch 2016, Algorithm 1). The 256 bytes come first, so id == byte below
256; there are no special tokens. The same seed and corpus give the same vocabulary.

Raises TokenizerError (a vocabulary below 256 symbols) and CorpusError (see `corpus.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tokenizers import Regex, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as HFTokenizer

from ..errors import TokenizerError
from ..tokenizers.bpe import MAX_VOCAB, BPETokenizer
from ..tokenizers.pieces import PIECE_PATTERN
from .corpus import sample

#: longer tokens are quotations of the sample, not parts of the language
MAX_TOKEN_BYTES = 16
#: a pair seen once is no pattern; matters for tiny corpora, which then get fewer symbols than asked for
MIN_FREQUENCY = 2


def train_bpe(
    paths: Sequence[Path | str],
    vocab_size: int = 4096,
    sample_bytes: int = 64 << 20,
    seed: int = 0,
    weights: Sequence[float] | None = None,
    report: Callable[[int, int], None] = lambda done_bytes, total_bytes: None,
) -> BPETokenizer:
    """A tokenizer of `vocab_size` symbols, or fewer where the corpus holds no more patterns.

    weights: one per path (see `sample`). report: bytes counted, bytes sampled; merging follows and is short.
    """
    if not 256 <= vocab_size < MAX_VOCAB:
        raise TokenizerError(f"vocab_size is {vocab_size}; give at least the 256 bytes, below {MAX_VOCAB}")
    chunks = sample(paths, sample_bytes, seed, weights)
    total_bytes = sum(map(len, chunks))

    def texts() -> Iterator[str]:
        done_bytes = 0
        for chunk in chunks:
            yield str(chunk, "latin-1")
            done_bytes += len(chunk)
            report(done_bytes, total_bytes)

    learned = HFTokenizer(models.BPE())
    learned.pre_tokenizer = pre_tokenizers.Split(Regex(PIECE_PATTERN), "isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=MIN_FREQUENCY,
        initial_alphabet=[chr(byte) for byte in range(256)],
        special_tokens=[],
        max_token_length=MAX_TOKEN_BYTES,
        show_progress=False,
    )
    learned.train_from_iterator(texts(), trainer)
    return BPETokenizer(learned.to_str(pretty=True))
