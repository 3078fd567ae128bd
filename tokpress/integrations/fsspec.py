"""Files *.tokp for fsspec, and for pandas, Dask and pyarrow through it.

>>> import fsspec
>>> from tokpress.integrations import fsspec as tokpress_fsspec
>>> tokpress_fsspec.register()
>>> with fsspec.open("memory://notes.txt.tokp", "wt", compression="infer") as file:
...     file.write("from afar")
9
>>> with fsspec.open("memory://notes.txt.tokp", "rt", compression="infer") as file:
...     file.read()
'from afar'
"""

from typing import Any, BinaryIO

import fsspec.compression

from ..codec.file import TokpressFile

#: the name of the compression, and the ending of file names without its dot
NAME = "tokp"


def register() -> None:
    """Register the compression "tokp" with fsspec, in this process. A second call does nothing.

    `fsspec.open(…, compression="infer")` takes it for names that end in .tokp. Options of `TokpressFile` are passed on by
    `functools.partial` around `opened`, registered in its place."""
    fsspec.compression.register_compression(NAME, opened, NAME, force=True)


def opened(file: BinaryIO, mode: str = "rb", **options: Any) -> TokpressFile:
    """A compressed file over one of fsspec. options: those of `TokpressFile`."""
    return _File(file, mode, **options)


class _File(TokpressFile):
    """Closes the file under it too: `AbstractFileSystem.open` keeps no other reference to it, and an upload ends by close."""

    def __init__(self, file: BinaryIO, mode: str, **options: Any) -> None:
        super().__init__(file, mode, **options)
        self._owned = True
