import json
import math
import subprocess
import sys

import pytest

from tests.bench.conftest import ROOT
from tokpress.bench import report
from tokpress.bench.codec import BenchError
from tokpress.bench.measure import Failed, Row, Run, measure, prepare, timed, total
from tokpress.bench.peers import PEERS, find

#: some 10 KB of real text
SOURCE = ROOT / "tokpress" / "tokenizers" / "text" / "bpe.py"
FAST = {"zpaq": "zpaq:1"}


@pytest.mark.parametrize("kind", PEERS)
@pytest.mark.parametrize("size", [0, 1, 6000])
def test_every_peer_brings_the_bytes_back(kind, size, text):
    text.write_bytes(SOURCE.read_bytes()[:size])
    codec = find(FAST.get(kind, kind))
    if reason := codec.missing():
        pytest.skip(reason)
    row = measure(codec, text)
    assert row.error is None and row.verified and row.source_bytes == size
    assert row.compressed_bytes is not None and (size < 6000 or row.compressed_bytes < size)
    assert row.compress_seconds > 0 and row.decompress_seconds > 0
    if sys.platform != "win32":
        assert 10**6 < row.peak_bytes < 10**9


def test_zstd_with_a_dictionary(text, tmp_path):
    zstd = pytest.importorskip("zstandard")
    words = SOURCE.read_bytes().split()
    samples = [b" ".join(words[i : i + 40]) for i in range(0, len(words) - 40, 3)]
    (tmp_path / "made").write_bytes(zstd.train_dictionary(2000, samples).as_bytes())
    text.write_bytes(SOURCE.read_bytes()[3000:6000])
    row = measure(find(f"zstd-dict:{tmp_path / 'made'}"), text)
    assert row.verified and row.codec == "zstd-dict" and row.models == {"made": 2000}
    assert row.compressed_bytes < measure(find("zstd"), text).compressed_bytes
    assert "no dictionary" in find(f"zstd-dict:{tmp_path / 'none'}").missing()
    with pytest.raises(BenchError, match="zstd-dict:FILE"):
        find("zstd-dict")


@pytest.mark.parametrize("names", [["xz:1", "xz:9e"], ["zstd:1", "zstd:22"], ["brotli:0", "brotli:11"], ["ppmd:2", "ppmd:6"]])  # fmt: skip
def test_a_higher_level_is_smaller(names, text):
    if reason := find(names[0]).missing():
        pytest.skip(reason)
    text.write_bytes(SOURCE.read_bytes())
    weak, strong = (measure(find(name), text).compressed_bytes for name in names)
    assert strong < weak


def test_xz_is_what_the_tool_writes(text):
    try:
        written = subprocess.run(["xz", "-9e", "-c", text], capture_output=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("xz is not installed")
    assert measure(find("xz"), text).compressed_bytes == len(written)


@pytest.mark.parametrize("name", ["zstd:0", "zstd:23", "xz:e9", "brotli:x", "ppmd:1", "zpaq:6", "bzip3:-1", "rar", "", "zstd:²"])  # fmt: skip
def test_unknown_names_and_levels(name):
    with pytest.raises(BenchError):
        find(name)


def test_tokpress_tells_models_and_frames(text):
    default = measure(find("tokpress"), text)
    context_mixing = measure(find("tokpress:context-mixing"), text)
    for row in (default, context_mixing):
        assert row.verified and row.header_bytes > 0 and sum(row.stored.values()) == 1
    assert (
        context_mixing.models.keys() <= {"context-mixing"}
        and context_mixing.compress_codec_seconds < context_mixing.compress_seconds
    )
    assert default.compressed_bytes <= measure(find("xz"), text).compressed_bytes + 64


def test_a_model_directory(text, tmp_path, monkeypatch):
    from tests.models import tiny_models

    monkeypatch.chdir(tmp_path)
    text.write_bytes(b"a stitch in time saves nine; " * 20)
    tiny_models()["context_mixing"].save("here/mine")
    row = measure(find("tokpress:here/mine"), text)
    assert row.verified and row.stored == {"mine": 1}
    assert row.model_bytes == sum(p.stat().st_size for p in (tmp_path / "here/mine").iterdir())


def test_a_wrong_decode_is_an_error(text, false_zpaq):
    false_zpaq()
    row = measure(find("zpaq"), text)
    assert row.error == "decoded to other bytes than the source's" and not row.verified
    assert row.compressed_bytes is None and row.bits_per_byte is None


def test_a_codec_that_fails_is_quoted(text, false_zpaq):
    false_zpaq(3)
    assert measure(find("zpaq"), text).error == "exit code 3: the disk is on fire"


def test_repeat_keeps_the_best_time_and_the_highest_peak(text):
    figures = iter([(3.0, 10), (2.0, 20), (1.0, 30), (4.0, 5)])

    def told(command, folder):
        _, _, out = timed(command, folder)
        return *next(figures), out

    row = measure(find("xz:1"), text, repeat=2, timer=told)
    assert (row.compress_seconds, row.decompress_seconds, row.compress_peak_bytes, row.decompress_peak_bytes) == (
        1.0, 2.0, 30, 20,
    )  # fmt: skip


def test_timed(tmp_path):
    grab = "x = bytearray(200_000_000); x[::4096] = b'x' * len(x[::4096]); import time; time.sleep(0.2); print(7)"
    seconds, peak, out = timed([sys.executable, "-c", grab], tmp_path)
    assert seconds >= 0.2 and out == b"7\n" and (peak is None or 200_000_000 < peak < 300_000_000)
    with pytest.raises(Failed, match="could not be started"):
        timed(["/no/such/program"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_totals():
    rows = [
        Row("a", "x", 100, compressed_bytes=10, compress_seconds=1.0, compress_peak_bytes=5, verified=True,
            models={"text": 7}, stored={"text": 1}),
        Row("b", "x", 300, compressed_bytes=40, compress_seconds=3.0, compress_peak_bytes=9, verified=True,
            models={"text": 7, "other": 1}, stored={"text": 1, "lzma": 2}),
    ]  # fmt: skip
    whole = total(rows)
    assert (whole.files, whole.source_bytes, whole.compressed_bytes, whole.bits_per_byte) == (2, 400, 50, 1.0)
    assert whole.speed("compress") == 100 and whole.peak_bytes == 9 and whole.model_bytes == 8 and whole.verified
    assert whole.stored == {"text": 2, "lzma": 2} and whole.speed("decompress") is None
    broken = total([*rows, Row("c", "x", 1, error="no")])
    assert broken.error == "1 of 3 failed" and broken.compressed_bytes is None and not broken.verified


def test_json_is_complete(text):
    run = prepare(["xz:1", "xz:1", "zstd:1"])
    assert [codec.name for codec in run.codecs] + list(run.skipped) == ["xz:1", "zstd:1"]
    for name in ("one", "two"):
        run.rows += [measure(codec, text, name) for codec in run.codecs]
    told = json.loads(json.dumps(report.as_json(run, ["tokpress", "bench"]), allow_nan=False))
    assert told["format"] == 1 and told["command"] == ["tokpress", "bench"] and told["date"].endswith("Z")
    assert told["machine"]["cpu"] and told["machine"]["cores"] >= 1 and told["machine"]["versions"]["tokpress"]
    assert len(told["rows"]) == 2 * len(run.codecs) and [t["file"] for t in told["totals"]] == ["total"] * len(
        run.codecs
    )
    row = told["rows"][0]
    assert row["file"] == "one" and row["verified"] is True and row["error"] is None and row["model_bytes"] == 0
    assert math.isclose(row["bits_per_byte"], 8 * row["compressed_bytes"] / row["source_bytes"])
    assert math.isclose(row["compress_bytes_per_second"], row["source_bytes"] / row["compress_seconds"])
    assert set(Row.__dataclass_fields__) < set(row)


def test_table_and_plot(tmp_path):
    pytest.importorskip("rich")
    pytest.importorskip("matplotlib")
    from rich.console import Console

    run = Run([find("xz"), find("tokpress")])
    for name in ("[a]", "b"):
        run.rows.append(Row(name, "xz", 4000, compressed_bytes=1000, compress_seconds=0.002, decompress_seconds=0.001,
                            compress_peak_bytes=10**7, verified=True))  # fmt: skip
        run.rows.append(Row(name, "tokpress", 4000, error="exit code 1: no"))
    with (tmp_path / "out").open("w") as out:
        Console(file=out, width=150).print(report.table(run))
    lines = [line.split() for line in (tmp_path / "out").read_text().splitlines()]
    assert ["[a]", "(4,000", "bytes)", "xz", "1,000", "2.000", "2", "4", "10"] in lines
    assert ["2", "files", "(8,000", "bytes)", "xz", "2,000", "2.000", "2", "4", "10"] in lines
    assert ["tokpress", "failed:", "1"] not in lines and ["tokpress", "failed:", "exit", "code", "1:", "no"] in lines
    with (tmp_path / "plot.png").open("wb") as out:
        report.plot(run, out, "png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
