"""BPE gives every byte back, whoever made the vocabulary; what cannot is refused with a reason."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as HFTokenizer

from tests.directories.mutate import places
from tokpress.errors import TokenizerError
from tokpress.tokenizers.registry import TOKENIZERS
from tokpress.tokenizers.text import bpe, bpe_form
from tokpress.tokenizers.text.bpe import BPETokenizer
from tokpress.tokenizers.text.bpe_import import import_tokenizer
from tokpress.tokens import as_array
from tokpress.training.learners.bpe import train_bpe

TEXT = "It's the cat that sat on the mat; the cat's hat, 1234 times!\n\tNaïve café, “quoted” — Ελλάδα 漢字.\n" * 40
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> BPETokenizer:
    path = tmp_path_factory.mktemp("corpus") / "text"
    path.write_bytes(TEXT.encode())
    return train_bpe([path], vocab_size=300)


@pytest.fixture
def by_library(own) -> BPETokenizer:
    """One whose pieces the core does not cut."""
    whole = json.loads(own._text) | {"pre_tokenizer": {"type": "Digits", "individual_digits": True}}
    tokenizer = BPETokenizer(json.dumps(whole))
    assert tokenizer.encode(b"12").tolist() == [ord("1"), ord("2")]
    return tokenizer


def byte_level(pieces=None, special=("<|endoftext|>",), **trainer) -> HFTokenizer:
    """GPT-2's kind of tokenizer: bytes as 256 printable characters."""
    made = HFTokenizer(models.BPE())
    made.pre_tokenizer = pieces or pre_tokenizers.ByteLevel(add_prefix_space=False)
    options = {"initial_alphabet": pre_tokenizers.ByteLevel.alphabet()} | trainer
    made.train_from_iterator(
        [TEXT], trainers.BpeTrainer(vocab_size=420, special_tokens=list(special), show_progress=False, **options)
    )
    return made


def write(made: HFTokenizer, folder):
    path = folder / "foreign.json"
    path.write_text(made.to_str(), "utf-8")
    return path


@given(source=st.binary(max_size=2000) | st.text(max_size=500).map(lambda s: s.encode("utf-8", "surrogatepass")))
def test_any_bytes_come_back(own, source):
    tokens = own.encode(source)
    assert as_array(tokens).dtype == np.int32
    assert own.decode(tokens) == source
    assert own.sizes.lengths(tokens).sum() == len(source)


def test_every_byte_is_its_own_id(own):
    assert own.vocab_size == 300
    for byte in range(256):
        assert own.decode([byte]) == bytes([byte])


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_sources_around_the_cuts_of_the_library(by_library, monkeypatch, extra):
    monkeypatch.setattr(bpe, "CUT_BYTES", 64)
    monkeypatch.setattr(bpe, "BATCH_BYTES", 256)
    for n in (64, 256, 512):
        source = (TEXT.encode() * 2)[: n + extra]
        assert by_library.decode(by_library.encode(source)) == source


def test_long_sources_and_other_buffers(own):
    source = TEXT.encode() * 60 + bytes(range(256)) * 10
    assert len(source) > 2 * bpe.CUT_BYTES
    assert own.decode(own.encode(source)) == source
    assert own.decode(own.encode(bytearray(source))) == source
    assert own.decode(own.encode(memoryview(source))) == source


@pytest.mark.parametrize("wrong", [-1, 300, 2**31 - 1])
def test_ids_out_of_range(own, wrong):
    with pytest.raises(TokenizerError, match="299"):
        own.decode(np.array([65, wrong]))


def test_save_and_load(own, tmp_path):
    own.save(tmp_path)
    again = TOKENIZERS.find("bpe").load(tmp_path, own.config())
    assert again.encode(TEXT.encode()) == own.encode(TEXT.encode())
    again.save(tmp_path / "..")
    assert (tmp_path / "tokenizer.json").read_bytes() == (tmp_path / ".." / "tokenizer.json").read_bytes()


def test_load_says_what_is_wrong(tmp_path):
    with pytest.raises(TokenizerError, match="cannot read"):
        BPETokenizer.load(tmp_path, {})
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(TokenizerError, match=r"not a tokenizer\.json"):
        BPETokenizer.load(tmp_path, {})
    (tmp_path / "tokenizer.json").write_text(byte_level().to_str(), "utf-8")
    with pytest.raises(TokenizerError, match="import_tokenizer"):
        BPETokenizer.load(tmp_path, {})


#: edits of a sound file: what becomes of its top level, or of its model
LOSSY: dict[str, dict] = {
    "lower case": {"normalizer": {"type": "Lowercase"}},
    "replaced": {"normalizer": {"type": "Replace", "pattern": {"String": "hidden"}, "content": "public"}},
    "nothing normalized": {"normalizer": {"type": "Sequence", "normalizers": []}},
    "words only": {"pre_tokenizer": {"type": "WhitespaceSplit"}},
    "prefix space": {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "use_regex": True}},
    "byte level": {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}},
    "removed": {"pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "Removed", "invert": False}},
    "removed inside": {
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, {"type": "Punctuation", "behavior": "Removed"}],
        }
    },
    "metaspace": {"pre_tokenizer": {"type": "Metaspace", "replacement": "_", "prepend_scheme": "always", "split": True}},
    "truncation": {"truncation": {"max_length": 5, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}},
    "padding": {"padding": {"strategy": {"Fixed": 99}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                            "pad_type_id": 0, "pad_token": "a"}},
    "post-processor": {"post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}},
    "decoder": {"decoder": {"type": "Strip", "content": " ", "start": 1, "stop": 0}},
    "added token": {"added_tokens": [{"id": 5, "content": "the", "single_word": False, "lstrip": True, "rstrip": True,
                                      "normalized": False, "special": True}]},
    "of tomorrow": {"postprocessing": None},
    "dropout": {"model": {"dropout": 0.5}},
    "no dropout": {"model": {"dropout": 0}},
    "unknown": {"model": {"unk_token": "a"}},
    "fused": {"model": {"fuse_unk": True, "unk_token": "a"}},
    "byte fallback": {"model": {"byte_fallback": True}},
    "prefix": {"model": {"continuing_subword_prefix": "##"}},
    "suffix": {"model": {"end_of_word_suffix": "</w>"}},
    "unigram": {"model": {"type": "Unigram"}},
    "cache": {"model": {"cache_capacity": 5}},
    "merges": {"model": {"merges": [["t", "hh"]]}},
    "merges as text": {"model": {"merges": ["t h"]}},
    "no merges": {"model": {"merges": {}}},
}  # fmt: skip


@pytest.mark.parametrize("edit", LOSSY)
def test_what_may_lose_bytes_is_refused_when_it_is_loaded(edit, own, tmp_path):
    own.save(tmp_path)
    whole = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))
    changed = {**LOSSY[edit]}
    changed["model"] = whole["model"] | changed.get("model", {})
    (tmp_path / "tokenizer.json").write_text(json.dumps(whole | changed))
    with pytest.raises(TokenizerError, match=r"tokenizer\.json .*"):
        BPETokenizer.load(tmp_path, {})


@pytest.mark.parametrize("vocab", [
    {"ab": 65}, {"ab": -1}, {"ab": 1 << 24}, {"ab": 1 << 18}, {"ab": True}, {"ab": 300.0}, {"ab": "300"}, {"\u0100": 300}, {"": 300},
    {"\ud800": 300},
])  # fmt: skip
def test_vocabularies_that_are_refused(vocab):
    """Two tokens of one id, ids out of all proportion, no ids, and tokens of no bytes."""
    whole = {"model": {"type": "BPE", "vocab": {chr(b): b for b in range(256)} | vocab, "merges": []}}
    with pytest.raises(TokenizerError):
        BPETokenizer(json.dumps(whole))


def test_cuts_that_lose_nothing_are_accepted(own, tmp_path):
    own.save(tmp_path)
    whole = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))
    parts = [
        {"type": "Split", "pattern": {"Regex": "t"}, "behavior": b, "invert": i}
        for b in bpe_form.BEHAVIORS
        for i in (False, True)
    ]
    parts += [{"type": "Digits", "individual_digits": True}, {"type": "Punctuation", "behavior": "Isolated"}]
    for rule in [None, *parts, {"type": "Sequence", "pretokenizers": parts}]:
        tokenizer = BPETokenizer(json.dumps(whole | {"pre_tokenizer": rule}))
        assert tokenizer.decode(tokenizer.encode(TEXT.encode())) == TEXT.encode()


def test_encode_compares_what_its_ids_decode_to(by_library, monkeypatch):
    """Also where the library would do what no structure tells."""
    for lie in (b"public", b"PUBLIC", b"publi"):
        real = by_library._library

        class Lying:
            def encode(self, text, lie=lie, real=real, **rest):
                return real.encode(text.replace("hidden", lie.decode()), **rest)

        with monkeypatch.context() as patch, pytest.raises(TokenizerError, match="does not give this source back"):
            patch.setattr(by_library, "_library", Lying())
            by_library.encode(b"what is hidden here")


def test_a_panic_of_the_library_is_an_error_of_ours(by_library, monkeypatch):
    class PanicException(BaseException):
        pass

    class Panicking:
        def encode(self, *args, **rest):
            raise PanicException("index out of bounds")

    monkeypatch.setattr(by_library, "_library", Panicking())
    with pytest.raises(TokenizerError, match="index out of bounds"):
        by_library.encode(b"a")


# ── imports ─────────────────────────────────────────────────────────────────────────────────────────

FOREIGN = {
    "gpt2": lambda: byte_level(),
    "llama3": lambda: byte_level(
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    ),
    "no pieces": lambda: byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)),
    "digits": lambda: byte_level(
        pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    ),
    "odd special tokens": lambda: byte_level(
        special=("<｜begin▁of▁text｜>", AddedToken("the", special=False), "[UNK]")
    ),
}


@pytest.fixture(scope="module", params=FOREIGN)
def imported(request, tmp_path_factory):
    made = FOREIGN[request.param]()
    return made, import_tokenizer(write(made, tmp_path_factory.mktemp("foreign")))


def test_import_gives_bytes_back(imported, tmp_path):
    _, tokenizer = imported
    sources = [TEXT.encode(), b"\xff\xc3 <|endoftext|> \xed\xa0\x80", np.random.default_rng(1).bytes(200_000)]
    for source in sources:
        assert tokenizer.decode(tokenizer.encode(source)) == source
    tokenizer.save(tmp_path)
    again = BPETokenizer.load(tmp_path, {})
    assert again.encode(sources[0]) == tokenizer.encode(sources[0])
    assert len(tokenizer.encode(sources[0])) < 0.8 * len(sources[0])


@given(source=st.binary(max_size=300))
def test_import_gives_any_bytes_back(imported, source):
    assert imported[1].decode(imported[1].encode(source)) == source


@pytest.mark.parametrize("name", ["gpt2", "llama3", "no pieces", "digits"])
def test_import_keeps_the_ids_of_ascii_text(name, tmp_path):
    made = FOREIGN[name]()
    tokenizer = import_tokenizer(write(made, tmp_path))
    text = "It's what the cat sat on:  5 mats, 12345 hats.\n\n\t'Twas  THE end...   \r\n"
    assert tokenizer.encode(text.encode()).tolist() == made.encode(text).ids


def test_special_tokens_are_plain_text_after_import(tmp_path):
    made = byte_level()
    assert made.encode("<|endoftext|>").ids == [made.token_to_id("<|endoftext|>")]
    ids = import_tokenizer(write(made, tmp_path)).encode(b"<|endoftext|>").tolist()
    assert len(ids) > 1
    assert made.token_to_id("<|endoftext|>") not in ids


def test_an_id_nobody_uses_does_not_decode(tmp_path):
    tokenizer = import_tokenizer(write(FOREIGN["odd special tokens"](), tmp_path))
    assert tokenizer.sizes.lengths([0])[0] == 0
    with pytest.raises(TokenizerError):
        tokenizer.decode([0])


def test_own_files_import_unchanged(own, tmp_path):
    own.save(tmp_path)
    tokenizer = import_tokenizer(tmp_path / "tokenizer.json")
    assert tokenizer.encode(TEXT.encode()) == own.encode(TEXT.encode())


def _word_piece():
    made = HFTokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


def _with(**parts):
    made = byte_level()
    for name, part in parts.items():
        setattr(made, name, part)
    return made


def _suffixed():
    made = HFTokenizer(models.BPE(end_of_word_suffix="</w>"))
    made.train_from_iterator(
        [TEXT],
        trainers.BpeTrainer(
            end_of_word_suffix="</w>", initial_alphabet=[chr(i) for i in range(256)], show_progress=False
        ),
    )
    return made


def _characters():
    made = HFTokenizer(models.BPE(unk_token="<unk>"))
    made.train_from_iterator(
        ["漢字"],
        trainers.BpeTrainer(
            special_tokens=["<unk>"], initial_alphabet=[chr(i) for i in range(256)], show_progress=False
        ),
    )
    return made


REFUSED = {
    "WordPiece": (_word_piece, "WordPiece"),
    "Unigram": (lambda: HFTokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0)], unk_id=0)), "Unigram"),
    "lowercase": (lambda: _with(normalizer=normalizers.Lowercase()), "normalizer Lowercase"),
    "NFC": (lambda: _with(normalizer=normalizers.NFC()), "normalizer NFC"),
    "bytes missing": (lambda: byte_level(initial_alphabet=[]), "of the 256 bytes"),
    "prefix space": (lambda: _with(pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=True)), "space"),
    "spaces dropped": (lambda: _with(pre_tokenizer=pre_tokenizers.Whitespace()), "pre_tokenizer Whitespace"),
    "metaspace": (lambda: _with(pre_tokenizer=pre_tokenizers.Metaspace()), "pre_tokenizer Metaspace"),
    "removed": (lambda: _with(pre_tokenizer=pre_tokenizers.Split(" ", "removed")), "drops"),
    "word ends": (_suffixed, "word ends"),
    "characters": (_characters, "no bytes spell"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_lossy_tokenizers_are_refused(name, tmp_path):
    make, reason = REFUSED[name]
    with pytest.raises(TokenizerError, match=reason) as caught:
        import_tokenizer(write(make(), tmp_path))
    assert "foreign.json" in str(caught.value) and ";" in str(caught.value)  # where, and what to do


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"model": 3}',
        '{"model": {"type": "BPE"}}',
        "\x00",
        '{"model": {"type": "BPE", "vocab": {}, "merges": []}}',
    ],
)
def test_files_that_are_no_tokenizer(text, tmp_path):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(TokenizerError, match=r"broken\.json"):
        import_tokenizer(path)


def test_merges_of_unknown_tokens(own, tmp_path):
    own.save(tmp_path)
    whole = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))
    for merges in ([["zzz", "yyy"]], [["a"]], ["a b c"], [3]):
        whole["model"]["merges"] = merges
        (tmp_path / "bad.json").write_text(json.dumps(whole))
        with pytest.raises(TokenizerError, match=r"bad\.json"):
            import_tokenizer(tmp_path / "bad.json")


VALUES = (None, True, -1, 10**30, 1.5, "x", "Removed", [], [1], {}, {"type": "Lowercase"}, "\ud800", "(")


@pytest.mark.parametrize(
    "name, values", [("llama3", 1), *(pytest.param(name, len(VALUES), marks=pytest.mark.slow) for name in FOREIGN)]
)
def test_mutated_files_are_refused_or_lose_nothing(name, values, tmp_path):
    """Each value of the file, beside the words of its vocabulary, changed by type, one at a time."""
    source = TEXT.encode()[:300] + bytes(range(256))
    whole, path = json.loads(write(FOREIGN[name](), tmp_path).read_text("utf-8")), tmp_path / "changed.json"
    vocab, merges = whole["model"]["vocab"], whole["model"]["merges"]
    spots = [(container, key) for container, key in places(whole) if type(key) is str and container is not vocab]
    spots += [(merges, 0), (vocab, "a"), (vocab, next(token for token in vocab if len(token) == 3))]
    for number, (container, key) in enumerate(spots):
        kept = container[key]
        for i in range(values):
            container[key] = VALUES[(number + i) % len(VALUES)]
            path.write_text(json.dumps(whole))
            for read in (import_tokenizer, lambda path: BPETokenizer(path.read_text())):
                try:
                    tokenizer = read(path)
                    assert tokenizer.decode(tokenizer.encode(source)) == source
                except TokenizerError as error:
                    assert str(error)
        container[key] = kept
