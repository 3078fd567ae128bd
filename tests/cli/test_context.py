"""--context: records through the real command."""

import json
import os
from pathlib import Path

import pytest

from .conftest import letters

LINES = [b'{"id": %d, "user": "u%d", "ms": %d}\n' % (i, i * 7 % 31, i * 13 % 997) for i in range(200)]
NAMES = [f"{i}.json" for i in range(3)]


@pytest.fixture
def records(place):
    Path("context.jsonl").write_bytes(b"".join(LINES[:190]))
    for name, line in zip(NAMES, LINES[190:]):
        Path(name).write_bytes(line)
    return place


def test_records_come_back(process, records):
    process("compress", "--rm", "--context", "context.jsonl", *NAMES)
    packed = [f"{name}.tokp" for name in NAMES]
    assert all(os.path.getsize(name) < 22 for name in packed)
    assert process("test", "--context", "context.jsonl", *packed).stdout.count(b"OK") == 3
    process("decompress", "--context", "context.jsonl", *packed)
    assert [Path(name).read_bytes() for name in NAMES] == LINES[190:193]


def test_info_tells_of_the_context(run, records):
    run("compress", "--context", "context.jsonl", "-m", "context-mixing", "0.json")
    said = run("info", "0.json.tokp").stdout
    assert (
        "1 × short, context and model " in said
        and "  context  needed to decompress: name its file with --context" in said
    )
    said = run("info", "--context", "context.jsonl", "0.json.tokp").stdout
    assert "1 × short, model context-mixing (" in said and "  context  context.jsonl is the right one\n" in said
    said = run("info", "--context", "1.json", "0.json.tokp").stdout
    assert (
        "1 × short, context and model " in said
        and "  context  another file is needed than 1.json, or a model that is not" in said
    )
    (described,) = json.loads(run("info", "--json", "--context", "context.jsonl", "0.json.tokp").stdout)
    assert described["frames"][0]["model"] == "context-mixing" and described["frames"][0]["context_matches"] is True


def test_info_tells_of_the_context_of_longer_files(run, records):
    Path("long").write_bytes(b"".join(LINES) * 20)
    run("compress", "--context", "context.jsonl", "-m", "context-mixing", "long")
    assert "name its file with --context" in run("info", "long.tokp").stdout
    assert "context.jsonl is the right one" in run("info", "--context", "context.jsonl", "long.tokp").stdout
    assert "another file is needed than 1.json\n" in run("info", "--context", "1.json", "long.tokp").stdout
    run("compress", "0.json")
    assert "  context  " not in run("info", "--context", "1.json", "0.json.tokp").stdout


def test_info_tells_the_model_of_a_short_frame_by_its_directory(run, records, tiny):
    Path("letters").write_bytes(letters(300))
    run("compress", "--context", "context.jsonl", "-m", tiny, "letters")
    words = ("info", "--context", "context.jsonl", "letters.tokp")
    assert "or a model that is not here" in run(*words).stdout and "model tiny (" in run(*words, "-m", tiny).stdout


def test_without_the_context_it_is_an_error(run, records):
    run("compress", "--context", "context.jsonl", "-m", "context-mixing", "0.json")
    for words in (["test"], ["decompress", "-f"]):
        assert "--context" in run(*words, "0.json.tokp", code=1).stderr
        assert "made with another context" in run(*words, "--context", "1.json", "0.json.tokp", code=1).stderr
        assert "nothing: No such file" in run(*words, "--context", "nothing", "0.json.tokp", code=1).stderr
    assert Path("0.json").read_bytes() == LINES[190]


def test_the_context_may_be_piped_in(process, records):
    context = Path("context.jsonl").read_bytes()
    process("compress", "--rm", "--context", "-", *NAMES, input=context)
    packed = [f"{name}.tokp" for name in NAMES]
    assert process("test", "--context", "context.jsonl", *packed).stdout.count(b"OK") == 3
    process("decompress", "--context", "-", *packed, input=context)
    assert [Path(name).read_bytes() for name in NAMES] == LINES[190:193]
    scored = process("score", "-m", "context-mixing", "--context", "context.jsonl", "0.json").stdout
    assert process("score", "-m", "context-mixing", "--context", "-", "0.json", input=context).stdout == scored


def test_stdin_is_not_read_twice(run, records):
    for words in (
        ["compress"],
        ["compress", "0.json", "-"],
        ["decompress", "-c"],
        ["test"],
        ["score", "--context", "-"],
    ):
        assert "stdin is read once" in run(*words, "--context", "-", input=b"a", code=2).stderr


def test_options_that_exclude_each_other(run, records):
    for words in (["--lanes", "2"], ["--content"]):
        assert "--context needs one lane" in run("compress", "--context", "1.json", *words, "0.json", code=2).stderr
    assert (
        "reads no context" in run("compress", "--context", "1.json", "-m", "linear-prediction", "0.json", code=1).stderr
    )


def test_the_context_is_not_overwritten(run, records):
    run("compress", "--context", "context.jsonl", "-m", "context-mixing", "0.json")
    run("decompress", "-f", "--context", "context.jsonl", "-o", "context.jsonl", "0.json.tokp", code=1)
    assert Path("context.jsonl").read_bytes() == b"".join(LINES[:190])
