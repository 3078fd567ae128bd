"""The build backend of pyproject.toml (PEP 517, PEP 660): setuptools' own, which compiles the core first.

Where the system has no C compiler, `get_requires_for_build_wheel` asks for the package ziglang, which is one. Where that fails too,
the package installs without a library, says so, and runs on its Python twins. The library needs nothing of Python's ABI, so one
wheel a platform serves every Python: py3-none-<platform>.
"""

import platform
import sys
from collections.abc import Sequence
from typing import Any

import build
import setuptools
from setuptools import build_meta
from setuptools.command.bdist_wheel import bdist_wheel

LIBRARY = build.CORE.parent / build.file_name(platform.system())
ZIG = "ziglang>=0.13"

get_requires_for_build_sdist = build_meta.get_requires_for_build_sdist
build_sdist = build_meta.build_sdist


class _PlatformWheel(bdist_wheel):
    """A wheel of this platform and any Python, where there is a library in it."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.root_is_pure = not LIBRARY.is_file()

    def get_tag(self) -> tuple[str, str, str]:
        if self.root_is_pure:
            return super().get_tag()
        return "py3", "none", super().get_tag()[2]


class _Backend(build_meta._BuildMetaBackend):
    """setuptools, with that wheel."""

    def run_setup(self, setup_script: str = "setup.py") -> None:
        setuptools.setup(cmdclass={"bdist_wheel": _PlatformWheel})


_BACKEND = _Backend()


def _compile() -> None:
    """The library of these sources, or none: never one of other sources."""
    LIBRARY.unlink(missing_ok=True)
    try:
        build.build(LIBRARY)
    except (build.BuildError, OSError) as error:
        sys.stderr.write(f"tokpress: the native core is not compiled ({error}).\n")
        sys.stderr.write("tokpress: it runs on its Python twins: the same files, but very slowly.\n")


def _requires(ours: list[str]) -> list[str]:
    return ours if build.system_compiler() else [*ours, ZIG]


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
