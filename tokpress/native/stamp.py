"""The stamp of the core: a checksum of its sources.

A library holds the stamp of the sources that it was built from. `library` compares that stamp with the installed sources, so a library
of another version raises an error and never computes wrong bits.
"""

import zlib
from pathlib import Path

CORE = Path(__file__).parent / "core"


def stamp() -> str:
    """CRC-32 of the names and contents of all source files, as eight hexadecimal digits."""
    crc = 0
    for path in sorted(CORE.iterdir()):
        if path.suffix in (".c", ".h"):
            crc = zlib.crc32(path.read_bytes(), zlib.crc32(path.name.encode(), crc))
    return f"{crc:08x}"
