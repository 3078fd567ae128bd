"""Recordings under `--content`: all their samples, and what is not kept is told, or a refusal."""

import io
import struct

import numpy as np
import pytest
import soundfile

from tests.media.test_unwrap import coded, drawn, said
from tests.training.command import run
from tokpress.errors import TokpressError
from tokpress.media import signatures, unwrap

SAMPLES = (np.sin(np.arange(3000) / 9) * 9000).astype(np.int16)


def recorded(kind: str, subtype: str = "PCM_16", **more: str) -> bytes:
    with soundfile.SoundFile(out := io.BytesIO(), "w", 8000, 1, subtype, format=kind, **more) as file:
        file.write(SAMPLES)
    return out.getvalue()


def cut_off() -> bytes:
    """As a recorder leaves a WAV file when it has no time to say how long it became."""
    data = recorded("WAV")
    at = data.index(b"data") + 4
    return data[:at] + bytes(4) + data[at + 4 :]


def test_a_recording_that_was_cut_off(tmp_path, monkeypatch):
    """All its samples were dropped, told as 'left out: ' and two of them, and --rm took the rest away."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.wav").write_bytes(cut_off())
    assert "declares no samples" in run("compress", "--content", "--rm", "a.wav", code=1).output
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    run("pack", "--content", "a.wav", "-o", "b.tokp")
    run("unpack", "b.tokp", "-o", "c")
    assert (tmp_path / "c/a.wav").read_bytes() == cut_off()
    with pytest.raises(TokpressError, match="declares no samples"):
        unwrap.shown(cut_off(), 1, sound=True)


KINDS = {
    "AIFF": recorded("AIFF"),
    "AIFF-C": recorded("AIFF", endian="LITTLE"),
    "AIFF, 24": recorded("AIFF", "PCM_24"),
    "RF64": recorded("RF64"),
    "RIFX": recorded("WAV", endian="BIG"),
    "CAF": recorded("CAF"),
    "AU": recorded("AU"),
    "AU, 8": recorded("AU", "PCM_S8"),
    "W64": recorded("W64"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_whole_recordings(kind):
    made, suffix, left_out = unwrap.shown(KINDS[kind])
    before, after = (soundfile.read(io.BytesIO(each), dtype="int32")[0] for each in (KINDS[kind], made))
    assert suffix == ".wav" and left_out == [] and np.array_equal(before, after) and len(after) == 3000


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [-1000, -1, 3, 1000])
def test_recordings_of_another_length_than_they_say(kind, length):
    data = KINDS[kind]
    with pytest.raises(TokpressError, match=r"do not add up|cannot be read"):
        unwrap.shown(data[:length] if length < 0 else data + b"\1" * length)


@pytest.mark.parametrize("kind", ["AIFF", "RIFX"])
def test_a_chunk_of_samples_that_is_too_short(kind):
    name = b"SSND" if kind == "AIFF" else b"data"
    at = KINDS[kind].index(name) + 4
    for size in (8, 1000):
        data = KINDS[kind][:at] + struct.pack(">I", size) + KINDS[kind][at + 4 :]
        with pytest.raises(TokpressError):
            unwrap.shown(data)


def test_chunks_that_are_left_out_have_names_that_can_be_printed():
    more = b"\x1b[2J" + struct.pack(">I", 3) + b"abc\0"
    assert unwrap.shown(KINDS["AIFF"] + more).left_out == [r"\x1b[2J"]


def test_texts_of_other_recordings_that_are_not_kept_are_told():
    for kind, more in (("RF64", {}), ("WAV", {"endian": "BIG"}), ("AIFF", {})):
        with soundfile.SoundFile(out := io.BytesIO(), "w", 8000, 1, "PCM_16", format=kind, **more) as file:
            file.title, file.artist, file.comment, file.copyright = "one", "two", "three", "four"
            file.write(SAMPLES)
        made, _, left_out = unwrap.shown(out.getvalue())
        assert left_out == [] and soundfile.SoundFile(io.BytesIO(made)).artist == "two"
    assert unwrap.shown(KINDS["AIFF"] + b"ANNO\0\0\0\2abANNO\0\0\0\2cd").left_out == ["ANNO"]
    for body, told in ((b"INFOIENG\2\0\0\0xy", "IENG"), (b"adtlnote", "LIST")):
        data = KINDS["RF64"] + b"LIST" + struct.pack("<I", len(body)) + body
        assert unwrap.shown(data).left_out == [told]
    au = KINDS["AU"]
    told = au[:4] + struct.pack(">I", 32) + au[8:24] + b"said\0\0\0\0" + au[24:]
    assert unwrap.shown(told).left_out == ["an annotation"]


def commented(*texts: str) -> bytes:
    """A FLAC file that says so."""
    data = recorded("FLAC")
    body = struct.pack("<I", 2) + b"me" + struct.pack("<I", len(texts))
    body += b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)
    at, blocks = 4, b""
    while True:
        last, block, size = data[at] > 127, data[at] & 127, int.from_bytes(data[at + 1 : at + 4], "big")
        if block == 0:
            blocks += bytes([0]) + data[at + 1 : at + 4 + size]
        at += 4 + size
        if last:
            return b"fLaC" + blocks + bytes([0x84]) + len(body).to_bytes(3, "big") + body + data[at:]


def test_texts_of_flac_that_are_not_kept_are_told():
    """They were dropped without a word."""
    kept = unwrap.shown(commented("TITLE=a title", "artist=Ünal", "COMMENT=one"))
    assert kept.left_out == [] and soundfile.SoundFile(io.BytesIO(kept.data)).artist == "Ünal"
    texts = ("TITLE=a", "TITLE=b", "ALBUMARTIST=c", "REPLAYGAIN_TRACK_GAIN=-1 dB", "\x1b[2J=d")
    told = unwrap.shown(commented(*texts)).left_out
    assert told == ["TITLE (1 of 2)", "ALBUMARTIST", "REPLAYGAIN_TRACK_GAIN", r"\x1b[2J"]


def test_what_surrounds_flac_is_told():
    data = recorded("FLAC")
    assert unwrap.shown(data).left_out == []
    assert unwrap.shown(data + b"x").left_out == ["1 byte after its end"]
    assert unwrap.shown(data + bytes(5000)).left_out == ["5,000 bytes after its end"]
    assert unwrap.shown(b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + data).left_out == ["an ID3 tag before it"]


def test_flac_that_says_another_number_of_samples():
    data = recorded("FLAC")
    for count, told in ((0, "the number of samples"), (1000, "digest")):
        lies = data[:21] + bytes([data[21] & 0xF0]) + count.to_bytes(4, "big") + data[26:]
        with pytest.raises(TokpressError, match=told):
            unwrap.shown(lies)
    for subtype in ("PCM_S8", "PCM_24"):
        assert unwrap.shown(recorded("FLAC", subtype)).left_out == []


@pytest.mark.parametrize(("kind", "more"), [("PNG", {}), ("WEBP", {"lossless": True}), ("GIF", {"comment": b"said"})])
def test_what_follows_a_picture_is_told(kind, more):
    for mode, shape in (("L", (6, 5)), ("RGB", (40, 31, 3))):
        data = coded(drawn(mode, shape), kind, **more)
        assert unwrap.shown(data).left_out == []
        assert unwrap.shown(data + b"junk after it").left_out == ["13 bytes after its end"]


def test_png_says_what_it_leaves_out():
    texts = said(Title="Dot")
    texts.add_itxt("Comment", "ein", lang="de", tkey="Kommentar")
    data = coded(drawn("L", (6, 5)), "PNG", pnginfo=texts)
    assert unwrap.shown(data).left_out == ["language of Comment", "translated keyword of Comment"]


def test_sounds_are_called_so():
    mp3 = recorded("MP3", "MPEG_LAYER_III")
    for data in (mp3, KINDS["W64"], KINDS["RIFX"]):
        assert signatures.recognised(data)
        with pytest.raises(TokpressError, match="for pictures, and this is sound"):
            unwrap.shown(data, 3)
    with pytest.raises(TokpressError, match="sound of type MPEG_LAYER_III"):
        unwrap.shown(mp3)
    assert not signatures.recognised(b"\xff\xf3\xf0\xff" + bytes(20))  # raw samples
    with pytest.raises(TokpressError, match="the picture or sound cannot be read"):
        unwrap.shown(b"a text")


@pytest.mark.parametrize(("subtype", "told"), [("ULAW", []), ("IMA_ADPCM", []), ("PCM_24", ["bits below 16"])])
def test_what_has_no_more_than_16_bits_lacks_none(subtype, told):
    assert unwrap.shown(recorded("WAV", subtype), 1, sound=True).left_out == told
