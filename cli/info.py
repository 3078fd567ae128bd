"""tokpress info"""

from pathlib import Path
from typing import Any

import click

from . import catalog, jobs, options
from .progress import rates
from .terminal import say, show_json


@click.command()
@options.all_of(options.files, options.models, options.as_json, options.quiet, options.verbose)
@click.pass_context
def info(ctx, files, models, as_json, quiet, verbose):
    """Tell what each FILE.tokp holds. Nothing is decoded and no model is needed; the checksums of payloads are checked.

    Of a model at hand, or given with -m, its name is told, and whether a file restores its source or, having been made with
    --lossy, a reconstruction of it. -v lists every frame.
    """
    known = catalog.by_id(models) if models else None
    found: list[dict[str, Any]] = []

    def work(name: str) -> None:
        with jobs.reading(name) as source:
            found.append(_look(options.shown(name), source, known))
        if not as_json:
            for line in _lines(found[-1], verbose):
                say(line)

    try:
        jobs.each(ctx, options.sources(files), work)
    finally:
        if as_json:
            show_json(found)


def _look(name: str, source, known: dict[bytes, tuple[str, Path]] | None) -> dict[str, Any]:
    from tokpress.container.frames import iter_frames

    frames: list[dict[str, Any]] = []
    for header, _ in iter_frames(source):  # which reads and checks the payloads
        frame: dict[str, Any] = {
            "kind": header.kind.name.lower(),
            "offset": header.offset,
            "source_bytes": header.source_length,
        }
        frame |= {"payload_bytes": header.payload_length, "header_bytes": len(header.pack()), "last": header.last}
        if header.model_id is not None:
            known = catalog.by_id() if known is None else known
            model, folder = known.get(header.model_id, (None, None))
            frame |= {"model_id": header.model_id.hex(), "model": model}
            if header.residual_id is not None:
                other, _ = known.get(header.residual_id, (None, None))
                frame |= {"residual_model_id": header.residual_id.hex(), "residual_model": other}
            frame |= {"tokens": header.tokens, "lanes": header.lanes}
            frame |= {"restores": "source" if header.residual_id is not None else _restores(folder)}
        else:
            frame |= {"restores": "source"}
        frames.append(frame)
    total = {key: sum(frame[key] for frame in frames) for key in ("source_bytes", "payload_bytes", "header_bytes")}
    size = total["payload_bytes"] + total["header_bytes"]
    per_byte = 8 * size / total["source_bytes"] if total["source_bytes"] else None
    ratio = total["source_bytes"] / size if total["source_bytes"] else None
    members = sum(frame["last"] for frame in frames)
    made = {frame["restores"] for frame in frames}
    restores = "reconstruction" if "reconstruction" in made else None if None in made else "source"
    return {"file": name, **total, "restores": restores, "file_bytes": size, "ratio": ratio, "bits_per_byte": per_byte, "members": members,
            "frames": frames}  # fmt: skip


def _restores(folder: Path | None) -> str | None:
    """What a model's frame restores, "source" or "reconstruction"; None: not known."""
    loses = catalog.loses(folder) if folder else None
    return None if loses is None else "reconstruction" if loses else "source"


def _lines(found: dict[str, Any], verbose: bool) -> list[str]:
    frames, members = found["frames"], found["members"]
    kinds: dict[str, int] = {}
    for frame in frames:
        kinds[_kind(frame)] = kinds.get(_kind(frame), 0) + 1
    joined = f" in {members} sources joined" if members > 1 else ""
    lines = [
        f"{found['file']}: {rates(found['source_bytes'], found['file_bytes'])}",
        f"  source   {found['source_bytes']:>15,} bytes{joined}",
        f"  payload  {found['payload_bytes']:>15,} bytes",
        f"  headers  {found['header_bytes']:>15,} bytes",
        f"  frames   {len(frames):>15,}: {', '.join(f'{count} × {kind}' for kind, count in kinds.items())}",
    ]
    for number, frame in enumerate(frames if verbose else [], 1):
        sizes = f"{frame['source_bytes']:,} → {frame['payload_bytes']:,} + {frame['header_bytes']} bytes"
        tokens = f", {frame['tokens']:,} tokens" if "tokens" in frame else ""
        lines.append(f"  frame {number} at {frame['offset']:,}: {sizes}, {_kind(frame)}{tokens}")
    return lines


def _kind(frame: dict[str, Any]) -> str:
    if "model_id" not in frame:
        return frame["kind"]
    lanes = {None: "default lanes", 1: "1 lane"}.get(frame["lanes"], f"{frame['lanes']} lanes")
    lost = ", tokens only: restores a reconstruction" if frame["restores"] == "reconstruction" else ""
    models = f"model {frame['model'] or 'not here'} ({frame['model_id']})"
    if "residual_model_id" in frame:
        models += f" and {frame['residual_model'] or 'not here'} ({frame['residual_model_id']})"
    return f"{models}, {lanes}{lost}"
