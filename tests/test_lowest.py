"""The lowest versions that pyproject.toml allows, which CI installs."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / ".ci" / "lowest.py"
if not SCRIPT.is_file():
    pytest.skip("only in a checkout", allow_module_level=True)
lowest = runpy.run_path(str(SCRIPT))["lowest"]


def test_every_dependency_has_a_bound():
    said = subprocess.run([sys.executable, SCRIPT, "test"], capture_output=True, text=True, check=True).stdout.split()
    names = {line.partition("==")[0] for line in said}
    assert names >= {
        "click",
        "numpy",
        "safetensors",
        "threadpoolctl",
        "tokenizers",
        "pillow",
        "pytest",
    }
    assert all(re.fullmatch(r"[\w.-]+==\d[\w.]*", line) for line in said)


def test_only_some_of_the_others():
    command = [sys.executable, SCRIPT, "image", "test", "--only", "pillow"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "pillow==" in said and "pytest==" not in said and "torch==" not in said


def test_the_lower_bound_is_taken():
    project = {
        "name": "a",
        "dependencies": ["b<2,>=1.2", "c[x]>=3; python_version<'4'"],
        "optional-dependencies": {"d": ["e>=4rc1"], "f": ["a[d]"]},
    }
    assert lowest(project, ["f"]) == {"b": "1.2", "c": "3", "e": "4rc1"}
    with pytest.raises(ValueError, match="'g<2' has no lower bound"):
        lowest({"name": "a", "dependencies": ["g<2"]}, [])
