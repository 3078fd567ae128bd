"""Limits of the system, and users without a home: one plain line, nothing left behind, nothing made where it should not be."""

import errno
import os
import resource
import shutil
import subprocess

import pytest

import tokpress
from tests.limits import LAST_RESORT
from tokpress.cli import limits

from .conftest import command, leftovers, letters, plugin
from .test_places import fails

DATA = letters(3000)
KIB, MIB = 1 << 10, 1 << 20


def limited(*words, addresses: int) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*words), capture_output=True, timeout=LAST_RESORT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (addresses, addresses)),
    )  # fmt: skip


WORDS = [("compress", "--rm", "a"), ("decompress", "--rm", "b.tokp"), ("test", "b.tokp"), ("pack", "a", "-o", "c")]


def test_too_few_addresses(place, tiny):
    (place / "a").write_bytes(DATA)
    (place / "b.tokp").write_bytes(tokpress.compress(DATA, tiny))
    addresses = limits.LEAST_ADDRESSES - 4 * MIB
    for words in WORDS:
        fails(limited(*words, "-m", tiny, addresses=addresses), b"not enough memory", b"ulimit -v")
    assert sorted(os.listdir(place)) == ["a", "b.tokp"]
    assert limited("--version", addresses=addresses).returncode == 0


# with less, OpenBLAS ends the process by itself while numpy is imported
@pytest.mark.parametrize("addresses", [115 * MIB, 200 * MIB, 300 * MIB, 500 * MIB])
@pytest.mark.parametrize("words", WORDS, ids=lambda words: words[0])
def test_few_addresses_for_a_model_that_needs_numpy(place, tiny, words, addresses):
    """It goes well, or says what is missing; nothing is lost or half made either way."""
    (place / "a").write_bytes(DATA)
    (place / "b.tokp").write_bytes(tokpress.compress(DATA, tiny))
    done = limited(*words, "-m", tiny, addresses=addresses)
    made = {
        "compress": ["a.tokp", "b.tokp"],
        "decompress": ["a", "b"],
        "test": ["a", "b.tokp"],
        "pack": ["a", "b.tokp", "c"],
    }
    if done.returncode:
        fails(done, b"not enough memory", b"ulimit -v")
        assert sorted(os.listdir(place)) == ["a", "b.tokp"]
    else:
        assert sorted(os.listdir(place)) == made[words[0]]


def test_enough_addresses(place):
    (place / "a").write_bytes(DATA)
    done = limited("compress", "--rm", "a", addresses=limits.LEAST_ADDRESSES)
    assert done.returncode == 0, done.stderr
    assert os.listdir(place) == ["a.tokp"]


def test_what_a_limit_is_called(monkeypatch):
    for found in (1 << 30, None):
        monkeypatch.setattr(limits, "addresses", lambda found=found: found)
        for error in (MemoryError(), ImportError("lib.so: failed to map segment"), OSError("could not be loaded")):
            message = limits.message(error, True)
            assert (message is None) == (found is None and not isinstance(error, MemoryError))
            assert message is None or (
                message.startswith("not enough memory") and ("ulimit -v" in message) == bool(found)
            )
        assert "frame-size" not in (limits.message(MemoryError(), False) or "")
        assert "ulimit -u" in (limits.message(RuntimeError("can't start new thread"), True) or "")
        for other in (
            RuntimeError("else"),
            FileNotFoundError(2, "no such file"),
            ModuleNotFoundError("x"),
            ValueError(),
            BlockingIOError(errno.EAGAIN, "the input is not ready"),
        ):
            assert limits.message(other, True) is None


def as_somebody(words: list[str], processes: int) -> subprocess.CompletedProcess:
    """As a user who is not root, but may read what root may, and start so many processes."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or not setpriv:
        pytest.skip("must be root, and have setpriv")
    caps = "dac_read_search,+dac_override"
    become = [setpriv, "--reuid", "54321", "--regid", "54321", "--clear-groups", f"--inh-caps=+{caps}"]
    become += [f"--ambient-caps=+{caps}", f"--bounding-set=-all,+{caps}"]
    line = ["bash", "-c", f'ulimit -u {processes}; exec "$@"', "bash", *words]
    return subprocess.run([*become, *line], capture_output=True, timeout=LAST_RESORT)


def test_no_further_process(place, tiny):
    """One thread codes, too; what needs another process says that it may have none."""
    os.chmod(place, 0o777)
    (place / "a").write_bytes(DATA)
    first = as_somebody(command("compress", "--rm", "-m", tiny, "a"), 1)
    if b"setpriv" in first.stderr:
        pytest.skip("may not become somebody here")
    assert first.returncode == 0, first.stderr
    assert as_somebody(command("decompress", "--rm", "-m", tiny, "a.tokp"), 1).returncode == 0
    assert (place / "a").read_bytes() == DATA and not leftovers(place)
    pytest.importorskip("rich")
    fails(as_somebody(command("bench", "--against", "", "a"), 1), b"ulimit -u")


LIBRARY = """
import os, contextlib
with contextlib.suppress(OSError):
    os.makedirs(os.path.expanduser("~/.cache/library"))
"""


@pytest.mark.parametrize("home", ["~", "relative", "/dev/null"])
def test_no_home(process, place, tiny, home):
    """Libraries that keep something in it make no folder in this one."""
    (place / "a").write_bytes(DATA)
    process("compress", "--rm", "-m", tiny, *plugin(place, LIBRARY), "a", env=os.environ | {"HOME": home})
    assert sorted(os.listdir(place)) == ["a.tokp", "plugin.py"]


def test_an_empty_home_is_none(process, place, tiny):
    import pwd

    code = 'import os, sys; print(os.path.expanduser("~"), file=sys.stderr)'
    told = process("sample", "-n", "1", "-m", tiny, *plugin(place, code), env=os.environ | {"HOME": ""}).stderr
    assert told.decode().splitlines()[0] == pwd.getpwuid(os.getuid()).pw_dir


@pytest.mark.slow
@pytest.mark.parametrize("home", ["~", ""])
def test_no_home_and_a_model_of_the_package(place, home):
    (place / "a").write_bytes(DATA)
    done = subprocess.run(
        command("compress", "--rm", "-m", "context-mixing", "a"), capture_output=True, env=os.environ | {"HOME": home}
    )
    assert done.returncode == 0 and os.listdir(place) == ["a.tokp"]
