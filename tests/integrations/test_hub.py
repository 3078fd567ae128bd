"""Models of the Hugging Face Hub: fetched, pinned, pushed and found again, with a server on loopback."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import tokpress
from tests.hub_server import Repositories, serving
from tests.limits import LAST_RESORT
from tokpress.errors import ModelError
from tokpress.models import hub
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.text.bytes import BytesTokenizer

pytest.importorskip("huggingface_hub")
SOURCE = np.random.default_rng(0).choice(np.frombuffer(b"abc\n", np.uint8), 400).tobytes()


def model(seed: int) -> Model:
    """A model that codes SOURCE better than the shipped ones."""
    return Model(BytesTokenizer(), HistogramPrior(256, 1000 * np.bincount(list(b"abc\n"), minlength=256) + seed))


def files(of: Model, place: Path, **more: bytes) -> dict[str, bytes]:
    """The files of a repository with this model."""
    of.save(place / "saved")
    return {path.name: path.read_bytes() for path in (place / "saved").iterdir()} | {
        name.replace("__", "."): data for name, data in more.items()
    }


class Machine:
    """Processes with a cache of their own, and a Hub."""

    def __init__(self, place: Path, endpoint: str) -> None:
        self.place, self.home = place, place / "home"
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        self.environment |= {
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(self.home),
            "HF_TOKEN": "hf_x",
            "TOKPRESS_MODELS": "",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }

    def _run(self, words: list[str], code: int) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.place,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LAST_RESORT,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    def python(self, code: str, fails: bool = False) -> str:
        """What a program prints; its last line of stderr, where it fails."""
        return self._run(["-c", f"import tokpress\n{code}"], int(fails)).rstrip().rpartition("\n")[2]

    def command(self, *words: str, code: int = 0) -> str:
        return self._run(["-m", "tokpress.cli", *words], code)

    def pack(self, of: Model) -> None:
        (self.place / "a.tokp").write_bytes(tokpress.compress(SOURCE, model=of))

    def unpack(self) -> bytes:
        self.command("decompress", "-q", "-f", "a.tokp")
        return (self.place / "a").read_bytes()


@pytest.fixture
def repositories() -> Repositories:
    return Repositories()


@pytest.fixture
def machine(tmp_path: Path, repositories: Repositories) -> Iterator[Machine]:
    with serving(repositories) as address:
        yield Machine(tmp_path, address)


def test_a_fetched_model_decodes_without_the_network(machine, repositories, tmp_path):
    first = model(1)
    commit = repositories.commit("user/tiny", files(first, tmp_path, pytorch_model__bin=b"\x80\x04.", run__py=b"1"))
    machine.pack(first)
    said = machine.command("decompress", "-q", "a.tokp", code=1)
    assert f"made with model {first.id.hex()}, which is not here" in said and repositories.requests == []
    assert f"tokpress models --fetch {first.id.hex()}" in machine.command("info", "a.tokp")
    assert (
        machine.python("m = tokpress.load('user/tiny'); print(m.name, m.id.hex())")
        == f"user/tiny@{commit} {first.id.hex()}"
    )
    assert repositories.fetched() == {"config.json", "model.safetensors"}
    repositories.requests.clear()
    assert machine.unpack() == SOURCE
    assert f"user/tiny@{commit}" in machine.command("info", "a.tokp")
    (row,) = [each for each in json.loads(machine.command("models", "--json")) if each["id"] == first.id.hex()]
    assert row["place"] == "fetched" and row["name"] == f"user/tiny@{commit}"
    machine.command("compress", "-q", "-f", "-m", "user/tiny", "a")
    assert repositories.requests == []
    machine.environment["HF_HUB_OFFLINE"] = "1"
    assert machine.python("print(tokpress.load('user/tiny').id.hex())") == first.id.hex()
    assert "not in the cache, and http" in machine.python("tokpress.load('user/other')", fails=True)


def test_a_branch_that_moves(machine, repositories, tmp_path):
    """A file is decoded by the model that coded it, and by no other."""
    first, second = model(1), model(2)
    commit = repositories.commit("user/tiny", files(first, tmp_path))
    machine.pack(first)
    machine.python("tokpress.load('user/tiny')")
    repositories.commit("user/tiny", files(second, tmp_path))
    assert machine.python("print(tokpress.load('user/tiny').id.hex())") == second.id.hex()
    assert machine.unpack() == SOURCE
    pinned = f"print(tokpress.load('user/tiny@{commit}').id.hex(), tokpress.Model.from_pretrained('user/tiny', revision='{commit[:8]}').id.hex())"
    assert machine.python(pinned) == f"{first.id.hex()} {first.id.hex()}"
    shutil.rmtree(machine.home / "hub")  # as `hf cache rm` does
    (tmp_path / "a").unlink()
    said = machine.command("decompress", "-q", "a.tokp", code=1)
    assert f"it was fetched from user/tiny@{commit}" in said and f"tokpress models --fetch {first.id.hex()}" in said
    assert f"user/tiny@{commit}" in machine.command("models", "--fetch", first.id.hex())
    assert machine.unpack() == SOURCE


def test_a_pushed_model_is_found_by_its_id(machine, repositories, tmp_path):
    first = model(1)
    first.save(tmp_path / "mine", card="---\nlicense: mit\n---\n# Mine\n")
    machine.pack(first)
    address = machine.python("print(tokpress.load('mine').push_to_hub('user/mine'))")
    assert address.endswith(f"/user/mine/commit/{repositories.branches['user/mine']}")
    card = repositories.commits["user/mine"][repositories.branches["user/mine"]]["README.md"].decode()
    assert f"- tokpress-{first.id.hex()}\n" in card and "license: mit\n" in card and "library_name: tokpress\n" in card
    listed = machine.command("models", "--fetch", first.id.hex())
    assert "user/mine@" in listed and first.id.hex() in listed
    assert machine.unpack() == SOURCE
    assert "no repository of the Hub has the tag tokpress-00000000" in machine.command(
        "models", "--fetch", "00000000", code=1
    )
    shutil.rmtree(machine.home)
    repositories.commit("user/copy", {"README.md": card.encode()})
    assert "user/copy, user/mine" in machine.command("models", "--fetch", first.id.hex(), code=1)


def test_what_cannot_be_fetched(machine, repositories, tmp_path):
    repositories.commit("user/other", {"config.json": b'{"architectures": ["T5"]}', "model.safetensors": b"large"})
    repositories.commit("user/none", {"pytorch_model.bin": b"\x80\x04."})
    repositories.commit("user/broken", {**files(model(1), tmp_path), "model.safetensors": b"no tensors"})
    for name, why in {
        "user/absent": "has no such repository",
        "user/other@v9": "the repository has no such revision",
        "user/other": "is no model of tokpress: its config.json has no exact_profile",
        "user/none": "no model of tokpress: the repository has no config.json",
        "user/broken": "model.safetensors",
        "ab": "'ab' is no id, nor a repository",
    }.items():
        said = machine.command("models", "--fetch", name, code=1)
        assert why in said and len(said.splitlines()) == 1, said
    assert repositories.fetched() == {"config.json", "model.safetensors"}  # of the broken one
    assert not any("user/other" in each and "safetensors" in each for each in repositories.requests)
    assert not (machine.home / "assets").exists()


def test_a_download_that_ends_early(machine, repositories, tmp_path):
    repositories.commit("user/tiny", files(model(1), tmp_path))
    repositories.truncated = "model.safetensors"
    assert "user/tiny: http" in machine.python("tokpress.load('user/tiny')", fails=True)
    repositories.truncated = ""
    assert machine.python("print(tokpress.load('user/tiny').id.hex())") == model(1).id.hex()


def test_coding_never_fetches(machine, repositories, tmp_path):
    """Names of models come from the metadata of arrays, too."""
    repositories.commit("user/tiny", files(model(1), tmp_path))
    said = machine.python("tokpress.compress(b'a' * 99, model='user/tiny')", fails=True)
    assert said.endswith("to fetch it from the Hugging Face Hub: tokpress models --fetch user/tiny")
    assert repositories.requests == []


def test_without_the_library(machine):
    said = machine.python("import sys; sys.modules['huggingface_hub'] = None; tokpress.load('user/tiny')", fails=True)
    assert said.endswith("the Hugging Face Hub needs huggingface_hub: pip install 'tokpress[hub]'")


def test_importing_does_not_import_the_library(machine):
    assert (
        machine.python("import sys; tokpress.Model, tokpress.load('text'); print('huggingface_hub' in sys.modules)")
        == "False"
    )


def test_a_local_folder(tmp_path):
    first, second = model(1), model(2)
    first.save_pretrained(tmp_path / "a")
    second.save_pretrained(tmp_path / "a")
    read = Model.from_pretrained(tmp_path / "a")
    assert read.id == second.id and read.name == "a" and f"- tokpress-{second.id.hex()}\n" in read.card
    read.save_pretrained(tmp_path / "again")
    assert (tmp_path / "again" / "README.md").read_text("utf-8") == read.card
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("here")
    with pytest.raises(ModelError, match="no model directory"):
        first.save_pretrained(tmp_path / "full")
    with pytest.raises(ModelError, match="names a revision, and so does revision='b'"):
        Model.from_pretrained("user/model@a", revision="b")
    with pytest.raises(ModelError, match="no directory, nor a repository"):
        Model.from_pretrained("model")


@pytest.mark.parametrize(
    "name", ["text", "a/b/c", "../a", "/a/b", "a/b@", "@a/b", "a b/c", "é/b", "a//b", "", "./a", "a/b@../c"]
)
def test_what_is_no_repository(name):
    assert hub.repository(name) is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"repository": 3, "folder": "a"}', '{"repository": "u/m", "folder": 3}']
)
def test_damaged_records_are_passed_over(text, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    hub.record(b"abcd", hub.Repository("user/model", "1f"), tmp_path)
    (found,) = hub.records()
    assert found == hub.recorded(b"abcd") == hub.Record(b"abcd", "user/model@1f", tmp_path)
    (tmp_path / "assets" / "tokpress" / "models" / "00000000.json").write_text(text)
    (tmp_path / "assets" / "tokpress" / "models" / "name.json").write_text('{"repository": "u/m", "folder": "a"}')
    assert list(hub.records()) == [found] and hub.recorded(bytes(4)) is None
