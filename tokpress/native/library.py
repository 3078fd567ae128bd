"""Load the core, refuse one built from other sources, and choose the instruction set.

TOKPRESS_CORE=portable|avx2|avx512|neon     use this instruction set; an error if the processor lacks it
TOKPRESS_CORE=twin                          use no library, but the Python twins: slow, and bit for bit the same
TOKPRESS_CORE_LIBRARY=path                  use another library, for example one with sanitizers
"""

import ctypes
import os
import struct
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import ChecksumError, TokpressError
from .stamp import stamp

#: instruction sets, the fastest first, each with its bit in `tp_processor` (core/cpu.c); every processor has the last
SETS = {"avx512": 2, "avx2": 1, "neon": 4, "portable": 0}
#: error codes (core/core.h)
DAMAGED, FULL, MEMORY, ARGUMENT = -1, -2, -3, -4


class CoreError(TokpressError):
    """The library is damaged or of another version, it lacks the requested instruction set, or it refuses its arguments."""


def path() -> Path:
    """Path of the library, which may not exist."""
    if chosen := os.environ.get("TOKPRESS_CORE_LIBRARY"):
        return Path(chosen).absolute()
    name = {"darwin": "_core.dylib", "win32": "_core.dll"}.get(sys.platform, "_core.so")
    return Path(__file__).parent / name


def _is_cut_off(where: Path) -> bool:
    """Whether an ELF file ends before its table of sections, which is the last thing in it (ELF-64 header: e_shoff, e_shentsize, e_shnum)."""
    with open(where, "rb") as file:
        head = file.read(64)
    if len(head) < 64 or head[:5] != b"\x7fELF\2":
        return False
    (offset,), (size, count) = struct.unpack_from("<Q", head, 40), struct.unpack_from("<HH", head, 58)
    end: int = offset + size * count
    return where.stat().st_size < end


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    where = path()
    if not where.is_file():
        if os.path.lexists(where):
            raise CoreError(f"{where} is no file; install tokpress again")
        if os.environ.get("TOKPRESS_CORE_LIBRARY"):
            raise CoreError(f"TOKPRESS_CORE_LIBRARY={where}: no such file")
        return None
    try:
        if _is_cut_off(where):  # loading it would end the process
            raise OSError("the file is cut off")
        library = ctypes.CDLL(str(where))
        library.tp_stamp.restype = ctypes.c_char_p
        library.tp_processor.restype = ctypes.c_int64
        built_from = library.tp_stamp().decode()
    except (OSError, AttributeError) as error:
        raise CoreError(f"{where} is not this package's library ({error}); install tokpress again") from None
    try:
        sources_stamp = stamp()
    except OSError as error:
        raise CoreError(f"the sources of {where} cannot be read ({error}); install tokpress again") from None
    if built_from != sources_stamp:
        raise CoreError(
            f"{where} was built from other sources ({built_from}) than those beside it ({sources_stamp}); install tokpress again"
        )
    return library


@lru_cache(maxsize=1)
def instruction_sets() -> tuple[str, ...]:
    """The instruction sets that both the library and this processor have, the fastest first. Empty if there is no library."""
    library = _library()
    if library is None:
        return ()
    has = library.tp_processor()
    return tuple(name for name, bit in SETS.items() if has & bit == bit and hasattr(library, f"tp_range_encode_{name}"))


@lru_cache(maxsize=1)
def instruction_set() -> str | None:
    """The instruction set in use; None if the twins are. Raises CoreError if TOKPRESS_CORE names a set that is not available."""
    requested = os.environ.get("TOKPRESS_CORE", "")
    if requested == "twin":
        return None
    available = instruction_sets()
    if not requested:
        return available[0] if available else None
    if requested not in available:
        raise CoreError(f"TOKPRESS_CORE={requested}: this machine and library have {', '.join((*available, 'twin'))}")
    return requested


def layout(using: str | None = None) -> str:
    """What the layout of an object in memory depends on: the sources of the core, the instruction set, and the machine."""
    library = _library()
    built_from = library.tp_stamp().decode() if library else ""
    machine = os.uname().machine if hasattr(os, "uname") else sys.platform
    return f"{built_from} {using or instruction_set()} {machine} {8 * struct.calcsize('P')} {sys.byteorder}"


def is_here() -> bool:
    """Whether the core is in use. Otherwise the twins are."""
    return instruction_set() is not None


@lru_cache(maxsize=256)
def function(name: str, *arguments: Any, result: Any = ctypes.c_int64, using: str | None = None) -> Callable[..., Any]:
    """The function `tp_<name>_<instruction set>` with its argument types. using: another instruction set, for tests.

    Raises CoreError if the core is not in use: call `is_here` first."""
    library, chosen = _library(), using or instruction_set()
    if library is None or chosen is None:
        raise CoreError("the core is not in use; the Python twins are")
    symbol = library[f"tp_{name}_{chosen}"]  # a new object each time, so that types are set for this caller alone
    symbol.argtypes, symbol.restype = arguments, result
    return symbol


def address(buffer: Any) -> tuple[Any, int]:
    """(pointer for ctypes, which keeps the buffer alive; size in bytes) of a contiguous buffer that the core reads."""
    if isinstance(buffer, bytes):
        return ctypes.c_char_p(buffer), len(buffer)
    if hasattr(buffer, "ctypes"):  # a numpy array, which may be read-only
        if not buffer.flags.c_contiguous:
            raise ValueError("an array for the core must be contiguous")
        return buffer.ctypes.data_as(ctypes.c_void_p), buffer.nbytes
    view = memoryview(buffer)
    if view.readonly:
        kept = view.tobytes()
        return ctypes.c_char_p(kept), len(kept)
    return writable(buffer)


def writable(buffer: Any) -> tuple[Any, int]:
    """(pointer, size in bytes) of a buffer that the core writes to."""
    if hasattr(buffer, "ctypes"):
        if not (buffer.flags.c_contiguous and buffer.flags.writeable):
            raise ValueError("an array that the core writes to must be contiguous and writable")
        return buffer.ctypes.data_as(ctypes.c_void_p), buffer.nbytes
    view = memoryview(buffer).cast("B")
    return ctypes.byref((ctypes.c_char * len(view)).from_buffer(view)) if len(view) else None, len(view)


def checked(result: int, what: str = "the coded words are damaged") -> int:
    """Return a result of the core, or raise the error of a negative result."""
    if result >= 0:
        return result
    if result == DAMAGED:
        raise ChecksumError(what)
    if result == MEMORY:
        raise MemoryError("the core found no memory")
    raise CoreError(f"the core refuses its arguments ({result})")
