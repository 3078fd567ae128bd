"""Build a data package, a wheel of model directories that `pip install` puts where tokpress looks (`places`):

    python -m tokpress.models.package text-1 old/text -o dist        # dist/tokpress_models_text_1-1-py3-none-any.whl

It has an entry point in the group `tokpress.models`, a list of ids, and no code. The name of a directory is the name of its model; NAME=DIR gives
another one. The same directories give the same wheel, byte for byte.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import ModelError, TokpressError
from ..storage import files
from . import identity
from .loading import load_folder
from .places import GROUP

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_METADATA = """\
Metadata-Version: 2.1
Name: {name}
Version: {version}
Summary: Models of tokpress: {models}
Description-Content-Type: text/markdown

{description}
"""
_WHEEL = """\
Wheel-Version: 1.0
Generator: tokpress.models.package
Root-Is-Purelib: true
Tag: py3-none-any
"""


def build(name: str, models: Mapping[str, Path], output: Path, version: str = "1") -> Path:
    """Write the wheel tokpress-models-NAME of these model directories, by name, into the folder `output`. Returns its path.

    Raises ModelError where a directory holds no sound model, or a name is not made of lower-case letters, digits and hyphens."""
    if not _NAME.fullmatch(name) or not re.fullmatch(r"\d+(\.\d+)*", version):
        raise ModelError(
            f"{name} {version}: names are of lower-case letters, digits and hyphens, versions of numbers and dots"
        )
    if not models:
        raise ModelError("no model is given: name a model directory")
    distribution = f"tokpress-models-{name}"
    module = distribution.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    contents = {f"{module}/__init__.py": b'"""Models of tokpress, found by the entry point group tokpress.models."""\n'}
    contents |= {f"{module}/{path}": data for path, data in _model_files(models)}
    shown = ", ".join(models)
    description = "\n".join(f"* {model}: id {load_folder(folder).id.hex()}" for model, folder in models.items())
    metadata = _METADATA.format(name=distribution, version=version, models=shown, description=description)
    contents[f"{info}/METADATA"] = metadata.encode()
    contents[f"{info}/WHEEL"] = _WHEEL.encode()
    contents[f"{info}/entry_points.txt"] = f"[{GROUP}]\n{name} = {module}\n".encode()
    record = "".join(f"{path},sha256={_digest(data)},{len(data)}\n" for path, data in contents.items())
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    output.mkdir(parents=True, exist_ok=True)
    wheel = output / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in contents.items():
            entry = zipfile.ZipInfo(path)  # of 1980
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return wheel


def _model_files(models: Mapping[str, Path]) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of the files of the models, and of the list of their ids."""
    with tempfile.TemporaryDirectory() as place:
        for model, folder in models.items():
            if Path(model).name != model or model.startswith("."):
                raise ModelError(f"{model!r} is no name of a model: write NAME=DIR")
            (Path(place) / model).mkdir()
            for part in files.MAX_BYTES:
                if (data := files.read(folder / part)) is not None:
                    (Path(place) / model / part).write_bytes(data)
        identity.write(Path(place))
        for path in sorted(Path(place).rglob("*")):
            if path.is_file():
                yield path.relative_to(place).as_posix(), path.read_bytes()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tokpress.models.package", description=(__doc__ or "").partition(",")[0]
    )
    parser.add_argument("name", help="of the package, after tokpress-models-")
    parser.add_argument("models", nargs="+", metavar="DIR|NAME=DIR", help="model directories")
    parser.add_argument("-o", "--output", type=Path, default=Path("dist"), help="folder of the wheel (default: dist)")
    parser.add_argument("--version", default="1", help="of the package (default: 1)")
    options = parser.parse_args()
    named = [each.rpartition("=") for each in options.models]
    models = {name or Path(folder).resolve().name: Path(folder) for name, _, folder in named}
    try:
        print(build(options.name, models, options.output, options.version))
    except TokpressError as error:
        sys.exit(f"tokpress.models.package: {error}")


if __name__ == "__main__":
    main()
