"""tokpress info: read the headers of one file after another, report."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import catalog, jobs, options
from .progress import rates
from .streams import display_name
from .terminal import say, show_json

if TYPE_CHECKING:
    from tokpress.codec.context import Context
    from tokpress.container.frames import FrameHeader

#: model id → name and folder
Models = dict[bytes, tuple[str, Path]]


@dataclass(frozen=True)
class Settings:
    """The options of one call."""

    files: tuple[str, ...]
    models: tuple[str, ...]
    context: str | None
    as_json: bool
    quiet: bool
    verbose: bool


@click.command(cls=options.Command)
@options.all_of(
    options.files, options.as_json, options.models,
    click.option("--context", type=options.FileName(), metavar="FILE", help="Tell whether this is the context; - is stdin."),
    options.quiet, options.verbose, options.plugins,
)  # fmt: skip
def info(**values: Any) -> None:
    """Show sizes, frames and models of each FILE.tokp, or of stdin.

    Nothing is decoded and no model is needed; checksums of the compressed data are verified. With -v, one line for each frame.

    A short frame, as of `compress --context`, stores two bytes for context and model together: --context tells both.

    \b
    Example:
      tokpress info -v book.txt.tokp
    """
    settings = Settings(**values)
    models = catalog.by_id(settings.models) if settings.models else None
    context = catalog.context(settings.context, settings.files)
    descriptions: list[dict[str, Any]] = []
    try:
        jobs.run(settings.files, partial(_describe_file, models, context), partial(_report, settings, descriptions))
    finally:
        if settings.as_json:
            show_json(descriptions)


# --- describe one file


def _describe_file(models: Models | None, context: "Context | None", name: str) -> dict[str, Any]:
    from tokpress.container.member import iter_frames

    with jobs.reading(name) as source:
        headers = [header for header, _ in iter_frames(source)]  # the iterator reads and verifies the payloads
    if models is None:
        is_needed = any(header.model_id is not None or (context and header.kind.reads_context) for header in headers)
        models = catalog.by_id() if is_needed else {}
    by_key = _by_key(context, {*models, *_embedded(headers)}) if context else {}
    frames = [
        _describe_frame(header, models) | _described_context(header, models, context, by_key) for header in headers
    ]
    total = {key: sum(frame[key] for frame in frames) for key in ("source_bytes", "payload_bytes", "header_bytes")}
    source_bytes, file_bytes = total["source_bytes"], total["payload_bytes"] + total["header_bytes"]
    restores = {frame["restores"] for frame in frames}
    return {
        "file": display_name(name),
        **total,
        "restores": "reconstruction" if "reconstruction" in restores else None if None in restores else "source",
        "file_bytes": file_bytes,
        "ratio": source_bytes / file_bytes if source_bytes else None,
        "bits_per_byte": 8 * file_bytes / source_bytes if source_bytes else None,
        "members": sum(frame["last"] for frame in frames if frame["kind"] != "weights"),
        "missing": _missing(headers, models),
        "frames": frames,
    }


def _missing(headers: "list[FrameHeader]", models: Models) -> dict[str, str]:
    """id of each model that is not here → how to get it."""
    missing = {id for header in headers for id in header.model_ids} - models.keys() - _embedded(headers)
    if not missing:
        return {}
    from tokpress.models.missing import how_to_get

    return {id.hex(): how_to_get(id) for id in sorted(missing)}


def _embedded(headers: "list[FrameHeader]") -> set[bytes]:
    """The ids of the models that the file holds."""
    return {id for header in headers if header.kind.name == "WEIGHTS" for id in header.model_ids}


def _by_key(context: "Context", ids: set[bytes]) -> dict[bytes, list[bytes]]:
    """Key of a short frame with this context → the models that it may be of."""
    keys: dict[bytes, list[bytes]] = {}
    for id in sorted(ids):
        keys.setdefault(context.key(id), []).append(id)
    return keys


def _described_context(
    header: "FrameHeader", models: Models, context: "Context | None", by_key: dict[bytes, list[bytes]]
) -> dict[str, Any]:
    """Of a frame with a context: context_matches, None where that is unknown. Of a short frame with this context, also its model."""
    if not header.kind.reads_context:
        return {}
    if context is None:
        return {"context_matches": None}
    if header.kind.name == "CONTEXT":
        return {"context_matches": header.context_id == context.id()}
    if not (ids := by_key.get(header.context_id)):
        return {"context_matches": None}
    names = [models[id][0] if id in models else "embedded" for id in ids]
    return {"context_matches": True, "model_id": " or ".join(id.hex() for id in ids), "model": " or ".join(names)}


def _describe_frame(header: "FrameHeader", models: Models) -> dict[str, Any]:
    frame = {
        "kind": header.kind.name.lower(),
        "offset": header.offset,
        "source_bytes": header.source_length,
        "payload_bytes": header.payload_length,
        "header_bytes": len(header.pack()),
        "last": header.last,
    }
    if header.context_id:
        frame["context_id"] = header.context_id.hex()
    if header.model_id is None:
        return frame | {"restores": "source"}
    name, folder = models.get(header.model_id, (None, None))
    frame |= {"model_id": header.model_id.hex(), "model": name}
    if frame["kind"] == "weights":
        return frame | {"restores": "source"}
    if header.residual_id is not None:
        residual, _ = models.get(header.residual_id, (None, None))
        frame |= {"residual_model_id": header.residual_id.hex(), "residual_model": residual}
    restores = "source" if header.residual_id is not None else _restores(folder)
    return frame | {"tokens": header.tokens, "lanes": header.lanes, "restores": restores}


def _restores(folder: Path | None) -> str | None:
    """What a frame of a model restores: "source" or "reconstruction"; None: unknown."""
    lossy = catalog.is_lossy(folder) if folder else None
    return None if lossy is None else "reconstruction" if lossy else "source"


# --- report


def _report(settings: Settings, descriptions: list[dict[str, Any]], description: dict[str, Any]) -> None:
    descriptions.append(description)
    if not settings.as_json:
        for line in _lines(description, settings):
            say(line)


def _lines(description: dict[str, Any], settings: Settings) -> list[str]:
    frames, members = description["frames"], description["members"]
    kinds = Counter(map(_kind, frames))
    joined = f" in {members} sources joined" if members > 1 else ""
    lines = [
        f"{description['file']}: {rates(description['source_bytes'], description['file_bytes'])}",
        f"  source   {description['source_bytes']:>15,} bytes{joined}",
        f"  payload  {description['payload_bytes']:>15,} bytes",
        f"  headers  {description['header_bytes']:>15,} bytes",
        f"  frames   {len(frames):>15,}: {', '.join(f'{count} × {kind}' for kind, count in kinds.items())}",
    ]
    lines += [f"  missing  model {id}: {how}" for id, how in description["missing"].items()]
    lines += [f"  context  {sentence}" for sentence in _on_context(frames, settings.context)]
    for number, frame in enumerate(frames if settings.verbose else [], 1):
        sizes = f"{frame['source_bytes']:,} → {frame['payload_bytes']:,} + {frame['header_bytes']} bytes"
        tokens = f", {frame['tokens']:,} tokens" if "tokens" in frame else ""
        lines.append(f"  frame {number} at {frame['offset']:,}: {sizes}, {_kind(frame)}{tokens}")
    return lines


def _on_context(frames: list[dict[str, Any]], name: str | None) -> Iterator[str]:
    """What is known of the context of some frames. name: of the file of --context."""
    matches = {(frame["kind"], frame["context_matches"]) for frame in frames if "context_matches" in frame}
    if not matches:
        return
    if name is None:
        kinds = {kind for kind, _ in matches}
        told = "whether it is the right one" if kinds == {"context"} else "whether it is the right one, and the model"
        yield f"needed to decompress: name its file with --context, here too: info then tells {told}"
        return
    file = display_name(name)
    if any(match for _, match in matches):
        yield f"{file} is the right one"
    if ("context", False) in matches:
        yield f"another file is needed than {file}"
    if ("short", None) in matches:
        yield f"another file is needed than {file}, or a model that is not here: name the model's directory with -m"


def _kind(frame: dict[str, Any]) -> str:
    if "model_id" not in frame:
        return f"short, context and model {frame['context_id']}" if frame["kind"] == "short" else str(frame["kind"])
    if frame["kind"] == "weights":
        return f"the model {frame['model'] or ''} ({frame['model_id']}) itself".replace("  ", " ")
    if frame["kind"] == "short":
        return f"short, model {frame['model']} ({frame['model_id']}), needs its context"
    lanes = {None: "default lanes", 1: "1 lane"}.get(frame["lanes"], f"{frame['lanes']} lanes")
    if "context_id" in frame and frame["kind"] == "given":
        lanes += f", needs its --given file ({frame['context_id']})"
    elif "context_id" in frame:
        lanes = f"needs its context ({frame['context_id']})"
    lossy = ", tokens only: restores a reconstruction" if frame["restores"] == "reconstruction" else ""
    models = f"model {frame['model'] or 'not installed'} ({frame['model_id']})"
    if "residual_model_id" in frame:
        models += f" and {frame['residual_model'] or 'not installed'} ({frame['residual_model_id']})"
    return f"{models}, {lanes}{lossy}"
