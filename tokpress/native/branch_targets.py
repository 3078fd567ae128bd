"""Targets of branches in the core (core/branch_targets.c; `priors.context_mixing.branch_targets` is the twin)."""

from . import library
from .handle import COUNT, POINTER


def replace(code: bytearray, using: str | None = None) -> None:
    """Replace all distances by targets, in place."""
    place, size = library.writable(code)
    library.function("branch_targets_replace", POINTER, COUNT, using=using)(place, size)


def restore(code: bytearray, begin: int, end: int, using: str | None = None) -> None:
    """Restore the distances after the bytes [begin, end), in place."""
    place, size = library.writable(code)
    if not 0 <= begin <= end <= size:
        raise ValueError(f"{size:,} bytes have no bytes {begin:,} … {end:,}")
    library.function("branch_targets_restore", POINTER, *[COUNT] * 3, using=using)(place, size, begin, end)
