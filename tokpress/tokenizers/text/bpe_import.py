"""Import a Hugging Face tokenizer.json that is BPE over bytes (GPT-2, Llama 3, …): the same ids, in the form that `bpe` reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...errors import ModelError
from ...lazy import np
from ...storage.files import parse
from . import bpe_form
from .bpe import BPETokenizer
from .bpe_form import refuse

#: the pattern built into the library's ByteLevel (Radford et al. 2019, GPT-2's encoder.py)
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def gpt2_characters() -> list[str]:
    """[256]: the printable character that stands for each byte in GPT-2's kind of vocabulary.

    >>> gpt2_characters()[ord("A")], gpt2_characters()[ord(" ")]
    ('A', 'Ġ')
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    unprintable = [byte for byte in range(256) if byte not in printable]
    return [chr(b) if b in printable else chr(256 + unprintable.index(b)) for b in range(256)]


def _text_parts() -> dict[str, Any]:
    above = [(chr(byte), character) for byte, character in enumerate(gpt2_characters()) if ord(character) > 0xFF]
    to_latin1 = [{"type": "Replace", "pattern": {"String": character}, "content": byte} for byte, character in above]
    to_gpt2 = [{"type": "Replace", "pattern": {"String": byte}, "content": character} for byte, character in above]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    return {
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "ByteLevel"}, *to_latin1]},
        "decoder": {"type": "Sequence", "decoders": [*to_gpt2, byte_level]},
    }


#: normalizer and decoder of an exported file (`toolkit.hugging_face`): text ↔ its UTF-8 bytes as Latin-1 characters
TEXT_PARTS = _text_parts()


def import_tokenizer(path: Path | str) -> BPETokenizer:
    """A Hugging Face tokenizer.json of BPE over bytes as a BPETokenizer with the same ids.

    The vocabulary is rewritten (GPT-2's printable characters → Latin-1), and the splitting pattern works on Latin-1 text, so any bytes
    are accepted. ASCII text gets the ids of the original; other text may be cut differently, so its ids may differ. Added (special)
    tokens are removed: no input gives them. Files that may lose or change bytes are refused."""
    where = str(path)
    try:
        content = parse(bpe_form.read(path), where)
        model = content["model"]
        kind = model.get("type", "BPE" if "merges" in model else "unknown")
    except (ModelError, TypeError, KeyError, AttributeError) as error:
        refuse(where, f"is not a tokenizer.json ({error!r})", "export one with tokenizer.save(...)", error)
    if content.get("normalizer") == TEXT_PARTS["normalizer"]:  # exported by tokpress
        own = {"added_tokens": [], "pre_tokenizer": content.get("pre_tokenizer"), "model": model}
        return BPETokenizer(json.dumps({"version": "1.0"} | own, ensure_ascii=False), where)
    try:
        return _imported(content, model, kind, where)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        refuse(where, f"has parts nobody can read ({error!r})", "save it anew with tokenizers ≥ 0.20", error)


def _imported(content: dict[str, Any], model: dict[str, Any], kind: str, where: str) -> BPETokenizer:
    if kind != "BPE":
        refuse(where, f"is a {kind} model, which cannot spell every byte", "bring a byte-level BPE")
    if content.get("normalizer") is not None:
        refuse(where, f"changes its input first (normalizer {content['normalizer'].get('type')})",
                'set "normalizer": null in the file, or bring another')  # fmt: skip
    if model.get("dropout"):
        refuse(where, "codes the same bytes in other ways each time (dropout)", "take it out of the file")
    for key in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(key):
            refuse(where, f"marks word ends inside tokens ({key})", "bring a byte-level BPE")
    added = {token["content"] for token in content.get("added_tokens") or []}
    text = json.dumps(_latin1(model, added, _pieces(content.get("pre_tokenizer"), where), where))
    tokenizer = BPETokenizer(text, where)
    _verify(tokenizer, sorted(added), where)
    return tokenizer


def _latin1(model: dict[str, Any], added: set[str], pieces: dict[str, Any] | None, where: str) -> dict[str, Any]:
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

    latin1_vocab = {}
    for token, i in vocab.items():
        if all(ord(character) in table for character in token):
            latin1_vocab[token.translate(table)] = i
        elif token not in added:  # special tokens in other letters are dropped: no bytes give them
            refuse(where, f"has the token {token!r}, which no bytes spell", "bring a byte-level BPE")
    merges = []
    for merge in model["merges"]:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        merges.append([left.translate(table), right.translate(table)])
    keep = {"type": "BPE", "ignore_merges": bool(model.get("ignore_merges")), "vocab": latin1_vocab, "merges": merges}
    return {"version": "1.0", "added_tokens": [], "pre_tokenizer": pieces, "model": keep}


def _pieces(rule: dict[str, Any] | None, where: str) -> dict[str, Any] | None:
    """The pre-tokenizer for Latin-1 text; None where nothing is split."""
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
    """Refuse a tokenizer that loses bytes in one of many round trips."""
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
