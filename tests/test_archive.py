"""Many files in one: what is put in comes out, one by one too, in less than they take alone; damage is told."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.command import run
from tokpress import archive, compress
from tokpress.archive import Archive
from tokpress.choice import Options
from tokpress.errors import FormatError, TokpressError
from tokpress.store import load


def picture(seed: int, rows: int = 12, columns: int = 10) -> bytes:
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (4, 3)).astype(np.uint8)
    pixels = colours[rng.integers(0, 4, (rows, columns)) & np.arange(columns) % 3]
    return f"P6 {columns} {rows} 255\n".encode() + pixels.tobytes()


def packed(items: dict[str, bytes], size: int = archive.GROUP_SIZE) -> bytes:
    archive.write(items.items(), out := io.BytesIO(), Options([load("adaptive")]), size)
    return out.getvalue()


@given(
    sizes=st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["text", "picture", "wide", "cut"])), max_size=12),
    size=st.sampled_from([1, 500, 1 << 20]),
)
@settings(max_examples=20, deadline=None)
def test_what_goes_in_comes_out(sizes, size):
    def made(i: int, length: int, kind: str) -> bytes:
        whole = picture(i, 1 + length, 40 if kind == "wide" else 10)
        return {"text": b"words " * length, "cut": whole[:-3]}.get(kind, whole + b"behind" * (i % 2))

    items = {f"folder {i % 3}/{i}.{kind}": made(i, length, kind) for i, (length, kind) in enumerate(sizes)}
    held = Archive(io.BytesIO(packed(items, size)))
    assert sorted(held.names()) == sorted(items)
    for name in sorted(items, reverse=True):
        assert held.read(name) == items[name] and held.items[name].size == len(items[name])
    with pytest.raises(KeyError):
        held.read("another")


def test_one_item_needs_its_group_alone():
    items = {f"{i}": bytes(np.random.default_rng(i).integers(97, 105, 400, np.uint8)) for i in range(40)}
    whole = bytearray(packed(items, 1000))
    whole[len(whole) // 2] ^= 1  # in some group in the middle
    held = Archive(io.BytesIO(bytes(whole)))
    assert held.read("0") == items["0"] and held.read("39") == items["39"]
    broken = 0
    for name, data in items.items():
        try:
            assert held.read(name) == data
        except TokpressError:
            broken += 1
    assert 1 <= broken <= 3


def test_many_small_pictures_take_less_together():
    items = {f"{i}.ppm": picture(i % 50) for i in range(200)}
    archive.write(items.items(), out := io.BytesIO())
    assert len(out.getvalue()) < 0.7 * sum(len(compress(data)) for data in list(items.values())[:20]) * 10


@pytest.mark.parametrize(
    "name", ["", "/etc/x", "../x", "a/../../x", "a\\b", "C:/x", "a//b", "./a", "a\0", "\ud800", "\udcc3\udca9"]
)
def test_names_that_lead_elsewhere(name):
    with pytest.raises(FormatError, match="no name"):
        packed({name: b"x"})
    index = json.dumps([{"grid": "", "items": [[name, 0, 0, 1]]}]).encode()
    whole = compress(archive.MAGIC + len(index).to_bytes(4, "little") + index + b"x", model="adaptive")
    with pytest.raises(FormatError):
        Archive(io.BytesIO(whole))


def test_two_of_one_name():
    with pytest.raises(FormatError, match="two items"):
        archive.write([("a", b"1"), ("a", b"2")], io.BytesIO())


@pytest.mark.parametrize(
    "index",
    [b"", b"{", b"[1]", b'[{"grid":"","items":[["a",-1,0,1]]}]', b'[{"grid":"","items":[["a",0,0,99]]}]',
     b'[{"grid":"zz","items":[["a",0,0,1]]}]', b'[{"grid":"00","items":[["a",0,0,1]]}]',
     b'[{"grid":"","items":[["a",0,0,1],["a",0,0,0]]}]', b'[{"grid":"","items":[["a",0.5,0,0.5]]}]', b"[" * 100000],
)  # fmt: skip
def test_an_index_that_lies(index):
    whole = compress(archive.MAGIC + len(index).to_bytes(4, "little") + index + b"x", model="adaptive")
    with pytest.raises(FormatError):
        Archive(io.BytesIO(whole)).read("a")


def test_what_is_no_archive():
    for data in (b"text", b""):
        with pytest.raises(FormatError, match="archive"):
            Archive(io.BytesIO(compress(data)))
    with pytest.raises(FormatError):
        Archive(io.BytesIO(b"no container"))


def test_the_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i in range(5):
        Path(f"in/{i}").mkdir(parents=True)
        Path(f"in/{i}/p.ppm").write_bytes(picture(i))
    Path("one.txt").write_bytes(b"one")
    said = run("pack", "in", "one.txt", "-o", "all.tokp").output
    assert "6 files" in said
    assert "in/3/p.ppm" in run("unpack", "-l", "all.tokp").output
    run("unpack", "all.tokp", "in/3/p.ppm", "-o", "some")
    assert [str(p) for p in Path("some").rglob("*") if p.is_file()] == ["some/in/3/p.ppm"]
    run("unpack", "all.tokp", "-o", "out")
    assert Path("out/in/4/p.ppm").read_bytes() == picture(4) and Path("out/one.txt").read_bytes() == b"one"
    assert "exists already" in run("unpack", "all.tokp", "-o", "out", code=1).output
    assert "holds no other" in run("unpack", "all.tokp", "other", code=1).output
    assert "exists" in run("pack", "in", "-o", "all.tokp", code=1).output
    assert "No such file" in run("pack", "nothing", "-o", "n.tokp", code=1).output and not Path("n.tokp").exists()
    assert "all.tokp: OK" in run("test", "all.tokp").output
    whole = bytearray(Path("all.tokp").read_bytes())
    whole[-5] ^= 1  # in the last group
    Path("hurt.tokp").write_bytes(whole)
    said = run("unpack", "hurt.tokp", "-o", "rest", code=1).output
    assert said.count("in/") == 2 and "hurt.tokp: 5 files, from in/0/p.ppm to in/4/p.ppm, are lost: " in said
    assert "5 files are damaged" in said and "keep going" not in said
    assert Path("rest/one.txt").read_bytes() == b"one" and not Path("rest/in").exists()
    Path("link").mkdir()
    Path("link/in").symlink_to(tmp_path / "elsewhere")
    Path("elsewhere").mkdir()
    assert "link" in run("unpack", "all.tokp", "-o", "link", code=1).output and not list(Path("elsewhere").iterdir())


def test_names_that_are_not_utf8(tmp_path, monkeypatch):
    """It ended in a UnicodeEncodeError. What is listed holds nothing that a terminal would obey."""
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    names = [b"\xff\xfe.txt", "\u00e9.txt".encode(), b"a\nb\x1b[31m"]
    for name in names:
        Path("in", os.fsdecode(name)).write_bytes(name)
    run("pack", "in", "-o", "all.tokp")
    listed = run("unpack", "-l", "all.tokp").output
    assert (
        listed.count("\n") == 3 and "\x1b" not in listed and "in/a\\nb\\x1b[31m" in listed and "in/\u00e9.txt" in listed
    )
    run("unpack", "all.tokp", "-o", "out")
    assert sorted(os.listdir(b"out/in")) == sorted(names)
    assert all(Path("out/in", os.fsdecode(name)).read_bytes() == name for name in names)


def test_one_of_many_small_ones_needs_a_part():
    """All 1,000 were in one group."""
    items = {f"{i}.pgm": b"P5 28 28 255\n" + picture(i, 28, 28)[-784:] for i in range(1000)}
    held = Archive(io.BytesIO(packed(items)))
    assert 5 <= len({item.start for item in held.items.values()}) <= 20


def test_two_files_of_one_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in "ab":
        Path(folder).mkdir()
        Path(folder, "same.ppm").write_bytes(picture(1))
    said = run("pack", "a/same.ppm", "b/same.ppm", "-o", "all.tokp", code=1).output
    assert "a/same.ppm and b/same.ppm would both be called same.ppm" in said and not Path("all.tokp").exists()


def test_two_contents_of_one_name(tmp_path, monkeypatch):
    """Nothing was packed, after all the work."""
    Image = pytest.importorskip("PIL.Image")
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for name in ("a.png", "b.bmp", "b.png"):
        Image.frombytes("RGB", (10, 12), picture(1)[-360:]).save(f"in/{name}")
    Path("in/a.ppm").write_bytes(picture(2))
    said = run("pack", "--content", "in", "-o", "all.tokp").output
    assert "in/a.png: another file is called in/a.ppm already; it is packed as it is" in said and "4 files" in said
    run("unpack", "all.tokp", "-o", "out")
    assert Path("out/in/a.ppm").read_bytes() == picture(2)
    assert Path("out/in/a.png").read_bytes() == Path("in/a.png").read_bytes() and len(os.listdir("out/in")) == 4


def test_what_cannot_be_read_is_told_and_the_rest_packed(tmp_path, monkeypatch):
    """A link to nothing stopped everything."""
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("in/gone").symlink_to("nothing")
    os.mkfifo("in/pipe")
    assert "nothing to pack" in run("pack", "in", "-o", "all.tokp", code=1).output and not Path("all.tokp").exists()
    Path("in/one.txt").write_bytes(b"one")
    said = run("pack", "in", "missing", "-o", "all.tokp", code=1).output
    assert "in/gone: No such file" in said and "in/pipe: is no file" in said and "missing: No such" in said
    assert "1 files" in said and "3 files or folders could not be read" in said
    assert run("unpack", "-l", "all.tokp").output.count("\n") == 1
