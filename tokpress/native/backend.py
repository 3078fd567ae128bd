"""The build backend of pyproject.toml (PEP 517, PEP 660): setuptools' own, which compiles the core first.

Where the system has no C compiler, `get_requires_for_build_wheel` asks for the package ziglang, which is one. Where that fails too,
or $TOKPRESS_NO_CORE is set, the package installs without a library, says so, and runs on its Python twins; with $TOKPRESS_NO_CORE a
library that is already in the source tree stays there. The library needs nothing of Python's ABI, so one
wheel a platform serves every Python: py3-none-<platform>.
"""

# mypy: disallow-subclassing-any=False
# setuptools ships types only in its later releases
import os
import platform
import sys
from collections.abc import Sequence
from typing import Any

import build_core
import setuptools
from setuptools import build_meta
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

LIBRARY = build_core.CORE.parent / build_core.file_name(platform.system())
#: machines for which PyPI has a ziglang wheel
MACHINES = ("x86_64", "AMD64", "aarch64", "arm64", "i686", "armv7l", "ppc64le", "riscv64", "s390x")
ZIG = "ziglang>=0.13"

get_requires_for_build_sdist = build_meta.get_requires_for_build_sdist
build_sdist = build_meta.build_sdist


class _Distribution(setuptools.Distribution):
    """Installs into platlib, not purelib, where a library is included: it is machine code."""

    def has_ext_modules(self) -> bool:
        return _goes_along()


class _Modules(build_py):
    """The package's files; the library only where it is to be installed."""

    def find_data_files(self, package: str, src_dir: str) -> list[str]:
        found = super().find_data_files(package, src_dir)
        return [name for name in found if _goes_along() or os.path.basename(name) != LIBRARY.name]


class _Wheel(bdist_wheel):
    """A wheel tagged py3-none-<platform> where it holds a library: ctypes needs no Python ABI."""

    def get_tag(self) -> tuple[str, str, str]:
        python, abi, system = super().get_tag()
        return (python, abi, system) if self.root_is_pure else ("py3", "none", system)


class _Backend(build_meta._BuildMetaBackend):
    """setuptools, with that wheel."""

    def run_setup(self, setup_script: str = "setup.py") -> None:
        setuptools.setup(distclass=_Distribution, cmdclass={"bdist_wheel": _Wheel, "build_py": _Modules})


_BACKEND = _Backend()


def _goes_along() -> bool:
    """Whether the library becomes part of what is installed."""
    return not os.environ.get("TOKPRESS_NO_CORE") and LIBRARY.is_file()


def _compile() -> None:
    """Build the library, after deleting the old one, so that no stale library is ever installed. $TOKPRESS_NO_CORE: do nothing."""
    if os.environ.get("TOKPRESS_NO_CORE"):
        _tell("as TOKPRESS_NO_CORE asks; to have it later, unset that")
        return
    LIBRARY.unlink(missing_ok=True)
    try:
        build_core.build(LIBRARY)
    except (build_core.BuildError, OSError) as error:
        _tell(f"since it did not compile ({error}); to have it later, install a C compiler (gcc or clang)")


def _tell(why: str) -> None:
    sys.stderr.write(
        f"tokpress installs without its native core, {why} and install tokpress again: until then it makes the same files "
        "hundreds of times slower.\n"
    )


def _requires(ours: list[str]) -> list[str]:
    has_one = os.environ.get("TOKPRESS_NO_CORE") or platform.machine() not in MACHINES or build_core.system_compiler()
    return ours if has_one else [*ours, ZIG]


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    return _requires(_BACKEND.get_requires_for_build_wheel(config_settings))


def get_requires_for_build_editable(config_settings: Any = None) -> list[str]:
    return _requires(_BACKEND.get_requires_for_build_editable(config_settings))


def prepare_metadata_for_build_wheel(folder: str, config_settings: Any = None) -> str:
    return str(_BACKEND.prepare_metadata_for_build_wheel(folder, config_settings))


def prepare_metadata_for_build_editable(folder: str, config_settings: Any = None) -> str:
    return str(_BACKEND.prepare_metadata_for_build_editable(folder, config_settings))


def build_wheel(folder: str, config_settings: Any = None, metadata: str | None = None) -> str:
    _compile()
    return str(_BACKEND.build_wheel(folder, config_settings, metadata))


def build_editable(folder: str, config_settings: Any = None, metadata: str | None = None) -> str:
    _compile()
    return str(_BACKEND.build_editable(folder, config_settings, metadata))


__all__: Sequence[str] = [name for name in globals() if name.startswith(("build_", "get_requires", "prepare"))]
