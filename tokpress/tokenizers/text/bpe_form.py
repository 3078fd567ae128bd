"""The form of a tokenizer.json that BPE accepts: an allow-list, since a Hugging Face tokenizer has many parts that lose data.

Accepted are BPE merges over the 256 bytes, each as chr(byte), and pre-tokenizers that only cut. Everything else is refused when the
file is read, by its structure: normalizers, added tokens, truncation, padding, post-processors, decoders, dropout, unknown
tokens, byte fallback, prefixes and suffixes of words, and every key that this file does not name.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from ...errors import ModelError, TokenizerError
from ...native import bpe as core
from ...native import library
from ...storage import files
from . import merges
from .pieces import CLASSES, PIECE_PATTERN

#: constriction codes up to 2^24 − 2 symbols
MAX_VOCAB = 1 << 24
#: of a vocabulary, ids that no token has, at most: so many, and three times as many as there are tokens
MAX_HOLES = 1 << 16
#: key → what it may hold, beside the model, its pre-tokenizer and its added tokens
_TOP = {"version": ("1.0",), "truncation": (None,), "padding": (None,), "normalizer": (None,), "post_processor": (None,),
        "decoder": (None,)}  # fmt: skip
_MODEL = {"type": ("BPE",), "dropout": (None,), "unk_token": (None,), "continuing_subword_prefix": (None,),
          "end_of_word_suffix": (None,), "fuse_unk": (False,), "byte_fallback": (False,), "ignore_merges": (False, True)}  # fmt: skip
#: what becomes of the place where a text is cut; Removed would lose it
BEHAVIORS = ("Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
MAX_CUTS = 16


#: what stands before the vocabulary in a tokenizer.json; no string can hold this, since a quotation mark in one is escaped
VOCABULARY = b'"vocab":'
_BEGINNING_BYTES = 1 << 16
Tables = core.Tables | merges.Tables


def tables(data: bytes, where: str) -> tuple[dict[str, Any], Tables]:
    """What a tokenizer.json holds beside its two long parts, vocabulary and merges, which are empty here; and these as tables.

    The core reads the long parts itself (in a tenth of the time), the rest is read as JSON. Where the core does not read them (merges
    before the vocabulary, say, or a mistake), `checked` reads the whole file, and says where it is wrong. So there is one list of
    what is allowed. Raises TokenizerError."""
    if (found := _by_core(data, where)) is not None:
        return found
    whole = checked(data, where)
    model = whole["model"]
    if not library.is_here():
        return whole | {"model": model | {"vocab": {}, "merges": []}}, merges.Tables(model["vocab"], model["merges"])
    parts = {"vocab": model.pop("vocab"), "merges": model.pop("merges")}  # last, and next to each other
    whole["model"] = model | parts
    if (found := _by_core(json.dumps(whole, separators=(",", ":")).encode(), where)) is None:
        refuse(where, "has words that no hash table tells apart", "train it anew")
    return found


def _by_core(data: bytes, where: str) -> tuple[dict[str, Any], core.Tables] | None:
    """The same for a file that the core reads; None where it is not, or where something is wrong with it."""
    start = data.find(VOCABULARY, 0, _BEGINNING_BYTES) + len(VOCABULARY)
    if start < len(VOCABULARY) or not library.is_here() or (read := core.Tables.read(data, start)) is None:
        return None
    found, end = read
    try:
        rest = _parsed(data[:start] + b'{},"merges":[]' + data[end:], where)
        _check_rest(rest, where)
    except TokenizerError:  # which the caller's second reading words better
        return None
    return rest, found


def checked(data: bytes, where: str) -> dict[str, Any]:
    """Parse a tokenizer.json. Raises TokenizerError unless every part of it is on the allow-list."""
    whole = _parsed(data, where)
    _check_rest(whole, where)
    _check_vocabulary(whole["model"]["vocab"], where)
    _check_merges(whole["model"]["merges"], whole["model"]["vocab"], where)
    return whole


def _parsed(data: bytes, where: str) -> dict[str, Any]:
    try:
        whole = files.parse(data, where)
        model = whole["model"]
        vocab, _ = model["vocab"], model["merges"]
        if model["type"] != "BPE":
            raise TypeError("its model is not BPE")
        for told in (whole, model, vocab):
            if not isinstance(told, dict):
                raise TypeError("its parts are no JSON objects")
    except (ModelError, ValueError, TypeError, KeyError) as error:
        raise TokenizerError(f"{where} is not a tokenizer.json of BPE: {error!r}") from error
    return whole


def _check_rest(whole: dict[str, Any], where: str) -> None:
    """All but vocabulary and merges."""
    if whole.get("added_tokens"):
        refuse(where, "has added tokens", "convert it once with import_tokenizer")
    _allowed(whole, _TOP, ("model", "pre_tokenizer", "added_tokens"), where)
    _allowed(whole["model"], _MODEL, ("vocab", "merges"), where)
    if (cuts := whole.get("pre_tokenizer")) is not None:
        _check_cuts(cuts, where)


def classes(cuts: Any) -> tuple[bool, bytes | None]:
    """(whether the core and its twin cut as this pre-tokenizer does, the classes they cut by; None: they do not cut)."""
    ours = {"type": "Split", "pattern": {"Regex": PIECE_PATTERN}, "behavior": "Isolated", "invert": False}
    if cuts is None or cuts == ours:
        return True, CLASSES if cuts else None
    return False, None


def _allowed(told: dict[str, Any], values: dict[str, tuple], others: tuple[str, ...], where: str) -> None:
    for key, value in told.items():
        if key not in values and key not in others:
            refuse(
                where, f"has the part {key!r}, which tokpress does not know", "convert it once with import_tokenizer"
            )
        # False is no 0
        if key in values and not any(
            value is allowed or (value == allowed and type(value) is str) for allowed in values[key]
        ):
            refuse(
                where, f"has a {key}, which may lose bytes", "remove it, or convert the file once with import_tokenizer"
            )


def _check_vocabulary(vocab: dict[str, Any], where: str) -> None:
    if not all(type(i) is int for i in vocab.values()):
        raise TokenizerError(f"{where} is not a tokenizer.json of BPE: its vocabulary does not map strings to numbers")
    if not all(chr(byte) in vocab for byte in range(256)):
        refuse(
            where, "is not in tokpress form (one Latin-1 character per byte)", "convert it once with import_tokenizer"
        )
    least, most = min(vocab.values()), max(vocab.values())
    if least < 0 or most >= min(MAX_VOCAB - 1, 4 * len(vocab) + MAX_HOLES):
        refuse(where, f"has the token id {least if least < 0 else most}", f"renumber its {len(vocab):,} tokens from 0")
    if len(set(vocab.values())) < len(vocab):
        refuse(where, "gives two tokens the same id", "give each its own")
    if strange := next((token for token in vocab if not token or max(token) > "\xff"), None):
        refuse(where, f"has the token {strange!r}, which no bytes spell", "convert it with import_tokenizer")
    if "" in vocab:
        refuse(where, "has a token of no bytes", "remove it")


def _check_merges(merges: Any, vocab: dict[str, int], where: str) -> None:
    for merge in merges if isinstance(merges, list) else [merges]:
        pair = isinstance(merge, list) and len(merge) == 2 and all(type(part) is str for part in merge)
        if not pair or not (merge[0] in vocab and merge[1] in vocab and merge[0] + merge[1] in vocab):
            refuse(
                where, f"has the merge {str(merge)[:60]}, which is not of two of its tokens to a third", "save it anew"
            )


def _check_cuts(rule: Any, where: str) -> None:
    """A pre-tokenizer that cuts, and neither drops nor changes anything."""
    kind = rule.get("type") if isinstance(rule, dict) else None
    parts = rule["pretokenizers"] if kind == "Sequence" and set(rule) == {"type", "pretokenizers"} else None
    if isinstance(parts, list) and len(parts) <= MAX_CUTS:
        for part in parts:
            _check_cuts(part, where)
        return
    if kind == "Split" and set(rule) == {"type", "pattern", "behavior", "invert"} and rule["behavior"] in BEHAVIORS:
        pattern = rule["pattern"]
        named = isinstance(pattern, dict) and len(pattern) == 1 and next(iter(pattern)) in ("Regex", "String")
        if named and all(type(value) is str and value for value in pattern.values()) and type(rule["invert"]) is bool:
            return
    if kind == "Digits" and set(rule) == {"type", "individual_digits"} and type(rule["individual_digits"]) is bool:
        return
    if kind == "Punctuation" and set(rule) == {"type", "behavior"} and rule["behavior"] in BEHAVIORS:
        return
    refuse(where, f"has a pre_tokenizer {str(kind)[:40]} that may drop or change bytes",
           "convert the file once with import_tokenizer")  # fmt: skip


@contextmanager
def library_errors(where: str) -> Iterator[None]:
    """What `tokenizers` raises, a panic of it included, as a TokenizerError."""
    try:
        yield
    except TokenizerError:
        raise
    except BaseException as error:  # a panic is no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise TokenizerError(f"{where}: the tokenizers library fails with this file: {error}") from error


def read(path: Path | str) -> bytes:
    """The bytes of somebody's tokenizer.json, whatever its name. Raises TokenizerError."""
    try:
        data = files.read(Path(path), files.MAX_BYTES[files.TOKENIZER])
        if data is None:
            raise TokenizerError(f"cannot read the tokenizer {path}: there is no such file")
        return data
    except ModelError as error:
        raise TokenizerError(f"cannot read the tokenizer {path}: {error}") from error


def read_text(path: Path | str) -> str:
    """The same as text. Raises TokenizerError."""
    try:
        return read(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise TokenizerError(f"cannot read the tokenizer {path}: {error}") from error


def refuse(where: str, why: str, remedy: str, cause: Exception | None = None) -> NoReturn:
    raise TokenizerError(f"{where} {why}; {remedy}") from cause
