"""Many files in one .tokp file: alike ones share a model and a stream, and each can be read without the others.

    names.py     which names an item may have
    item.py      what is put in, and what is told of it
    layout.py    items of one kind, laid one under the other: a group
    index.py     the index: columns of numbers and names
    writer.py    items in, frames out, in bounded memory
    frames.py    the frames behind an archive, each decoded once by who reads in order
    reader.py    `Archive`: names, items, one or all

docs/format.md describes every byte, docs/archives.md what is kept.
"""

from .index import MAGIC
from .item import Entry, Item, ItemKind
from .layout import GROUP_SIZE
from .reader import Archive
from .writer import write

__all__ = ["GROUP_SIZE", "MAGIC", "Archive", "Entry", "Item", "ItemKind", "write"]
