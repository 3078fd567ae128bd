"""Tokenize a corpus once, into packed files that training maps into memory.

    corpus files ──read_chunks──► tokenizer.encode ──► <name>.u16: tokens, little-endian uint16, nothing else

A large file gets a token file of its own, so that tokens of it are held out. All smaller files of one weight share a token file.
They are shuffled once: sorted names are often sorted kinds, and the held-out end should be like the rest. There are at most 64
token files and one more per weight, for any number of documents: each stays open while training runs.

`manifest.json` lists for every token file its corpus files (path, size, modification time) and the tokenizer's hash. While
these match, the token file is used as it is.

Raises CorpusError as `corpus` does, and where a vocabulary does not fit 16 bits.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import CorpusError
from ...tokenizers.base import Tokenizer, encoded
from ...tokenizers.learned.tiled import tiles
from ...tokenizers.samples import ItemTokenizer
from ...tokens import as_array
from . import samples
from .corpus import read_chunks, weighted_files
from .streams import Source

#: bytes encoded at a time; documents are encoded one by one, so no token spans two
READ_BYTES = 1 << 22
#: a file below this, or below a 64th of the corpus, shares its token file
OWN_FILE_BYTES = 1 << 20
OWN_FILE_SHARE = 64
#: items tokenized at a time
ITEMS_AT_ONCE = 256
#: offsets of the tiles of a picture or recording, in sides of an item: they cut the same content differently
SHIFTS = (0.0, 0.37, 0.71)
MANIFEST = "manifest.json"


def tokenizer_hash(tokenizer: Tokenizer) -> str:
    """SHA-256 of everything that decides its tokens: name, settings and saved files."""
    digest = hashlib.sha256(json.dumps([tokenizer.name, tokenizer.config()], sort_keys=True).encode())
    with TemporaryDirectory() as folder:
        tokenizer.save(Path(folder))
        for file in sorted(Path(folder).iterdir()):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def pack_tokens(
    tokenizer: Tokenizer,
    paths: Sequence[Path | str],
    folder: Path,
    weights: Sequence[float] | None = None,
    report: Callable[[int, int], None] = lambda done_bytes, total_bytes: None,
) -> list[Source]:
    """Token files in `folder` for all files at or below `paths`. Those that are up to date are used as they are.

    weights: one per path, the share of each of its tokens in the training draws. report: bytes of the corpus as it lies on
    disk. Token files of earlier calls that this one does not need are deleted."""
    if tokenizer.vocab_size > 1 << 16:
        raise CorpusError(f"{tokenizer.vocab_size} symbols do not fit 16-bit token files; use at most {1 << 16}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    groups = _groups(weighted_files(paths, weights))
    total_bytes = sum(group.bytes for group in groups)
    manifest, tokenizer_id = _Manifest(folder), tokenizer_hash(tokenizer)
    done_bytes, sources = 0, []
    for group in groups:
        inputs = {"tokenizer": tokenizer_id, "files": group.files}
        tokens = manifest.tokens(group.name, inputs)
        if tokens is None:
            on_read = _counted_from(done_bytes, lambda n: report(n, total_bytes))
            tokens = _pack(tokenizer, group.files, folder / group.name, on_read)
        manifest.add(group.name, tokens, inputs)
        done_bytes += group.bytes
        report(done_bytes, total_bytes)
        if tokens:
            sources.append(Source(folder / group.name, group.weight))
    manifest.finish()
    if not sources:
        raise CorpusError(f"no bytes to train on in {', '.join(map(str, paths))}: all files are empty inside")
    return sources


class _Group(NamedTuple):
    """A token file, and the corpus files that it holds the tokens of."""

    name: str
    files: list[list[Any]]  # [path, size, modification time in ns] of each
    weight: float

    @property
    def bytes(self) -> int:
        return sum(size for _, size, _ in self.files)


def _groups(files: list[tuple[Path, float]]) -> list[_Group]:
    """Large files by themselves, the small ones of each weight together."""
    facts = [(str(path.resolve()), path.stat(), weight) for path, weight in files]
    total_bytes = sum(stat.st_size for _, stat, _ in facts)
    limit = max(OWN_FILE_BYTES, total_bytes / OWN_FILE_SHARE)
    groups: list[_Group] = []
    small: dict[float, list[list[Any]]] = {}
    for path, stat, weight in facts:
        fact = [path, stat.st_size, stat.st_mtime_ns]
        if stat.st_size >= limit:
            stem = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(path).name)[:40]
            # the hash keeps files of one name in different folders apart
            groups.append(_Group(f"{stem}-{hashlib.sha256(path.encode()).hexdigest()[:8]}.u16", [fact], weight))
        else:
            small.setdefault(weight, []).append(fact)
    for weight, group in small.items():
        order = np.random.default_rng(0).permutation(len(group))
        groups.append(_Group(f"small-files-{weight}.u16", [group[i] for i in order], weight))
    return groups


class _Manifest:
    """manifest.json: for each token file its number of tokens, and the inputs that it was made from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._old = _read_manifest(folder / MANIFEST)
        self._new: dict[str, Any] = {}

    def tokens(self, name: str, inputs: dict[str, Any]) -> int | None:
        """The number of tokens in a token file; None where it is missing, damaged, or made from other inputs."""
        entry, target = self._old.get(name), self._folder / name
        if not entry or entry["inputs"] != inputs or not target.is_file():
            return None
        tokens: int = entry["tokens"]
        return tokens if target.stat().st_size == 2 * tokens else None

    def add(self, name: str, tokens: int, inputs: dict[str, Any]) -> None:
        """Note a finished token file on disk at once: an interrupted run keeps it."""
        self._new[name] = {"tokens": tokens, "inputs": inputs}
        self._write(self._old | self._new)

    def finish(self) -> None:
        """Delete the token files that were not added."""
        for name in self._old.keys() - self._new.keys():
            (self._folder / Path(name).name).unlink(missing_ok=True)
        self._write(self._new)

    def _write(self, entries: dict[str, Any]) -> None:
        _write_atomically(self._folder / MANIFEST, [json.dumps(entries).encode()])


def _read_manifest(path: Path) -> dict[str, Any]:
    """Its entries; none where it is missing or damaged (all token files are made anew then)."""
    try:
        entries = json.loads(path.read_text("utf-8"))
        return {name: {"tokens": int(e["tokens"]), "inputs": e["inputs"]} for name, e in entries.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _pack(tokenizer: Tokenizer, files: list[list[Any]], target: Path, on_read: Callable[[int], None]) -> int:
    """Encode `files` one after another into `target`. Returns the number of tokens."""

    def encoded() -> Iterator[bytes]:
        done_bytes = 0
        for path, size, _ in files:
            for tokens in _tokens(tokenizer, Path(path), _counted_from(done_bytes, on_read)):
                yield tokens.astype("<u2").tobytes()
            done_bytes += size

    _write_atomically(target, encoded())
    return target.stat().st_size // 2


def _counted_from(start: int, report: Callable[[int], None]) -> Callable[[int], None]:
    return lambda count: report(start + count)


def _tokens(tokenizer: Tokenizer, path: Path, on_read: Callable[[int], None]) -> Iterator[NDArray[np.int32]]:
    """The tokens of a file, part by part. on_read: called with the bytes of the file that have been read."""
    if isinstance(tokenizer, ItemTokenizer):
        yield from _item_tokens(path, tokenizer)
        on_read(path.stat().st_size)
        return
    rest, unit = b"", tokenizer.sizes.unit_bytes
    for chunk in read_chunks(path, max(READ_BYTES // unit, 1) * unit, on_read):
        chunk = rest + chunk
        stop = tokenizer.safe_prefix(chunk)
        rest = chunk[stop:]
        if stop:
            yield as_array(encoded(tokenizer, chunk[:stop]))
    if rest:
        yield as_array(encoded(tokenizer, rest))


def _item_tokens(path: Path, tokenizer: ItemTokenizer) -> Iterator[NDArray[np.int32]]:
    """The tokens of a file of samples: of an array item by item; of a picture, video or recording by tiles, at several offsets."""
    kind = tokenizer.samples
    array = samples.read(path, kind.sides, kind.channels, kind.bits)
    if array.ndim > len(kind.sides) + 1:
        for at in range(0, len(array), ITEMS_AT_ONCE):
            yield as_array(tokenizer.encode(array[at : at + ITEMS_AT_ONCE].tobytes()))
        return
    for shift in SHIFTS:
        starts = [int(shift * side) for side in kind.sides]
        if all(have - start >= side for have, start, side in zip(array.shape, starts, kind.sides)):
            part = array[tuple(slice(start, None) for start in starts)]
            yield as_array(tokenizer.encode(tiles(part, kind.sides).tobytes()))


def _write_atomically(target: Path, parts: Iterator[bytes] | list[bytes]) -> None:
    """A reader sees the old file or the complete new one."""
    new = target.with_name(target.name + ".new")
    try:
        with open(new, "wb") as file:
            for part in parts:
                file.write(part)
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)
