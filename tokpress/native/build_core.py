"""Compile the core into one shared library, once for each instruction set. A script that `backend` imports, too.

    python tokpress/native/build_core.py                                    in place, with the compiler that is found
    python tokpress/native/build_core.py --sanitize -o /tmp/_core.so        with AddressSanitizer and UndefinedBehaviorSanitizer
    python tokpress/native/build_core.py --target aarch64-linux-musl -o …   for another machine (needs ziglang)

The flags are the same on every machine. They forbid the two optimisations that change floats: contraction to fused multiply-adds, and
reassociation.
"""

import argparse
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stamp import CORE, stamp

FLAGS = [
    "-std=c11", "-O3", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math",
    "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-Wno-psabi", "-fno-ident", "-g0",
]  # fmt: skip
LINK = ["-shared", "-pthread"]
SANITIZE = ["-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
#: architecture → instruction set → flags, from the oldest set to the newest
SETS: dict[str, dict[str, list[str]]] = {
    "x86_64": {
        "portable": [],
        "avx2": ["-mavx2", "-mbmi", "-mbmi2"],
        "avx512": ["-mavx2", "-mbmi", "-mbmi2", "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni"],
    },
    "aarch64": {"portable": [], "neon": ["-mcpu=generic+dotprod"]},
}


class BuildError(Exception):
    """There is no compiler, or it fails."""


def file_name(system: str) -> str:
    """The library's file name. system: a name that `platform.system` returns."""
    return {"Darwin": "_core.dylib", "Windows": "_core.dll"}.get(system, "_core.so")


def zig() -> list[str] | None:
    return [sys.executable, "-m", "ziglang", "cc"] if importlib.util.find_spec("ziglang") else None


def works(compiler: list[str]) -> bool:
    """Whether the compiler can build a shared library."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "line.c")
        source.write_text("#include <stdlib.h>\nint line(void) { return abs(-1); }\n")
        command = [*compiler, "-std=c11", *LINK, "-fPIC", str(source), "-o", str(Path(folder, "line.so"))]
        try:
            return subprocess.run(command, capture_output=True, timeout=300).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False


def system_compiler() -> list[str] | None:
    """$CC, or the first of cc, gcc and clang that works."""
    if os.environ.get("TOKPRESS_NO_COMPILER"):  # for tests of an installation without a compiler
        return None
    try:
        named = [named] if (named := shlex.split(os.environ.get("CC", ""))) else []
    except ValueError as error:
        named = []
        sys.stderr.write(f"build_core.py: CC={os.environ['CC']}: {error}\n")
    for compiler in [*named, ["cc"], ["gcc"], ["clang"]]:
        if shutil.which(compiler[0]) and works(compiler):
            return compiler
    return None


def build(output: Path, compiler: list[str] | None = None, target: str = "", sanitize: bool = False) -> None:
    """Write the library to `output`. Raises BuildError if there is no compiler, or it fails."""
    compiler = zig() if target else compiler or system_compiler() or zig()
    if compiler is None:
        raise BuildError("no C compiler: neither cc, gcc, clang nor the package ziglang is installed")
    command = [*compiler, *_flags(compiler, target, sanitize)]
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        jobs = {Path(folder, name): arguments for name, arguments in _objects(_instruction_sets(target)).items()}
        failed = _run_all({out: [*command, *arguments, "-o", str(out)] for out, arguments in jobs.items()})
        if failed & {"portable", "cpu.o"}:
            raise BuildError(f"the compiler failed ({shlex.join(compiler)})")
        # an old compiler does not know the newest instructions: leave that set out
        objects = [out for out in jobs if not any(out.name.startswith(f"{name}-") for name in failed)]
        linked = Path(folder, output.name)
        _link([*command, *LINK, *map(str, objects), "-o", str(linked)])
        os.replace(linked, output)


def _instruction_sets(target: str) -> dict[str, list[str]]:
    """Instruction set → flags, for the machine in `target`, or for this machine."""
    machine = target.split("-")[0] if target else platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    return SETS.get(machine, {"portable": []})


def _flags(compiler: list[str], target: str, sanitize: bool) -> list[str]:
    """The flags for the compiler and the linker."""
    flags = FLAGS + (["-target", target] if target else []) + (SANITIZE if sanitize else [])
    if compiler[-2:] == ["ziglang", "cc"] and not sanitize:
        flags = [*flags, "-fno-sanitize=undefined"]
    if "windows" in target or platform.system() == "Windows":
        flags = [flag for flag in flags if flag != "-fPIC"]
    return flags


def _objects(sets: dict[str, list[str]]) -> dict[str, list[str]]:
    """Object file → compiler arguments: each source once for each instruction set, and cpu.c, which detects the processor, once."""
    # paths are the same on every machine, so the same compiler writes the same bytes
    place = f"-ffile-prefix-map={CORE}=core"
    objects = {"cpu.o": [place, "-c", str(CORE / "cpu.c"), f'-DTP_STAMP="{stamp()}"']}
    for name, flags in sets.items():
        for source in sorted(CORE.glob("*.c")):
            if source.name != "cpu.c":
                objects[f"{name}-{source.stem}.o"] = [place, "-c", str(source), f"-DTP_ISA={name}", *flags]
    return objects


def _link(command: list[str]) -> None:
    job = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    sys.stderr.write(job.stderr)
    if job.returncode:
        raise BuildError(f"the linker failed: {shlex.join(command)}")


def _run_all(commands: dict[Path, list[str]]) -> set[str]:
    """Run all commands, as many at a time as there are processors. Prints errors, and returns the instruction sets that failed."""

    def run(out: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
        return out, subprocess.run(commands[out], stderr=subprocess.PIPE, text=True)

    failed = set()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for out, job in pool.map(run, commands):
            sys.stderr.write(job.stderr)
            if job.returncode:
                failed.add(out.name.split("-")[0])
                sys.stderr.write(f"build_core.py: the compiler failed: {shlex.join(commands[out])}\n")
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sanitize", action="store_true", help="with AddressSanitizer and UndefinedBehaviorSanitizer")
    parser.add_argument("--target", default="", help="another machine, as zig names it: aarch64-linux-musl")
    parser.add_argument("--zig", action="store_true", help="the compiler of the package ziglang")
    parser.add_argument("-o", "--output", type=Path, default=CORE.parent / file_name(platform.system()))
    options = parser.parse_args()
    try:
        build(options.output, zig() if options.zig else None, options.target, options.sanitize)
    except BuildError as error:
        sys.exit(f"build_core.py: {error}")


if __name__ == "__main__":
    main()
