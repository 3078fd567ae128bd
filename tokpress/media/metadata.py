"""Metadata of picture and sound files: which parts a file of raw samples keeps.

texts of PNG (tEXt, zTXt, iTXt), GIF, TIFF    TIFF tags: title, author, copyright, software and description have one each, and
                                              every other text becomes a line "keyword: text" of the description; UTF-8
colour profile, Exif, XMP, resolution         as they are
title, artist and the like of sound           as WAV has them (`TAGS`)
all else: gAMA, tIME, a cover, a cue sheet, other texts of FLAC, bytes after the file's end …
                                              is left out, and `left_out` names it
"""

import io
import struct
from collections.abc import Iterator
from typing import Any

from ..errors import TokpressError
from . import recordings

#: tags of sound, by soundfile's names
TAGS = ("title", "copyright", "software", "artist", "comment", "date", "album", "license", "tracknumber", "genre")
DESCRIPTION, XMP = 270, 700
#: PNG's keywords → tags of TIFF: ImageDescription, DocumentName, Artist, Copyright, Software
TAG_OF = {"Description": DESCRIPTION, "Title": 269, "Author": 315, "Copyright": 33432, "Software": 305}
#: tags of a TIFF file: texts and XMP; layout and meaning of the pixels
TEXTS = {DESCRIPTION, 269, 271, 272, 305, 306, 315, 316, 33432, XMP}
PIXELS = {
    *range(254, 260),
    262,
    266,
    *range(273, 285),
    288,
    289,
    292,
    293,
    296,
    297,
    317,
    *range(320, 326),
    338,
    339,
    347,
}
PROFILE = 34675
#: chunks of PNG that hold pixels or are kept; tRNS becomes opacity
KEPT = {"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "pHYs", "iCCP", "eXIf", "tEXt", "zTXt", "iTXt"}
#: most chunks of a file; a PNG of 1 GB has 100,000
MAX_CHUNKS = 1 << 18
#: chunks of a WebP file that are kept
KEPT_WEBP = {"VP8L", "VP8X", "ICCP", "EXIF", "XMP "}


def tags(picture: Any) -> dict[int, Any]:
    """The texts of a picture as TIFF tags: UTF-8, and XMP unchanged. Colour profile and Exif are not included.

    >>> from PIL import Image
    >>> picture = Image.new("L", (1, 1)); picture.text = {"Title": "Dot", "Comment": "one"}
    >>> tags(picture)
    {269: b'Dot', 270: b'Comment: one'}
    """
    texts_by_tag: dict[int, Any] = {tag: value for tag, value in getattr(picture, "tag_v2", {}).items() if tag in TEXTS}
    texts_by_tag = {
        tag: value.encode("latin-1") if isinstance(value, str) else value for tag, value in texts_by_tag.items()
    }
    if xmp := picture.info.get("xmp"):
        texts_by_tag[XMP] = xmp
    exif_tags = {tag: value for tag, value in picture.getexif().items() if tag in TEXTS and tag not in texts_by_tag}
    lines = []
    for keyword, text in _texts(picture).items():
        tag = TAG_OF.get(keyword)
        if tag and tag not in exif_tags:  # if Exif has another text, both stay
            texts_by_tag[tag] = text.encode()
        else:
            lines.append(f"{keyword}: {text}".encode())
    if lines:
        first = texts_by_tag.get(DESCRIPTION) or str(exif_tags.get(DESCRIPTION, "")).encode("latin-1", "replace")
        texts_by_tag[DESCRIPTION] = b"\n".join([*filter(None, [first]), *lines])
    return texts_by_tag


def _texts(picture: Any) -> dict[str, str]:
    texts = {key: text for key, text in getattr(picture, "text", {}).items() if key != "XML:com.adobe.xmp"}
    if comment := picture.info.get("comment"):  # of GIF
        texts["Comment"] = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else comment
    return texts


def kept(picture: Any, image_module: Any) -> dict[str, Any]:
    """Arguments with which Pillow writes the metadata into a TIFF file."""
    more = {key: picture.info[key] for key in ("icc_profile", "exif", "dpi") if picture.info.get(key)}
    if words := tags(picture):
        exif = image_module.Exif()
        if "exif" in more:
            exif.load(more["exif"])
        exif.update(words)
        more["exif"] = exif
    return more


def left_out(data: bytes, plain_file: bytes) -> list[str]:
    """Names of the parts of `data`, a picture or recording, that its plain file lacks."""
    if data.startswith(b"\x89PNG") or data[:2] in (b"II", b"MM") or data.startswith(b"GIF"):
        return _of_picture(data, plain_file)
    if plain_file.startswith(b"RIFF"):
        return _of_sound(data, plain_file)
    return _of_webp(data) if data[8:12] == b"WEBP" else _of_pnm(data)


def _of_picture(data: bytes, plain_file: bytes) -> list[str]:
    from PIL import Image, TiffTags

    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(plain_file)) as after:
        before.load()
        tags_before, tags_after = tags(before), tags(after)
        lost_tags = {tag for tag, value in tags_before.items() if tags_after.get(tag) != value}
        lost_tags |= set(getattr(before, "tag_v2", {})) - TEXTS - PIXELS - {PROFILE}
        names = {tag: TiffTags.lookup(tag).name for tag in lost_tags}
        lost = sorted(f"tag {tag}" if name == "unknown" else name for tag, name in names.items())
        if data.startswith(b"GIF"):
            return lost + recordings.surplus(len(data) - _gif_end(data))
        return lost + _of_png(data, getattr(before, "text", {})) if data.startswith(b"\x89PNG") else lost


def _gif_end(data: bytes) -> int:
    def colours(flags: int) -> int:
        return 3 << (flags & 7) + 1 if flags & 128 else 0

    at = 13 + colours(data[10])
    while at < len(data) and data[at] in b"!,":
        at += 2 if data[at] == ord("!") else 11 + colours(data[at + 9])  # an extension, or a picture
        while at < len(data) and data[at]:
            at += data[at] + 1
        at += 1
    return min(at + 1, len(data))


def _of_png(data: bytes, kept: dict[str, str]) -> list[str]:
    """kept: the texts that Pillow has read, by keyword."""
    file_chunks = list(chunks(data, 8, ">I4s", trailer=4))
    end = next((end for name, end in file_chunks if name == "IEND"), len(data))
    names = [name for name, chunk_end in file_chunks if chunk_end <= end]
    lost = sorted(recordings.printable(name) for name in {*names} - KEPT)
    if sum(name in ("tEXt", "zTXt", "iTXt") for name in names) > len(kept):
        lost.append("texts with a repeated keyword")
    for what, attribute in (("language", "lang"), ("translated keyword", "tkey")):
        lost += [f"{what} of {recordings.printable(key)}" for key, text in kept.items() if getattr(text, attribute, "")]
    return lost + recordings.surplus(max(len(data) - end, 0))


def _of_webp(data: bytes) -> list[str]:
    end = 8 + int.from_bytes(data[4:8], "little")
    names = sorted({name for name, _ in chunks(data[:end], 12, "<4sI", even=True)} - KEPT_WEBP)
    return [recordings.printable(name.strip()) for name in names] + recordings.surplus(
        max(len(data) - end - end % 2, 0)
    )


def _of_pnm(data: bytes) -> list[str]:
    return ["comments"] if data[:1] == b"P" and data[1:2] in b"123" and b"#" in data else []


def _of_sound(data: bytes, plain_file: bytes) -> list[str]:
    import soundfile

    source, plain = recordings.Source(data), io.BytesIO(plain_file)
    with soundfile.SoundFile(source) as before, soundfile.SoundFile(plain) as after:
        lost = [tag for tag in TAGS if getattr(before, tag) and getattr(before, tag) != getattr(after, tag)]
        return list(dict.fromkeys([*lost, *recordings.left_out(data, {tag: getattr(after, tag) for tag in TAGS})]))


def chunks(data: bytes, at: int, layout: str, trailer: int = 0, even: bool = False) -> Iterator[tuple[str, int]]:
    """(name, end) of each chunk. Ends at the end of the file, also if the file is damaged."""
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data):
            return
        first, second = struct.unpack_from(layout, data, at)
        name, size = (first, second) if isinstance(first, bytes) else (second, first)
        at += 8 + size + trailer + (size % 2 if even else 0)
        yield name.decode("latin-1"), at
    raise TokpressError(f"it has more than {MAX_CHUNKS:,} chunks: leave --content out")
