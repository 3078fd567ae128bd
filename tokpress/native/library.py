"""Load the core, refuse one built from other sources, and choose the instruction set.

TOKPRESS_CORE=portable|avx2|avx512|neon     this set; an error where the processor lacks it
TOKPRESS_CORE=twin                          no library: the Python twins, slow and bit for bit the same
TOKPRESS_CORE_LIBRARY=path                  another library than the one beside this file (a sanitized one, say)
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

#: sets from the fastest to the one that every processor has, with the processor's bit (core/cpu.c)
SETS = {"avx512": 2, "avx2": 1, "neon": 4, "portable": 0}
#: results below zero (core/core.h)
DAMAGED, FULL, MEMORY, ARGUMENT = -1, -2, -3, -4


class CoreError(TokpressError):
    """The library is of other sources, or is asked for what it, or the processor, has not got."""


def path() -> Path:
    """Where the library is, or would be."""
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
        if _is_cut_off(where):  # which ends the process while it is loaded
            raise OSError("the file is cut off")
        library = ctypes.CDLL(str(where))
        library.tp_stamp.restype = ctypes.c_char_p
        library.tp_processor.restype = ctypes.c_int64
        built_from = library.tp_stamp().decode()
    except (OSError, AttributeError) as error:
        raise CoreError(f"{where} is not this package's library ({error}); install tokpress again") from None
    try:
        here = stamp()
    except OSError as error:
        raise CoreError(f"the sources of {where} cannot be read ({error}); install tokpress again") from None
    if built_from != here:
        raise CoreError(
            f"{where} was built from other sources ({built_from}) than those beside it ({here}); install tokpress again"
        )
    return library


@lru_cache(maxsize=1)
def instruction_sets() -> tuple[str, ...]:
    """Those that both the library and this processor have, the fastest first; none where there is no library."""
    library = _library()
    if library is None:
        return ()
    has = library.tp_processor()
    return tuple(name for name, bit in SETS.items() if has & bit == bit and hasattr(library, f"tp_range_encode_{name}"))


@lru_cache(maxsize=1)
def instruction_set() -> str | None:
    """The one in use; None: the twins. Raises CoreError where TOKPRESS_CORE asks for one that is not here."""
    asked = os.environ.get("TOKPRESS_CORE", "")
    if asked == "twin":
        return None
    found = instruction_sets()
    if not asked:
        return found[0] if found else None
    if asked not in found:
        raise CoreError(f"TOKPRESS_CORE={asked}: this machine and library have {', '.join((*found, 'twin'))}")
    return asked


def is_here() -> bool:
    """Whether the core is in use; else the twins are."""
    return instruction_set() is not None


@lru_cache(maxsize=256)
def function(name: str, *arguments: Any, result: Any = ctypes.c_int64, using: str | None = None) -> Callable[..., Any]:
    """`tp_<name>_<instruction set>` with its argument types. using: another set than the one in use, for tests.

    Raises CoreError where there is no library: callers ask `is_here` first."""
    library, chosen = _library(), using or instruction_set()
    if library is None or chosen is None:
        raise CoreError("the core is not here; the Python twins are")
    found = library[f"tp_{name}_{chosen}"]  # a new object each time, so that types are set for this caller alone
    found.argtypes, found.restype = arguments, result
    return found


def address(buffer: Any) -> tuple[Any, int]:
    """(something that ctypes takes as a pointer and that keeps the buffer alive, bytes) of a contiguous buffer, to read."""
    if isinstance(buffer, bytes):
        return ctypes.c_char_p(buffer), len(buffer)
    if hasattr(buffer, "ctypes"):  # numpy's, also one that is read only
        if not buffer.flags.c_contiguous:
            raise ValueError("an array for the core is contiguous")
        return buffer.ctypes.data_as(ctypes.c_void_p), buffer.nbytes
    view = memoryview(buffer)
    if view.readonly:
        kept = view.tobytes()
        return ctypes.c_char_p(kept), len(kept)
    return writable(buffer)


def writable(buffer: Any) -> tuple[Any, int]:
    """The same of a buffer that the core writes to."""
    if hasattr(buffer, "ctypes"):
        if not (buffer.flags.c_contiguous and buffer.flags.writeable):
            raise ValueError("an array for the core to write to is contiguous and writable")
        return buffer.ctypes.data_as(ctypes.c_void_p), buffer.nbytes
    view = memoryview(buffer).cast("B")
    return ctypes.byref((ctypes.c_char * len(view)).from_buffer(view)) if len(view) else None, len(view)


def checked(result: int, what: str = "the coded words are damaged") -> int:
    """A result of the core. Raises what a negative one says."""
    if result >= 0:
        return result
    if result == DAMAGED:
        raise ChecksumError(what)
    if result == MEMORY:
        raise MemoryError("the core found no memory")
    raise CoreError(f"the core refuses its arguments ({result})")
