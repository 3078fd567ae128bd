"""tokpress prime: states for later calls, through the real command."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import command
from tests.limits import LAST_RESORT
from tokpress.native import library

LINES = [b'{"id": %d, "user": "u%d", "ms": %d}\n' % (i, i * 7 % 31, i * 13 % 997) for i in range(90)]
pytestmark = pytest.mark.skipif(not library.is_here(), reason="the twins keep no states")


@pytest.fixture
def records(place, cache):
    Path("context.jsonl").write_bytes(b"".join(LINES[:80]))
    Path("0.json").write_bytes(LINES[80])
    return cache


def test_a_context_is_read_once(process, records):
    process("compress", "--context", "context.jsonl", "-o", "unprimed.tokp", "0.json")
    told = process("prime", "context.jsonl").stderr
    assert told.count(b" bytes") == 2 and b"context.jsonl: text, " in told
    process("compress", "--context", "context.jsonl", "0.json")
    assert Path("0.json.tokp").read_bytes() == Path("unprimed.tokp").read_bytes()
    for path in records.iterdir():  # what is damaged is missed, and told of
        path.write_bytes(path.read_bytes()[:-1])
    done = process("decompress", "-c", "--context", "context.jsonl", "0.json.tokp")
    assert done.stdout == LINES[80] and b"warning" in done.stderr and b"is ignored: it is damaged" in done.stderr


def test_the_list(run, records):
    assert run("prime", "--list").stdout.count("\n") == 1
    run("prime", "context.jsonl")
    run("prime", "-q", "-m", "context-mixing", "0.json")
    rows = [line.split("\t") for line in run("prime", "--list").stdout.splitlines()[1:]]
    assert sorted(row[0] for row in rows) == ["0.json", "context.jsonl", "context.jsonl"]
    assert {row[2] for row in rows} == {"text", "context-mixing"} and {row[4] for row in rows} == {"yes"}
    assert run("prime", "--list", "0.json").stdout.count("\n") == 2
    assert '"model": "context-mixing"' in run("prime", "--list", "--json", "0.json").stdout
    damaged, killed = records / f"{'0' * 16}.{'1' * 64}", records / f".{'0' * 16}.{'1' * 15}.{'2' * 16}"
    others = [records / "notes.txt", records / "2.0", records / "folder"]
    for path in (damaged, killed, *others[:2]):
        path.write_bytes(b"else")
    others[2].mkdir()
    assert "?" in run("prime", "--list", "-v").stdout
    assert "1 state removed" in run("prime", "--remove", "0.json").stderr
    assert run("prime", "--list").stdout.count("\n") == 5
    assert "4 states removed" in run("prime", "--remove").stderr
    assert set(records.iterdir()) == set(others), "what is no state stays"


def test_wrong_usage(run, records):
    for words in (
        [], ["--fast", "--best", "0.json"], ["--list", "--remove"], ["--list", "-m", "text"], ["--json", "0.json"],
        ["-", "-"],
    ):  # fmt: skip
        run("prime", *words, code=2)
    assert "nothing: No such file" in run("prime", "nothing", code=1).stderr
    assert "reads no context" in run("prime", "-m", "linear-prediction", "0.json", code=1).stderr


def test_models_that_keep_none(run, records, tiny):
    assert "reads it each time" in run("prime", "-m", tiny, "0.json").stderr
    assert not records.exists()


def test_processes_at_once(records):
    words = command("prime", "-m", "context-mixing", "context.jsonl")
    running = [subprocess.Popen(words, stderr=subprocess.PIPE) for _ in range(4)]
    told = [process.communicate(timeout=LAST_RESORT)[1] for process in running]
    assert [process.returncode for process in running] == [0] * 4, told
    assert len(list(records.iterdir())) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no limits")
def test_a_full_disk_leaves_nothing(process, records):
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    done = process("prime", "context.jsonl", code=1, preexec_fn=limit)
    assert b"contexts: File too large" in done.stderr
    assert list(records.iterdir()) == []
