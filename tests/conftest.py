"""One process for each processor, each on one thread: compiled code is what most tests wait for, and two that share a processor
with two threads each wait for one another. `python -m pytest -n 0` is one process."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tokpress.native import library

# the outcome of no test depends on how quick the machine is
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

#: each of them imports torch, and the longest file is one process's
MAX_WORKERS = 8

# Modules that tests import from their own folders leave no __pycache__ there: tests list those folders.
os.environ["PYTHONPYCACHEPREFIX"] = str(Path(__file__).parent.parent / ".pytest_cache" / "bytecode")
sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"]

# Commands that tests run write to stdout as they do for a user, who has not set this: it is buffered.
os.environ.pop("PYTHONUNBUFFERED", None)

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_xdist_auto_num_workers(config) -> int:
    """Of processors that this process may use; xdist's own rule counts a core with two threads once."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, MAX_WORKERS)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Iterator[None]:
    """Tests hold no doctests: a test file that cannot be imported is an error. As a source of doctests it would be passed over, and be found
    half-imported, without its tests, when it is collected next."""
    collectors = yield
    return [collector for collector in collectors if type(collector).__name__ != "DoctestModule"]


def pytest_collection_modifyitems(items) -> None:
    """The file that takes longest begins first, so that no process is left alone with it."""
    items.sort(key=lambda item: "test_environments" not in item.nodeid)


# No test finds states after contexts that its user has kept.
os.environ["TOKPRESS_CACHE"] = str(Path(__file__).parent.parent / ".pytest_cache" / "nothing")


@pytest.fixture
def cache(monkeypatch, tmp_path) -> Path:
    """An empty cache folder; gives the folder of states in it."""
    monkeypatch.setenv("TOKPRESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "contexts"


@pytest.fixture
def reported_processors(monkeypatch) -> Callable[[int], None]:
    """Lets the system report another number of processors."""

    def report(count: int) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(count)), raising=False)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    return report


@pytest.fixture
def without_core(monkeypatch) -> Iterator[None]:
    """The Python twins run, as on a machine without the library."""
    monkeypatch.setenv("TOKPRESS_CORE", "twin")
    library.instruction_set.cache_clear()
    yield
    monkeypatch.undo()
    library.instruction_set.cache_clear()
