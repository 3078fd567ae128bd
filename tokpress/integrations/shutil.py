"""Archives *.tar.tokp for `shutil.make_archive` and `shutil.unpack_archive`.

>>> import pathlib, shutil, tempfile
>>> from tokpress.integrations import shutil as tokpress_shutil
>>> tokpress_shutil.register()
>>> folder = tempfile.TemporaryDirectory()
>>> place = pathlib.Path(folder.name)
>>> _ = pathlib.Path(shutil.os.mkdir(place / "notes") or place / "notes/monday.txt").write_text("nothing happened")
>>> archive = shutil.make_archive(place / "backup", "tokptar", place / "notes")
>>> shutil.unpack_archive(archive, place / "restored")
>>> (place / "restored/monday.txt").read_text()
'nothing happened'
>>> folder.cleanup()
"""

import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from typing import Any

from ..codec.file import TokpressFile

NAME, SUFFIX = "tokptar", ".tar.tokp"


def register() -> None:
    """Register the format "tokptar" with shutil, in this process, beside its "xztar" and "gztar". A second call does nothing."""
    if NAME not in [name for name, _ in shutil.get_archive_formats()]:
        shutil.register_archive_format(NAME, _Make(), description="tar file compressed by tokpress")
    if NAME not in [name for name, *_ in shutil.get_unpack_formats()]:
        shutil.register_unpack_format(NAME, [SUFFIX], _unpack, description="tar file compressed by tokpress")


class _Make:
    """What `make_archive` calls."""

    supports_root_dir = True  # or shutil changes the working directory of the process

    def __call__(
        self,
        base_name: str,
        base_dir: str,
        owner: str | None = None,
        group: str | None = None,
        dry_run: bool = False,
        logger: Any = None,
        root_dir: str | None = None,
    ) -> str:
        def owned(item: tarfile.TarInfo) -> tarfile.TarInfo:
            item.uname, item.gname = owner or item.uname, group or item.gname
            return item

        name = os.fspath(base_name) + SUFFIX
        if logger:
            logger.info("creating %s", name)
        if dry_run:
            return name
        os.makedirs(os.path.dirname(os.path.abspath(name)), exist_ok=True)
        try:
            with TokpressFile(name, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
                tar.add(os.path.join(root_dir or "", base_dir), base_dir, filter=owned)
        except BaseException:
            if os.path.exists(name):
                os.unlink(name)
            raise
        return name


def _unpack(archive: str, folder: str, filter: Any = "data") -> None:
    """What `unpack_archive` calls. The filter "data" of tarfile writes nothing outside of the folder."""
    with TokpressFile(archive) as file, tarfile.open(fileobj=file, mode="r:") as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(folder, filter=filter)
        else:  # before Python 3.11.4, tarfile checks no names
            tar.extractall(folder, _inside(tar))


def _inside(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The files and folders of an archive. Raises ReadError for a link or device, and for a name that may lead out of the folder."""
    for item in tar:
        parts = re.split(r"[/\\]", item.name)
        if not (item.isreg() or item.isdir()) or not parts[0] or ".." in parts or ":" in parts[0]:
            raise shutil.ReadError(f"{item.name}: unpack it with Python 3.11.4 or later, which checks links and names")
        yield item
