"""Learn a list of tokens: the most frequent words or characters of a sample of the corpus."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ...tokenizers.text.listed import ListedTokenizer
from ..data.corpus import sample
from ..options import TokenizerOptions

#: sample of the corpus that is counted
SAMPLE_BYTES = 64 << 20


def fit_list(cls: type[ListedTokenizer], paths: Sequence[Path], options: TokenizerOptions) -> ListedTokenizer:
    """A list of `options.vocab_size` − 256 entries; fewer where the corpus has fewer."""
    chunks = sample(paths, SAMPLE_BYTES, options.config.seed, options.weights)
    total_bytes = sum(map(len, chunks))

    def reported() -> Iterator[bytes]:
        done_bytes = 0
        for chunk in chunks:
            yield chunk
            done_bytes += len(chunk)
            options.report(done_bytes, total_bytes)

    return cls.learn(reported(), options.vocab_size)
