"""A corpus in memory as files: byte strings, arrays and pictures, each a document, in a temporary folder while a run reads them.

    bytes                         0.bin
    PIL images, arrays of pixels  1.png    where the tokenizer takes items of pictures; it draws crops of them
    arrays of sound               2.wav    where it takes items of sound
    other arrays                  3.bin    their bytes in C order: items one after another

Raises CorpusError.
"""

import os
import wave
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ...arguments import several
from ...errors import CorpusError
from ...pages import views
from ...tokenizers.learned.tiled import tiles
from ...tokenizers.samples import SampleKind

#: paths of files and folders; or documents in memory: bytes, arrays, PIL images
Corpus = str | os.PathLike[str] | bytes | np.ndarray | Iterable[Any]


@contextmanager
def in_files(corpus: Corpus, kind: Callable[[], SampleKind]) -> Iterator[list[str]]:
    """A context with the absolute paths of a corpus. kind: returns the samples that the tokenizer
    takes; called for data in memory."""
    documents = (
        [corpus]
        if isinstance(corpus, str | os.PathLike | bytes | np.ndarray)
        else several("the documents of a corpus", corpus)
    )
    paths = [document for document in documents if isinstance(document, str | os.PathLike)]
    if len(paths) == len(documents):
        yield [os.path.abspath(path) for path in paths]
        return
    if paths:
        raise CorpusError(
            f"the corpus has paths ({os.fspath(paths[0])!r:.60}) and data in memory: give one or the other; a text is given as text.encode()"
        )
    with TemporaryDirectory(prefix="tokpress-corpus-") as folder:
        samples = kind()
        for number, document in enumerate(documents):
            _write(document, Path(folder, f"{number:06}"), samples)
        yield [folder]


def _write(document: Any, place: Path, kind: SampleKind) -> None:
    if isinstance(document, bytes | bytearray | memoryview):
        place.with_suffix(".bin").write_bytes(document)
        return
    if not isinstance(document, np.ndarray):
        document = _pixels(document, kind.channels)
    array, axes = document, len(kind.sides) + 1
    if kind.channels == 1 and array.shape[-1:] != (1,):
        array = array[..., None]
    if kind.channels and (array.dtype != ("<i2" if kind.sound else "u1") or array.shape[-1] != kind.channels):
        raise CorpusError(
            f"an array of {document.dtype}, shape {document.shape}, is not of {kind.channels} channels of {kind.bits} bits"
        )
    if axes == 3 and array.ndim == axes and array.shape[-1] in (1, 3):
        place.with_suffix(".png").write_bytes(views.png(np.ascontiguousarray(array)))
    elif axes == 2 and array.ndim == axes:
        with wave.open(str(place.with_suffix(".wav")), "wb") as file:
            file.setparams((array.shape[1], 2, 44100, len(array), "NONE", ""))
            file.writeframes(array.tobytes())
    elif axes == 4 and array.ndim == axes:
        place.with_suffix(".bin").write_bytes(tiles(array, kind.sides).tobytes())
    else:
        place.with_suffix(".bin").write_bytes(array.tobytes())


def _pixels(picture: Any, channels: int) -> np.ndarray:
    """The pixels of a PIL image."""
    from ...media.images import is_image, pixels

    if not is_image(picture):
        raise CorpusError(f"{type(picture).__name__} is no document: give bytes, arrays or PIL images, or paths")
    return pixels(picture, channels)
