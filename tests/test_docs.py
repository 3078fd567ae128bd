"""The commands of the documentation work as they stand.

Each page runs in a folder of its own, block after block: `sh` and `python` blocks, and `console` blocks, whose output is compared, speeds
left out. A block with title="FILE" is written to FILE. `<!-- slow -->` above a block: it trains, and runs with `-m slow`, for a few
steps. `<!-- not run: why -->` above it: it does not run.
"""

import json
import os
import random
import re
import subprocess
import sys
import wave
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [DOCS / "index.md", *sorted((DOCS / "guide").glob("*.md"))]
LECTURE = sorted(path for path in (DOCS / "priors").glob("*.md") if path.name != "README.md")
BLOCK = re.compile(
    r'(?:<!-- (?P<mark>slow|not run)[^\n]*-->\n+)?```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<code>.*?)^```$',
    re.DOTALL | re.MULTILINE,
)
RUN = ("sh", "python", "console")
SPEED = re.compile(r"[\d.]+ [KM]B/s")


class Block(NamedTuple):
    mark: str
    language: str
    title: str
    code: str


def blocks_of(page: Path) -> list[Block]:
    found = [Block(*(each or "" for each in match.groups())) for match in BLOCK.finditer(page.read_text("utf-8"))]
    return [block for block in found if block.language in RUN and block.mark != "not run"]


def bash(code: str, folder: Path, check: bool = True) -> str:
    """What `code` prints on stdout and stderr together."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    words = ["bash", "-euo", "pipefail", "-c", code]
    environment = {**os.environ, "PATH": path, "TOKPRESS_CACHE": f"{folder}.cache"}
    done = subprocess.run(
        words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace",  # samples may be no text
    )  # fmt: skip
    assert done.returncode == 0 or not check, f"{code}\n{done.stdout}"
    return done.stdout


def few_steps(code: str) -> str:
    return re.sub(r"--max-minutes [\d.]+", "--max-steps 2", code)


def run(blocks: list[Block], folder: Path) -> None:
    """Python blocks that follow each other are one program; so are sh blocks between them."""
    session, exported = "", ""
    for block, following in zip(blocks, [*blocks[1:], None]):
        code = few_steps(block.code)
        if block.title:
            (folder / block.title).write_text(code)
        elif block.language == "python":
            session += code
            if following and following.language == "python" and not following.title:
                continue
            (folder / "session.py").write_text(session)
            bash("python session.py", folder)
        elif block.language == "console":
            compare(code, folder)
        else:
            bash(exported + code, folder)
            exported += "".join(line + "\n" for line in code.splitlines() if line.startswith("export "))


def compare(code: str, folder: Path) -> None:
    for part in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        told = bash(command, folder)
        assert SPEED.sub("", told) == SPEED.sub("", shown), f"$ {command}\n{told}"


def make_files(folder: Path) -> None:
    """The files that the pages speak of."""
    rng, pages = random.Random(0), sorted(DOCS.glob("*.md"))
    texts = [path.read_bytes()[:4000] for path in pages]
    for name in ("records", "notes", "data", "photos", "sprites"):
        (folder / name).mkdir()
    for i, text in enumerate(texts):
        (folder / "records" / f"{i}.txt").write_bytes(text)
    for i, text in enumerate(texts[:5]):
        (folder / "data" / f"{i}.txt").write_bytes(text)
    for day in ("monday", "tuesday", "wednesday"):
        (folder / "notes" / f"{day}.txt").write_text(f"{day}: nothing happened, again\n" * 20)
    (folder / "new.txt").write_bytes(texts[0][::-1] + texts[1])
    (folder / "report.txt").write_bytes(texts[2])
    (folder / "large.txt").write_bytes(b"".join(texts))
    (folder / "new.json").write_text(
        "".join(json.dumps({"id": i, "mood": rng.choice("abc")}) + "\n" for i in range(60))
    )


def make_pictures(folder: Path) -> None:
    import numpy as np
    import soundfile
    from PIL import Image

    rows, columns = np.mgrid[:48, :64]
    for i in range(6):
        picture = np.stack([rows * (i + 1), columns * 3, rows + columns], 2).astype(np.uint8)
        Image.fromarray(picture).save(folder / "photos" / f"{i}.png")
        Image.fromarray(picture[:8, :8]).save(folder / "sprites" / f"{i}.png")
    Image.fromarray(picture).save(folder / "photo.png")
    sound = (8000 * np.sin(np.arange(4000) / 9)).astype("<i2")
    soundfile.write(folder / "voice.flac", sound, 8000, subtype="PCM_16")
    with wave.open(str(folder / "voice.wav"), "wb") as file:
        file.setparams((1, 2, 8000, len(sound), "NONE", ""))
        file.writeframes(sound.tobytes())


#: pages whose blocks need more than tokpress
NEEDS = {
    "photos": ("PIL", "soundfile"),
    "look": ("PIL", "soundfile"),
    "libraries": ("dask", "fsspec", "numcodecs", "pandas", "pyarrow", "smart_open", "zarr"),
}


def prepared(folder: Path, page: Path) -> Path:
    make_files(folder)
    for module in NEEDS.get(page.stem, ()):
        pytest.importorskip(module)
    if page.name in ("photos.md", "look.md"):
        make_pictures(folder)
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page, tmp_path):
    run([block for block in blocks_of(page) if block.mark != "slow"], prepared(tmp_path, page))


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if "<!-- slow -->" in page.read_text("utf-8")], ids=lambda page: page.stem
)
def test_page_with_its_training(page, tmp_path):
    pytest.importorskip("accelerate")
    run(blocks_of(page), prepared(tmp_path, page))


@pytest.mark.slow
@pytest.mark.parametrize("page", LECTURE, ids=lambda page: page.stem)
def test_lecture_page(page, tmp_path):
    """With the small data of docs/priors/make_data.py, for a few steps."""
    pytest.importorskip("accelerate")
    bash(f"python {DOCS / 'priors' / 'make_data.py'}", tmp_path)
    blocks = [block for block in blocks_of(page) if block.language == "sh"]
    assert blocks
    run(blocks, tmp_path)


def test_every_page_has_blocks_to_run():
    for page in PAGES:
        assert blocks_of(page), page


def test_each_feature_names_a_test_that_exists():
    """The last column of docs/features.md; a feature that tokpress lacks has none."""
    rows = [
        line.strip("| ").split(" | ")
        for line in (DOCS / "features.md").read_text("utf-8").splitlines()
        if line.startswith("| ")
    ]
    rows = [row for row in rows if row[-1] != "shown by"]
    assert len(rows) > 40
    for name, ours, *_, shown in rows:
        assert (shown == "–") == (ours == "–"), name
        if shown != "–":
            file, test = shown.strip("`").split("::")
            assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text("utf-8"), name
