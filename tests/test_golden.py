"""Files made once decode for ever, and a model's frames come out the same when they are made again."""

import hashlib
import io
import json

import pytest

import tokpress
from tests.golden import archive_items, inputs, make
from tokpress.codec import archive, stream
from tokpress.codec.archive import Item, ItemKind
from tokpress.codec.context import Context
from tokpress.codec.options import Options
from tokpress.container.frames import SYNC, Kind
from tokpress.container.member import iter_frames
from tokpress.container.short import MARKS
from tokpress.errors import ModelMismatchError
from tokpress.models import identity, store
from tokpress.priors.registry import PRIORS
from tokpress.tokenizers.registry import TOKENIZERS
from tokpress.tokenizers.samples import ItemTokenizer

FILES = sorted(make.HERE.glob("*.tokp"))


def takes_minutes(name: str, kernel: str) -> bool:
    """Whether Python mixes the decisions of a long source one by one."""
    long = json.loads(make.MANIFEST.read_text())[f"{name}.tokp"]["source_bytes"] > 1000
    return kernel == "numpy" and (
        (long and name.startswith(("bitwise", "text"))) or name.startswith(("context-text", "context-bitwise"))
    )


@pytest.fixture(scope="module")
def models():
    return [inputs.load(folder) for folder in sorted(inputs.MODELS.iterdir())]


@pytest.fixture(scope="module")
def manifest():
    return json.loads(make.MANIFEST.read_text())


def test_they_are_all_there(manifest):
    assert FILES and sorted(manifest) == [path.name for path in FILES]
    kinds = {kind for entry in manifest.values() for kind in entry["kinds"]}
    assert kinds == {"raw", "lzma", "model", "residual", "context", "short", "weights", "given"} and any(
        entry["frames"] > 3 for entry in manifest.values()
    )


def test_each_component_has_a_golden_file(models):
    """Also each form of short frames."""
    every = [*models, *map(store.load, identity.ids(identity.MODELS))]
    used = {part["name"] for model in every for key in ("prior", "tokenizer") for part in parts(model.config()[key])}
    ours = [name for table in (PRIORS, TOKENIZERS) for name in table.names() if _is_ours(table.find(name))]
    assert set(ours) <= used
    assert {path.read_bytes()[0] for path in FILES} == {SYNC[0], *MARKS}


def _is_ours(component: type) -> bool:
    return component.__module__.startswith("tokpress.")


def parts(told: dict) -> list[dict]:
    inner = [*told.get("members", []), *told.get("parts", []), *([told["base"]] if "base" in told else [])]
    return [told, *(part for each in inner for part in parts(each))]


@pytest.mark.parametrize(
    "path, kernel",
    [
        pytest.param(
            path,
            kernel,
            id=f"{path.stem}-{kernel}",
            marks=[pytest.mark.slow] if takes_minutes(path.stem, kernel) else [],
        )
        for path in FILES
        for kernel in ("auto", "numpy")
    ],
)
def test_decodes(path, kernel, manifest, models):
    context = Context(inputs.sources()[make.CONTEXT], keep=False)
    packed, out = io.BytesIO(path.read_bytes()), io.BytesIO()
    stream.decompress_stream(packed, out, models, kernel, context=context)
    entry, source = manifest[path.name], out.getvalue()
    assert (len(source), hashlib.sha256(source).hexdigest()) == (entry["source_bytes"], entry["sha256"])
    if entry["sources"]:  # none of what was stored with loss
        assert source == b"".join(inputs.sources()[name] for name in entry["sources"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_comes_out_the_same_again(path, models):
    """lzma may come to code otherwise; ours may not, within a version of the format."""
    with path.open("rb") as file:
        for header, payload in iter_frames(file):
            data = payload.read()
            if header.kind == Kind.MODEL:
                model = store.by_id(header.model_id, models)
                if isinstance(
                    model.tokenizer, ItemTokenizer
                ):  # which tokens a picture becomes is no part of the format
                    continue
                lanes = header.lanes or model.prior.rules.lanes(header.tokens)
                source = model.decode(data, header.tokens, lanes)
                assert model.encode(source, lanes)[:2] == (data, header.tokens)


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.match("context-*-paragraph.tokp") and not path.match("context-mixing-*")],
    ids=lambda path: path.stem,
)
def test_contexts_come_out_the_same_again(path, models):
    given, packed = inputs.sources(), path.read_bytes()
    context = Context(given[make.CONTEXT])
    (first, *_) = [header for header, _ in iter_frames(io.BytesIO(packed))]
    model = store.by_id(first.model_id, models)
    assert make.after_context(given["paragraph"], model, context.source, 500) == packed


#: of the lines of SHA256SUMS at release 1.0, sorted
FROZEN = "dd402629592948a451a9dbad61d4a9014311f09f2c184d80d5cd88fb8b38225b"


def test_nothing_changed():
    """A golden file is made once. For what is new there are new ones, which `make.SINCE` names."""
    kept = make.kept_sums()
    assert kept and make.summed() == kept
    lines = [f"{digest}  {path}" for path, digest in sorted(kept.items()) if path not in make.SINCE]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == FROZEN, (
        "a golden file of 1.0 is another one, or missing"
    )


def test_archives():
    """What the items are made of, and what an update makes of them."""
    first, update = archive_items.items(inputs.sources())
    whole = [(archive_items.FOLDER / name).read_bytes() for name in ("files.tokp", "files-update.tokp")]
    again = [archive_items.contents(packed([first])), archive_items.contents(packed([first, update]))]
    assert [archive_items.contents(data) for data in whole] == again
    texts = {item.name: item.data for item in [*first, *update] if item.kind == ItemKind.FILE}
    texts["links/same"] = b"one"  # of the file that it was linked to
    held = archive_items.contents(whole[1])
    assert {name: data for name, (_, data) in held.items() if data is not None} == texts
    assert held["a"][0].mode == 0o600 and held["links/é"][0].target == "../é/\udcff/x"


def packed(parts: list[list[Item]]) -> bytes:
    out = io.BytesIO()
    for number, items in enumerate(parts):
        archive.write(items, out, Options([store.load("context-mixing")]), joined=number > 0, updates=number > 0)
    return out.getvalue()


@pytest.mark.parametrize("name", archive_items.INDEXED)
def test_indexes(name, models):
    path = archive_items.HERE / f"{name}.tokp"
    with tokpress.open(path, models=models, index=archive_items.FOLDER / f"{name}.tokp.idx") as file:
        whole = file.read()
        file.seek(len(whole) // 2)
        assert file.read(100) == whole[len(whole) // 2 :][:100]


def test_small_models_are_needed(models):
    """Without them a golden file is refused, not decoded to something else."""
    path = make.HERE / "mixed-frames.tokp"
    with pytest.raises(ModelMismatchError, match=r"^frame 1 \(at byte 0\): made with model"):
        stream.decompress(path.read_bytes())
