"""compress --embed and pack --embed: files that need no model beside them."""

import json
from pathlib import Path

import tokpress

from .conftest import letters

DATA = letters(20_000)


def test_a_file_that_holds_its_model_needs_no_other(process, tiny):
    Path("a").write_bytes(DATA)
    process("compress", "--embed", "-m", tiny, "a")
    process("compress", "-m", tiny, "a", "-o", "needs.tokp")
    process("decompress", "a.tokp", "-o", "back")
    assert Path("back").read_bytes() == DATA
    process("test", "a.tokp")
    process("test", "needs.tokp", code=1)
    told = json.loads(process("info", "--json", "a.tokp").stdout)
    (told,) = told if isinstance(told, list) else [told]
    assert [frame["kind"] for frame in told["frames"]] == ["weights", "model"] and not told["missing"]
    assert told["members"] == 1 and told["restores"] in (None, "source")
    assert told["file_bytes"] == len(Path("a.tokp").read_bytes())


def test_an_archive_that_stands_alone(process, tiny):
    Path("x").mkdir()
    for name in "abc":
        Path("x", name).write_bytes(letters(9000, ord(name)))
    process("pack", "--embed", "-m", tiny, "x", "-o", "x.tokp")
    process("unpack", "x.tokp", "-o", "y")
    assert Path("y/x/b").read_bytes() == letters(9000, ord("b"))
    assert len(tokpress.decompress(Path("x.tokp").read_bytes())) > 27_000
    process("pack", "--append", "--embed", "-m", tiny, "x", "-o", "x.tokp", code=2)
