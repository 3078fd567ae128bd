"""Sources of the test files, and the download of the public ones: `python -m benchmarks data [--fetch FOLDER]`.

corpora.json lists each file with its size, its SHA-256 and its origin: a URL, and for an archive the name of the member.
A file is written only if its bytes are the listed ones. Files whose archive is not listed (sets that we made from larger ones) are
described in README.md of this folder; benchmarks leave out files that are absent.
"""

import bz2
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import quote, urlsplit

TABLE = Path(__file__).with_name("corpora.json")
TIMEOUT_SECONDS = 60
#: the largest download that is accepted; the largest listed one has 68 MB
MAX_BYTES = 1 << 29


class FetchError(Exception):
    """A file that could not be downloaded, or whose bytes are not the listed ones."""


@dataclass(frozen=True)
class Entry:
    """A file below bench/."""

    path: str
    bytes: int
    sha256: str
    url: str
    #: the name inside the archive that `url` is
    member: str = ""
    #: "bz2", "gz": `url` is the file, compressed; "head": the file is the first bytes of the member
    form: str = ""


def entries(table: Path = TABLE) -> list[Entry]:
    corpora = json.loads(table.read_text("utf-8"))
    return [Entry(**{"url": corpus["url"]} | file) for corpus in corpora.values() for file in corpus["files"]]


def fetch(target: Path, only: tuple[str, ...] = (), mirror: str = "", table: Path = TABLE) -> list[str]:
    """Download into target/bench; what went wrong. `mirror`: a URL below which the originals stand by host and path."""
    download = _Downloads(mirror)
    wrong = []
    for entry in entries(table):
        path = target / "bench" / entry.path
        if (only and not any(fnmatchcase(entry.path, pattern) for pattern in only)) or _same(path, entry):
            continue
        print(f"{entry.path}: {entry.url}", file=sys.stderr, flush=True)
        try:
            _write(path, _checked(download(entry.url), entry))
        except (FetchError, OSError) as error:
            wrong.append(f"{entry.path}: {error}")
    return wrong


class _Downloads:
    """The last download stays in memory: entries of one archive follow each other."""

    def __init__(self, mirror: str) -> None:
        self.mirror, self.last = mirror.rstrip("/"), ("", b"")

    def __call__(self, url: str) -> bytes:
        if self.last[0] == url:
            return self.last[1]
        place = urlsplit(url)
        where = f"{self.mirror}/{place.netloc}{quote(place.path)}" if self.mirror else url
        try:
            with urllib.request.urlopen(where, timeout=TIMEOUT_SECONDS) as answer:
                data = answer.read(MAX_BYTES + 1)
        except (urllib.error.URLError, ValueError) as error:
            raise FetchError(f"{where}: {error}") from None
        if len(data) > MAX_BYTES:
            raise FetchError(f"{where}: more than {MAX_BYTES:,} bytes")
        self.last = (url, data)
        return data


def _checked(data: bytes, entry: Entry) -> bytes:
    """The bytes of the file. Raises FetchError where they are not those of the table."""
    try:
        made = _extracted(data, entry)
    except (OSError, KeyError, EOFError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise FetchError(f"{entry.url} cannot be read: {error}") from None
    digest = hashlib.sha256(made).hexdigest()
    if len(made) != entry.bytes or digest != entry.sha256:
        expected = f"expected {entry.bytes:,} bytes with SHA-256 {entry.sha256[:12]}…"
        raise FetchError(f"{entry.url}: {expected}, found {len(made):,} with {digest[:12]}…")
    return made


def _extracted(data: bytes, entry: Entry) -> bytes:
    plain: dict[str, Callable[[bytes], bytes]] = {"bz2": bz2.decompress, "gz": gzip.decompress}
    if entry.form in plain:
        return plain[entry.form](data)
    if not entry.member:
        return data
    if urlsplit(entry.url).path.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(entry.member) as file:
            # one byte more shows a member that is too long; the head of a long member is all that is wanted
            return file.read(entry.bytes + (entry.form != "head"))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        if (file := archive.extractfile(entry.member)) is None:
            raise KeyError(entry.member)
        return file.read(entry.bytes + 1)


def _same(path: Path, entry: Entry) -> bool:
    return path.is_file() and path.stat().st_size == entry.bytes and _digest(path) == entry.sha256


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as out:
        out.write(data)
    os.replace(out.name, path)


def show(data: Path, table: Path = TABLE) -> list[str]:
    """Print each corpus: files, bytes, source, and how many of its files are in data/bench, compressed or not."""
    print(f"files in {data / 'bench'}:")
    for name, corpus in json.loads(table.read_text("utf-8")).items():
        files = [data / "bench" / file["path"] for file in corpus["files"]]
        here = sum(any(path.with_name(path.name + end).is_file() for end in ("", ".xz", ".gz")) for path in files)
        size = sum(file["bytes"] for file in corpus["files"])
        print(
            f"{name:12} {here:3} of {len(files):3} files here, {size:12,} bytes, {corpus['licence']}; {corpus['url']}"
        )
    return []
