"""Pictures of more, or other, than 8 bits a sample: exactly, or not at all. Pillow clips and shortens many without a word."""

import io
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.media.test_unwrap import chunk, coded, drawn
from tests.training.command import run
from tokpress.errors import TokpressError
from tokpress.media import formats, unwrap

GREY = (np.arange(24 * 20).reshape(20, 24) * 131 % 65536).astype(np.uint16)
DEEP = np.random.default_rng(0).integers(0, 65536, (20, 24, 4)).astype(np.uint16)
UNSIGNED, SIGNED, FLOAT = 1, 2, 3


def png(bits: int, colour: int, values: np.ndarray, more: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", 24, 20, bits, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in values.astype(">u2" if bits == 16 else "u1"))
    body = chunk(b"IHDR", head) + more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiff(values: np.ndarray, photometric: int, kind: int = UNSIGNED, more: dict[int, list[int]] | None = None) -> bytes:
    """With Deflate."""
    body, channels, bits = zlib.compress(values.tobytes()), values[0, 0].size, 8 * values.itemsize
    rows, columns = values.shape[:2]
    tags = {256: [columns], 257: [rows], 258: [bits] * channels, 259: [8], 262: [photometric], 273: [0], 277: [channels],
            278: [rows], 279: [len(body)], 339: [kind] * channels} | (more or {})  # fmt: skip
    far, start = b"", 8 + 2 + 12 * len(tags) + 4
    entries = {}
    for tag, numbers in sorted(tags.items()):
        packed = struct.pack(f"<{len(numbers)}H", *numbers)
        place = struct.pack("<I", start + len(far)) if len(packed) > 4 else packed.ljust(4, b"\0")
        far += packed if len(packed) > 4 else b""
        entries[tag] = struct.pack("<HHI", tag, 3, len(numbers)) + place
    entries[273] = struct.pack("<HHII", 273, 4, 1, start + len(far))
    table = struct.pack("<H", len(tags)) + b"".join(entries[tag] for tag in sorted(entries))
    return b"II*\0" + struct.pack("<I", 8) + table + bytes(4) + far + body


def plain(kind: str, most: int, values: np.ndarray) -> bytes:
    return f"{kind}\n# made by hand\n24 20\n{most}\n{' '.join(map(str, values.ravel()))}\n".encode()


KEY = chunk(b"tRNS", b"\0\5")
PALETTE_OF_16 = {320: [k * 80 for k in range(768)]}
REFUSED = {
    "PNG, grey with a hole": (png(16, 0, GREY, KEY), "16 bits with opacity"),
    "PNG, grey with opacity": (png(16, 4, DEEP[..., :2]), "16 bits with opacity"),
    "PNG, colour": (png(16, 2, DEEP[..., :3]), "16 bits in colour"),
    "PNG, 4 bits with a hole": (png(4, 0, GREY[:, :12] & 255, KEY), "transparent level"),
    "TIFF, 16 bits signed": (tiff((GREY - 32768).view("i2"), 1, SIGNED), "1 × 16 bits, signed or floats"),
    "TIFF, 8 bits signed": (tiff(GREY.astype("i1"), 1, SIGNED), "1 × 8 bits, signed or floats"),
    "TIFF, 32 bits signed": (tiff(GREY.astype("i4") - 32768, 1, SIGNED), "1 × 32 bits, signed or floats"),
    "TIFF, 32 bits": (tiff(GREY.astype("u4") * 60000, 1), "1 × 32 bits"),
    "TIFF, floats": (tiff(GREY.astype("f4"), 1, FLOAT), "1 × 32 bits, signed or floats"),
    "TIFF, colour": (tiff(DEEP[..., :3], 2), "3 × 16 bits"),
    "TIFF, CMYK": (tiff(DEEP, 5), "4 × 16 bits"),
    "TIFF, white is 0": (tiff(GREY, 0), "1 × 16 bits"),
    "TIFF, a channel of no colour": (tiff(DEEP.astype("u1"), 2, more={338: [0]}), "4 × 8 bits"),
    "TIFF, colours times opacity": (tiff(DEEP.astype("u1"), 2, more={338: [1]}), "4 × 8 bits"),
    "TIFF, a palette of 16 bits": (tiff(GREY.astype("u1"), 3, more=PALETTE_OF_16), "palette has 16 bits"),
    "TIFF, turned": (tiff(GREY, 1, more={274: [6]}), "orientation"),
    "TIFF, JPEG in it": (coded(drawn("RGB", (9, 9, 3)), "TIFF", compression="jpeg"), "compression is lossy"),
    "P3, 16 bits": (plain("P3", 65535, DEEP[..., :3]), "0 to 65535"),
    "P2, 1000 levels": (plain("P2", 1000, GREY % 1001), "0 to 1000"),
    "P2, two pictures": (plain("P2", 255, GREY & 255) + b" 7", "its length does not fit"),
    "P1, two pictures": (plain("P1", 1, GREY & 1).replace(b"\n1\n", b"\n", 1) + b"0", "its length does not fit"),
    "P4, two pictures": (b"P4 24 20 " + bytes(61), "its length does not fit"),
    "P2, 1 level": (plain("P2", 1, GREY & 1), "0 to 1,"),
    "P2, 15 levels": (plain("P2", 15, GREY % 16), "0 to 15"),
    "PFM": (b"Pf\n24 20\n-1.0\n" + GREY.astype("<f4").tobytes(), "this kind of PNM"),
    "BMP, 16 bits": (
        b"BM" + struct.pack("<IIIIiiHHIIIIII", 58, 0, 54, 40, 2, 1, 1, 16, 0, 4, 0, 0, 0, 0) + bytes(4),
        "BMP of 16 bits",
    ),
    "another format": (coded(drawn("RGB", (9, 9, 3)), "TGA"), "not known"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_pillow_would_shorten_is_refused(case):
    """It was stored: 480 levels of grey as 3, negative values as 0, 32 bits clipped to 16."""
    data, told = REFUSED[case]
    with pytest.raises(TokpressError, match=f"{told}.*: leave --content out"):
        unwrap.shown(data)


EXACT = {
    "PNG, grey": (png(16, 0, GREY), GREY),
    "TIFF, grey": (tiff(GREY, 1), GREY),
    "TIFF, colour": (tiff(DEEP[..., :3].astype("u1"), 2), DEEP[..., :3].astype("u1")),
    "TIFF, CMYK": (tiff(DEEP.astype("u1"), 5), DEEP.astype("u1")),
    "TIFF, opacity": (tiff(DEEP.astype("u1"), 2, more={338: [2]}), DEEP.astype("u1")),
    "TIFF, white is 0": (tiff(GREY.astype("u1"), 0), 255 - GREY.astype("u1")),
    "P2, 16 bits": (plain("P2", 65535, GREY), GREY),
    "P2": (plain("P2", 255, GREY & 255), GREY.astype("u1")),
    "P3": (plain("P3", 255, DEEP[..., :3] & 255), DEEP[..., :3].astype("u1")),
    "P4": (b"P4 24 20 " + np.packbits((GREY & 1).astype(bool), 1).tobytes(), 255 * (1 - (GREY & 1).astype("u1"))),
    "P1": (plain("P1", 1, GREY & 1).replace(b"\n1\n", b"\n", 1), 255 * (1 - (GREY & 1).astype("u1"))),
}


@pytest.mark.parametrize("case", EXACT)
def test_what_it_gives_is_exact(case):
    data, values = EXACT[case]
    made = unwrap.shown(data).data
    seen = formats.values(made, formats.find(made))
    assert np.array_equal(seen.reshape(values.shape), values)


@pytest.mark.parametrize(("kind", "more"), [("PNG", {}), ("WEBP", {"lossless": True})])
@pytest.mark.parametrize("turn", [3, 6])
def test_an_orientation_stays_and_nothing_is_turned(kind, more, turn):
    (exif := Image.Exif())[274] = turn
    picture = drawn("RGB", (6, 5, 3))
    made = unwrap.shown(coded(picture, kind, exif=exif, **more)).data
    assert formats.values(made, formats.find(made)).tobytes() == picture.tobytes()
    assert Image.open(io.BytesIO(made)).tag_v2[274] == turn


GREY_8, COLOUR_8 = (GREY >> 8).astype("u1"), (DEEP[..., :3] >> 8).astype("u1")
LOSSY = {
    "PNG": (png(16, 0, GREY), GREY_8),
    "PNG with a hole": (png(16, 0, GREY, chunk(b"tRNS", GREY[3:4, 3].astype(">u2").tobytes())), None),
    "TIFF": (tiff(GREY, 1), GREY_8),
    "PGM": (b"P5 24 20 65535 " + GREY.astype(">u2").tobytes(), GREY_8),
    "P2": (plain("P2", 65535, GREY), GREY_8),
    "PNG, colour": (png(16, 2, DEEP[..., :3]), COLOUR_8),
    "TIFF, colour": (tiff(DEEP[..., :3], 2), COLOUR_8),
    "PPM": (b"P6 24 20 65535 " + DEEP[..., :3].astype(">u2").tobytes(), np.rint(DEEP[..., :3] / 257).astype("u1")),
    "TIFF, CMYK": (tiff(DEEP, 5), None),
}


@pytest.mark.parametrize("case", LOSSY)
def test_a_lossy_tokenizer_takes_the_upper_8_of_16_bits(case):
    """Grey was clipped to white, and the PSNR told was of that."""
    data, values = LOSSY[case]
    made = unwrap.shown(data, 3)
    seen = formats.values(made.data, formats.find(made.data))
    assert "bits below 8" in made.left_out
    if case == "PNG with a hole":
        assert "opacity, over black" in made.left_out and not seen[3, 3].any()
        values = np.where(GREY[3, 3] == GREY, 0, GREY_8)
    if values is not None:
        assert np.array_equal(seen, values if values.ndim > 2 else np.repeat(values[..., None], 3, 2))
    assert ("colour" in unwrap.shown(data, 1).left_out) == ("colour" in case or case in ("PPM", "TIFF, CMYK"))


INKS = (DEEP >> 8).astype("u1")
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
CONVERTED = {
    "inks, converted to RGB": [coded(Image.frombytes("CMYK", (24, 20), INKS.tobytes()), "TIFF"), tiff(INKS, 5), tiff(INKS * np.uint16(257), 5)],
    "channels of no colour": [tiff(np.concatenate([INKS, INKS[..., :1]], -1), 5, more={338: [0]}), tiff(INKS, 2, more={338: [0]})],
    "colour profile": [coded(drawn("RGB", (9, 9, 3)), "PNG", icc_profile=PROFILE)],
}  # fmt: skip


@pytest.mark.parametrize("told", CONVERTED)
def test_a_lossy_tokenizer_tells_how_colours_were_converted(told):
    for data in CONVERTED[told]:
        assert told in unwrap.shown(data, 3).left_out
        assert "colour" in unwrap.shown(data, 1).left_out
    inks = unwrap.shown(CONVERTED["inks, converted to RGB"][0], 3).data
    rgb = 255 - np.minimum(255, INKS[..., :3].astype(int) * (255 - INKS[..., 3:]) / 255 + INKS[..., 3:])
    assert np.abs(formats.values(inks, formats.find(inks)) - rgb).max() <= 1


def test_a_lossy_tokenizer_of_grey_takes_lab():
    data = tiff(INKS[..., :3], 8)
    seen = [unwrap.shown(data, channels).data for channels in (1, 3)]
    grey, colour = (formats.values(each, formats.find(each)) for each in seen)
    assert np.array_equal(grey[..., 0], np.asarray(Image.fromarray(np.ascontiguousarray(colour)).convert("L")))


@pytest.mark.parametrize(
    "data",
    [
        *(
            REFUSED[f"TIFF, {kind}"][0]
            for kind in ("16 bits signed", "32 bits signed", "32 bits", "floats", "white is 0")
        ),
        REFUSED["PFM"][0],
    ],
)
def test_what_has_no_scale_is_refused_by_a_lossy_tokenizer(data):
    with pytest.raises(TokpressError, match="convert it first"):
        unwrap.shown(data, 1)


def test_one_transparent_level_of_two_is_refused():
    """Some versions of Pillow forget which one it is."""
    data = png(1, 0, np.packbits((GREY & 1).astype(bool), 1), chunk(b"tRNS", b"\0\1"))
    with pytest.raises(TokpressError, match="the transparent level of a PNG of 1 bits is not read exactly"):
        unwrap.shown(data)


def test_a_damaged_file_is_no_bug_of_ours():
    """It was an unexpected TypeError."""
    data = tiff(GREY, 1)
    at = 10 + 12 * data[8]  # where the next picture is said to be
    with pytest.raises(TokpressError, match="the picture cannot be read: "):
        unwrap.shown(data[:at] + struct.pack("<I", len(data)) + data[at + 4 :] + bytes(6), 3)


def test_raw_pictures_need_no_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    data = b"P6 24 20 255 " + COLOUR_8.tobytes()
    assert unwrap.shown(data, 3).data == unwrap.shown(data).data == data
    with pytest.raises(TokpressError, match=r"pip install .*image"):
        unwrap.shown(data, 1)


def test_lossy_and_content_are_two_things(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.ppm").write_bytes(b"P6 24 20 255 " + COLOUR_8.tobytes())
    assert "exclude each other" in run("compress", "--lossy", "--content", "a.ppm", code=2).output


def test_the_commands_refuse(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(REFUSED["PNG, grey with a hole"][0])
    assert "leave --content out" in run("compress", "--content", "--rm", "a.png", code=1).output
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert "packed as it is" in run("pack", "--content", "a.png", "-o", "b.tokp").output
    run("unpack", "b.tokp", "-o", "c")
    assert (tmp_path / "c/a.png").read_bytes() == (tmp_path / "a.png").read_bytes()
