"""Training data: files and folders, plain or compressed, read in chunks, so a corpus of any size fits in memory.

    paths ──corpus_files──► files, sorted ──read_chunks──► bytes, `size` at a time
                                          ──sample───────► `total_bytes` from all over the corpus

A folder stands for every file below it, except hidden ones (names that begin with a dot). `.xz`, `.gz` and `.zst` files are
decompressed, pictures are read as pixels (`images`). A file shorter than a chunk is one chunk: a document.

`sample` draws chunks without replacement, with probability in proportion to weight, in one pass over a corpus of unknown size.
Each chunk gets the key Exp(1) / weight, and the chunks with the smallest keys are taken (Efraimidis & Spirakis 2006, "Weighted
random sampling with a reservoir", §2, in its exponential form).

Raises CorpusError where nothing is there, or a file is unreadable or damaged; the message names the file.
"""

import gzip
import heapq
import io
import lzma
import math
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np

from ...errors import CorpusError
from . import images

COMPRESSED = (".xz", ".gz", ".zst")
CHUNK_BYTES = 1 << 16


def corpus_files(paths: Sequence[Path | str]) -> list[Path]:
    """All files at or below `paths`, each once: in the order of `paths`, sorted within each folder.

    >>> corpus_files(["/no/such/folder"])
    Traceback (most recent call last):
    tokpress.errors.CorpusError: /no/such/folder does not exist; give files or folders to train on
    """
    return [path for path, _ in weighted_files(paths)]


def weighted_files(paths: Sequence[Path | str], weights: Sequence[float] | None = None) -> list[tuple[Path, float]]:
    """The files of `corpus_files`, each with the weight of its path. weights: one per path, above 0; by default 1."""
    if isinstance(paths, (str, Path)):
        paths = [paths]
    if weights is None:
        weights = [1.0] * len(paths)
    if len(weights) != len(paths) or not all(0 < weight < math.inf for weight in weights):
        raise CorpusError(f"{len(paths)} paths need as many weights above 0, not {list(weights)}")
    found: dict[Path, float] = {}  # a file below two paths belongs to the first
    for path, weight in zip(map(Path, paths), weights):
        if not path.exists():
            raise CorpusError(f"{path} does not exist; give files or folders to train on")
        if not path.is_file() and not path.is_dir():
            raise CorpusError(
                f"{path} is neither a file nor a folder; a pipe cannot be read twice, so write it to a file"
            )
        for file in [path] if path.is_file() else _below(path):
            found.setdefault(file, float(weight))
    if not any(file.stat().st_size for file in found):
        where = f" in {', '.join(map(str, paths))}" if paths else ""
        raise CorpusError(f"nothing to train on{where}: give files or folders with data")
    return list(found.items())


def _below(folder: Path) -> Iterator[Path]:
    def unreadable(error: OSError) -> NoReturn:
        raise CorpusError(f"cannot read the folder {error.filename}: {error.strerror}") from error

    for at, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(at, name)
            if not name.startswith(".") and file.is_file():
                yield file


def read_chunks(
    path: Path, size: int = CHUNK_BYTES, on_read: Callable[[int], None] = lambda position: None
) -> Iterator[bytes]:
    """The decompressed bytes of a file, `size` at a time, the last chunk shorter; no chunk for an empty file.

    Pictures give their pixels (`images`). on_read: called with the bytes of the file on disk that have been read."""
    path = Path(path)
    if images.is_picture(path):
        pixels = images.read(path)
        on_read(path.stat().st_size)
        yield from (pixels[at : at + size] for at in range(0, len(pixels), size))
        return
    try:
        with open(path, "rb") as raw, _decompressed(path, raw) as stream:
            while chunk := stream.read(size):
                on_read(raw.tell())
                yield chunk
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise CorpusError(f"cannot read {path}: {error}; repair it or leave it out") from error


def _decompressed(path: Path, raw: BinaryIO) -> Any:
    kind = path.suffix.lower()
    if kind == ".xz":
        return lzma.open(raw)
    if kind == ".gz":
        return gzip.open(raw)
    if kind == ".zst":
        return io.BufferedReader(_ZstdFile(raw, path), 1 << 17)
    return raw


class _ZstdFile(io.RawIOBase):
    """A reader that raises EOFError where a file is cut off; that of zstandard ends without an error."""

    def __init__(self, raw: BinaryIO, path: Path):
        try:
            import zstandard
        except ImportError as error:
            raise CorpusError(f"reading {path} needs zstandard; pip install zstandard") from error
        self._new: Any = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj
        self._error = zstandard.ZstdError
        self._raw, self._ready = raw, b""
        self._frame: Any = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            # 16 KiB at a time, which may hold many megabytes
            data = (self._frame.unused_data if self._frame and self._frame.eof else b"") or self._raw.read(1 << 14)
            if self._frame is None or self._frame.eof:
                if not data:
                    return 0
                self._frame = self._new()
            if not data:
                raise EOFError("the file is cut off")
            try:
                self._ready = self._frame.decompress(data)
            except self._error as error:
                raise OSError(str(error)) from error
        n = min(len(buffer), len(self._ready))
        buffer[:n], self._ready = self._ready[:n], self._ready[n:]
        return n


def sample(
    paths: Sequence[Path | str],
    total_bytes: int,
    seed: int = 0,
    weights: Sequence[float] | None = None,
    chunk_bytes: int = CHUNK_BYTES,
) -> list[bytes]:
    """Chunks of `total_bytes` in all, from all over the corpus, in corpus order; all chunks of a smaller corpus. The same seed
    gives the same sample.

    weights: one per path; a chunk of weight 2 is twice as likely to be drawn first as one of weight 1. Of plain files only
    the drawn chunks are read; compressed files are decompressed from end to end."""
    rng = np.random.default_rng(seed)
    taken: list[tuple[float, int, bytes]] = []  # heap of (−key, number, chunk): the largest key on top
    total, number = 0, 0
    for path, weight in weighted_files(paths, weights):
        for read in _chunk_readers(path, chunk_bytes):
            key = float(rng.exponential()) / weight
            number += 1
            if total >= total_bytes and key >= -taken[0][0]:
                continue
            chunk = read()
            heapq.heappush(taken, (-key, -number, chunk))
            total += len(chunk)
            while total - len(taken[0][2]) >= total_bytes:
                total -= len(heapq.heappop(taken)[2])
    if total > total_bytes:
        key, number, chunk = heapq.heappop(taken)
        heapq.heappush(taken, (key, number, chunk[: len(chunk) - (total - total_bytes)]))
    return [chunk for _, _, chunk in sorted(taken, key=lambda item: -item[1])]


def _chunk_readers(path: Path, size: int) -> Iterator[Callable[[], bytes]]:
    """One function per chunk, which returns its bytes. It is called before the next one is asked for, or not at all."""
    if path.suffix.lower() in COMPRESSED or images.is_picture(path):
        for chunk in read_chunks(path, size):
            yield partial(bytes, chunk)
    else:
        for start in range(0, path.stat().st_size, size):
            yield partial(_read_at, path, start, size)


def _read_at(path: Path, start: int, size: int) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(start)
            return file.read(size)
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error}; repair it or leave it out") from error
