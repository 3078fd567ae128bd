"""Many files in one .tokp file: files of one kind share a model and a stream, and each can be read without the others.

    names.py     names of items
    item.py      `Item` goes in, `Entry` comes out
    layout.py    groups: files of one kind, their samples joined
    index.py     the index: columns of numbers and names
    writer.py    items in, frames out, in bounded memory
    frames.py    the frames of an archive; reading in order decodes each once
    reader.py    `Archive`: names and bytes of items

docs/format.md describes every byte, docs/archives.md what is kept of a file.
"""

from .item import Entry, Item, ItemKind
from .layout import GROUP_SIZE
from .reader import Archive
from .writer import write

__all__ = ["GROUP_SIZE", "Archive", "Entry", "Item", "ItemKind", "write"]
