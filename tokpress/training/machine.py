"""Processor, memory and versions of this machine, for model cards and results."""

import os
import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as _installed
from pathlib import Path
from typing import Any

from .._version import __version__


def processor() -> str:
    """Name of the CPU, where the system has one."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def version(package: str) -> str:
    """Version of an installed package."""
    try:
        return _installed(package)
    except PackageNotFoundError:
        return "not installed"


def describe(*packages: str) -> dict[str, Any]:
    """CPU, cores and memory, and the versions of Python, tokpress and `packages`."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None
    versions = {"python": platform.python_version(), "tokpress": __version__} | {p: version(p) for p in packages}
    return {
        "cpu": processor(),
        "cores": cores(),
        "memory_bytes": memory,
        "system": platform.platform(),
        "versions": versions,
    }
