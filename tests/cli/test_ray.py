"""--ray: the same files as without it, on a local Ray of two workers; a worker that is killed loses nothing and leaves nothing."""

import os
import signal
import subprocess
import sys
from importlib.util import find_spec

import pytest

import tokpress
from tests.cli.conftest import command, leftovers, letters, plugin
from tests.limits import LAST_RESORT, wait_until
from tests.local_ray import local_ray

if not find_spec("ray"):
    pytest.skip("Ray is not installed", allow_module_level=True)
SOURCES = {f"{name}.txt": letters(2000 + 100 * number, number) for number, name in enumerate("abcdefghij")}


@pytest.fixture(scope="module")
def address():
    """Of a local Ray of two workers."""
    with local_ray() as address:
        yield address


@pytest.fixture
def ray(process, address):
    """The command on that Ray: its stdout and stderr."""

    def call(*words, code=0) -> str:
        done = process(*words, "--ray", address, code=code)
        return done.stdout.decode() + done.stderr.decode()

    return call


@pytest.fixture
def folder(place):
    made = place / "d"
    (made / "below").mkdir(parents=True)
    for number, (name, data) in enumerate(SOURCES.items()):
        (made / "below" / name if number % 2 else made / name).write_bytes(data)
    return made


def content(folder, suffix: str) -> dict[str, bytes]:
    return {path.name.removesuffix(".tokp"): path.read_bytes() for path in folder.rglob(f"*{suffix}")}


def check(folder) -> None:
    """Each source once, each output once, nothing else; outputs decode to their sources."""
    packed = content(folder, ".tokp")
    assert {name: tokpress.decompress(data) for name, data in packed.items()} == SOURCES
    assert content(folder, ".txt") == SOURCES
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 2 * len(SOURCES)
    assert leftovers(folder) == leftovers(folder / "below") == []


def test_there_and_back(ray, folder):
    (folder / "a.txt.tokp").write_bytes(tokpress.compress(SOURCES["a.txt"]))
    said = ray("compress", "-r", "d", "--fast")
    assert "d/a.txt: d/a.txt.tokp exists already, skipped" in said and "d/c.txt: 2,200 →" in said
    assert "10 files: 9 done, 1 skipped, 0 failed; " in said
    check(folder)
    alone = tokpress.compress(SOURCES["b.txt"], effort="fast")
    assert (folder / "below" / "b.txt.tokp").read_bytes() == alone
    assert "10 files: 0 done, 10 skipped, 0 failed; 0 bytes" in ray("compress", "-r", "d")

    assert "d/below/b.txt.tokp: OK" in ray("test", "-r", "d")
    for path in folder.rglob("*.txt"):
        path.unlink()
    assert "10 done" in ray("decompress", "-r", "d")
    check(folder)


@pytest.mark.slow
def test_failures_are_named_and_the_others_done(ray, folder):
    (folder / "c.txt.tokp").mkdir()
    said = ray("compress", "-r", "d", "--fast", code=1)
    assert "d/c.txt.tokp: is a directory" in said
    assert "10 files: 9 done, 0 skipped, 1 failed; " in said and "tokpress: failed: d/c.txt\n" in said
    (folder / "c.txt.tokp").rmdir()
    assert "10 files: 1 done, 9 skipped, 0 failed; 2,200 → " in ray("compress", "-r", "d", "--fast")
    check(folder)
    packed = folder / "e.txt.tokp"
    packed.write_bytes(packed.read_bytes()[:-1])
    said = ray("test", "-r", "d", code=1)
    assert "tokpress: d/e.txt.tokp: frame 1 " in said and "9 done, 0 skipped, 1 failed" in said


@pytest.mark.slow
def test_inputs_are_deleted_after_their_outputs(ray, folder):
    ray("compress", "-r", "d", "--fast", "--rm")
    assert content(folder, ".txt") == {} and len(content(folder, ".tokp")) == len(SOURCES)
    ray("decompress", "-r", "d", "--rm")
    assert content(folder, ".txt") == SOURCES and content(folder, ".tokp") == {}


KILL = """
import os, signal, sys
seen = set()
def kill(event, arguments):
    path = os.fsdecode(arguments[0]) if arguments and isinstance(arguments[0], (str, bytes)) else ""
    temporary = path.rpartition("/")[2].startswith(".tokp-")
    if {when}:
        try:
            os.close(os.open({marker!r}, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)
    if temporary:
        seen.add(event)
sys.addaudithook(kill)
"""
#: moments in the life of an output; the marker is opened in the hook, which is called again
MOMENTS = {
    "coding": "event == 'open' and 'open' in seen and not temporary and 'marker' not in path",
    "complete": "event == 'os.link' and temporary",
    "named": "event == 'os.remove' and temporary",
}


@pytest.mark.parametrize(
    "moment", ["complete", *(pytest.param(name, marks=pytest.mark.slow) for name in ("coding", "named"))]
)
def test_a_killed_worker_loses_nothing(ray, place, folder, moment):
    marker = str(place / "marker")
    words = plugin(place, KILL.format(when=MOMENTS[moment], marker=marker))
    said = ray("compress", "-r", "d", "--fast", *words)
    assert os.path.exists(marker)  # it was killed
    assert "10 files: 10 done, 0 skipped, 0 failed; " in said
    assert ("written by a worker that was lost" in said) == (moment == "named")
    check(folder)


@pytest.mark.slow
def test_a_file_that_kills_its_worker(address, ray, place, folder):
    """Its neighbours in the task are done."""
    marker = str(place / "marker")
    always = "os.kill(os.getpid(), 9) if event == 'open' and path.endswith('d/c.txt') else None"
    words = plugin(place, KILL.format(when=always, marker=marker))
    said = ray("compress", "-r", "d", "--fast", *words, code=1)
    assert "9 done, 0 skipped, 1 failed" in said and "tokpress: failed: d/c.txt\n" in said
    assert "d/c.txt: its worker was lost 4 times" in said
    ray("compress", "-r", "d", "--fast")
    check(folder)


@pytest.mark.slow
def test_a_command_that_is_stopped_leaves_nothing(address, ray, place, folder):
    words = command("compress", "-r", "d", "--fast", "--ray", address)
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as running:
        wait_until(lambda: content(folder, ".tokp") or running.poll() is not None)
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=LAST_RESORT)
    assert running.returncode in (0, 128 + signal.SIGTERM) and "Traceback" not in said, said
    assert leftovers(folder) == leftovers(folder / "below") == []
    ray("compress", "-r", "d", "--fast")
    check(folder)


@pytest.mark.slow
def test_a_full_disk(ray, run, place):
    """A file system of 64 KB."""
    made = place / "small"
    made.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(made)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user mounts no file systems")
    try:
        for number in range(4):
            (made / f"{number}.txt").write_bytes(os.urandom(12_000))
        said = ray("compress", "-r", "small", "--fast", code=1)
        assert "No space left on device: nothing was left behind" in said
        done = len(list(made.glob("*.tokp")))
        assert f"4 files: {done} done, 0 skipped, {4 - done} failed" in said and 0 <= done < 4
        assert leftovers(made) == [] and len(list(made.iterdir())) == 4 + done
        run("test", "-r", "small")
    finally:
        subprocess.run(["umount", str(made)], check=True)


@pytest.mark.parametrize(
    "words, message",
    [
        (("--ray", "-c", "d/a.txt"), "leave out -o, -c"),
        (("-o", "x", "d/a.txt", "--ray"), "leave out -o, -c"),
        (("--ray", "d"), "--ray d: is no address"),
        (("d/a.txt", "memory://a", "--ray"), "memory://a is a remote file"),
        (("-", "--ray"), "is stdin"),
    ],
)
def test_wrong_use(run, folder, words, message):
    assert message in run("compress", *words, code=2, input=b"").stderr


@pytest.mark.slow
def test_more_threads_than_cores(ray, folder):
    assert "-T 99: no machine" in ray("compress", "-T", "99", "d/a.txt", code=1)


def test_without_ray(place, folder):
    code = "import sys; sys.modules['ray'] = None; from tokpress.cli import main; main()"
    words = [sys.executable, "-c", code, "compress", "-r", "d", "--ray"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LAST_RESORT)
    assert done.returncode == 1 and "tokpress: this needs ray: pip install 'tokpress[ray]'\n" in done.stderr


def test_an_address_where_nothing_listens(process, folder):
    """Ray itself tries for minutes."""
    said = process("compress", "-r", "d", "--ray", "127.0.0.1:1", code=1).stderr.decode()
    assert "tokpress: cannot reach the Ray at 127.0.0.1:1: " in said
