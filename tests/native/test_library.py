"""Which library is loaded, and what is said where it is not the one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tokpress
from tokpress.native import library
from tokpress.native.stamp import stamp

NATIVE = Path(tokpress.__file__).parent / "native"
ASK = "from tokpress.native import library; print(library.instruction_set())"


def ask(**variables: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, env={**os.environ, **variables})


def test_each_set_can_be_forced(core):
    assert ask(TOKPRESS_CORE=core).stdout.strip() == core


def test_the_twins_can_be_forced():
    assert ask(TOKPRESS_CORE="twin").stdout.strip() == "None"


def test_another_set_is_an_error_that_names_what_is_here():
    done = ask(TOKPRESS_CORE="mmx")
    assert done.returncode and "TOKPRESS_CORE=mmx" in done.stderr and "twin" in done.stderr


def test_a_named_library_that_is_not_there_is_an_error(tmp_path):
    done = ask(TOKPRESS_CORE_LIBRARY=str(tmp_path / "none.so"))
    assert done.returncode and "none.so" in done.stderr


def test_something_else_is_no_library(tmp_path):
    (tmp_path / "text.so").write_text("no library")
    done = ask(TOKPRESS_CORE_LIBRARY=str(tmp_path / "text.so"))
    assert done.returncode and "install tokpress again" in done.stderr


@pytest.fixture
def copy(tmp_path):
    """The scripts and the sources, elsewhere."""
    for name in ("build_core.py", "stamp.py", "core"):
        here, there = NATIVE / name, tmp_path / name
        shutil.copytree(here, there) if here.is_dir() else shutil.copy(here, there)
    return tmp_path


def make(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "build_core.py", "-o", "made.so", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, **variables})


@pytest.mark.skipif(not shutil.which("cc"), reason="no compiler")
def test_a_library_of_other_sources_names_itself(copy):
    with (copy / "core" / "core.h").open("a") as file:
        file.write("/* a later version */\n")
    assert make(copy).returncode == 0
    done = ask(TOKPRESS_CORE_LIBRARY=str(copy / "made.so"))
    assert done.returncode and "made.so was built from other sources" in done.stderr and stamp() in done.stderr


@pytest.mark.skipif(not shutil.which("cc"), reason="no compiler")
def test_the_same_sources_make_the_same_bytes(copy):
    assert make(copy).returncode == 0
    first = (copy / "made.so").read_bytes()
    (copy / "made.so").unlink()
    shutil.copytree(copy / "core", copy / "elsewhere" / "core")
    for name in ("build_core.py", "stamp.py"):
        shutil.copy(copy / name, copy / "elsewhere" / name)
    assert make(copy / "elsewhere").returncode == 0
    assert (copy / "elsewhere" / "made.so").read_bytes() == first


def test_without_a_compiler_it_says_so(copy):
    blocked = copy / "blocked"
    (blocked / "ziglang").mkdir(parents=True)
    (blocked / "ziglang" / "__init__.py").touch()
    (blocked / "ziglang" / "__main__.py").write_text("raise SystemExit('no zig here')")
    done = make(copy, TOKPRESS_NO_COMPILER="1", PYTHONPATH=str(blocked))
    assert done.returncode and "build_core.py:" in done.stderr and not (copy / "made.so").exists()


def test_no_numpy_is_imported():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, tokpress.native.range_coder as r; r.library.is_here(); print('numpy' in sys.modules)",
        ],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "False"


def test_read_only_buffers_and_empty_ones_have_addresses():
    for buffer in (b"", b"ab", bytearray(b"ab"), memoryview(b"ab"), bytearray()):
        assert library.address(buffer)[1] == len(buffer)
