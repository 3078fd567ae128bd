"""python benchmarks/readme_example.py: run the console example of README.md anew, and write what it prints into it.

The commands run in a copy of the repository's documents, so nothing is left behind.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from data import ROOT

#: what a machine is told once
COMPILING = re.compile(r"^tokpress: compiling for this machine first.*\n", re.MULTILINE)
BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)


def example(root: Path) -> str:
    """What the console block of README.md should hold today."""
    commands = re.findall(r"^\$ (.*)\n", BLOCK.search((root / "README.md").read_text())[0], re.MULTILINE)
    with tempfile.TemporaryDirectory() as place:
        for path in [*root.glob("*.md"), *root.glob("docs/*.md")]:
            copy = Path(place) / path.relative_to(root)
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, copy)
        return "".join(f"$ {command}\n{_said(command, place)}" for command in commands)


def _said(command: str, place: str) -> str:
    """stdout and stderr, as a terminal shows them."""
    words = [sys.executable, "-m", "tokpress.cli", *command.split()[1:]]
    done = subprocess.run(words, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}")
    return COMPILING.sub("", done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository (%(default)s)")
    root = parser.parse_args().root
    text = (root / "README.md").read_text()
    (root / "README.md").write_text(BLOCK.sub(lambda match: example(root), text, count=1))


if __name__ == "__main__":
    main()
