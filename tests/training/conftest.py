from pathlib import Path

import pytest

from tests.training.command import prose


@pytest.fixture
def corpus(tmp_path, monkeypatch) -> Path:
    """A small corpus in a folder of its own, which is where the test is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/one.txt").write_bytes(prose(3000, 0))
    (tmp_path / "texts/two.log").write_bytes(prose(1000, 1))
    (tmp_path / "new.txt").write_bytes(prose(500, 2))
    return tmp_path / "texts"
