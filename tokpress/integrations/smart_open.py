"""Files *.tokp for smart_open.

>>> import smart_open, tempfile
>>> from tokpress.integrations import smart_open as tokpress_smart_open
>>> tokpress_smart_open.register()
>>> folder = tempfile.TemporaryDirectory()
>>> with smart_open.open(folder.name + "/notes.txt.tokp", "w") as file:
...     file.write("from afar")
9
>>> with smart_open.open(folder.name + "/notes.txt.tokp") as file:
...     file.read()
'from afar'
>>> folder.cleanup()
"""

from typing import Any, BinaryIO

import smart_open

from ..codec.file import open

SUFFIX = ".tokp"


def register() -> None:
    """Register the suffix .tokp with smart_open, in this process."""
    if SUFFIX not in smart_open.compression.get_supported_extensions():  # it would warn
        smart_open.register_compressor(SUFFIX, opened)


def opened(file: BinaryIO, mode: str, **options: Any) -> Any:
    """A compressed file over one of smart_open. options: those of `tokpress.open`, from `compression_kwargs`."""
    return open(file, mode, **options)
