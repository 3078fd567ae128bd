"""tokpress bench, as a process and in this one."""

import json
import os
import subprocess
import sys

import pytest

from tests.bench.conftest import false_zpaq, text  # noqa: F401 (fixtures)
from tests.limits import LAST_RESORT, wait_until
from tests.pages.test_document import check_harmless

from .conftest import command


def test_rows_table_json_and_plot(process, place, text):  # noqa: F811
    pytest.importorskip("rich")
    pytest.importorskip("matplotlib")
    (place / "folder" / "deeper").mkdir(parents=True)
    (place / "folder" / "deeper" / "one").write_bytes(b"one" * 50)
    done = process(
        "bench", "text", "folder", "--against", "xz:1, zstd:1", "-m", "context-mixing", "-T", "1",
        "--json", "out.json", "--plot", "out.png", "--html", "out.html",
    )  # fmt: skip
    told = json.loads((place / "out.json").read_text())
    names = ["tokpress", "tokpress:context-mixing", "xz:1", "zstd:1"]
    assert [row["codec"] for row in told["rows"]] == names * 2 and told["threads"] == 1
    assert {row["file"] for row in told["rows"]} == {"text", os.path.join("folder", "deeper", "one")}
    assert all(row["verified"] for row in told["rows"]) and [t["files"] for t in told["totals"]] == [2] * 4
    assert told["command"][:2] == ["tokpress", "bench"]
    shown = done.stdout.decode()
    assert "2 files" in shown and "bits per byte" in shown and "model bytes" in shown
    assert (place / "out.png").read_bytes().startswith(b"\x89PNG") and done.stderr == b""
    page = check_harmless((place / "out.html").read_bytes())
    assert page.texts["text"].count("tokpress:context-mixing") == 1 and len(page.named("tr")) == 1 + 8 + 4
    assert "2 files" in page.texts["h1"] and not page.named("script")


def test_json_on_stdout_is_nothing_but_json(process, place, text):  # noqa: F811
    told = json.loads(process("bench", "--json", "-", "--against", "xz:0", "text").stdout)
    assert [row["codec"] for row in told["rows"]] == ["tokpress", "xz:0"] and told["totals"] == []


def test_a_wrong_decode_is_an_error(process, place, text, false_zpaq):  # noqa: F811
    false_zpaq()
    done = process("bench", "text", "--against", "zpaq,xz:0", code=1)
    assert b"text: zpaq: decoded to other bytes than the source's" in done.stderr
    assert b"failed: decoded to other bytes" in done.stdout and b"xz:0" in done.stdout


def test_what_is_not_installed_is_skipped(process, place, text, monkeypatch):  # noqa: F811
    monkeypatch.setenv("PATH", "/nowhere")
    done = process("bench", "text", "--against", "xz:0,zpaq")
    assert done.stderr == b"tokpress: zpaq is skipped: the program zpaq is not installed: apt-get install zpaq\n"
    assert b"xz:0" in done.stdout and b"zpaq" not in done.stdout
    alone = process("bench", "text", "--against", "zpaq", code=1)
    assert b"no peer of --against is installed" in alone.stderr and not alone.stdout
    assert b"tokpress" in process("bench", "text", "--against", "").stdout


def test_missing_extra(run, place, text, monkeypatch):  # noqa: F811
    monkeypatch.setitem(sys.modules, "rich", None)
    assert run("bench", "text", "--against", "xz", code=1).stderr == (
        "tokpress: this needs rich: pip install 'tokpress[bench]'\n"
    )
    monkeypatch.setitem(sys.modules, "zstandard", None)
    done = run("bench", "text", "--against", "zstd", "--json", "-", code=1)
    assert "zstd is skipped: the package zstandard is not installed: pip install 'tokpress[bench]'" in done.stderr
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "this needs matplotlib: pip" in run("bench", "text", "--json", "-", "--plot", "a.png", code=1).stderr


def test_usage_and_targets(run, place, text):  # noqa: F811
    run("bench", code=2)
    assert "no peer is called 'rar'; there are: xz, " in run("bench", "text", "--against", "rar", code=2).stderr
    assert "its level must be 1 … 22" in run("bench", "text", "--against", "zstd:99", code=2).stderr
    assert "must end in .png" in run("bench", "text", "--plot", "a.bmp", code=2).stderr
    assert "no model called 'nope'" in run("bench", "text", "-m", "nope", code=1).stderr
    (place / "old").write_text("mine")
    assert "old: exists already" in run("bench", "text", "--json", "old", code=1).stderr
    assert "old: exists already" in run("bench", "text", "--html", "old", code=1).stderr
    assert (place / "old").read_text() == "mine"
    assert (
        "--plot and --html name the same file"
        in run("bench", "text", "--plot", "a.png", "--html", "./a.png", code=2).stderr
    )
    assert "text: is one of the files to measure" in run("bench", "text", "-f", "--html", "text", code=1).stderr
    assert "there is no folder no/where" in run("bench", "text", "--json", "no/where/x", code=1).stderr


def test_an_input_that_cannot_be_read(run, place, text):  # noqa: F811
    (place / "empty").mkdir()
    assert "empty: holds no files" in run("bench", "empty", code=1).stderr
    done = run("bench", "missing", "text", "--against", "xz:0", "--json", "-", code=1)
    assert "missing: No such file" in done.stderr
    assert {row["file"] for row in json.loads(done.stdout)["rows"]} == {"text"}


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_interrupted_leaves_nothing_running(place, false_zpaq):  # noqa: F811
    false_zpaq()
    (place / "bin" / "zpaq").write_text(f"#!/bin/sh\necho $$ > {place}/pid\nexec sleep 100000\n")
    (place / "a").write_bytes(b"a")
    scratch = place / "scratch"
    scratch.mkdir()
    words = command("bench", "a", "--against", "zpaq", "--json", "j")
    started = subprocess.Popen(words, stderr=subprocess.PIPE, env=os.environ | {"TMPDIR": str(scratch)})
    wait_until(lambda: (place / "pid").exists() and (place / "pid").read_text().strip())
    started.terminate()
    _, err = started.communicate(timeout=LAST_RESORT)
    assert started.returncode == 128 + 15 and err == b"tokpress: interrupted\n"
    pid = int((place / "pid").read_text())
    wait_until(lambda: not any("Z" not in line for line in _status(pid) if line.startswith("State:")))
    assert not (place / "j").exists() and list(scratch.iterdir()) == []


def _status(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/status") as file:
            return file.read().splitlines()
    except OSError:
        return []
