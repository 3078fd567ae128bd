"""info, models, score, sample, completion, help."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.limits import LAST_RESORT
from tests.models import tiny_autoencoders, tiny_network
from tokpress.cli import costs, main
from tokpress.models.bits import Bits
from tokpress.models.loading import load_folder
from tokpress.models.model import Model
from tokpress.priors.lecture.histogram import HistogramPrior
from tokpress.tokenizers.text.bytes import BitsTokenizer, BytesTokenizer

from .conftest import letters


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom tokpress.cli import main\n"
        "try: main()\n"
        "finally: print(*{m.split('.')[0] for m in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    assert not {"click", "typing", "threading", "numpy", "torch", "json"} & {*done.stderr.split()}
    assert all(f"  {name} " in done.stdout for name in main.COMMANDS)


def test_help_is_the_same_with_click_and_without(run, process):
    for words in (["--help"], ["-h"], ["--version"]):
        assert process(*words).stdout.decode() == run(*words).stdout
    assert process(code=2).stderr.decode() == run("--help").stdout


@pytest.mark.parametrize("name", [n for n in main.COMMANDS if n != "train"])
def test_help_of_each_command(run, name):
    assert run(name, "--help").output.startswith(f"Usage: tokpress {name} ")


def test_usage(run):
    assert run("--version").output.startswith("tokpress 1.")
    assert "no command 'press': choose one of compress" in run("press", code=2).stderr
    for words in (
        ["compress", "--no-such"],
        ["compress", "--frame-size", "1T"],
        ["compress", "--lanes", "0"],
        ["compress", "--fast", "--best"],
    ):
        run(*words, code=2)


def test_terminals(process, tiny):
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    try:
        from .conftest import command

        none = subprocess.run(command("compress"), stdin=slave, capture_output=True)
        assert none.returncode == 2 and b"no FILE given, and nothing is piped in" in none.stderr
        binary = subprocess.run(
            command("compress", "-m", tiny), input=b"text", stdout=slave, stderr=subprocess.PIPE, timeout=LAST_RESORT
        )
        assert binary.returncode == 1 and b"is a terminal, and the output is binary: use -o FILE" in binary.stderr
        live = subprocess.run(
            command("compress", "-c", "-m", tiny, "--frame-size", "1K"),
            input=letters(100_000), stdout=subprocess.PIPE, stderr=slave, timeout=LAST_RESORT,
            env=os.environ | {"TERM": "xterm"},
        )  # fmt: skip
        assert live.returncode == 0
        shown = os.read(master, 65536)
        assert b"\r\x1b[Kstdin: " in shown and b"MB/s" in shown and b"model" in shown.splitlines()[-1]
    finally:
        os.close(master)
        os.close(slave)


def test_verbose_shows_where(run, place):
    from click.testing import CliRunner

    (place / "a.tokp").write_bytes(b"text")
    result = CliRunner().invoke(main.cli, ["test", "-v", "a.tokp"])
    assert "Traceback" in result.stderr and "tokpress: a.tokp: frame 1" in result.stderr and result.exit_code == 1


def test_info(run, place, tiny, monkeypatch):
    (place / "a").write_bytes(letters(3000))
    run("compress", "-m", tiny, "--frame-size", "1000", "--lanes", "2", "a")
    run("compress", "-m", tiny, "--lanes", "1", "-o", "one", "a")
    assert ", 1 lane\n" in run("info", "one").stdout
    (place / "b").write_bytes(b"x")
    run("compress", "-m", tiny, "b")
    found, plain = json.loads(run("info", "--json", "a.tokp", "b.tokp").stdout)
    assert found["file"] == "a.tokp" and found["source_bytes"] == 3000 and len(found["frames"]) == 3
    assert found["payload_bytes"] + found["header_bytes"] == found["file_bytes"] == os.path.getsize("a.tokp")
    assert found["bits_per_byte"] == pytest.approx(8 * found["file_bytes"] / 3000)
    frame = found["frames"][0]
    assert (frame["model_id"], frame["model"], frame["lanes"]) == (load_folder(tiny).id.hex(), None, 2)
    assert plain["frames"][0]["kind"] == "raw"
    text = run("info", "-v", "a.tokp").stdout
    assert f"3 × model not installed ({frame['model_id']}), 2 lanes" in text and "  frame 3 at " in text
    monkeypatch.setenv("TOKPRESS_MODELS", os.path.dirname(tiny))
    assert "model tiny (" in run("info", "a.tokp").stdout
    assert "info: missing" not in run("info", "b.tokp", "missing", code=1).stdout


def test_info_tells_of_loss(run, place, monkeypatch):
    """Of a model that is at hand; without it nothing is needed, and nothing said."""
    vq = tiny_autoencoders()["vq"]
    vq.save(place / "m" / "vq")
    (place / "a").write_bytes(vq.tokenizer.decode(np.arange(32 * 4, dtype=np.int32) % 32))
    for name, more in (("lossy", ["--lossy"]), ("exact", [])):
        run("compress", "-m", "m/vq", *more, "a", "-o", f"{name}.tokp")
    found = json.loads(run("info", "-m", "m/vq", "--json", "lossy.tokp", "exact.tokp").stdout)
    assert [each["restores"] for each in found] == ["reconstruction", "source"]
    assert [each["frames"][0]["model"] for each in found] == ["vq", "vq"]
    told = run("info", "-m", "m/vq", "lossy.tokp").stdout
    assert "model vq (" in told and "tokens only: restores a reconstruction" in told
    assert "tokens only" not in run("info", "-m", "m/vq", "exact.tokp").stdout
    unknown = json.loads(run("info", "--json", "lossy.tokp").stdout)[0]
    assert unknown["restores"] is None and "tokens only" not in run("info", "lossy.tokp").stdout
    monkeypatch.setenv("TOKPRESS_MODELS", "m")
    assert "tokens only" in run("info", "lossy.tokp").stdout
    (place / "empty").mkdir()
    assert "empty is not a valid model" in run("info", "-m", "empty", "lossy.tokp", code=1).stderr


def test_models(run, place, tiny, monkeypatch):
    monkeypatch.setenv("TOKPRESS_MODELS", os.path.dirname(tiny))
    listed = {m["name"]: m for m in json.loads(run("models", "--json").stdout)}
    assert {"text", "context-mixing", "tiny"} <= set(listed)
    assert listed["tiny"]["id"] == load_folder(tiny).id.hex() and listed["tiny"]["parameters"] == 256
    assert (listed["tiny"]["tokenizer"], listed["tiny"]["prior"]) == ("bytes", "histogram")
    assert listed["text"]["parameters"] > 10**6 and listed["text"]["model_bytes"] > 10**6
    assert os.path.join(tiny, "README.md") in run("models", "-v").stdout
    (place / "broken").mkdir()
    (place / "broken" / "config.json").write_text("{}")
    monkeypatch.setenv("TOKPRESS_MODELS", str(place))
    done = run("models", code=1)
    assert "model broken: " in done.stderr and "context-mixing" in done.stdout


def test_score_adds_up(run, place, tiny):
    data = letters(3000) + b"no newline at the end"
    (place / "a").write_bytes(data)
    rows = {
        by: json.loads(run("score", "-m", tiny, "--json", "--by", by, "a").stdout) for by in costs.BY if by != "segment"
    }
    assert "no segment" in run("score", "-m", tiny, "--by", "segment", "a", code=1).stderr
    assert len(rows["line"]) == data.count(b"\n") + 1 == rows["file"][0]["lines"] and len(rows["byte"]) == len(data)
    for by, found in rows.items():
        assert sum(row["bits"] for row in found) == pytest.approx(rows["file"][0]["bits"]), by
        assert sum(row["bytes"] for row in found) == len(data)
    run("compress", "-q", "-m", tiny, "--frame-size", "1M", "a")
    packed = json.loads(run("info", "--json", "a.tokp").stdout)[0]
    assert packed["frames"][0]["kind"] == "model"
    assert rows["file"][0]["bits"] == pytest.approx(8 * packed["payload_bytes"], rel=0.005, abs=64)


def test_score_finds_the_odd_line(run, place, tiny):
    lines = [b"all quiet on this line"] * 50
    lines[20:21] = [b"ERROR \x1b[31m 0x7f! {~}"]
    (place / "log").write_bytes(b"\n".join(lines))
    (place / "calm").write_bytes(b"aaaaaaaa\n" * 9)
    top = json.loads(run("score", "-m", tiny, "--by", "line", "--top", "2", "--rate", "--json", "calm", "log").stdout)
    assert 21 in [row["line"] for row in top] and top[0]["bits_per_byte"] >= top[1]["bits_per_byte"]
    text = run("score", "-m", tiny, "--by", "line", "log").stdout.splitlines()
    assert text[0].split("\t") == ["file", "line", "bits", "bytes", "bits per byte", "text"]
    assert text[21].split("\t")[-1] == r"ERROR \x1b[31m 0x7f! {~}" and len(text) == 51
    files = run("score", "-m", tiny, "--top", "1", "calm", "log").stdout.splitlines()
    assert len(files) == 2 and files[1].startswith("log\t")
    assert json.loads(run("score", "-m", tiny, "--json", "missing", code=1).stdout) == []


def test_lines_over_blocks_and_tokens_over_lines():
    import numpy as np

    def piece(source, *tokens):
        bits, lengths = zip(*tokens)
        return source, Bits(np.array(bits, float), np.array(lengths))

    pieces = [piece(b"ab\ncd", (8, 4), (5, 0), (1, 1)), piece(b"e\n\n", (3, 3))]
    rows = list(costs.by_line(iter(pieces)))
    assert [(row["line"], row["bits"], row["bytes"], row["text"]) for row in rows] == [
        (1, 6.0, 3, "ab"), (2, 10.0, 4, "cde"), (3, 1.0, 1, ""),
    ]  # fmt: skip


def test_sample(run, place, other):
    words = ("sample", "-m", other, "-n", "50", "--seed", "3")
    first = run(*words).stdout_bytes
    assert len(first) == 50 and first == run(*words).stdout_bytes != run(*words[:-1], "4").stdout_bytes
    run(*words, "-o", "drawn")
    assert (place / "drawn").read_bytes() == first
    run(*words, "-o", "drawn", code=1)
    run("sample", "--temperature", "0", code=2)


def test_a_prompt_is_gone_on_from(run, place):
    """The model has read it: what is drawn repeats it."""
    prompt = b"abcdefgh" * 50
    (place / "prompt").write_bytes(prompt)
    words = ("sample", "-m", "context-mixing", "-n", "16", "--seed", "1", "--temperature", "0.1", "--prompt")
    drawn = run(*words, "@prompt").stdout_bytes
    assert drawn == prompt + b"abcdefgh" * 2 == run(*words, prompt.decode()).stdout_bytes
    first = run("sample", "-n", "5", "--seed", "1", "--prompt", "Der").stdout_bytes
    assert first.startswith(b"Der") and len(first) > 3
    assert "reads no context" in run("sample", "-m", "linear-prediction", "--prompt", "x", code=1).stderr
    assert "missing" in run("sample", "--prompt", "@missing", code=1).stderr
    run("sample", "--prompt", "x", "--by-decoding", code=2)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(process, shell):
    assert b"_TOKPRESS_COMPLETE" in process("completion", shell).stdout


def test_completion_completes(process):
    asked = {"_TOKPRESS_COMPLETE": "bash_complete", "COMP_WORDS": "tokpress comp", "COMP_CWORD": "1"}
    assert process(env={**os.environ, **asked}).stdout == b"plain,compress\nplain,completion\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("compress -m con", {"plain,context-mixing", "plain,context-mixing-2d", "dir,con"}),
        ("unpack -m ti", {"plain,tiny", "dir,ti"}),
        ("train prior x --prior made", {"plain,made"}),
        ("train prior x --tokenizer top", {"plain,top_bit", "file,top"}),
        ("train tokenizer x --kind vq", {"plain,vq", "plain,vqgan"}),
    ],
)
def test_values_are_completed(process, tiny, words, expected):
    asked = {
        "_TOKPRESS_COMPLETE": "bash_complete",
        "COMP_WORDS": f"tokpress {words}",
        "COMP_CWORD": str(len(words.split())),
    }
    asked["TOKPRESS_MODELS"] = os.path.dirname(tiny)
    assert set(process(env={**os.environ, **asked}).stdout.decode().split()) == expected


def test_compress_d_decompresses(run, place, tiny):
    """What users of zstd and xz type."""
    (place / "a").write_bytes(letters(3000))
    run("compress", "-q", "--rm", "-m", tiny, "a")
    assert run("compress", "-dc", "-m", tiny, "a.tokp").stdout_bytes == letters(3000)
    run("compress", "-d", "-m", tiny, "a.tokp")
    run("compress", "-f", "--decompress", "-m", tiny, "a.tokp")
    assert (place / "a").read_bytes() == letters(3000)
    (place / "-d").write_bytes(b"a file")
    run("compress", "--", "-d")
    assert (place / "-d.tokp").exists()


def test_pictures_are_drawn(run, place):
    Image = pytest.importorskip("PIL.Image")
    Model(BitsTokenizer(), tiny_network("pixelcnn", {"shape": "4x6", "width": 12, "depth": 1}, 2)).save("m")
    for words in (["--by-decoding"], []):
        run("sample", "-m", "m", "--items", "5", "--png", "4x6", "--seed", "1", "-o", "a.png", "-f", *words)
        with Image.open("a.png") as picture:
            drawn = np.asarray(picture)
            assert picture.size == (2 * 8 - 2, 3 * 6 - 2) and len(np.unique(drawn)) == 3
        run("sample", "-m", "m", "--items", "5", "--seed", "1", "-o", "a", "-f", *words)
        assert os.path.getsize("a") == 15
    run("sample", "-m", "m", "--items", "5", "--png", "4x6", "--seed", "1", "-o", "large.png", "--scale", "3")
    with Image.open("large.png") as picture:
        assert picture.size == (2 * 20 - 2, 3 * 14 - 2)
        assert np.array_equal(np.asarray(picture)[:12:3, :18:3], drawn[:4, :6])
    run("sample", "-m", "m", "--items", "5", "--scale", "3", "-o", "b.png", code=2)
    run("sample", "-m", "m", "--items", "5", "--png", "5x5", "-o", "b.png", code=1)
    run("sample", "-m", "m", "--png", "4x6", "-o", "b.png", code=2)
    run("sample", "-m", "m", "--by-decoding", "--temperature", "0.5", code=2)
    run("sample", "-m", "context-mixing", "--items", "5", code=1)
    assert not os.path.exists("b.png")


def test_decoding_random_bits_draws_from_the_prior(place):
    counts = np.array([1, 2, 5, 8] + [0] * 252, np.int64) * 1000
    drawn = np.frombuffer(
        Model(BytesTokenizer(), HistogramPrior(256, counts)).sample_bits(4000, os.urandom(9000)), np.uint8
    )
    assert np.abs(np.bincount(drawn, minlength=256)[:4] / 4000 - counts[:4] / 16000).max() < 0.05


def test_components_and_their_settings(run):
    listed = run("list", "priors").stdout
    assert "\npixelcnn\n  PixelCNN: " in listed and "width=128" in listed and max(map(len, listed.splitlines())) <= 80
    found = {row["name"]: row for row in json.loads(run("list", "tokenizers", "--json").stdout)}
    assert found["fsq"]["settings"]["levels"] == "8,8,8" and found["bytes"]["idea"]
    run("list", "models", code=2)
