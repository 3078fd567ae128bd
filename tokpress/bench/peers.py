"""The other compressors of the bench, each at a stated level, a strong one by default.

All but zpaq are libraries called from Python. They write the container and the checksums of the tool of that name."""

import importlib
import importlib.util
import re
import shutil
import subprocess
import sys
import time
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from ..training.machine import version
from .codec import BenchError, Codec, InPython, parse_level
from .ours import Tokpress

MiB = 1 << 20


class Library(InPython):
    """A peer with two functions on bytes."""

    package: ClassVar[str]  # as pip knows it
    module: ClassVar[str]
    meaning: ClassVar[str] = "level"
    levels: ClassVar[range]
    default: ClassVar[int]

    def __init__(self, level: str = "") -> None:
        super().__init__(level)
        self.level = parse_level(self.name, level, self.meaning, self.levels) if level else self.default

    def missing(self) -> str | None:
        if importlib.util.find_spec(self.module) is None:
            return f"the package {self.package} is not installed: pip install 'tokpress[bench]'"
        return None

    def describe(self) -> str:
        return f"{self.package} {version(self.package)}, {self.meaning} {self.level}"

    def run(self, action: str, source: Path, target: Path) -> tuple[float, dict[str, Any]]:
        library, data = importlib.import_module(self.module), source.read_bytes()
        begin = time.perf_counter()
        result = self.compress(library, data) if action == "compress" else self.decompress(library, data)
        seconds = time.perf_counter() - begin
        target.write_bytes(result)
        return seconds, {}

    @abstractmethod
    def compress(self, library: Any, source: bytes) -> bytes: ...

    @abstractmethod
    def decompress(self, library: Any, data: bytes) -> bytes: ...


class XZ(Library):
    """A level as in `xz -9e`: a preset, and e for the extreme variant."""

    kind, package, module, levels, default = "xz", "Python's lzma", "lzma", range(10), 9

    def __init__(self, level: str = "") -> None:
        super().__init__(level.removesuffix("e"))
        self.name = f"{self.kind}:{level}" if level else self.kind
        self.extreme = level.endswith("e") or not level

    def describe(self) -> str:
        return f"liblzma of Python {sys.version.split()[0]}, xz -{self.level}{'e' * self.extreme}, CRC64"

    def compress(self, library: Any, source: bytes) -> bytes:
        return bytes(library.compress(source, preset=self.level | (library.PRESET_EXTREME if self.extreme else 0)))

    def decompress(self, library: Any, data: bytes) -> bytes:
        return bytes(library.decompress(data))


class Zstd(Library):
    """Level 22 is `zstd --ultra -22`."""

    kind, package, module, levels, default = "zstd", "zstandard", "zstandard", range(1, 23), 22

    def describe(self) -> str:
        return f"{super().describe()}, content checksum, one thread"

    def compress(self, library: Any, source: bytes) -> bytes:
        return bytes(library.ZstdCompressor(level=self.level, write_checksum=True).compress(source))

    def decompress(self, library: Any, data: bytes) -> bytes:
        return bytes(library.ZstdDecompressor(max_window_size=1 << 31).decompress(data))


class ZstdDictionary(Zstd):
    """zstd -22 with a dictionary, zstd-dict:FILE. Its bytes count as model bytes."""

    kind = "zstd-dict"

    def __init__(self, file: str = "") -> None:
        super().__init__()
        if not file:
            raise BenchError(f"name the dictionary: {self.kind}:FILE, made by `zstd --train`")
        self.file = Path(file).resolve()

    def missing(self) -> str | None:
        return super().missing() or (None if self.file.is_file() else f"there is no dictionary {self.file}")

    def spec(self) -> str:
        return f"{self.kind}:{self.file}"

    def describe(self) -> str:
        return f"{super().describe()}, a dictionary of {self.file.stat().st_size:,} bytes"

    def run(self, action: str, source: Path, target: Path) -> tuple[float, dict[str, Any]]:
        seconds, _ = super().run(action, source, target)
        return seconds, {"models": {self.file.name: self.file.stat().st_size}}

    def _dictionary(self, library: Any) -> Any:
        return library.ZstdCompressionDict(self.file.read_bytes())

    def compress(self, library: Any, source: bytes) -> bytes:
        dictionary = self._dictionary(library)
        return bytes(
            library.ZstdCompressor(level=self.level, write_checksum=True, dict_data=dictionary).compress(source)
        )

    def decompress(self, library: Any, data: bytes) -> bytes:
        dictionary = self._dictionary(library)
        return bytes(library.ZstdDecompressor(max_window_size=1 << 31, dict_data=dictionary).decompress(data))


class Brotli(Library):
    kind, package, module, levels, default = "brotli", "brotli", "brotli", range(12), 11
    meaning = "quality"

    def describe(self) -> str:
        return f"{super().describe()}, 16 MiB window"

    def compress(self, library: Any, source: bytes) -> bytes:
        return bytes(library.compress(source, quality=self.level, lgwin=24))

    def decompress(self, library: Any, data: bytes) -> bytes:
        return bytes(library.decompress(data))


class Bzip3(Library):
    """Blocks of up to 64 MiB, more than the files of the usual sets."""

    kind, package, module, levels, default = "bzip3", "bzip3", "bz3", range(1, 512), 64
    meaning = "block size in MiB"

    def compress(self, library: Any, source: bytes) -> bytes:
        block = min(max(len(source), 65 << 10), self.level * MiB)
        return bytes(library.compress(source, block_size=block))

    def decompress(self, library: Any, data: bytes) -> bytes:
        return bytes(library.decompress(data))


class PPMd(Library):
    """PPMd variant H (PPMd7; Shkarin 2002, "PPM: one step to practicality"), as in 7-Zip. Eight bytes before the stream hold
    the length of the source. (pyppmd 1.3.1 cannot decode all its own streams: such a file is reported as failed.)"""

    kind, package, module, levels, default = "ppmd", "pyppmd", "pyppmd", range(2, 65), 8
    meaning = "order"
    memory = 256 * MiB

    def describe(self) -> str:
        return f"{super().describe()}, variant H, {self.memory // MiB} MiB"

    def compress(self, library: Any, source: bytes) -> bytes:
        encoder = library.Ppmd7Encoder(self.level, self.memory)
        return len(source).to_bytes(8, "little") + bytes(encoder.encode(source)) + bytes(encoder.flush())

    def decompress(self, library: Any, data: bytes) -> bytes:
        decoder = library.Ppmd7Decoder(self.level, self.memory)
        return bytes(decoder.decode(data[8:], int.from_bytes(data[:8], "little")))


class Zpaq(Codec):
    """The `zpaq` program (Debian's package of that name): a journaling archive of the one file."""

    kind, suffix = "zpaq", ".zpaq"

    def __init__(self, level: str = "") -> None:
        super().__init__(level)
        self.level = parse_level(self.name, level, "method", range(6)) if level else 5

    def missing(self) -> str | None:
        return None if shutil.which("zpaq") else "the program zpaq is not installed: apt-get install zpaq"

    def describe(self) -> str:
        printed = subprocess.run(["zpaq"], capture_output=True, text=True, errors="replace").stdout
        match = re.search(r"zpaq v([\d.]+)", printed)
        return f"zpaq {match[1] if match else '(unknown version)'}, -m{self.level}"

    def command(self, action: str, source: str, target: str, rounds: int) -> list[str]:
        from ..exact.threads import processors

        limit = f"-t{processors()}"
        if action == "compress":
            return ["zpaq", "add", target, source, f"-m{self.level}", limit]
        return ["zpaq", "extract", source, "source", "-to", target, limit]


PEERS: dict[str, type[Codec]] = {c.kind: c for c in (XZ, Zstd, Brotli, Bzip3, PPMd, Zpaq)}


def find(name: str) -> Codec:
    """The codec that KIND or KIND:LEVEL names, or zstd-dict:FILE. Raises BenchError.

    >>> find("zstd:19").level
    19
    """
    kind, _, level = name.partition(":")
    if kind == Tokpress.kind:
        return Tokpress(level)
    if kind == ZstdDictionary.kind:
        return ZstdDictionary(level)
    if kind not in PEERS:
        raise BenchError(f"no peer is called {kind!r}; there are: {', '.join(PEERS)}")
    return PEERS[kind](level)
