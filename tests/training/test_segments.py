"""`tokpress train` of several kinds of data in one sequence."""

from pathlib import Path

import numpy as np

from tests.training.command import run
from tokpress.media.segments import join
from tokpress.models.loading import load_folder
from tokpress.tokenizers.segments import SegmentsTokenizer
from tokpress.tokenizers.text.bytes import BitsTokenizer, BytesTokenizer
from tokpress.training.data import tokenize


def test_from_the_command_line(corpus):
    """A caption says which of two pictures follows."""
    rng = np.random.default_rng(0)

    def pairs(count: int) -> bytes:
        return join(
            part
            for bright in rng.integers(0, 2, count)
            for part in ((0, (b"bright", b"dark  ")[bright]), (1, bytes([255 * (1 - bright)] * 4)))
        )

    Path("pairs").write_bytes(pairs(3000))
    run("train", "tokenizer", "pairs", "-o", "t", "--kind", "segments", "--set", "parts=bytes,bits", "-q")
    run("train", "prior", "pairs", "-o", "m", "--tokenizer", "t", "--prior", "transformer", "--set", "width=32", "--set",
        "depth=1", "--max-steps", 60, "--rows", 16, "--window", 64, "--no-compile", "-q", "-T", 1)  # fmt: skip
    Path("new").write_bytes(pairs(20))
    run("compress", "-q", "-m", "m", "new")
    run("decompress", "-q", "-m", "m", "new.tokp", "-o", "back")
    assert Path("back").read_bytes() == Path("new").read_bytes()
    Path("caption").write_bytes(join([(0, b"bright")]))
    Path("picture").write_bytes(join([(1, bytes([255] * 4))]))
    model = load_folder("m")
    alone = model.score(Path("picture").read_bytes()).total_bits
    told = model.score(Path("picture").read_bytes(), context=Path("caption").read_bytes()).total_bits
    assert told < alone
    assert "say --set parts" in run("train", "tokenizer", "pairs", "-o", "u", "--kind", "segments", "-q", code=1).output


def test_a_corpus_is_not_cut_within_a_segment(tmp_path, monkeypatch):
    """However much of it is read at a time."""
    tokenizer = SegmentsTokenizer([BytesTokenizer(), BitsTokenizer()])
    whole = join([(0, bytes(range(i))) if i % 2 else (1, b"ab" * i) for i in range(1, 60)])
    path = tmp_path / "corpus"
    path.write_bytes(whole)
    for size in (1, 7, 100, 10_000):
        monkeypatch.setattr(tokenize, "READ_BYTES", size)
        (source,) = tokenize.pack_tokens(tokenizer, [path], tmp_path / f"tokens-{size}")
        assert np.array_equal(source.all, tokenizer.encode(whole))
