"""The stamp of the core: from which sources a library was built.

The library holds the stamp of its sources; `library` compares it with the sources that lie beside it, so a library of another
version is an error that names itself, and never wrong bits.
"""

import zlib
from pathlib import Path

CORE = Path(__file__).parent / "core"


def stamp() -> str:
    """CRC-32 of names and contents of all files of the core, in eight hexadecimal digits."""
    crc = 0
    for path in sorted(CORE.iterdir()):
        if path.suffix in (".c", ".h"):
            crc = zlib.crc32(path.read_bytes(), zlib.crc32(path.name.encode(), crc))
    return f"{crc:08x}"
