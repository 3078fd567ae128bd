"""The form of a tokenizer.json that BPE accepts: an allow-list, since a Hugging Face tokenizer has many parts that lose data.

Accepted are BPE merges over the 256 bytes, each as chr(byte), and pre-tokenizers that only cut. Everything else is refused when the
file is read, by its structure: normalizers, added tokens, truncation, padding, post-processors, decoders, dropout, unknown
tokens, byte fallback, prefixes and suffixes of words, and every key that this file does not name.
"""

import json
from collections.abc import Iterator, Mapping
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
#: maximum number of ids without a token, beside three for each token
MAX_HOLES = 1 << 16
#: key → allowed values, for all keys but model, pre_tokenizer and added_tokens
_TOP = {"version": ("1.0",), "truncation": (None,), "padding": (None,), "normalizer": (None,), "post_processor": (None,),
        "decoder": (None,)}  # fmt: skip
_MODEL = {"type": ("BPE",), "dropout": (None,), "unk_token": (None,), "continuing_subword_prefix": (None,),
          "end_of_word_suffix": (None,), "fuse_unk": (False,), "byte_fallback": (False,), "ignore_merges": (False, True)}  # fmt: skip
#: allowed behaviours at a cut; Removed would lose bytes
BEHAVIORS = ("Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
MAX_CUTS = 16

#: the text before the vocabulary of a tokenizer.json; no JSON string contains it, since quotation marks are escaped
VOCABULARY = b'"vocab":'
_BEGINNING_BYTES = 1 << 16
Tables = core.Tables | merges.Tables


def tables(data: bytes, where: str) -> tuple[dict[str, Any], Tables]:
    """(the content of a tokenizer.json with empty vocabulary and merges, these two as tables).

    The core parses vocabulary and merges, ten times faster than `json`. Where it cannot (merges before the vocabulary, or an error),
    `checked` parses the file and reports errors. Raises TokenizerError."""
    if (content_and_tables := _by_core(data, where)) is not None:
        return content_and_tables
    content = checked(data, where)
    model = content["model"]
    if not library.is_here():
        return content | {"model": model | {"vocab": {}, "merges": []}}, merges.Tables(model["vocab"], model["merges"])
    parts = {"vocab": model.pop("vocab"), "merges": model.pop("merges")}  # last, and next to each other
    content["model"] = model | parts
    if (content_and_tables := _by_core(json.dumps(content, separators=(",", ":")).encode(), where)) is None:
        refuse(where, "has words with equal hashes", "train it anew")
    return content_and_tables


def _by_core(data: bytes, where: str) -> tuple[dict[str, Any], core.Tables] | None:
    """As `tables`; None where the core cannot parse the file, or the file has an error."""
    start = data.find(VOCABULARY, 0, _BEGINNING_BYTES) + len(VOCABULARY)
    if start < len(VOCABULARY) or not library.is_here() or (read := core.Tables.read(data, start)) is None:
        return None
    core_tables, end = read
    try:
        content = _parsed(data[:start] + b'{},"merges":[]' + data[end:], where)
        _check_content(content, where)
    except TokenizerError:  # `checked` reports it with the right place
        return None
    return content, core_tables


def checked(data: bytes, where: str) -> dict[str, Any]:
    """Parse a tokenizer.json. Raises TokenizerError unless every part of it is on the allow-list."""
    content = _parsed(data, where)
    _check_content(content, where)
    _check_vocabulary(content["model"]["vocab"], where)
    _check_merges(content["model"]["merges"], content["model"]["vocab"], where)
    return content


def _parsed(data: bytes, where: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = files.parse(data, where)
        model = content["model"]
        vocab, _ = model["vocab"], model["merges"]
        if model["type"] != "BPE":
            raise TypeError("its model is not BPE")
        for part in (content, model, vocab):
            if not isinstance(part, dict):
                raise TypeError("its parts are no JSON objects")
    except (ModelError, ValueError, TypeError, KeyError) as error:
        raise TokenizerError(f"{where} is not a tokenizer.json of BPE: {error!r}") from error
    return content


def _check_content(content: dict[str, Any], where: str) -> None:
    """Check all but vocabulary and merges."""
    if content.get("added_tokens"):
        refuse(where, "has added tokens", "convert it once with import_tokenizer")
    _check_keys(content, _TOP, ("model", "pre_tokenizer", "added_tokens"), where)
    _check_keys(content["model"], _MODEL, ("vocab", "merges"), where)
    if (cuts := content.get("pre_tokenizer")) is not None:
        _check_cuts(cuts, where)


def classes(cuts: Any) -> tuple[bool, bytes | None]:
    """(whether core and twin can cut as this pre-tokenizer, the byte classes for it; None: it does not cut)."""
    ours = {"type": "Split", "pattern": {"Regex": PIECE_PATTERN}, "behavior": "Isolated", "invert": False}
    if cuts is None or cuts == ours:
        return True, CLASSES if cuts else None
    return False, None


def _check_keys(
    part: dict[str, Any], values: Mapping[str, tuple[object, ...]], other_keys: tuple[str, ...], where: str
) -> None:
    for key, value in part.items():
        if key not in values and key not in other_keys:
            refuse(
                where, f"has the part {key!r}, which tokpress does not know", "convert it once with import_tokenizer"
            )
        # False is not 0
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
    lowest, highest = min(vocab.values()), max(vocab.values())
    if lowest < 0 or highest >= min(MAX_VOCAB - 1, 4 * len(vocab) + MAX_HOLES):
        refuse(
            where, f"has the token id {lowest if lowest < 0 else highest}", f"renumber its {len(vocab):,} tokens from 0"
        )
    if len(set(vocab.values())) < len(vocab):
        refuse(where, "gives two tokens the same id", "give each its own")
    if unspellable := next((token for token in vocab if not token or max(token) > "\xff"), None):
        refuse(where, f"has the token {unspellable!r}, which no bytes spell", "convert it with import_tokenizer")
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
    """Refuse a pre-tokenizer that may drop or change bytes."""
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
    """Errors and panics of the library as TokenizerError."""
    try:
        yield
    except TokenizerError:
        raise
    except BaseException as error:  # a panic is no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise TokenizerError(f"{where}: the tokenizers library fails with this file: {error}") from error


def read(path: Path | str) -> bytes:
    """The bytes of a tokenizer.json of any name. Raises TokenizerError."""
    try:
        data = files.read(Path(path), files.MAX_BYTES[files.TOKENIZER])
        if data is None:
            raise TokenizerError(f"cannot read the tokenizer {path}: there is no such file")
        return data
    except ModelError as error:
        raise TokenizerError(f"cannot read the tokenizer {path}: {error}") from error


def read_text(path: Path | str) -> str:
    """The text of a tokenizer.json. Raises TokenizerError."""
    try:
        return read(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise TokenizerError(f"cannot read the tokenizer {path}: {error}") from error


def refuse(where: str, why: str, remedy: str, cause: Exception | None = None) -> NoReturn:
    raise TokenizerError(f"{where} {why}; {remedy}") from cause
