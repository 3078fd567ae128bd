"""Byte-pair encoding: frequent neighbours become one symbol, so a prior takes fewer, larger steps.

Start from the 256 bytes; again and again give the most frequent pair of neighbouring symbols a symbol
of its own (Gage 1994, "A new algorithm for data compression"; for language models Sennrich, Haddow &
Birch 2016, "Neural machine translation of rare words with subword units", §3.2). To encode, replay the
merges in the order they were learned, inside pieces (`pieces.py`) that no merge crosses.

Byte b is written as the character chr(b) (Latin-1) in tokenizer.json, so Hugging Face `tokenizers` opens the file and gives the
same ids. The core merges (`byte_pairs.py`); the library does where the file cuts pieces in another way.

    source bytes ─pieces─► ─merges─► ids int32 [N] ─table of byte strings─► source bytes

`import_tokenizer` turns other people's byte-level files (GPT-2, Llama 3, …) into the same form.

Raises TokenizerError: a file that is not a tokenizer or loses bytes; ids outside 0 … V−1.
"""

from __future__ import annotations

import json
from array import array
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ModelError, TokenizerError
from ...exact.threads import pool_can_start
from ...lazy import lazy, np
from ...storage.files import check_settings, parse
from ...tokens import TokenBuffer, as_array, as_ids
from ..base import Config, Tokenizer
from ..sizes import Sizes
from . import bpe_form
from .bpe_form import refuse
from .byte_pairs import FILE, BytePairs
from .merges import CUT_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer as HFTokenizer

#: this much is encoded at a time by all cores; the library's token objects take ≈ 100 bytes per byte
BATCH_BYTES = 1 << 19


class PairSizes(Sizes):
    add_up = True

    def __init__(self, pairs: BytePairs) -> None:
        self._pairs = pairs

    @lazy
    def _lengths(self) -> NDArray[np.int64]:
        """[V]; an id nobody uses has length 0."""
        return np.asarray(self._pairs.words()[0]).astype(np.int64)

    def source_length(self, tokens: TokenBuffer) -> int:
        return self._pairs.source_length(as_ids(tokens))

    def possible_tokens(self, length: int) -> range:
        return range(-(-length // self._pairs.longest), length + 1)

    def of_each(self, tokens: TokenBuffer) -> NDArray[np.int64]:
        return self._lengths[as_array(tokens)]

    def average(self) -> NDArray[np.float64]:
        return self._lengths.astype(np.float64)


class BPETokenizer(Tokenizer):
    """Lossless BPE over bytes, from the text of a tokenizer.json whose alphabet is chr(0) … chr(255).

    >>> a, b, ab = ord("a"), ord("b"), 256
    >>> vocab = {chr(byte): byte for byte in range(256)} | {"ab": ab}
    >>> tokenizer = BPETokenizer(json.dumps({"model": {"type": "BPE", "vocab": vocab, "merges": [["a", "b"]]}}))
    >>> tokenizer.encode(b"abba")
    array('i', [256, 98, 97])
    >>> tokenizer.decode([ab, b, a])
    b'abba'
    """

    name = "bpe"

    def __init__(self, text: str, where: str = FILE):
        self._text = text  # saved as it came: a model's files keep their hash
        self._where = where
        self._pairs = BytePairs(text.encode("utf-8", "surrogatepass"), where)
        self.vocab_size = self._pairs.vocab_size
        self.sizes = PairSizes(self._pairs)

    @lazy
    def _library(self) -> HFTokenizer:
        """What encodes where the file cuts in another way than ours. Decoding needs the tables alone."""
        from tokenizers import Tokenizer as HFTokenizer

        rules = bpe_form.checked(self._text.encode("utf-8"), self._where)
        with bpe_form.library_errors(
            self._where
        ):  # told the rules that were checked, not the text, which it may read otherwise
            return HFTokenizer.from_str(json.dumps(rules))

    def encode(self, source: bytes) -> array[int]:
        """ids int32 [N], which decode to the source. Memory beyond source and ids is bounded, whatever the length.

        Raises TokenizerError where the library encodes, and its ids are not those of this source, or it fails."""
        if self._pairs.can_encode:
            return self._pairs.encode(source)
        return self._by_library(source)

    def _by_library(self, source: bytes) -> array[int]:
        view, ids = memoryview(source), array("i")
        for start in range(0, len(view), BATCH_BYTES):
            batch = view[start : start + BATCH_BYTES]
            texts = [str(batch[at : at + CUT_BYTES], "latin-1") for at in range(0, len(batch), CUT_BYTES)]
            with bpe_form.library_errors(self._where):
                if len(texts) == 1 or not pool_can_start():
                    encodings = [self._library.encode(text, add_special_tokens=False) for text in texts]
                else:
                    encodings = self._library.encode_batch_fast(texts, add_special_tokens=False)
            part = array("i", [id for encoding in encodings for id in encoding.ids])
            if self.decode(part) != batch:  # the library drops what it cannot represent without a word
                raise TokenizerError(
                    f"{self._where} does not give this source back: import its file with import_tokenizer"
                )
            ids += part
        return ids

    def decode(self, tokens: TokenBuffer) -> bytes:
        return self._pairs.decode(as_ids(tokens))

    def token_bytes(self) -> list[bytes]:
        """[V]: the bytes of each token."""
        lengths, words = self._pairs.words()
        ends = list(accumulate(lengths))
        return [words[end - length : end] for length, end in zip(lengths, ends)]

    def save(self, folder: Path) -> None:
        (Path(folder) / FILE).write_text(self._text, "utf-8", newline="")

    @classmethod
    def load(cls, folder: Path, config: Config) -> BPETokenizer:
        path = Path(folder) / FILE
        check_settings("a bpe tokenizer", config)
        return cls(bpe_form.read_text(path), str(path))


# ── other people's tokenizer.json ──────────────────────────────────────────────────────────────────

#: the pattern built into the library's ByteLevel (Radford et al. 2019, GPT-2's encoder.py)
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def gpt2_characters() -> list[str]:
    """[256]: the printable character that stands for each byte in GPT-2's kind of vocabulary.

    >>> gpt2_characters()[ord("A")], gpt2_characters()[ord(" ")]
    ('A', 'Ġ')
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(b) if b in printable else chr(256 + others.index(b)) for b in range(256)]


def import_tokenizer(path: Path | str) -> BPETokenizer:
    """Any Hugging Face tokenizer.json that is BPE over bytes, its ids kept, as a BPETokenizer.

    The vocabulary is respelled (GPT-2's printable characters → Latin-1) and the splitting pattern applied
    to Latin-1 text, so that bytes which are no UTF-8 pass too. ASCII text gets the ids the original gives;
    other text is cut into pieces a little differently, so ids may differ, bytes never. Added (special)
    tokens are removed: no input can spell them. Whatever can lose or change bytes is refused."""
    where = str(path)
    try:
        whole = parse(bpe_form.read(path), where)
        model = whole["model"]
        kind = model.get("type", "BPE" if "merges" in model else "unknown")
    except (ModelError, TypeError, KeyError, AttributeError) as error:
        refuse(where, f"is not a tokenizer.json ({error!r})", "export one with tokenizer.save(...)", error)
    try:
        return _imported(whole, model, kind, where)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        refuse(where, f"has parts nobody can read ({error!r})", "save it anew with tokenizers ≥ 0.20", error)


def _imported(whole: dict[str, Any], model: dict[str, Any], kind: str, where: str) -> BPETokenizer:
    if kind != "BPE":
        refuse(where, f"is a {kind} model, which cannot spell every byte", "bring a byte-level BPE")
    if whole.get("normalizer") is not None:
        refuse(where, f"changes its input first (normalizer {whole['normalizer'].get('type')})",
                'set "normalizer": null in the file, or bring another')  # fmt: skip
    if model.get("dropout"):
        refuse(where, "codes the same bytes in other ways each time (dropout)", "take it out of the file")
    for key in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(key):
            refuse(where, f"marks word ends inside tokens ({key})", "bring a byte-level BPE")
    added = {token["content"] for token in whole.get("added_tokens") or []}
    text = json.dumps(_respelled(model, added, _pieces(whole.get("pre_tokenizer"), where), where))
    tokenizer = BPETokenizer(text, where)
    _verify(tokenizer, sorted(added), where)
    return tokenizer


def _respelled(model: dict[str, Any], added: set[str], pieces: dict | None, where: str) -> dict[str, Any]:
    """The JSON of the same merges with one Latin-1 character per byte."""
    vocab = model["vocab"]
    alphabets = [[chr(byte) for byte in range(256)], gpt2_characters()]
    missing = [[byte for byte in range(256) if alphabet[byte] not in vocab] for alphabet in alphabets]
    if all(missing):
        lost = min(missing, key=len)
        refuse(where, f"has no token for {len(lost)} of the 256 bytes (the first is {lost[0]:#04x})",
                "train it with the full byte alphabet, or bring a byte-level BPE such as GPT-2's")  # fmt: skip
    alphabet = alphabets[0] if not missing[0] else alphabets[1]
    table = {ord(character): chr(byte) for byte, character in enumerate(alphabet)}

    spelled = {}
    for token, i in vocab.items():
        if all(ord(character) in table for character in token):
            spelled[token.translate(table)] = i
        elif token not in added:  # a special token in other letters merely vanishes: no bytes can reach it
            refuse(where, f"has the token {token!r}, which no bytes spell", "bring a byte-level BPE")
    merges = []
    for merge in model["merges"]:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        merges.append([left.translate(table), right.translate(table)])
    keep = {"type": "BPE", "ignore_merges": bool(model.get("ignore_merges")), "vocab": spelled, "merges": merges}
    return {"version": "1.0", "added_tokens": [], "pre_tokenizer": pieces, "model": keep}


def _pieces(rule: dict[str, Any] | None, where: str) -> dict[str, Any] | None:
    """The same splitting for Latin-1 text; None where nothing is split."""
    kind = rule["type"] if rule else None
    if rule is None:
        return None
    if kind == "Sequence":
        rules = [r for r in (_pieces(part, where) for part in rule["pretokenizers"]) if r]
        return {"type": "Sequence", "pretokenizers": rules} if rules else None
    if kind == "ByteLevel":
        if rule.get("add_prefix_space", True):
            refuse(where, "puts a space before its input", 'set "add_prefix_space": false in the file')
        if not rule.get("use_regex", True):
            return None
        rule = {"type": "Split", "pattern": {"Regex": GPT2_PATTERN}, "behavior": "Isolated", "invert": False}
        kind = "Split"
    if kind not in ("Split", "Digits", "Punctuation") or rule.get("behavior") == "Removed":
        refuse(where, f"drops or changes characters between words (pre_tokenizer {kind})",
                "bring one that splits with ByteLevel, or Split without Removed")  # fmt: skip
    if kind == "Split" and "Regex" in rule["pattern"]:
        # bytes ≥ 0x80 are parts of letters far more often than not; \x{80}, because \x80 is a raw byte here
        letters = rule["pattern"]["Regex"].replace(r"\p{L}", r"[\p{L}\x{80}-\x{ff}]")
        rule = rule | {"pattern": {"Regex": letters}}
    return rule


def _verify(tokenizer: BPETokenizer, added: list[str], where: str) -> None:
    """Round trips that break a tokenizer which loses bytes, however it does so."""
    rng = np.random.default_rng(0)
    trials = [bytes([byte]) for byte in range(256)]
    trials += [rng.bytes(n) for n in [2] * 500 + [3, 7, 100, 5000]]
    trials += [
        b"",
        b" a  b \t\r\n\n ",
        "Ġ é\u00a0\u2581\U0001f600".encode(),
        b"\xc3",
        b"\xed\xa0\x80\xff\xfe\x00",
        b"a" * 999,
    ]
    trials += [f"x{token} {token}".encode("utf-8", "surrogatepass") for token in added[:100]]
    for trial in trials:
        if tokenizer.decode(tokenizer.encode(trial)) != trial:
            refuse(where, f"does not give {trial[:40]!r} back", "bring a byte-level BPE")
