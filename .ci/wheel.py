"""Build the sdist and, from it, the wheel; install the wheel alone and run README's first commands from it: `python .ci/wheel.py [FOLDER]`.

FOLDER keeps both for a release; without one they are deleted. The wheel holds the package, its models, the core's library and the
license, and nothing else. It is installed without extras into an environment of its own, and used in a folder away from the checkout.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = {"darwin": "_core.dylib", "win32": "_core.dll"}.get(sys.platform, "_core.so")
#: what runs in the new environment: the package is that of the wheel, and its core is in use
INSTALLED = """
import sys, tokpress, tokpress.cli
from tokpress.native import library
assert tokpress.__file__.startswith(sys.prefix) and tokpress.cli.__file__.startswith(sys.prefix), tokpress.__file__
assert library.is_here(), "the wheel has no library for this machine"
"""


def run(*words: object, **more: object) -> None:
    subprocess.run(list(map(str, words)), check=True, **more)


def environment(folder: Path) -> Path:
    """The folder of the programs of a new virtual environment."""
    venv.create(folder, with_pip=True)
    return folder / ("Scripts" if sys.platform == "win32" else "bin")


def sources() -> dict[str, Path]:
    """Where the wheel holds a file → the file, of all in git below tokpress/ and cli/."""
    listed = subprocess.run(
        ["git", "ls-files", "tokpress", "cli"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {re.sub("^cli/", "tokpress/cli/", name): ROOT / name for name in listed.stdout.split("\n") if name}


def check_contents(wheel: Path) -> None:
    """Exits where a file of the package is missing or other than in git, or another one is here."""
    wanted = sources()
    with zipfile.ZipFile(wheel) as archive:
        info = next(name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name)
        found = {name for name in archive.namelist() if not name.endswith("/")}
        ours = {name for name in found if not name.startswith(f"{info}/")}
        other = [name for name in wanted.keys() & ours if archive.read(name) != wanted[name].read_bytes()]
    expected = {*wanted, f"tokpress/native/{LIBRARY}"}
    if wrong := sorted(expected ^ ours) + sorted(other):
        sys.exit(f"{wheel.name}: missing, of other content, or not of the package: {', '.join(wrong)}")
    if f"{info}/licenses/LICENSE" not in found:
        sys.exit(f"{wheel.name}: no license")


def fenced(kind: str) -> str:
    """The first block of README in this language."""
    return re.search(rf"```{kind}\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)[1]


def try_out(wheel: Path, folder: Path) -> None:
    """README's first commands, after the installation, and its Python example."""
    programs = environment(folder / "installed")
    run(programs / "pip", "install", "--quiet", wheel)
    away = folder / "away"
    (away / "docs").mkdir(parents=True)
    shutil.copy(ROOT / "docs" / "format.md", away / "docs")
    settings = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TOKPRESS_", "VIRTUAL_ENV"))
    }
    settings["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    more = {"cwd": away, "env": settings}
    for code in (INSTALLED, fenced("python")):
        run(programs / "python", "-c", code, **more)
    _, installs, commands = fenced("sh").partition("pip install . && ")
    if not installs:
        sys.exit("README's first command no longer says `pip install . && `: change .ci/wheel.py with it")
    said = subprocess.run(["bash", "-eo", "pipefail", "-c", commands], capture_output=True, text=True, **more)
    if said.returncode or "the same bytes" not in said.stdout:
        sys.exit(f"README's first commands failed:\n{commands}{said.stdout}{said.stderr}")
    if "model text" not in said.stdout + said.stderr:
        sys.exit(f"the text model of the wheel was not used:\n{said.stdout}{said.stderr}")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dist = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else folder / "dist"
        if dist.is_dir() and any(dist.iterdir()):
            sys.exit(f"{dist}: holds files already: name an empty folder")
        programs = environment(folder / "build")
        run(programs / "pip", "install", "--quiet", "build")
        run(
            programs / "python", "-m", "build", "--outdir", dist, ROOT, stdout=subprocess.DEVNULL
        )  # the wheel from the sdist
        (wheel,) = dist.glob("*.whl")
        check_contents(wheel)
        try_out(wheel, folder)
        for path in sorted(dist.iterdir()):
            print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
