"""Many files in one .tokp file. Similar files are coded together in groups; one group can be read without the others.

    names.py     which names an item may have
    item.py      `Item`, a file, folder or link to pack; `Entry`, one in an archive
    layout.py    groups: files of one kind, so laid out that their samples form one picture or recording
    index.py     the index: names, sizes and places of all items, in columns
    writer.py    items in, frames out, in bounded memory
    frames.py    read any range of the source behind the frames; reading in order decodes each frame once
    reader.py    `Archive`: the entries of an archive, and their bytes

docs/format.md describes every byte, docs/archives.md what an archive keeps.
"""

from .index import MAGIC
from .item import Entry, Item, ItemKind
from .layout import GROUP_SIZE
from .reader import Archive
from .writer import write

__all__ = ["GROUP_SIZE", "MAGIC", "Archive", "Entry", "Item", "ItemKind", "write"]
