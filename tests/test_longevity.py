"""A release that no longer ships a model reads the files that an earlier one wrote: with a data package, or with a repository of the Hub."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import tokpress
from tests.golden import inputs
from tests.hub_server import Repositories, serving
from tests.limits import LAST_RESORT
from tokpress.errors import ModelError, ModelMismatchError
from tokpress.models import hub, identity, missing, package, places, store
from tokpress.models.loading import load_folder

ROOT = Path(__file__).parent.parent
TEXT = identity.MODELS / "text"
PROSE = (inputs.SOURCES / "prose.txt").read_bytes()[:3000]
ID = identity.ids(identity.MODELS)["text"].hex()

CODE = """
import sys
from tokpress.cli import main
try:
    main()
finally:
    assert "tokpress_models_text_1" not in sys.modules
"""


class Release:
    """The package without the model text, whose place its table says."""

    def __init__(self, place: Path, **where: str) -> None:
        self.place, self.path = place, [place / "release"]
        target, skipped = place / "release" / "tokpress", shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "tokpress", target, ignore=skipped)
        shutil.copytree(ROOT / "cli", target / "cli", ignore=skipped)
        models = target / "models" / "shipped"
        for folder in models.glob("text*"):
            shutil.rmtree(folder)
        listed = json.loads((models / identity.LIST).read_text())
        (models / identity.LIST).write_text(
            json.dumps({name: each for name, each in listed.items() if not name.startswith("text")})
        )
        (models / identity.FORMER).write_text(json.dumps({ID: {"name": "text", "release": "0.1.0", **where}}))
        (place / "a.tokp").write_bytes(tokpress.compress(PROSE, model="text"))

    def run(self, *words: str, code: int = 0, **environment: str) -> str:
        """What a command prints. No data package is imported."""
        settings = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        settings |= {
            "PYTHONPATH": os.pathsep.join(map(str, self.path)),
            "HF_HOME": str(self.place / "home"),
            **environment,
        }
        done = subprocess.run(
            [sys.executable, "-c", CODE, *words],
            cwd=self.place,
            env=settings,
            capture_output=True,
            text=True,
            timeout=LAST_RESORT,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


def test_a_data_package(tmp_path):
    release = Release(tmp_path, package="tokpress-models-text-1")
    advice = "it is text of tokpress 0.1.0: pip install tokpress-models-text-1"
    assert advice in release.run("decompress", "a.tokp", code=1)
    assert advice in release.run("info", "a.tokp")
    assert "pip install tokpress-models-text-1" in release.run("models", "--fetch", ID, code=1)
    wheel = package.build("text-1", {"text-0.1": TEXT}, tmp_path / "dist")
    site = tmp_path / "site"
    words = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", "--target")
    subprocess.run([sys.executable, *words, site, wheel], check=True, timeout=LAST_RESORT)
    release.path.append(site)
    release.run("decompress", "-q", "a.tokp")
    assert (tmp_path / "a").read_bytes() == PROSE
    assert f"model text-0.1 ({ID})" in release.run("info", "a.tokp")
    (row,) = [each for each in json.loads(release.run("models", "--json")) if each["id"] == ID]
    assert row["place"] == "tokpress-models-text-1 1" and row["name"] == "text-0.1"
    assert row["folder"] == str(site / "tokpress_models_text_1" / "text-0.1")
    (site / "tokpress_models_text_1" / "text-0.1" / "config.json").write_text("{}")
    (tmp_path / "a").unlink()
    assert "config.json: a model lacks the setting" in release.run("decompress", "a.tokp", code=1)


def test_a_record_that_is_wrong(tmp_path, monkeypatch):
    """It says that a folder holds a model, which now holds another one: the hash decides."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    hub.record(bytes(4), hub.Repository("user/model", "1f"), TEXT)
    with pytest.raises(ModelMismatchError, match="it was fetched from user/model@1f"):
        store.by_id(bytes(4), [])


def test_a_repository(tmp_path):
    pytest.importorskip("huggingface_hub")
    repositories = Repositories()
    commit = repositories.commit("tokpress/text", {path.name: path.read_bytes() for path in TEXT.iterdir()})
    repositories.commit("tokpress/text", {"config.json": b"{}"})
    release = Release(tmp_path, repository=f"tokpress/text@{commit}")
    assert f"it is text of tokpress 0.1.0: tokpress models --fetch {ID}" in release.run("decompress", "a.tokp", code=1)
    with serving(repositories) as address:
        assert ID in release.run("models", "--fetch", ID, HF_ENDPOINT=address)
    release.run("decompress", "-q", "a.tokp")
    assert (tmp_path / "a").read_bytes() == PROSE


def test_the_table_of_former_models():
    """Every entry says where its model is; no model of this release is in it."""
    entries = json.loads((identity.MODELS / identity.FORMER).read_text())
    for id in entries:
        former = identity.former(bytes.fromhex(id))
        assert former and former.name and former.release and (former.package or former.repository)
    assert not entries.keys() & {id.hex() for id in identity.ids(identity.MODELS).values()}


def test_both_ways_to_get_a_model(tmp_path):
    entry = {"name": "text", "release": "1.2", "package": "tokpress-models-text-1", "repository": "tokpress/text@1f"}
    (tmp_path / identity.FORMER).write_text(json.dumps({"00000000": entry}))
    said = missing.how_to_get(bytes(4), tmp_path)
    assert said == "it is text of tokpress 1.2: pip install tokpress-models-text-1 or tokpress models --fetch 00000000"


def test_a_wheel_is_the_same_again_and_holds_models_only(tmp_path):
    folder = identity.MODELS / "photo-tokens"
    shutil.copytree(folder, tmp_path / "photo")
    (tmp_path / "photo" / "run.py").write_text("raise SystemExit")
    first = package.build("photo", {"photo": tmp_path / "photo"}, tmp_path / "first")
    again = package.build("photo", {"photo": folder}, tmp_path / "again")
    assert (
        first.name == again.name == "tokpress_models_photo-1-py3-none-any.whl"
        and first.read_bytes() == again.read_bytes()
    )
    with zipfile.ZipFile(first) as archive:
        archive.extractall(tmp_path / "out")
    module = tmp_path / "out" / "tokpress_models_photo"
    assert {path.name for path in module.iterdir()} == {"__init__.py", "ids.json", "photo"}
    assert {path.name for path in (module / "photo").iterdir()} == {path.name for path in folder.iterdir()}
    assert load_folder(module / "photo").id == load_folder(folder).id == identity.ids(module)["photo"]


@pytest.mark.parametrize(
    ("name", "models"),
    [("Text", {"a": TEXT}), ("a b", {"a": TEXT}), ("a", {}), ("a", {"../a": TEXT}), ("a", {"a": ROOT})],
)
def test_what_cannot_be_packaged(name, models, tmp_path):
    with pytest.raises(ModelError):
        package.build(name, models, tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


def test_a_damaged_data_package_is_passed_over(tmp_path, monkeypatch):
    info = tmp_path / "broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{places.GROUP}]\nbroken = no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.warns(UserWarning, match="broken 1: 'no_such_module' is no package with models, skipped"):
        assert "shipped" in {entry.origin for entry in places.entries()}
