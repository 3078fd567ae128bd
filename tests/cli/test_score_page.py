"""tokpress score --html: the numbers of `score`, of text, pictures and sound."""

import json
import struct

import numpy as np
import pytest

from tests.models import tiny_autoencoders, tiny_bitwise
from tests.pages.test_document import HOSTILE, Parsed, check_harmless, data_of
from tokpress.cli.score_page import LINES, SHOWN, token_texts
from tokpress.models.model import Model
from tokpress.tokenizers.text.bytes import BytesTokenizer

from .conftest import leftovers, letters


@pytest.fixture
def look(run, place):
    """The page of a file: (what is read from it, its data, the rows that `score` prints)."""

    def call(*args):
        done = run("score", "--json", "--html", "page.html", "-f", *args)
        page = (place / "page.html").read_bytes()
        return check_harmless(page), data_of(page), json.loads(done.stdout)

    return call


def facts(parsed: Parsed) -> str:
    return parsed.texts["dd"]


def test_numbers_are_those_of_score(look, run, place, tiny):
    (place / "log").write_bytes(b"all quiet\n" * 40 + b"ERROR 0x7f!\n" + b"all quiet\n" * 40 + b"the end")
    parsed, data, (row,) = look("-m", tiny, "log")
    assert facts(parsed).startswith(f"{row['bits']:,.3f}{row['bytes']:,}{row['bits_per_byte']:.3f}")
    assert "Bits of log" in parsed.texts["h1"] and "The whole file." in parsed.texts["p"]
    tokens = json.loads(run("score", "-m", tiny, "--json", "--by", "token", "log").stdout)
    assert data["tokens"]["bits"] == [round(each["bits"], 3) for each in tokens]
    assert data["tokens"]["bytes"] == [each["bytes"] for each in tokens]
    assert "".join(data["tokens"]["text"]).encode() == (place / "log").read_bytes() and data["tokens"]["hex"] == {}
    for key, more in (("bits", []), ("bits_per_byte", ["--rate"])):
        words = ("score", "-m", tiny, "--json", "--by", "line", "--top", str(LINES), *more, "log")
        lines = json.loads(run(*words).stdout)
        shown = data["lines"][key]
        assert [each["line"] for each in shown] == [each["line"] for each in lines]
        assert [each[key] for each in shown] == [round(each[key], 3) for each in lines]
        assert ["".join(text for text, _ in each["tokens"]) for each in shown] == [each["text"] for each in lines]
        odd = shown[0] if shown[0]["line"] == 41 else shown[1]
        assert (odd["line"], odd["first"], odd["stop"]) == (41, 400, 412)


def test_alternatives(look, place, tiny):
    (place / "a").write_bytes(b"abcz")
    parsed, data, _ = look("-m", tiny, "a")
    found = data["likeliest"]
    assert found["best"] == 5 and len(found["p"]) == len(found["likeliest"]) == 20
    assert [found["names"][i] for i in found["symbols"]] == list("abcz")
    assert {found["names"][i] for i in found["likeliest"][:4]} == {"a", "b", "c", "\n"}
    assert found["p"][0] == pytest.approx(2 ** -data["tokens"]["bits"][0], abs=1e-3)
    assert "The 5 likeliest tokens here" in parsed.texts["caption"] and "mixing" not in parsed.texts["caption"]


def test_alternatives_before_mixing_and_none(look, place):
    (place / "a").write_bytes(b"some words, some words")
    Model(BytesTokenizer(), tiny_bitwise()).save(place / "bitwise")
    parsed, data, _ = look("-m", "bitwise", "a")
    assert "before mixing" in parsed.texts["caption"] and len(data["likeliest"]["p"]) == 5 * 22
    parsed, data, _ = look("-m", "context-mixing", "a")
    assert "No alternatives" in parsed.texts["p"] and data["likeliest"] is None and not parsed.named("table")


def test_a_large_file_is_shown_in_part(look, place, tiny):
    source = letters(3 * SHOWN) + b"\n" + b"zzzzzz\n" + letters(SHOWN)
    (place / "a").write_bytes(source)
    parsed, data, (row,) = look("-m", tiny, "a")
    assert len(data["tokens"]["bits"]) == len(data["likeliest"]["symbols"]) == SHOWN and row["bytes"] == len(source)
    assert f"The first {SHOWN:,} of {len(source):,} tokens" in parsed.texts["p"]
    odd = data["lines"]["bits_per_byte"][0]
    assert (odd["first"], odd["stop"]) == (None, None) and [text for text, _ in odd["tokens"]] == list("zzzzzz")
    assert len((place / "page.html").read_bytes()) < 2_000_000


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_content_and_names(look, place, tiny, text):
    name = text.replace("/", "_").replace("\x00", "")
    (place / name).write_bytes(text.encode() * 3)
    parsed, data, _ = look("-m", tiny, "--", name)
    shown = "".join(data["tokens"]["text"])
    assert all(character.isprintable() or character in "\n\t" for character in shown + parsed.texts["h1"])
    if text.isascii() and text.isprintable():
        assert shown == text * 3 and parsed.texts["h1"] == f"Bits of {name}"


@pytest.mark.parametrize("data", [bytes(range(256)), b"\xff\xfe<\x00s\x00", "aé→😀".encode()[:-1], b""])
def test_bytes_that_are_no_text(look, place, tiny, data):
    (place / "a").write_bytes(data)
    _, shown, _ = look("-m", tiny, "a")
    assert sum(shown["tokens"]["bytes"]) == len(data) and len(shown["tokens"]["text"]) == len(data)
    for i, hexed in shown["tokens"]["hex"].items():
        assert bytes.fromhex(hexed) == data[int(i) : int(i) + 1]


def test_characters_over_several_tokens():
    data = "é→x😀".encode()
    assert [text for _, text in token_texts(data, [1, 1, 2, 2, 4])] == ["é", "·", "→", "x", "😀"]
    assert [text for _, text in token_texts(data[:3], [1, 2, 0])] == ["é", "\\xe2", ""]
    assert b"".join(part for part, _ in token_texts(data, [len(data)])) == data


def test_after_a_context_and_in_lanes(look, run, place, tiny):
    (place / "a").write_bytes(letters(500))
    (place / "context").write_bytes(letters(300, 1))
    for words in (["--context", "context"], ["--lanes", "7"]):
        _, data, _ = look("-m", tiny, *words, "a")
        tokens = json.loads(run("score", "-m", tiny, "--json", "--by", "token", *words, "a").stdout)
        assert data["tokens"]["bits"] == [round(each["bits"], 3) for each in tokens]


def test_a_picture_and_a_recording(look, place):
    rng = np.random.default_rng(0)
    (place / "a.pgm").write_bytes(b"P5 20 10 255\n" + rng.integers(0, 256, 200, np.uint8).tobytes())
    parsed, data, (row,) = look("-m", "linear-prediction", "a.pgm")
    assert (data["view"], data["width"], data["height"]) == ("picture", 20, 10) and parsed.named("canvas")
    assert f"{row['bits']:,.3f}" in facts(parsed) and "bits per line" not in parsed.texts["dt"]
    samples = (8000 * np.sin(np.arange(3000) / 9)).astype("<i2").tobytes()
    head = (
        b"RIFF"
        + struct.pack("<I", 36 + len(samples))
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    )
    (place / "a.wav").write_bytes(head + b"data" + struct.pack("<I", len(samples)) + samples)
    parsed, data, (row,) = look("-m", "linear-prediction", "a.wav")
    assert (data["view"], data["samples"], len(data["bits"])) == ("sound", 3000, 1000)
    assert 0 < 3 * sum(data["bits"]) < row["bits"]  # the rest are those of the head


def test_samples_that_are_cut_off(look, place, tiny):
    (place / "a.pgm").write_bytes(b"P5 20 10 255\n" + bytes(70))
    _, data, _ = look("-m", tiny, "a.pgm")
    assert (data["view"], data["height"], data["rows"]) == ("picture", 3, 10)
    (place / "a.pgm").write_bytes(b"P5 20 10 255\n" + bytes(7))
    assert look("-m", tiny, "a.pgm")[1]["view"] == "text"


def test_items(look, place):
    vq = tiny_autoencoders()["vq"]
    vq.save(place / "vq")
    (place / "a").write_bytes(vq.tokenizer.decode(np.arange(32 * 4, dtype=np.int32) % 32))
    parsed, data, _ = look("-m", "vq", "a")
    assert data == {"view": "items"} and "The model codes items" in parsed.texts["p"]


def test_the_page_is_protected_as_other_outputs(run, place, tiny):
    (place / "a").write_bytes(b"abc")
    (place / "old").write_text("mine")
    assert "old: exists already" in run("score", "-m", tiny, "--html", "old", "a", code=1).stderr
    assert (place / "old").read_text() == "mine"
    for words in (["-f", "--html", "a", "a"], ["-f", "--html", "c", "--context", "c", "a"]):
        (place / "c").write_bytes(b"context")
        assert "this command reads it too" in run("score", "-m", tiny, *words, code=1).stderr
    model = f"{tiny}/config.json"
    assert "this command reads it too" in run("score", "-m", tiny, "-f", "--html", model, "a", code=1).stderr
    assert "there is no folder no" in run("score", "-m", tiny, "--html", "no/page", "a", code=1).stderr
    run("score", "-m", tiny, "--html", "page", "missing", code=1)
    run("score", "-m", tiny, "--html", "page", "a", "old", code=2)
    run("score", "-m", tiny, "--html", "-", "a", code=2)
    assert not (place / "page").exists() and (place / "a").read_bytes() == b"abc" and not leftovers(place)
    run("score", "-m", tiny, "--html", "page", "-", input=b"abc")
    assert b"Bits of stdin" in (place / "page").read_bytes()
