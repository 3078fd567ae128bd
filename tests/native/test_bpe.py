"""The core's byte pairs against their twin and against Hugging Face's library: the same ids, whatever the source and the tables."""

import json
import lzma
import os
import random
import subprocess
import sys
from array import array
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as HFTokenizer

import tokpress
from benchmarks.data import FOLDER
from tokpress.errors import TokenizerError
from tokpress.native import bpe as core_bpe
from tokpress.native import library
from tokpress.tokenizers.text import bpe_form, merges
from tokpress.tokenizers.text.bpe import BPETokenizer
from tokpress.tokenizers.text.merges import CUT_BYTES
from tokpress.tokenizers.text.pieces import CLASSES, PIECE_PATTERN, cut

ROOT = Path(tokpress.__file__).parents[1]
SHIPPED = sorted(Path(tokpress.__file__).parent.glob("models/shipped/*/tokenizer.json"))
ADVERSARIAL = [
    b"",
    b" ",
    b"a",
    bytes(range(256)) * 3,
    bytes(reversed(range(256))),
    b"\0" * 1000,
    b" " * 3000 + b"x",
    b"a" * 5000,
    b"ab" * 3000 + b"a",
    b"\xff" * 999,
    b"12345678901 1 12 123 1234" * 9,
    b"It's 'tis we'll don't O'Neill''s \"'\" " * 9,
    b"one\r\ntwo\r\n\r\n \r\n\tthree\n\n\n  four \n",
    b"\n\x85\xa0\x85 \x85\n \xa0x\t\xa0\t",
    "Naïve café “quoted” Ελλάδα 漢字仮名交じり文 😀😀 \u2028\u00a0".encode() * 20,
    b"x" * 31 + b" " + b"y" * 32 + b" " + b"z" * 33,
    *(b"the cat sat, " * 10 + b"w" * n for n in range(14, 19)),
]


def whole_file(vocab: dict, pairs: list, cuts: bool = True, words_first: bool = False) -> bytes:
    ours = {"type": "Split", "pattern": {"Regex": PIECE_PATTERN}, "behavior": "Isolated", "invert": False}
    model = {"type": "BPE", "ignore_merges": words_first, "vocab": vocab, "merges": pairs}
    return json.dumps({"version": "1.0", "pre_tokenizer": ours if cuts else None, "model": model}).encode()


class Readings:
    """One tokenizer.json, read by the core for each instruction set, by the twin, and by Hugging Face's library."""

    def __init__(self, data: bytes):
        rules = bpe_form.checked(data, "a test")
        self.words_first = bool(rules["model"].get("ignore_merges"))
        _, self.classes = bpe_form.classes(rules.get("pre_tokenizer"))
        self.tables = {"twin": merges.Tables(rules["model"]["vocab"], rules["model"]["merges"])}
        at = data.index(bpe_form.VOCABULARY) + len(bpe_form.VOCABULARY)
        for name in library.instruction_sets():
            self.tables[name], _ = core_bpe.Tables.read(data, at, using=name)
        self.theirs = HFTokenizer.from_str(data.decode())

    def hugging_face(self, source: bytes) -> list[int]:
        texts = [source[at : at + CUT_BYTES].decode("latin-1") for at in range(0, len(source), CUT_BYTES)]
        return [id for text in texts for id in self.theirs.encode(text, add_special_tokens=False).ids]

    def check(self, source: bytes, twin: bool = True) -> None:
        expected = self.hugging_face(source)
        for name, tables in self.tables.items():
            if name != "twin" or twin:
                ids = tables.encode(source, self.classes, self.words_first)
                assert ids.tolist() == expected, name
                assert tables.decode(ids) == source and tables.length(ids) == len(source), name


@pytest.fixture(scope="module")
def shipped() -> Readings:
    return Readings(SHIPPED[0].read_bytes())


def test_the_shipped_models_have_one_tokenizer():
    assert len(SHIPPED) >= 2 and len({path.read_bytes() for path in SHIPPED}) == 1


@pytest.mark.parametrize("source", ADVERSARIAL, ids=range(len(ADVERSARIAL)))
def test_adversarial_sources(shipped, source):
    shipped.check(source)


def test_text_and_noise_across_cuts(shipped):
    text = b"".join(path.read_bytes() for path in sorted(ROOT.glob("docs/*.md")))[: 5 * CUT_BYTES // 2]
    noise = random.Random(0).randbytes(CUT_BYTES + 17)
    letters = bytes(random.Random(1).choices(b"etaoin", k=2 * CUT_BYTES + 1))
    for source in (text, noise, letters, text[: CUT_BYTES - 1], text[:CUT_BYTES], text[: CUT_BYTES + 1]):
        shipped.check(source)


def test_blocks_change_nothing(shipped, core):
    text = (ROOT / "README.md").read_bytes() * 40
    tables, expected = shipped.tables[core], shipped.tables[core].encode(text, CLASSES, False)
    assert len(text) > 2 * CUT_BYTES
    for source in (text, memoryview(text), bytearray(text)):
        assert tables.encode(source, CLASSES, False, block_bytes=CUT_BYTES) == expected


NASTY = st.sampled_from(
    [b" ", b"  ", b"\n", b"\r\n", b"'", b"\0", b"\xa0", b"\x85", b"1", b"99", b"the", b" and", b"\xc3\xa9", b"ing" * 9]
)


@given(source=st.lists(NASTY | st.binary(max_size=6), max_size=60).map(b"".join) | st.text(max_size=80).map(str.encode))
def test_any_source(shipped, source):
    shipped.check(source)


@given(source=st.lists(NASTY | st.binary(max_size=6), max_size=40).map(b"".join))
def test_pieces_are_those_of_the_pattern(shipped, source):
    theirs = shipped.theirs.pre_tokenizer.pre_tokenize_str(source.decode("latin-1"))
    assert list(cut(source)) == [piece.encode("latin-1") for piece, _ in theirs]


# ── other tables ───────────────────────────────────────────────────────────────────────────────────


def trained(seed: int) -> tuple[dict, list]:
    """A vocabulary of the library's trainer, over random text of few letters, so that it is dense."""
    rng = random.Random(seed)
    letters = "".join(map(chr, rng.sample(range(256), 6))) + "ab "
    texts = ["".join(rng.choices(letters, k=3000)) for _ in range(4)]
    made = HFTokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Split(Regex(PIECE_PATTERN), "isolated")
    alphabet = [chr(byte) for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=rng.randrange(257, 600), initial_alphabet=alphabet, special_tokens=[], show_progress=False
    )
    made.train_from_iterator(texts, trainer)
    model = json.loads(made.to_str())["model"]
    return model["vocab"], model["merges"]


@pytest.mark.parametrize("seed", range(24))
def test_random_tables(seed):
    """Also such as no training makes: ranks in another order, merges missing or told twice, ids with holes and in any order, words
    that no merge makes."""
    vocab, pairs = trained(seed)
    rng = random.Random(seed)
    if seed % 4:
        rng.shuffle(pairs)
    if seed % 3 == 1:
        del pairs[: len(pairs) // 3]
    if seed % 3 == 2:
        pairs += rng.sample(pairs, len(pairs) // 4)
    if seed % 2:
        ids = rng.sample(range(3 * len(vocab)), len(vocab))
        vocab = dict(zip(rng.sample(sorted(vocab), len(vocab)), ids))
    readings = Readings(whole_file(vocab, pairs, cuts=seed % 5 != 0, words_first=seed % 7 in (1, 2)))
    words = [word.encode("latin-1") for word in vocab]
    readings.check(b"".join(rng.choices(words, k=2000)))
    readings.check(b" ".join(rng.choices(words, k=500)))
    readings.check(rng.randbytes(3000))


# ── reading tokenizer.json ─────────────────────────────────────────────────────────────────────────


def small_file() -> bytes:
    words = {"ab": 300, "aba": 256, '"': 34, "\\\n": 258, "é\u00ff": 259}
    vocab = {chr(byte): byte for byte in range(256)} | words
    return whole_file(vocab, [["a", "b"], ["ab", "a"], ["\\", "\n"], ["é", "\u00ff"]])


#: ways to write one file, and whether the core reads it at once
FORMS = {
    "as it is": (lambda whole: json.dumps(whole), True),
    "compact": (lambda whole: json.dumps(whole, separators=(",", ":")), True),
    "raw characters": (lambda whole: json.dumps(whole, ensure_ascii=False), True),
    "indented": (lambda whole: json.dumps(whole, indent=1), True),
    "by the library": (lambda whole: HFTokenizer.from_str(json.dumps(whole)).to_str(), True),
    "sorted": (lambda whole: json.dumps(whole, sort_keys=True), False),
    "odd key": (lambda whole: json.dumps(whole).replace('"vocab"', r'"\u0076ocab"'), False),
}


def tokenizer_of(data: bytes) -> BPETokenizer:
    return BPETokenizer(data.decode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_one_file(form):
    write, at_once = FORMS[form]
    data = write(json.loads(small_file())).encode()
    assert (bpe_form._by_core(data, "a test") is not None) == (at_once and library.is_here())
    found, plain = tokenizer_of(data), tokenizer_of(small_file())
    source = b'aba\\\n ab\xe9\xff""' + bytes(range(256))
    assert found.token_bytes() == plain.token_bytes() and found.encode(source) == plain.encode(source)


REFUSED = {
    "an id twice": {"vocab": {"ab": 65}},
    "an id too large": {"vocab": {"ab": 1 << 24}},
    "an id far from the others": {"vocab": {"ab": 1 << 18}},
    "an id that wraps": {"vocab": {"ab": (1 << 32) + 300}},
    "an id below zero": {"vocab": {"ab": -1}},
    "an id that is no integer": {"vocab": {"ab": 300.0}},
    "a word of no bytes": {"vocab": {"": 300}},
    "a word of no byte": {"vocab": {"\u0100": 300}},
    "half a character": {"vocab": {"\ud800": 300}},
    "a merge of no word": {"merges": [["q", "zz"]]},
    "a merge to no word": {"merges": [["q", "z"]]},
    "a merge in a circle": {"merges": [["ab", ""]]},
    "a merge of one": {"merges": [["a"]]},
    "a merge of three": {"merges": [["a", "b", "a"]]},
    "merges as text": {"merges": ["a b"]},
    "merges that are none": {"merges": {}},
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("how", ["core", "twin"])
def test_files_that_are_refused(name, how, request):
    if how == "twin":
        request.getfixturevalue("without_core")
    whole = json.loads(small_file())
    model = whole["model"]
    if "vocab" in REFUSED[name]:
        model["vocab"].update(REFUSED[name]["vocab"])
    else:
        model["merges"] = REFUSED[name]["merges"]
    with pytest.raises(TokenizerError):
        tokenizer_of(json.dumps(whole).encode())


@pytest.mark.parametrize("twice", ['"a": 97, "a": 97, ', '"a": 97, "a": 300, '])
def test_a_word_told_twice_is_refused(twice):
    data = small_file().replace(b'"a": 97, ', twice.encode())
    with pytest.raises(TokenizerError, match="twice"):
        tokenizer_of(data)


def test_a_byte_without_a_word_is_refused():
    vocab = {chr(byte): byte for byte in range(1, 256)} | {"zz": 0}
    with pytest.raises(TokenizerError, match="one Latin-1 character per byte"):
        tokenizer_of(whole_file(vocab, []))


def test_a_vocabulary_elsewhere_is_not_the_models():
    """The core reads the first vocabulary of a file; it must be the model's."""
    whole = json.loads(small_file())
    hidden = {"vocab": whole["model"]["vocab"], "merges": []}
    for key, value in {"added_tokens": hidden, "pre_tokenizer": hidden, "post_processor": hidden}.items():
        with pytest.raises(TokenizerError):
            tokenizer_of(json.dumps({key: value, **{k: v for k, v in whole.items() if k != key}}).encode())


@pytest.mark.skipif(not library.is_here(), reason="the core is not built here")
@pytest.mark.parametrize("seed", range(4))
def test_what_the_core_reads_is_what_json_says(seed):
    """Files damaged at random: where the core reads one, so does Python, and to the same tables."""
    rng, data, read, refused = random.Random(seed), small_file(), 0, 0
    parts = [
        b'"',
        b"\\",
        b"\\u00e9",
        b"\xc3",
        b"\xa9",
        b",",
        b":",
        b"{",
        b"}",
        b"[",
        b"]",
        b"0",
        b"9",
        b" ",
        b"\0",
        b'"a"',
        b'"ab": 7',
    ]
    for _ in range(1500):
        damaged = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            at = (
                rng.randrange(len(damaged))
                if rng.random() < 0.5
                else rng.randrange(max(0, len(damaged) - 250), len(damaged))
            )
            kind = rng.randrange(4)
            if kind == 0:
                damaged[at] = rng.randrange(256)
            elif kind == 1:
                damaged[at:at] = rng.choice(parts)
            elif kind == 2:
                del damaged[at : at + rng.randrange(1, 12)]
            else:
                damaged[at:] = damaged[at:] if rng.random() < 0.8 else b""
        found = bpe_form._by_core(bytes(damaged), "a test")
        try:
            model = bpe_form.checked(bytes(damaged), "a test")["model"]
        except TokenizerError:
            refused += 1
            assert found is None, bytes(damaged)
            continue
        if found is not None:
            read += 1
            twin, source = (
                merges.Tables(model["vocab"], model["merges"]),
                b"".join(w.encode("latin-1") for w in model["vocab"]),
            )
            assert found[1].words() == twin.words()
            assert found[1].encode(source, CLASSES, False) == twin.encode(source, CLASSES, False)
    assert read > 20 and refused > 200


# ── decoding, sharing, imports ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("wrong", [-1, 8192, 2**31 - 1, -(2**31)])
def test_ids_without_a_word(shipped, wrong):
    for tables in shipped.tables.values():
        for call in (tables.decode, tables.length):
            with pytest.raises(TokenizerError, match="8191"):
                call(array("i", [65, wrong]))


def test_threads_share_tables(shipped, core):
    tables = shipped.tables[core]
    sources = [path.read_bytes() for path in sorted(ROOT.glob("tokpress/tokenizers/**/*.py"))]
    expected = [tables.encode(source, CLASSES, False) for source in sources]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert list(pool.map(lambda source: tables.encode(source, CLASSES, False), sources)) == expected


def test_nothing_heavy_is_imported():
    code = (
        "import sys; from tokpress.tokenizers.text.bpe import BPETokenizer; from tokpress.tokenizers.text import bpe_form\n"
        f"pairs = BPETokenizer(bpe_form.read({str(SHIPPED[0])!r}).decode()); assert pairs.decode(pairs.encode(b'to and fro')) == b'to and fro'\n"
        "print(sorted({'numpy', 'tokenizers', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def bench_files() -> list[Path]:
    """The files that benchmarks measure, where they are."""
    folder = Path(os.environ.get("TOKPRESS_DATA", FOLDER)) / "bench"
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_the_beginnings_of_the_bench(shipped):
    """`python -m benchmarks byte_pairs` compares whole files."""
    if not (files := bench_files()):
        pytest.skip("the data of the benchmarks is not here")
    for path in files:
        with (lzma.open if path.suffix == ".xz" else open)(path, "rb") as file:
            shipped.check(file.read(1 << 13), twin=False)
