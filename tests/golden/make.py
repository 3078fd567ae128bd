"""Make golden files that are not there yet: `python -m tests.golden.make` from the root of the repository.

A golden file is made once and must decode for ever. What is there already must come out the same, byte for byte, or nothing is written.
CASE… names some of the cases (the part of a file's name before the first dash); without it all are made.

    sources/        what was compressed
    models/         small models that only these files use; the shipped ones are found by their ids
    *.tokp          the golden files
    archives/       golden archives and indexes (archive_items.py has what they hold)
    manifest.json   of each of *.tokp: source, its SHA-256, and what it holds
    SHA256SUMS      of all of these files but the manifest. Lines are added and never changed: `sha256sum -c SHA256SUMS`
"""

import argparse
import hashlib
import io
import json
import sys
from collections.abc import Iterator

from tests.golden import archive_items
from tests.golden.inputs import GRIDS, HERE, MODELS, small_models, sources
from tokpress.codec import encoded_frame, options, stream
from tokpress.codec.context import Context
from tokpress.container.frames import FrameHeader, Kind
from tokpress.container.lzma2 import lzma_encode
from tokpress.container.short import MAX_SHORT
from tokpress.models import store
from tokpress.models.model import Model

MANIFEST = HERE / "manifest.json"
SUMS = HERE / "SHA256SUMS"
CASES = (
    "raw", "lzma", "histogram", "context-mixing", "linear-prediction", "context-mixing-2d", "mingru", "memory", "bitwise", "product",
    "text", "lecture", "tokens", "mixed", "context", "weights", "tokenizers", "given", "filter", "lossy", "classes", "short", "joined", "archives",
)  # fmt: skip
#: paths in SHA256SUMS that were added after 1.0: the others never change (`tests/test_golden.py`)
SINCE: tuple[str, ...] = ()
#: the source that golden files of the case "context" are coded after
CONTEXT = "paragraph"


def frame(source: bytes, model: Model | None = None, kind: Kind = Kind.MODEL, lanes: int | None = None) -> bytes:
    """One frame of the kind asked for, even where another were smaller."""
    if model is None:
        coded = encoded_frame.EncodedFrame(kind, len(source), lzma_encode(source) if kind == Kind.LZMA else source)
    else:
        coded = encoded_frame.encode(model, source, options.Options(lanes=lanes), lambda done: None)
    stream.MemberWriter(out := io.BytesIO()).write(coded, source, last=True)
    return out.getvalue()


def after_context(source: bytes, model: Model, context: bytes, frame_size: int = 1 << 24) -> bytes:
    """A member that is coded after a context: a short frame, or frames with sync."""
    blocks = [source[at : at + frame_size] for at in range(0, len(source), frame_size)]
    chosen, member = options.Options(context=Context(context)), stream.MemberWriter(out := io.BytesIO())
    for number, block in enumerate(blocks, 1):
        coded = encoded_frame.encode(model, block, chosen, lambda done: None)
        member.write(coded, block, last=number == len(blocks))
    return out.getvalue()


def frames(source: bytes, models: list[Model], size: int) -> bytes:
    """A member of several frames, coded by one model after another, then lzma, then raw, and so on again."""
    member = stream.MemberWriter(out := io.BytesIO())
    blocks = [source[at : at + size] for at in range(0, len(source), size)]
    for number, block in enumerate(blocks):
        turn = number % (len(models) + 2)
        if turn < len(models):
            coded = encoded_frame.encode(models[turn], block, options.Options(), lambda done: None)
        else:
            kind = (Kind.LZMA, Kind.RAW)[turn - len(models)]
            coded = encoded_frame.EncodedFrame(kind, len(block), lzma_encode(block) if kind == Kind.LZMA else block)
        member.write(coded, block, last=number == len(blocks) - 1)
    return out.getvalue()


def cases(wanted: list[str]) -> Iterator[tuple[str, list[str], bytes, list[str]]]:
    """(name, sources, file, small models it needs)"""
    given, models = sources(), small_models()
    for case in wanted:
        if case == "raw":
            yield from (
                (f"raw-{name}", [name], frame(given[name], kind=Kind.RAW), []) for name in ("empty", "one", "bytes")
            )
        elif case == "lzma":
            yield from ((f"lzma-{name}", [name], frame(given[name], kind=Kind.LZMA), []) for name in ("zeros", "code"))
        elif case == "mixed":
            ours = [models["histogram"], store.load("context-mixing")]
            yield "mixed-frames", ["prose"], frames(given["prose"], ours, 2000), ["histogram"]
            both = frames(given["code"], ours, 5000) + frame(b"", kind=Kind.RAW) + frame(given["one"], kind=Kind.RAW)
            yield "mixed-members", ["code", "empty", "one"], both, ["histogram"]
        elif case == "weights":  # they stand alone
            for each in ("histogram", "bitwise-bpe", "tokens-fsq"):
                name = "pixels" if each.startswith("tokens") else "prose"
                stream.compress_stream(
                    io.BytesIO(given[name]), out := io.BytesIO(), options.Options([models[each]], embed=True)
                )
                yield f"weights-{each}", [name], out.getvalue(), []
        elif case == "context":
            for each, model in {
                "histogram-adaptive": models["histogram-adaptive"],
                "bitwise-bpe": models["bitwise-bpe"],
                "context-mixing": store.load("context-mixing"),
                "text": store.load("text"),
            }.items():
                needed = [each] if each in models else []
                for name, size in (("one", 1), ("bytes", 1000), ("paragraph", 500)):
                    yield (
                        f"context-{each}-{name}",
                        [name],
                        after_context(given[name], model, given[CONTEXT], size),
                        needed,
                    )
        elif case == "lecture":
            for each in (name for name in models if name.startswith("lecture-")):
                yield f"{each}-bytes", ["bytes"], frame(given["bytes"], models[each]), [each]
        elif case == "tokens":  # lossless: what the decoder makes of the tokens is part of the format
            for each in (name for name in models if name.startswith("tokens-")):
                tokenizer = models[each].tokenizer
                for name in (
                    ("samples",) if tokenizer.sound else ("items", "frames") if tokenizer.samples.video else ("pixels",)
                ):
                    chosen = options.Options([models[each]])
                    coded = encoded_frame.complete(
                        models[each], given[name], chosen, lambda done: None, GRIDS.get(name)
                    )
                    stream.MemberWriter(out := io.BytesIO()).write(coded, given[name], last=True)
                    yield f"{each}-{name}", [name], out.getvalue(), [each]
        elif case == "tokenizers":
            for each in ("chars", "words", "segments"):
                for name in ("bytes", "prose", "segments"):
                    yield f"{each}-{name}", [name], frame(given[name], models[each]), [each]
        elif case == "given":
            for each in (name for name in models if name.startswith("given-")):
                yield f"{each}-bytes", ["bytes"], frame(given["bytes"], models[each]), [each]
        elif case == "classes":
            yield "classes-code", ["code"], frame(given["code"], models["classes"], lanes=3), ["classes"]
        elif case == "short":  # the longest form
            assert len(given["binary"]) <= MAX_SHORT
            coded = after_context(given["binary"], models["histogram-adaptive"], given[CONTEXT])
            yield "short-binary", ["binary"], coded, ["histogram-adaptive"]
        elif case == "joined":  # each with its models
            parts = [(HERE / f"weights-{each}.tokp").read_bytes() for each in ("histogram", "bitwise-bpe")]
            yield "joined-weights", ["prose", "prose"], b"".join(parts), []
        elif case == "filter":
            yield "filter-calls", ["calls"], frame(given["calls"], store.load("context-mixing")), []
        elif case == "lossy":  # what they restore is no source, but the same on every machine
            for each, name in (("palette", "picture"), ("tokens-fsq", "picture"), ("tokens-audio_rvq", "sound")):
                chosen = options.Options([models[each]], lossy=True)
                stream.compress_stream(io.BytesIO(given[name]), out := io.BytesIO(), chosen)
                yield f"lossy-{each}", [], out.getvalue(), [each]
            out = io.BytesIO()
            stream.compress_stream(
                io.BytesIO(given["picture"]), out, options.Options([store.load("photo-tokens")], lossy=True)
            )
            yield "lossy-photo-tokens", [], out.getvalue(), []
        elif case in ("linear-prediction", "context-mixing-2d"):
            for name in ("one", "prose", "picture", "sound", "sound24"):
                yield f"{case}-{name}", [name], frame(given[name], store.load(case)), []
        elif case in ("context-mixing", "text"):
            model = store.load(case)
            for name in ("one", "bytes", "paragraph", "binary", "prose", "code"):
                yield f"{case}-{name}", [name], frame(given[name], model), []
            if case == "text":
                yield f"{case}-code-lanes", ["code"], frame(given["code"], model, lanes=24), []
                for name in ("paragraph", "prose"):
                    yield f"text-large-{name}", [name], frame(given[name], store.load("text-large")), []
        else:
            for each in (name for name in models if name.split("-")[0] == case):
                for name in ("one", "bytes", "prose"):
                    yield f"{each}-{name}", [name], frame(given[name], models[each]), [each]
                yield f"{each}-prose-lanes", ["prose"], frame(given["prose"], models[each], lanes=5), [each]


def describe(data: bytes, names: list[str], source: bytes) -> dict:
    from tokpress.container.member import iter_frames

    headers: list[FrameHeader] = [header for header, _ in iter_frames(io.BytesIO(data))]
    kinds = sorted({header.kind.name.lower() for header in headers})
    digest = hashlib.sha256(source).hexdigest()
    return {"sources": names, "sha256": digest, "source_bytes": len(source), "frames": len(headers), "kinds": kinds}


def summed() -> dict[str, str]:
    """Of each file that must not change: its SHA-256, by its path."""
    paths = [
        *HERE.glob("*.tokp"),
        *(p for name in ("sources", "models", "archives") for p in HERE.glob(f"{name}/**/*")),
    ]
    return {
        path.relative_to(HERE).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(paths)
        if path.is_file()
    }


def kept_sums() -> dict[str, str]:
    lines = SUMS.read_text().splitlines() if SUMS.exists() else []
    return {path: digest for digest, path in (line.split("  ", 1) for line in lines)}


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.golden.make", description=__doc__.splitlines()[0])
    parser.add_argument("case", nargs="*", choices=[*CASES, []], help="all of them without any")
    wanted = parser.parse_args(words).case or list(CASES)
    given, models = sources(), small_models()
    manifest = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else {}
    made = list(cases([case for case in wanted if case != "archives"]))
    files = {f"{name}.tokp": data for name, _, data, _ in made}
    files |= dict(archive_items.cases(given)) if "archives" in wanted else {}
    if changed := [name for name, data in files.items() if (p := HERE / name).exists() and p.read_bytes() != data]:
        sys.exit(f"nothing is made, because these would change: {', '.join(changed)}")
    for name, names, data, needed in made:
        for each in needed:
            if not (MODELS / each).is_dir():
                models[each].save(MODELS / each)
        restored = b"".join(given[n] for n in names) if names else stream.decompress(data, models=[*models.values()])
        manifest[f"{name}.tokp"] = describe(data, names, restored)
    for name, data in files.items():
        (HERE / name).parent.mkdir(exist_ok=True)
        (HERE / name).write_bytes(data)
        print(f"{name}: {len(data):,} bytes")
    MANIFEST.write_text(json.dumps(dict(sorted(manifest.items())), indent=2) + "\n")
    kept = summed() | kept_sums()
    SUMS.write_text("".join(f"{digest}  {path}\n" for path, digest in sorted(kept.items())))


if __name__ == "__main__":
    main(sys.argv[1:])
