"""Corpora of every kind: found, read, sampled, learned from and packed; damage is named, not swallowed."""

import gzip
import json
import lzma
import sys

import numpy as np
import pytest
import zstandard

from tokpress.errors import CorpusError, TokenizerError
from tokpress.tokenizers.text.bytes import BytesTokenizer
from tokpress.training.data import corpus, tokenize
from tokpress.training.data.corpus import corpus_files, read_chunks, sample
from tokpress.training.data.tokenize import pack_tokens
from tokpress.training.learners.bpe import train_bpe

DATA = np.random.default_rng(0).integers(97, 105, 300_000).astype(np.uint8).tobytes()


def _zstd_frames(data: bytes) -> bytes:
    """Two frames with checksums, the second without its length, as `zstd < pipe` writes them."""
    first, second = data[: len(data) // 2], data[len(data) // 2 :]
    compressor = zstandard.ZstdCompressor(write_checksum=True)
    stream = compressor.compressobj()
    return compressor.compress(first) + stream.compress(second) + stream.flush()


ENCODINGS = {
    "plain.txt": lambda data: data,
    "a.xz": lambda data: lzma.compress(data[:1000], preset=0) + lzma.compress(data[1000:], preset=0),
    "b.gz": lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:]),
    "c.ZST": _zstd_frames,
}
COMPRESSED = [name for name in ENCODINGS if name != "plain.txt"]


# ── finding and reading ─────────────────────────────────────────────────────────────────────────────


def test_files_are_sorted_and_not_hidden(tmp_path):
    for name in ["b/2", "b/1", "a", ".git/x", "b/.hidden", "c/d/e"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    names = [str(path.relative_to(tmp_path)) for path in corpus_files([tmp_path])]
    assert names == ["a", "b/1", "b/2", "c/d/e"]
    assert corpus_files([tmp_path / "c", tmp_path, str(tmp_path / "c")])[0] == tmp_path / "c/d/e"
    assert len(corpus_files([tmp_path / "c", tmp_path])) == 4


def test_nothing_to_train_on(tmp_path):
    with pytest.raises(CorpusError, match="nothing to train on"):
        corpus_files([tmp_path])
    (tmp_path / "empty").touch()
    with pytest.raises(CorpusError, match="nothing to train on"):
        corpus_files([tmp_path])
    with pytest.raises(CorpusError, match="absent does not exist"):
        corpus_files([tmp_path / "absent"])
    with pytest.raises(CorpusError):
        corpus_files([])


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("size", [1 << 12, 99_991, 1 << 20])
def test_chunks_are_the_file(tmp_path, name, size):
    path = tmp_path / name
    path.write_bytes(ENCODINGS[name](DATA))
    positions = []
    chunks = list(read_chunks(path, size, positions.append))
    assert b"".join(chunks) == DATA
    assert all(len(chunk) == size for chunk in chunks[:-1])
    assert positions == sorted(positions) and positions[-1] <= path.stat().st_size


@pytest.mark.parametrize("name", ENCODINGS)
def test_empty_files_have_no_chunks(tmp_path, name):
    (tmp_path / name).write_bytes(ENCODINGS[name](b""))
    assert list(read_chunks(tmp_path / name)) == []


# lzma ignores what follows a complete stream, so "tail" is no error there
DAMAGES = [(name, damage) for name in COMPRESSED for damage in ("cut", "flipped", "garbage", "tail")]
DAMAGES.remove(("a.xz", "tail"))


@pytest.mark.parametrize(("name", "damage"), DAMAGES)
def test_damaged_files_are_named(tmp_path, name, damage):
    good = ENCODINGS[name](DATA)
    middle = len(good) // 2 + 1000
    bad = {
        "cut": good[:-9],
        "flipped": good[:middle] + bytes(b ^ 255 for b in good[middle : middle + 500]) + good[middle + 500 :],
        "garbage": b"not compressed at all",
        "tail": good + b"not compressed at all",
    }[damage]
    path = tmp_path / name
    path.write_bytes(bad)
    with pytest.raises(CorpusError, match=name):
        list(read_chunks(path))
    with pytest.raises(CorpusError, match=name):
        sample([tmp_path], 1000)


def test_a_file_that_cannot_be_opened(tmp_path):
    with pytest.raises(CorpusError, match="gone"):
        list(read_chunks(tmp_path / "gone"))


def test_zstandard_missing(tmp_path, monkeypatch):
    (tmp_path / "c.zst").write_bytes(_zstd_frames(DATA))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(CorpusError, match="pip install zstandard"):
        list(read_chunks(tmp_path / "c.zst"))


# ── sampling ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ENCODINGS)
def test_sample_is_deterministic_and_spread(tmp_path, name):
    numbers = np.arange(100_000, dtype="<u4")
    (tmp_path / name).write_bytes(ENCODINGS[name](numbers.tobytes()))
    chunks = sample([tmp_path], 40_000, seed=3, chunk_bytes=1000)
    assert chunks == sample([tmp_path], 40_000, seed=3, chunk_bytes=1000)
    assert chunks != sample([tmp_path], 40_000, seed=4, chunk_bytes=1000)
    assert sum(map(len, chunks)) == 40_000
    starts = [int(np.frombuffer(chunk[:4], "<u4")[0]) for chunk in chunks]
    assert starts == sorted(set(starts))
    assert starts[0] < 25_000 and starts[-1] > 75_000


def test_small_corpora_are_sampled_whole(tmp_path):
    for i in range(50):
        (tmp_path / f"{i:02}").write_bytes(b"record %d" % i)
    assert sample([tmp_path], 10_000) == [b"record %d" % i for i in range(50)]


def test_small_files_are_documents(tmp_path):
    for i in range(200):
        (tmp_path / f"{i:03}").write_bytes(b"%03d." % i * 10)
    chunks = sample([tmp_path], 1000, chunk_bytes=64)
    assert len(chunks) == 25 and sum(map(len, chunks)) == 1000
    assert len({chunk[:4] for chunk in chunks}) == 25


def test_weights_decide_the_shares(tmp_path):
    (tmp_path / "a").write_bytes(b"a" * 400_000)
    (tmp_path / "b").write_bytes(b"b" * 400_000)
    paths = [tmp_path / "a", tmp_path / "b"]
    share = np.mean([sample(paths, 20_000, s, [1, 4], 500).count(b"b" * 500) / 40 for s in range(20)])
    assert 0.75 < share < 0.85
    for weights in ([1], [1, 0], [1, -2], [1, float("nan")]):
        with pytest.raises(CorpusError, match="weights"):
            sample(paths, 20_000, weights=weights)


# ── learning ────────────────────────────────────────────────────────────────────────────────────────


def test_training_is_deterministic(tmp_path):
    words = [b"alpha", b" beta", b"\ngamma", b" \xc3\xa9t\xc3\xa9", b", 12"]
    draws = np.random.default_rng(1).integers(0, 5, 60_000)
    (tmp_path / "text").write_bytes(b"".join(words[i] for i in draws))
    reports = []
    made = [
        train_bpe([tmp_path], 300, 100_000, seed=5, report=lambda *progress: reports.append(progress)) for _ in range(3)
    ]
    assert len({tokenize.tokenizer_hash(tokenizer) for tokenizer in made}) == 1
    assert reports[-1] == (100_000, 100_000)
    assert made[0].sizes.average().max() <= 16


def test_a_tiny_corpus_gives_a_small_vocabulary(tmp_path):
    (tmp_path / "tiny").write_bytes(b"hello hello")
    tokenizer = train_bpe([tmp_path], 4096)
    assert 256 <= tokenizer.vocab_size < 270
    assert tokenizer.decode(tokenizer.encode(b"\x00hello\xff")) == b"\x00hello\xff"
    assert train_bpe([tmp_path], 256).vocab_size == 256
    with pytest.raises(TokenizerError, match="256"):
        train_bpe([tmp_path], 255)


def test_data_without_words_is_learned_in_bounded_time_and_memory(tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    (tmp_path / "dna").write_bytes(np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, 500_000)].tobytes())
    monkeypatch.setattr("tokpress.training.learners.bpe.MAX_DISTINCT_BYTES", 100_000)
    reports = []
    tokenizer = train_bpe([tmp_path], 300, report=lambda *progress: reports.append(progress))
    assert tokenizer.vocab_size == 300
    assert 50_000 < reports[-1][1] < 150_000


# ── packing ─────────────────────────────────────────────────────────────────────────────────────────


class Counting(BytesTokenizer):
    """Counts what it encodes."""

    def __init__(self, config=None):
        self.calls, self._config = 0, config or {}

    def config(self):
        return self._config

    def encode(self, source):
        self.calls += 1
        return super().encode(source)


@pytest.fixture
def small_limits(monkeypatch):
    monkeypatch.setattr(tokenize, "OWN_FILE_BYTES", 10_000)


def test_packed_tokens_are_the_corpus(tmp_path, small_limits):
    for name, compress in ENCODINGS.items():
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(compress(DATA))
    reports = []
    sources = pack_tokens(
        BytesTokenizer(), [tmp_path / "in"], tmp_path / "out", report=lambda *progress: reports.append(progress)
    )
    assert len(sources) == 4
    for source in sources:
        assert source.all.astype(np.uint8).tobytes() == DATA
    total = sum(path.stat().st_size for path in (tmp_path / "in").iterdir())
    assert reports == sorted(reports) and reports[-1] == (total, total)


def test_packing_is_done_once(tmp_path, small_limits):
    big, little = tmp_path / "in" / "big", tmp_path / "in" / "little"
    big.parent.mkdir()
    big.write_bytes(DATA)
    little.write_bytes(b"little")

    def calls(tokenizer):
        pack_tokens(tokenizer, [tmp_path / "in"], tmp_path / "out")
        return tokenizer.calls

    assert calls(Counting()) == 2
    assert calls(Counting()) == 0
    little.write_bytes(b"changed")
    assert calls(Counting()) == 1
    assert calls(Counting({"other": 1})) == 2
    (tmp_path / "out" / "manifest.json").write_text("damaged")
    assert calls(Counting({"other": 1})) == 2
    next((tmp_path / "out").glob("big*.u16")).write_bytes(b"cut off")
    assert calls(Counting({"other": 1})) == 1
    big.unlink()
    assert calls(Counting({"other": 1})) == 0
    assert [path.name for path in (tmp_path / "out").glob("*.u16")] == ["small-files-1.0.u16"]


def test_many_small_files_share_one_token_file(tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(500):
        (tmp_path / "in" / str(i)).write_bytes(b"<%d>" % i)
    (source,) = pack_tokens(BytesTokenizer(), [tmp_path / "in"], tmp_path / "out")
    packed = source.all.astype(np.uint8).tobytes()
    assert sorted(packed[1:-1].split(b"><"), key=int) == [b"%d" % i for i in range(500)]
    assert not packed.startswith(b"<0><1>")  # shuffled


def test_weights_reach_the_sources(tmp_path, small_limits):
    for name in "abc":
        (tmp_path / name).write_bytes(DATA if name == "a" else b"short " * 9)
    sources = pack_tokens(BytesTokenizer(), [tmp_path / n for n in "abc"], tmp_path / "out", [2.0, 0.5, 2.0])
    assert sorted(source.weight for source in sources) == [0.5, 2.0, 2.0]


def test_a_damaged_file_leaves_nothing_half_done(tmp_path, small_limits):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.xz").write_bytes(lzma.compress(DATA, preset=0)[:-20])
    with pytest.raises(CorpusError, match=r"bad\.xz"):
        pack_tokens(BytesTokenizer(), [tmp_path / "in"], tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_cannot_be_packed(tmp_path):
    (tmp_path / "empty.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(CorpusError, match="empty inside"):
        pack_tokens(BytesTokenizer(), [tmp_path / "empty.gz"], tmp_path / "out")
    tokenizer = BytesTokenizer()
    tokenizer.vocab_size = 65537
    with pytest.raises(CorpusError, match="16-bit"):
        pack_tokens(tokenizer, [tmp_path / "empty.gz"], tmp_path / "out")
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())


def test_chunk_size_default_is_the_tokenizers_cut():
    from tokpress.tokenizers.text.bpe import CUT_BYTES

    assert corpus.CHUNK_BYTES == CUT_BYTES
