"""The build backend of pyproject.toml (PEP 517, PEP 660): setuptools' own, which compiles the core first.

Where the system has no C compiler, `get_requires_for_build_wheel` asks for the package ziglang, which is one. Where that fails too,
or $TOKPRESS_NO_CORE is set, the package installs without a library, says so, and runs on its Python twins. The library needs nothing of Python's ABI, so one
wheel a platform serves every Python: py3-none-<platform>.
"""

import os
import platform
import sys
from collections.abc import Sequence
from typing import Any

import build
import setuptools
from setuptools import build_meta
from setuptools.command.bdist_wheel import bdist_wheel

LIBRARY = build.CORE.parent / build.file_name(platform.system())
#: where PyPI has it as a wheel
MACHINES = ("x86_64", "AMD64", "aarch64", "arm64", "i686", "armv7l", "ppc64le", "riscv64", "s390x")
ZIG = "ziglang>=0.13"

get_requires_for_build_sdist = build_meta.get_requires_for_build_sdist
build_sdist = build_meta.build_sdist


class _Distribution(setuptools.Distribution):
    """It holds machine code where there is a library: its place is where a platform's packages are."""

    def has_ext_modules(self) -> bool:
        return LIBRARY.is_file()


class _Wheel(bdist_wheel):
    """Of this platform and any Python, where there is a library in it."""

    def get_tag(self) -> tuple[str, str, str]:
        python, abi, system = super().get_tag()
        return (python, abi, system) if self.root_is_pure else ("py3", "none", system)


class _Backend(build_meta._BuildMetaBackend):
    """setuptools, with that wheel."""

    def run_setup(self, setup_script: str = "setup.py") -> None:
        setuptools.setup(distclass=_Distribution, cmdclass={"bdist_wheel": _Wheel})


_BACKEND = _Backend()


def _compile() -> None:
    """The library of these sources, or none: never one of other sources. $TOKPRESS_NO_CORE: none."""
    LIBRARY.unlink(missing_ok=True)
    if os.environ.get("TOKPRESS_NO_CORE"):
        return
    try:
        build.build(LIBRARY)
    except (build.BuildError, OSError) as error:
        sys.stderr.write(f"tokpress: the native core is not compiled ({error}).\n")
        sys.stderr.write("tokpress: it runs on its Python twins: the same files, but very slowly.\n")


def _requires(ours: list[str]) -> list[str]:
    has_one = os.environ.get("TOKPRESS_NO_CORE") or platform.machine() not in MACHINES or build.system_compiler()
    return ours if has_one else [*ours, ZIG]


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    return _requires(_BACKEND.get_requires_for_build_wheel(config_settings))


def get_requires_for_build_editable(config_settings: Any = None) -> list[str]:
    return _requires(_BACKEND.get_requires_for_build_editable(config_settings))


def prepare_metadata_for_build_wheel(folder: str, config_settings: Any = None) -> str:
    return _BACKEND.prepare_metadata_for_build_wheel(folder, config_settings)


def prepare_metadata_for_build_editable(folder: str, config_settings: Any = None) -> str:
    return _BACKEND.prepare_metadata_for_build_editable(folder, config_settings)


def build_wheel(folder: str, config_settings: Any = None, metadata: str | None = None) -> str:
    _compile()
    return _BACKEND.build_wheel(folder, config_settings, metadata)


def build_editable(folder: str, config_settings: Any = None, metadata: str | None = None) -> str:
    _compile()
    return _BACKEND.build_editable(folder, config_settings, metadata)


__all__: Sequence[str] = [name for name in globals() if name.startswith(("build_", "get_requires", "prepare"))]
