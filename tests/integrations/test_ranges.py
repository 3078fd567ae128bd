"""Parts of a .tokp file on a server: what is fetched is about one frame. A connection that is cut is an error, never other bytes."""

import io
import subprocess

import numpy as np
import pytest

import tokpress
from tests.cli.conftest import command, leftovers, letters
from tests.http_server import serving_ranges
from tests.limits import LAST_RESORT
from tokpress.container.index import iter_headers, pack_index

fsspec = pytest.importorskip("fsspec")
aiohttp = pytest.importorskip("aiohttp")
FRAME, FRAMES = 1 << 14, 60
#: nothing that a model could shorten, so that frames have the size of their sources
DATA = np.random.default_rng(0).bytes(FRAME * FRAMES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("served")
    with tokpress.open(place / "a.tokp", "wb", effort="fast", frame_size=FRAME) as file:
        file.write(DATA)
    packed = (place / "a.tokp").read_bytes()
    assert len(packed) > len(DATA)
    (place / "a.tokp.idx").write_bytes(pack_index(iter_headers(io.BytesIO(packed))))
    (place / "letters.tokp").write_bytes(tokpress.compress(letters(50_000)))
    return place


@pytest.fixture
def served(folder):
    """The address of the server, and what it has sent."""
    with serving_ranges(folder) as server:
        yield server


def part_of(address: str, index: str | None, start: int, count: int, **cache) -> bytes:
    system, path = fsspec.url_to_fs(f"{address}/a.tokp", skip_instance_cache=True)
    indexed = io.BytesIO(system.cat_file(f"{address}/{index}")) if index else None
    with system.open(path, **cache) as file, tokpress.open(file, index=indexed) as source:
        source.seek(start)
        return source.read(count)


def test_a_part_with_an_index_fetches_one_frame(served):
    address, sent = served
    middle = len(DATA) // 2 + 100
    assert part_of(address, "a.tokp.idx", middle, 1024, cache_type="none") == DATA[middle : middle + 1024]
    assert FRAME < sent.of("a.tokp") < FRAME + 200
    assert sent.of("a.tokp.idx") < 40 * FRAMES
    assert len(sent.answers) < 6


def test_a_part_without_an_index_fetches_one_frame_and_headers(served):
    address, sent = served
    middle = len(DATA) // 2 + 100
    assert part_of(address, None, middle, 1024, cache_type="none") == DATA[middle : middle + 1024]
    assert FRAME < sent.of("a.tokp") < FRAME + 96 * FRAMES


def test_a_part_that_two_frames_share(served):
    address, sent = served
    assert part_of(address, "a.tokp.idx", 3 * FRAME - 5, 10, cache_type="none") == DATA[3 * FRAME - 5 :][:10]
    assert sent.of("a.tokp") < 2 * FRAME + 400


def test_blocks_of_a_cache_are_fetched_once(served):
    address, sent = served
    cache = {"cache_type": "blockcache", "block_size": FRAME}
    assert part_of(address, "a.tokp.idx", 40 * FRAME, 1024, **cache) == DATA[40 * FRAME :][:1024]
    assert sent.of("a.tokp") <= 3 * FRAME


def test_by_the_compression_that_fsspec_infers(served):
    """Over the file of fsspec's own cache."""
    address, _ = served
    from tokpress.integrations import fsspec as ours

    ours.register()
    with fsspec.open(f"{address}/a.tokp", compression="infer", block_size=FRAME, cache_type="readahead") as file:
        file.seek(-10, io.SEEK_END)
        assert file.read() == DATA[-10:]


@pytest.mark.parametrize("cut", [0, 50, FRAME // 2])
@pytest.mark.parametrize("index", [None, "a.tokp.idx"])
def test_a_connection_that_is_cut_is_an_error(served, folder, cut, index):
    address, sent = served
    indexed = io.BytesIO((folder / index).read_bytes()) if index else None
    system, path = fsspec.url_to_fs(f"{address}/a.tokp", skip_instance_cache=True)
    with system.open(path, cache_type="none") as file, tokpress.open(file, index=indexed) as source:
        source.seek(FRAME)
        sent.cut = cut
        with pytest.raises((OSError, aiohttp.ClientError, tokpress.TokpressError)):
            source.read(FRAME)
        sent.cut = None
        assert source.read(100) == DATA[FRAME : FRAME + 100]  # the connection is back


@pytest.mark.parametrize("word", ["test", "decompress", "index"])
def test_commands_name_the_file_and_leave_nothing(served, tmp_path, word):
    address, sent = served
    name = f"{address}/letters.tokp"
    sent.cut = 1000
    words = [word, name, *(() if word == "test" else ("-o", "out"))]
    done = subprocess.run(command(*words), cwd=tmp_path, capture_output=True, text=True, timeout=LAST_RESORT)
    assert done.returncode == 1 and done.stderr.startswith(f"tokpress: {name}: "), done.stderr
    assert "unexpected" not in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert not (tmp_path / "out").exists() and leftovers(tmp_path) == []
    sent.cut = None
    subprocess.run(command(*words), cwd=tmp_path, check=True, capture_output=True, timeout=LAST_RESORT)
