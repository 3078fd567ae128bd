"""States after contexts on disk: the same bytes with and without them, whatever lies in the folder."""

import os
import stat
import subprocess
import sys
import threading
from hashlib import blake2b
from pathlib import Path

import pytest

import tokpress
from tests.limits import LAST_RESORT
from tokpress.errors import TokpressError
from tokpress.models import states
from tokpress.models.model import Model
from tokpress.native import library
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.text.bytes import BytesTokenizer

TINY = Model(BytesTokenizer(), HistogramPrior(256), name="tiny")
LINES = b"".join(b'{"id": %d, "name": "user%d", "ms": %d}\n' % (i, i * 7 % 13, i * i % 997) for i in range(60))
RECORD = b'{"id": 99, "name": "user4", "ms": 12}\n'
needs_core = pytest.mark.skipif(not library.is_here(), reason="the twins keep no states")


@pytest.fixture
def mixed(cache) -> Path:
    """The state of context mixing after LINES."""
    (entry,) = tokpress.Context(LINES).prime("context-mixing")
    return entry.path


def packed(context=LINES, model="context-mixing", source=RECORD):
    return tokpress.compress(source, model, context=context)


def check(model="context-mixing", context=LINES):
    """Both ways, by bytes of a context and by an object that serves twice."""
    expected = packed(context, model)
    given = model if model is TINY else None
    for same in (context, tokpress.Context(context)):
        for source in (RECORD, RECORD[:9]):
            data = tokpress.compress(source, model, context=same)
            assert tokpress.decompress(data, given, context=same) == source
            assert data == expected or source != RECORD
    return expected


@needs_core
@pytest.mark.parametrize("model", ["text", "context-mixing", "text-large"])
def test_the_same_bytes_with_and_without(cache, model):
    context = LINES[:600] if model == "text-large" else LINES
    expected = check(model, context)
    assert list(states.entries()) == []
    (entry,) = tokpress.Context(context).prime(model, name="lines")
    assert entry.fits and (entry.about["context"], entry.about["context_bytes"]) == ("lines", len(context))
    assert list(states.entries()) == [entry]
    assert check(model, context) == expected
    written = entry.path.stat().st_mtime_ns
    assert tokpress.Context(context).prime(model) == [entry] and entry.path.stat().st_mtime_ns == written
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700 or os.name == "nt"
    assert [path.name for path in cache.iterdir()] == [entry.path.name]


@needs_core
def test_each_model_of_an_effort(cache):
    assert [entry.about["model"] for entry in tokpress.Context(LINES).prime()] == ["text", "context-mixing"]
    with pytest.raises(TokpressError, match="reads no context"):
        tokpress.Context(LINES).prime("linear-prediction")


@needs_core
def test_samples_are_the_same(cache):
    model = tokpress.load("text")
    drawn = model.sample(20, seed=1, prompt=LINES)
    tokpress.Context(LINES).prime("text")
    assert model.sample(20, seed=1, prompt=LINES) == drawn


def test_models_without_states(cache):
    assert tokpress.Context(LINES).prime(TINY) == [] == list(states.entries())
    check(TINY)


def test_the_twins_keep_none(cache, without_core):
    assert tokpress.Context(LINES).prime("context-mixing") == [] == list(states.entries())


def test_large_frames_read_the_context(mixed):
    source = RECORD * 500
    assert tokpress.decompress(packed(source=source), context=LINES) == source


def forged(path: Path, key: bytes, state: bytes) -> None:
    """A state with right digests."""
    sizes = states.HEAD.pack(b"", b"", b"", 0, len(state))[-12:]
    path.write_bytes(states.MAGIC + key + blake2b(key + sizes + state, digest_size=32).digest() + sizes + state)
    path.chmod(0o600)


def parts(path: Path) -> tuple[bytes, bytes]:
    """(key, state)"""
    data = path.read_bytes()
    _, key, _, length, _ = states.HEAD.unpack_from(data)
    return key, data[states.HEAD.size + length :]


@needs_core
def test_a_state_is_used_and_trusted(mixed):
    """With the state of another context under its key, a model codes as after that one."""
    other, expected = LINES[::-1], packed()
    (entry,) = tokpress.Context(other).prime("context-mixing")
    forged(mixed, parts(mixed)[0], parts(entry.path)[1])
    assert packed() != expected


@needs_core
def test_another_context_or_model_is_not_found(mixed):
    for other in (LINES[1:], LINES + b"\n"):
        check(context=other)
    check("text")
    check(TINY)


@needs_core
def test_damage_is_found(mixed):
    data, expected = mixed.read_bytes(), packed()
    for at in [
        *range(0, states.HEAD.size + 40, 3),
        *range(states.HEAD.size, len(data), len(data) // 20),
        len(data) - 1,
    ]:
        mixed.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        with pytest.warns(UserWarning, match="is ignored: it is damaged"):
            assert packed() == expected
    for wrong in (
        *(data[:size] for size in (0, 7, 83, 84, 100, len(data) // 2, len(data) - 1)),
        data + b"\0",
        bytes(len(data)),
    ):
        mixed.write_bytes(wrong)
        with pytest.warns(UserWarning, match="is ignored: it is damaged"):
            assert packed() == expected
    with pytest.warns(UserWarning, match="is ignored: it is damaged"):
        tokpress.Context(LINES).prime("context-mixing")
    assert mixed.read_bytes() == data and packed() == expected


@needs_core
def test_a_state_under_another_name(mixed):
    """The key in a file tells for what it is."""
    path, expected = (
        mixed.with_name(f"{tokpress.Context(RECORD).digest.hex()}.{mixed.name.split('.')[1]}"),
        packed(RECORD),
    )
    mixed.rename(path)
    assert packed(RECORD) == expected
    with pytest.warns(UserWarning, match="is ignored"):
        forged(mixed, bytes(32), parts(path)[1])
        check()


@needs_core
@pytest.mark.parametrize("state", [b"", bytes(1000), b"\xff" * 1000])
def test_a_state_that_fits_no_model(mixed, state):
    expected = packed()
    forged(mixed, parts(mixed)[0], state)
    with pytest.warns(UserWarning, match="the context is read"):
        assert packed() == expected


@needs_core
def test_states_of_another_instruction_set(mixed):
    """They are kept apart; here nothing is found, and nothing is said."""
    code = f"import tokpress; print(tokpress.compress({RECORD!r}, 'context-mixing', context={LINES!r}).hex())"
    for name in library.instruction_sets():
        environment = os.environ | {"TOKPRESS_CORE": name}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, timeout=LAST_RESORT)
        assert done.stdout.decode().strip() == packed().hex() and done.stderr == b""
    key, state = parts(mixed)
    about = b'{"layout": "00000000 portable"}'
    mixed.write_bytes(states.HEAD.pack(states.MAGIC, key, bytes(32), len(about), len(state)) + about + state)
    assert [entry.fits for entry in states.entries()] == [False]


@needs_core
@pytest.mark.skipif(os.name == "nt", reason="no permission bits")
def test_what_others_may_write_is_ignored(mixed, cache):
    expected = packed()
    cache.chmod(0o777)
    with pytest.warns(UserWarning, match="another user owns this folder or may write to it"):
        assert packed() == expected
    with pytest.raises(TokpressError, match="another user owns"):
        tokpress.Context(RECORD).prime("context-mixing")
    cache.chmod(0o755)
    assert packed() == expected
    mixed.chmod(0o620)
    with pytest.warns(UserWarning, match="no file of yours"):
        assert packed() == expected


@needs_core
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_files_of_other_users_are_ignored(mixed, cache):
    expected = packed()
    os.chown(mixed, 12345, 12345)
    with pytest.warns(UserWarning, match="no file of yours"):
        assert packed() == expected
    os.chown(cache, 12345, 12345)
    with pytest.warns(UserWarning, match="another user owns"):
        assert packed() == expected


@needs_core
@pytest.mark.skipif(os.name == "nt", reason="links are for administrators")
def test_links_and_pipes_are_ignored(mixed, cache):
    expected = packed()
    mixed.rename(cache / "elsewhere")
    mixed.symlink_to(cache / "elsewhere")
    with pytest.warns(UserWarning, match="is ignored"):
        assert packed() == expected
    mixed.unlink()
    os.mkfifo(mixed, 0o600)
    with pytest.warns(UserWarning, match="is ignored"):
        assert packed() == expected


@needs_core
def test_a_folder_that_cannot_be(cache):
    cache.parent.write_bytes(b"")
    with pytest.raises(OSError, match="cache"):
        tokpress.Context(LINES).prime("context-mixing")
    check()


@needs_core
def test_threads_take_up_one_state(mixed):
    context, found, expected = tokpress.Context(LINES), [], packed()
    threads = [threading.Thread(target=lambda: found.append(packed(context))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4
