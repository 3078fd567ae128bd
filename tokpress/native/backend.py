"""The build backend of pyproject.toml (PEP 517, PEP 660): setuptools' backend, which compiles the core first.

If the system has no C compiler, `get_requires_for_build_wheel` asks for the package ziglang, which contains one. If that fails too, or
$TOKPRESS_NO_CORE is set, the package installs without the library, prints a message, and runs on its Python twins. $TOKPRESS_NO_CORE
leaves a library in the source tree untouched. The library does not use Python's ABI, so one wheel per platform serves every Python:
py3-none-<platform>.
"""

# mypy: disallow-subclassing-any=False
# setuptools ships types only in its later releases
import base64
import hashlib
import os
import platform
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
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
#: of an editable installation: the folder of the source tree
TYPES_FILE = "tokpress_source.pth"

get_requires_for_build_sdist = build_meta.get_requires_for_build_sdist
build_sdist = build_meta.build_sdist


class _Distribution(setuptools.Distribution):
    """A distribution that installs into platlib if it includes the library, which is machine code, else into purelib."""

    def has_ext_modules(self) -> bool:
        return _is_included()


class _Modules(build_py):
    """The package's files, with the library only if it is to be installed."""

    def find_data_files(self, package: str, src_dir: str) -> list[str]:
        names = super().find_data_files(package, src_dir)
        return [name for name in names if _is_included() or os.path.basename(name) != LIBRARY.name]


class _Wheel(bdist_wheel):
    """A wheel that is tagged py3-none-<platform> if it holds the library: ctypes needs no Python ABI."""

    def get_tag(self) -> tuple[str, str, str]:
        python, abi, system = super().get_tag()
        return (python, abi, system) if self.root_is_pure else ("py3", "none", system)


class _Backend(build_meta._BuildMetaBackend):
    """The backend of setuptools with the classes above."""

    def run_setup(self, setup_script: str = "setup.py") -> None:
        setuptools.setup(distclass=_Distribution, cmdclass={"bdist_wheel": _Wheel, "build_py": _Modules})


_BACKEND = _Backend()


def _is_included() -> bool:
    """Whether the library is to be installed."""
    return not os.environ.get("TOKPRESS_NO_CORE") and LIBRARY.is_file()


def _compile() -> None:
    """Delete the old library and build a new one, so that no stale library is installed. $TOKPRESS_NO_CORE: do nothing."""
    if os.environ.get("TOKPRESS_NO_CORE"):
        _warn("because TOKPRESS_NO_CORE is set", "unset that variable")
        return
    LIBRARY.unlink(missing_ok=True)
    try:
        build_core.build(LIBRARY)
    except (build_core.BuildError, OSError) as error:
        _warn(f"because it did not compile ({error})", "install a C compiler (gcc or clang)")


def _warn(reason: str, remedy: str) -> None:
    sys.stderr.write(
        f"tokpress installs without its native core, {reason}. It makes the same files, but hundreds of times slower. To get the core, "
        f"{remedy} and install tokpress again.\n"
    )


def _requires(packages: list[str]) -> list[str]:
    has_one = os.environ.get("TOKPRESS_NO_CORE") or platform.machine() not in MACHINES or build_core.system_compiler()
    return packages if has_one else [*packages, ZIG]


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
    wheel = str(_BACKEND.build_editable(folder, config_settings, metadata))
    _show_to_type_checkers(Path(folder, wheel))
    return wheel


def _show_to_type_checkers(wheel: Path) -> None:
    """Name the source tree in a .pth file of an editable wheel: type checkers read it, and no finder, which setuptools' .pth file starts
    for tokpress.cli."""
    with zipfile.ZipFile(wheel) as old:
        files = {info: old.read(info) for info in old.infolist()}
    path = f"{build_core.CORE.parents[2]}\n".encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(path).digest()).rstrip(b"=").decode()
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as new:
        for info, data in files.items():
            if info.filename.endswith(".dist-info/RECORD"):
                data += f"{TYPES_FILE},sha256={digest},{len(path)}\n".encode()
            new.writestr(info, data)
        new.writestr(TYPES_FILE, path)


__all__: Sequence[str] = [name for name in globals() if name.startswith(("build_", "get_requires", "prepare"))]
