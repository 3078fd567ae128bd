"""`--content` and the inputs of `--lossy`: the same pixels and samples in a plain file, or a refusal."""

import io
import struct
import zlib

import numpy as np
import pytest
import soundfile
from PIL import Image, PngImagePlugin

import tokpress
from tests.training.command import run
from tokpress.errors import TokpressError
from tokpress.media import formats, metadata, unwrap


def coded(picture: Image.Image, kind: str, **more: object) -> bytes:
    picture.save(out := io.BytesIO(), kind, **more)
    return out.getvalue()


def drawn(mode: str, shape: tuple[int, ...], seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 65536 if mode == "I;16" else 256, shape)
    return Image.frombytes(mode, shape[1::-1], values.astype("<u2" if mode == "I;16" else "u1").tobytes())


PALETTE = drawn("P", (9, 7))
PALETTE.putpalette(bytes(range(256)) * 3)
CASES = {
    "RGB": (drawn("RGB", (5, 7, 3)), "PNG", {}, ".ppm"),
    "one pixel": (drawn("RGB", (1, 1, 3)), "PNG", {}, ".ppm"),
    "one row": (drawn("L", (1, 40)), "PNG", {}, ".pgm"),
    "grey": (drawn("L", (20, 7)), "PNG", {}, ".pgm"),
    "opacity": (drawn("RGBA", (20, 7, 4)), "PNG", {}, ".tga"),
    "one pixel with opacity": (drawn("RGBA", (1, 1, 4)), "PNG", {}, ".tga"),
    "opacity and a profile": (drawn("RGBA", (20, 7, 4)), "PNG", {"icc_profile": b"profile" * 20}, ".tif"),
    "grey with opacity": (drawn("LA", (20, 7, 2)), "PNG", {}, ".tif"),
    "16 bits": (drawn("I;16", (20, 7)), "PNG", {}, ".tif"),
    "palette": (PALETTE, "PNG", {}, ".tif"),
    "palette with a hole": (PALETTE, "PNG", {"transparency": 3}, ".tga"),
    "profile": (drawn("RGB", (20, 7, 3)), "PNG", {"icc_profile": b"profile" * 20}, ".tif"),
    "CMYK": (drawn("CMYK", (20, 7, 4)), "TIFF", {"compression": "tiff_lzw"}, ".tif"),
    "WebP": (drawn("RGB", (20, 7, 3)), "WEBP", {"lossless": True}, ".ppm"),
    "GIF": (PALETTE, "GIF", {}, ".tif"),
}


@pytest.mark.parametrize("case", CASES)
def test_pictures(case):
    picture, kind, more, suffix = CASES[case]
    data = coded(picture, kind, **more)
    made, as_what, _ = unwrap.shown(data)
    assert as_what == suffix
    before, after = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(made))
    assert after.convert("RGBA").tobytes() == before.convert("RGBA").tobytes() and after.size == picture.size
    if picture.mode == "I;16":
        assert after.tobytes() == picture.tobytes()
    assert after.info.get("icc_profile") == before.info.get("icc_profile")
    assert formats.find(made) and unwrap.shown(made)[0] == made
    assert tokpress.decompress(tokpress.compress(made)) == made


def said(**more: str) -> PngImagePlugin.PngInfo:
    texts = PngImagePlugin.PngInfo()
    for keyword, text in more.items():
        texts.add_itxt(keyword.replace("_", " "), text)
    return texts


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_texts_stay(mode):
    """They were dropped without a word."""
    picture = drawn(mode, (6, 5, len(mode) if mode != "L" else 1)[: 2 if mode == "L" else 3])
    texts = said(Title="Dot", Author="Ünal", Description="one", Comment="two", Creation_Time="2020")
    made, suffix, left_out = unwrap.shown(coded(picture, "PNG", pnginfo=texts))
    tags = {tag: value for tag, value in Image.open(io.BytesIO(made)).tag_v2.items() if tag in metadata.TEXTS}
    told = {269: "Dot", 315: "Ünal", 270: "one\nComment: two\nCreation Time: 2020"}
    assert {tag: value.encode("latin-1").decode() for tag, value in tags.items()} == told
    assert suffix == ".tif" and formats.find(made) and left_out == []


def test_exif_and_texts_both_stay():
    (exif := Image.Exif())[315] = "by Exif"
    data = coded(drawn("L", (6, 5)), "PNG", pnginfo=said(Author="by text"), exif=exif)
    tags = Image.open(io.BytesIO(unwrap.shown(data)[0])).tag_v2
    assert (tags[315], tags[270]) == ("by Exif", "Author: by text")


def test_other_formats_say_things_too():
    for data in (
        coded(PALETTE, "GIF", comment=b"a comment"),
        coded(drawn("L", (6, 5)), "TIFF", compression="tiff_lzw", description="Comment: a comment"),
    ):
        made, _, left_out = unwrap.shown(data)
        assert Image.open(io.BytesIO(made)).tag_v2[270] == "Comment: a comment"
        assert left_out == []
    made, _, _ = unwrap.shown(coded(drawn("RGB", (6, 5, 3)), "WEBP", lossless=True, xmp=b"<xmp/>"))
    assert Image.open(io.BytesIO(made)).tag_v2[metadata.XMP] == b"<xmp/>"


def test_what_content_leaves_out_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain = coded(drawn("RGB", (6, 5, 3)), "PNG")
    (tmp_path / "a.png").write_bytes(plain[:33] + chunk(b"gAMA", bytes(4)) + chunk(b"tIME", bytes(7)) + plain[33:])
    assert "; left out: gAMA, tIME" in run("compress", "--content", "a.png").output
    assert "left out of 1 file: gAMA, tIME" in run("pack", "--content", "a.png", "-o", "b.tokp").output
    data = sound("FLAC", "PCM_16")
    data = data[:42] + b"\x02\0\0\4mine" + data[42:]  # after the block of stream facts
    assert unwrap.shown(data).left_out == ["application data"]


def test_pictures_for_a_lossy_tokenizer():
    for picture in (drawn("RGBA", (6, 5, 4)), drawn("L", (6, 5)), PALETTE, drawn("RGB", (6, 5, 3))):
        made, suffix, _ = unwrap.shown(coded(picture, "PNG"), channels=3)
        assert suffix == ".ppm" and made.startswith(b"P6") and formats.find(made).shape[2] == 3
        assert unwrap.shown(coded(picture, "PNG"), channels=1)[1] == ".pgm"
    made, _, _ = unwrap.shown(coded(Image.new("RGBA", (2, 2), (200, 100, 50, 0)), "PNG"), channels=3)
    assert made[-12:] == bytes(12)  # nothing to be seen is black


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def depth_16_in_colour() -> bytes:
    head = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(13))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (coded(drawn("RGB", (9, 9, 3)), "JPEG"), "compression is lossy"),
        (coded(drawn("RGB", (9, 9, 3)), "WEBP"), "compression is lossy"),
        (coded(drawn("RGB", (40, 40, 3)), "PNG")[:500], "cannot be read"),
        (coded(PALETTE, "GIF", save_all=True, append_images=[drawn("P", (9, 7), 1)]), "holds 2 pictures"),
        (depth_16_in_colour(), "16 bits in colour"),
        (b"no picture at all", "cannot be read"),
        (b"fLaC" + bytes(50), "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_what_is_refused(data, told):
    with pytest.raises(TokpressError, match=told):
        unwrap.shown(data)


def sound(kind: str, subtype: str, channels: int = 2) -> bytes:
    samples = np.random.default_rng(0).integers(-(2**31), 2**31, (300, channels)).astype(np.int32)
    with soundfile.SoundFile(out := io.BytesIO(), "w", 8000, channels, subtype, format=kind) as file:
        file.title = "A title"
        file.write(samples)
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("FLAC", "PCM_S8"), ("AIFF", "PCM_16"), ("AIFF", "PCM_24")],
)
def test_sound(kind, subtype):
    data = sound(kind, subtype)
    made, suffix, _ = unwrap.shown(data)
    assert suffix == ".wav" and made.startswith(b"RIFF")
    before, after = (soundfile.SoundFile(io.BytesIO(each)) for each in (data, made))
    assert after.samplerate == 8000 and after.title == before.title
    assert np.array_equal(before.read(dtype="int32"), after.read(dtype="int32"))
    assert formats.find(made) and tokpress.decompress(tokpress.compress(made)) == made
    assert unwrap.shown(made) == (made, ".wav", [])


def test_sound_for_a_lossy_tokenizer():
    made, _, _ = unwrap.shown(sound("FLAC", "PCM_24"), 1, sound=True)
    found = formats.find(made)
    assert found.dtype == "<i2" and found.shape == (300, 1)
    with pytest.raises(TokpressError, match="channels"):
        unwrap.shown(sound("FLAC", "PCM_16", 1), 2, sound=True)
    with pytest.raises(TokpressError, match="for pictures, and this is sound"):
        unwrap.shown(sound("FLAC", "PCM_16", 1), 1)
    with pytest.raises(TokpressError, match="for sound, and this is a picture"):
        unwrap.shown(coded(PALETTE, "PNG"), 1, sound=True)
    with pytest.raises(TokpressError, match="DOUBLE"):
        unwrap.shown(sound("WAV", "DOUBLE"))


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_floats_have_their_peak_at_one(subtype):
    """They were read as if 1.0 were the least there is: silence."""
    wave = np.sin(np.arange(400) / 9)[:, None] * 0.5
    with soundfile.SoundFile(out := io.BytesIO(), "w", 8000, 1, subtype, format="WAV") as file:
        file.write(wave)
    made, _, _ = unwrap.shown(out.getvalue(), 1, sound=True)
    samples = formats.values(made, formats.find(made))
    assert np.abs(samples / 2**15 - wave).max() < 2**-15


def test_what_a_lossy_tokenizer_leaves_out_is_told():
    assert unwrap.shown(coded(drawn("RGBA", (6, 5, 4)), "PNG"), 3).left_out == ["opacity, over black"]
    assert unwrap.shown(coded(drawn("I;16", (20, 7)), "PNG"), 3).left_out == ["bits below 8"]
    assert unwrap.shown(coded(drawn("RGB", (6, 5, 3)), "PNG"), 1).left_out == ["colour"]
    assert unwrap.shown(coded(drawn("RGB", (6, 5, 3)), "PNG"), 3).left_out == []
    assert unwrap.shown(sound("WAV", "PCM_24"), 1, sound=True).left_out == ["2 channels, mixed to one", "bits below 16"]
    assert unwrap.shown(sound("WAV", "PCM_16", 1), 1, sound=True).left_out == []


def test_two_inputs_never_share_an_output(tmp_path, monkeypatch):
    """-f replaced what the same command had made, and --rm took both sources away."""
    monkeypatch.chdir(tmp_path)
    for name, seed in (("a.png", 0), ("a.webp", 1)):
        drawn("RGB", (9, 7, 3), seed).save(name, lossless=True)
    said = run("compress", "--content", "-f", "--rm", "a.png", "a.webp", code=1).output
    assert "a.webp: its output would replace a.ppm.tokp, the output of a.png" in said
    assert not (tmp_path / "a.png").exists() and (tmp_path / "a.webp").exists()
    run("decompress", "-q", "a.ppm.tokp")
    assert Image.open("a.ppm").tobytes() == drawn("RGB", (9, 7, 3), 0).tobytes()
    assert (
        "a.webp, given twice, would both become"
        in run("compress", "--content", "-f", "a.webp", "a.webp", code=1).output
    )


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    smooth = np.add.outer(np.arange(60), np.arange(80))[..., None].repeat(3, 2).astype(np.uint8)
    (tmp_path / "a.png").write_bytes(coded(Image.fromarray(smooth), "PNG"))
    assert "stored as ppm, of a file of" in run("compress", "--content", "a.png").output
    run("decompress", "a.ppm.tokp")
    assert np.array_equal(np.asarray(Image.open("a.ppm")), smooth) and (tmp_path / "a.png").exists()
    run("compress", "--content", "a.png", "a.ppm.tokp", code=1)  # exists already; no picture
    (tmp_path / "b.txt").write_bytes(b"text")
    assert "cannot be read" in run("compress", "--content", "b.txt", code=1).output
    assert not (tmp_path / "b.txt.tokp").exists()
