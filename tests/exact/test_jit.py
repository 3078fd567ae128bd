"""The cache of compiled functions is used where it can be, and never an error."""

import os
import shutil
import subprocess
import sys
import textwrap

import pytest

MODULE = """
    from tokpress.exact.jit import njit

    @njit
    def thrice(x):
        return 3 * x

    if __name__ == "__main__":
        assert thrice(14) == 42
        print(sum(thrice.stats.cache_hits.values()))
"""


@pytest.fixture
def module(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "thrice.py").write_text(textwrap.dedent(MODULE))
    return tmp_path / "code" / "thrice.py"


def run(module, before="", **environment) -> int:
    """How many compiled functions came from the cache."""
    code = f"import runpy, sys; sys.path.insert(0, {str(module.parent)!r}); {before}\nimport thrice\n"
    code += "assert thrice.thrice(14) == 42; print(sum(thrice.thrice.stats.cache_hits.values()))"
    kept = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    kept |= {"HOME": str(module.parent.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=kept | environment)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return int(done.stdout)


def cached(folder) -> list[str]:
    return sorted(str(path) for path in folder.rglob("thrice*.nb[ci]"))


def test_compiled_once_and_not_into_the_package(module, tmp_path):
    """What pip has not installed it does not remove, and then hides an editable installation that follows."""
    assert run(module) == 0
    assert len(cached(tmp_path)) == 2 and not cached(module.parent)
    assert run(module) == 1


def test_whether_it_has_been_compiled_before(module):
    ask = "import thrice; from tokpress.exact.jit import is_cached; assert is_cached(thrice.thrice) is {}"
    assert run(module, ask.format(False)) == 0
    assert run(module, ask.format(True)) == 1
    module.write_text(module.read_text() + "\n")  # other sources
    assert run(module, ask.format(False)) == 0
    assert run(module, ask.format(False), HOME="/proc/none") == 0
    for index in module.parent.parent.rglob("thrice*.nbi"):
        index.write_bytes(b"damaged")
    assert run(module, ask.format(False)) == 0


def test_nowhere_where_there_is_no_home(module, tmp_path):
    """Not beside the source either."""
    assert run(module, HOME="/proc/none") == 0 and run(module, HOME="/proc/none") == 0
    assert not cached(module.parent) and not cached(tmp_path)


def test_whoever_waits_is_told(module, tmp_path):
    told = "from tokpress import exact; told = []; exact.on_compile.append(lambda: told.append(1)); import thrice"
    assert run(module, before=f"{told}; thrice.thrice(1); assert told") == 0
    assert run(module, before=f"{told}; thrice.thrice(1); assert not told") == 1


def test_a_folder_of_ones_own(module, tmp_path):
    place = str(tmp_path / "mine")
    assert run(module, NUMBA_CACHE_DIR=place) == 0 and run(module, NUMBA_CACHE_DIR=place) == 1
    assert not cached(module.parent) and len(cached(tmp_path / "mine")) == 2


@pytest.mark.parametrize("place", ["/proc/none", "/dev/null", "file"])
def test_no_place_at_all(module, tmp_path, place):
    """Neither $NUMBA_CACHE_DIR nor __pycache__ nor the home directory: files stand where folders would have to be."""
    (tmp_path / "file").write_bytes(b"")
    (module.parent / "__pycache__").write_bytes(b"")
    place = str(tmp_path / "file" / "below") if place == "file" else place
    settings = {"NUMBA_CACHE_DIR": place, "HOME": place, "XDG_CACHE_HOME": place}
    assert run(module, **settings) == 0 and run(module, **settings) == 0
    assert cached(tmp_path) == []


def test_a_damaged_cache(module):
    run(module)
    for path in cached(module.parent.parent):
        for damage in (b"", None):
            with open(path, "rb") as file:
                good = file.read()
            with open(path, "wb") as file:
                file.write(good[:-20] if damage is None else damage)
            assert run(module) == 0  # compiled anew …
            assert run(module) == 1  # … and kept


def test_a_disk_that_fills_up(module):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"
    assert run(module, before=limit) == 0 and run(module, before=limit) == 0


def test_a_folder_that_goes_away(module, tmp_path):
    code = "import thrice as t, shutil; "
    place = str(tmp_path / "mine")
    assert run(module, before=f"{code} shutil.rmtree({place!r})", NUMBA_CACHE_DIR=place) == 0
    shutil.rmtree(place, ignore_errors=True)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files here have no owners")
def test_what_others_can_write_to_is_not_used(module, tmp_path):
    """What is in the cache is run. A file is made for its user alone, whatever the umask is."""
    place = tmp_path / "mine"
    assert run(module, before="import os; os.umask(0)", NUMBA_CACHE_DIR=str(place)) == 0
    files = cached(place)
    assert {os.stat(path).st_mode & 0o777 for path in files} == {0o600}
    for path in files:
        os.chmod(path, 0o666)
        assert run(module, NUMBA_CACHE_DIR=str(place)) == 0  # made anew …
    assert run(module, NUMBA_CACHE_DIR=str(place)) == 1  # … and one's own
    os.chmod(os.path.dirname(files[0]), 0o777)
    assert run(module, NUMBA_CACHE_DIR=str(place)) == 0


@pytest.mark.skipif(os.name != "posix", reason="about home directories of POSIX")
def test_nobody_without_a_home_gets_a_folder(module, tmp_path):
    """Neither one called ~ nor a home directory."""
    nobody = "import os, pwd; del os.environ['HOME']; pwd.getpwuid = lambda user: {}[user]; "
    place = tmp_path / "here"
    place.mkdir()
    assert run(module, f"{nobody} os.chdir({str(place)!r}); import thrice; assert not os.listdir('.')") == 0
    assert run(module, HOME=str(tmp_path / "missing")) == 0 and not (tmp_path / "missing").exists()
