"""`tokpress train` from corpus to round trip: every prior, one of a test file's own, bad input, stop and resume."""

import io
import json
import lzma
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

import tokpress
from tests.limits import LAST_RESORT
from tests.training.command import prose, round_trip, run, usable
from tokpress import conformance, registry
from tokpress.cli.training import Display
from tokpress.errors import TokpressError, UnknownComponentError
from tokpress.models.loading import load_folder
from tokpress.models.store import load
from tokpress.priors.compose.parts import innermost
from tokpress.priors.registry import PRIORS
from tokpress.training.options import Progress

pytestmark = pytest.mark.usefixtures("corpus")
DOCS = Path(__file__).parents[2] / "docs"


def from_docs(page: str, part: str) -> str:
    """The one block of code in a page of docs/ that has this in it."""
    (block,) = [
        each
        for each in re.findall(r"^```\w[^\n]*\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
        if part in each
    ]
    return block


TINY = ("--preset", "tiny", "--max-steps", 12, "--precision", "fp32")


def test_a_preset_from_corpus_to_round_trip(corpus):
    told = run("train", "texts", "-o", "made", *TINY, "--weight", "*.log=2").output
    assert re.search(r"100%  held-out [\d.]+, train [\d.]+ bits/byte, step 12, [\d,]+ tokens/s, lr ", told)
    assert {p.name for p in Path("made").iterdir()} == {
        "config.json", "tokenizer.json", "model.safetensors", "README.md", "training_curve.json",
    }  # fmt: skip
    card = Path("made/README.md").read_text()
    for part in (
        "texts/one.txt",
        "with memory and mixing",
        "seed 0",
        "12 steps",
        "torch 2",
        "`*.log` were drawn 2 times",
    ):
        assert part in card, part
    assert str(corpus.parent) not in card
    rate = float(re.search(r"with memory and mixing \| ([\d.]+)", card)[1])
    alone = float(re.search(r"prior alone \| ([\d.]+)", card)[1])
    assert 0 < rate < alone < 8
    curve = json.loads(Path("made/training_curve.json").read_text())
    assert curve[-1]["step"] == 12 and curve[-1]["held_out_bits_per_byte"] == pytest.approx(alone, rel=0.1)
    assert innermost(load("made").prior).config()["width"] == 32
    assert round_trip("made") < 0.7 * Path("new.txt").stat().st_size
    usable("made")
    check_warm_start()


def check_warm_start():
    """The model in `made` is where others begin; here, because making one takes seconds."""
    made = load("made")
    said = run("train", "texts", "-o", "on", "--init", "made", "--max-steps", 3, "--precision", "fp32").output
    assert ", step 3, " in said and "Learning the vocabulary" not in said
    assert f"the model `made`, id `{made.id.hex()}`" in Path("on/README.md").read_text()
    rates = [
        json.loads(Path(m, "training_curve.json").read_text())[-1]["held_out_bits_per_byte"] for m in ("made", "on")
    ]
    assert rates[1] < rates[0]  # three steps from nothing are worse than twelve
    assert load("on").prior.config()["base"] == made.prior.config()["base"]
    round_trip("on")
    for words, said in [
        (("train", "texts", "--preset", "small"), "leave the shape to it"),
        (("train", "prior", "texts", "--tokenizer", "bytes"), "the tokenizer bytes is not the one that"),
        (("train", "prior", "texts", "--tokenizer", "bpe"), "a vocabulary learned anew"),
        (("train", "prior", "texts", "--prior", "histogram"), "it cannot start a histogram prior"),
    ]:
        assert said in run(*words, "-o", "bad", "--init", "made", code=1).output
        assert not Path("bad").exists()


@pytest.mark.parametrize("words", [("histogram",), ("histogram", "--tokenizer", "nibbles", "--memory")])
def test_histogram(words):
    run("train", "prior", "texts", "-o", "made", "--prior", *words)
    model = load("made")
    assert model.prior.name == ("memory" if "--memory" in words else "histogram")
    assert model.score(Path("new.txt").read_bytes()).bits_per_byte < 5
    round_trip("made")


def test_static_counts_are_those_of_the_corpus():
    run("train", "prior", "texts/one.txt", "-o", "made", "--prior", "histogram")
    data = np.frombuffer(Path("texts/one.txt").read_bytes(), np.uint8)
    held_out = min(len(data) // 10, 1024)
    counts = load("made").prior.tensors()["counts"]
    assert np.array_equal(counts, np.bincount(data[:-held_out], minlength=256))
    run("train", "prior", "texts", "-o", "context_mixing", "--prior", "histogram", "--set", "static=false")
    assert load("context_mixing").prior.tensors() == {}


def test_tokenizer_then_prior_in_one_directory():
    told = run("train", "tokenizer", "texts", "-o", "made", "--vocab-size", 280).output
    kept = {"tokenizer.json", "config.json", "README.md"}
    assert "280 symbols" in told and {p.name for p in Path("made").iterdir()} == kept
    card = Path("made/README.md").read_text()
    for part in ("`bpe` of 280 symbols", "| bytes a token | ", "texts/one.txt", "seed 0", "- command: `"):
        assert part in card, part
    run("train", "prior", "texts", "-o", "made", "--prior", "mingru", "--set", "width=8", "--set", "depth=1",
        "--set", "hidden=8", "--max-steps", 2, "--no-compile", "--no-memory", "-q")  # fmt: skip
    model = load("made")
    assert model.tokenizer.vocab_size == 280 and model.prior.config()["width"] == 8
    round_trip("made")
    run("train", "prior", "texts", "-o", "other", "--prior", "histogram", "--tokenizer", "made", "-q")
    assert load("other").tokenizer.vocab_size == 280


def test_a_warm_start_with_tables_of_ngrams():
    few = ["--set", "width=8", "--set", "depth=1", "--set", "hidden=8"]
    limits = ["--max-steps", 2, "--no-compile", "-q", "--no-memory"]
    run("train", "prior", "texts", "-o", "made", "--prior", "mingru", *few, *limits)
    run("train", "prior", "texts", "-o", "on", "--init", "made", "--set", "grams=64", "--set", "features=4", *limits)
    assert load("on").prior.config()["grams"] == 64
    round_trip("on")
    said = run("train", "prior", "texts", "-o", "x", "--init", "on", "--set", "grams=32", *limits, code=1).output
    assert "leave the shape to it" in said
    said = run("train", "prior", "texts", "-o", "x", "--init", "made", "--set", "grams=60", *limits, code=1).output
    assert "power of 2" in said


@pytest.mark.parametrize("kind", ["words", "chars"])
def test_other_kinds_of_tokens(kind):
    run("train", "tokenizer", "texts", "-o", "made", "--kind", kind, "--vocab-size", "300", "-q")
    words = ["train", "prior", "texts", "--prior", "histogram", "--set", "static=true", "-q"]
    run(*words, "-o", "made")
    run(*words, "-o", "again", "--tokenizer", kind, "--vocab-size", "300")
    assert load_folder("made").id == load_folder("again").id
    assert load_folder("made").tokenizer.name == kind
    round_trip("made")
    usable("made")
    assert "noise" in run("train", "tokenizer", "texts", "-o", "x", "--kind", "noise", code=1).output


def test_the_prior_of_the_docs_by_registration_alone(tmp_path):
    """docs/guide/prior.md has a complete prior in one file (tests/test_docs.py runs the page); here it learns and codes text."""
    Path("my_prior.py").write_text(from_docs("guide/prior.md", "@register_prior"))
    mine = ("--import", "my_prior.py")
    run("train", "prior", "texts", "-o", "made", "--prior", "pairs", *mine)
    run("compress", "-m", "made", *mine, "new.txt")
    run("decompress", "-m", "made", *mine, "new.txt.tokp", "-o", "back")
    assert Path("back").read_bytes() == Path("new.txt").read_bytes()
    assert Path("new.txt.tokp").stat().st_size < 0.6 * Path("new.txt").stat().st_size
    model = load("made")
    assert json.loads(Path("made/config.json").read_text())["prior"] == {"name": model.prior.name}
    conformance.check(model, tmp_path)
    alone = [sys.executable, "-m", "tokpress.cli", "decompress", "-c", "-m", "made", "new.txt.tokp"]
    without = subprocess.run(alone, capture_output=True, text=True, check=False)
    assert without.returncode == 1 and "no prior is called" in without.stderr  # models import nothing
    done = subprocess.run([*alone, "--import", "my_prior.py"], capture_output=True, check=False)
    assert done.stdout == Path("new.txt").read_bytes(), done.stderr


def test_an_imported_file_takes_nobodys_name():
    import json as before

    Path("json.py").write_text("HERE = True\n")
    registry.load_module("json.py")
    assert sys.modules["json"] is before
    (made,) = [module for module in list(sys.modules.values()) if getattr(module, "HERE", 0) is True]
    del sys.modules[made.__name__]
    Path("broken.py").write_text("import there_is_no_such_module\n")
    with pytest.raises(TokpressError, match=r"cannot import broken\.py, line 1: ModuleNotFoundError: No module"):
        registry.load_module("broken.py")


def test_a_prior_with_nothing_to_learn(monkeypatch):
    from tests import toy  # noqa: F401  has no fit

    run("train", "prior", "texts", "-o", "made", "--prior", "toy")
    round_trip("made")
    run("train", "prior", "texts", "-o", "wrapped", "--prior", "toy", "--memory")
    round_trip("wrapped")


def test_plugins_of_installed_packages(monkeypatch, tmp_path):
    (tmp_path / "some_plugin.py").write_text("LOADED = True\n")
    (tmp_path / "some-1.0.dist-info").mkdir()
    (tmp_path / "some-1.0.dist-info/entry_points.txt").write_text("[tokpress.plugins]\nsome = some_plugin\n")
    (tmp_path / "some-1.0.dist-info/METADATA").write_text("Name: some\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnknownComponentError, match="no prior is called 'unheard-of'"):
        PRIORS.find("unheard-of")
    assert sys.modules.pop("some_plugin").LOADED
    (tmp_path / "some_plugin.py").write_text("import there_is_no_such_module\n")
    with pytest.raises(TokpressError, match="plugin some = some_plugin"):
        registry.load_plugins()


# ── what cannot be trained, and says so ─────────────────────────────────────────────────────────────

SIZE = ("--vocab-size", "300")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["texts"], 2, "Missing option '-o'"),
        (["-o", "made"], 2, "no CORPUS given"),
        (["nowhere", "-o", "made"], 1, "nowhere does not exist"),
        (["empty", "-o", "made"], 1, "nothing to train on"),
        (["short", "-o", "made", *TINY], 1, "too few for a window"),
        (["texts", "cut.xz", "-o", "made", *TINY], 1, "cannot read"),
        (["tokenizer", "cut.xz", "-o", "made"], 1, "cannot read"),
        (["prior", "cut.xz", "-o", "made", "--prior", "histogram"], 1, "cannot read"),
        (["texts", "-o", "made", "--init", "no"], 1, "no model called 'no'"),
        (["texts", "-o", "made", "--init", "text", "--vocab-size", "300"], 2, "brings its tokenizer"),
        (["tokenizer", "texts", "-o", "made", "--kind", "vq", *SIZE], 1, "takes its number of symbols from --set codes"),
        (["tokenizer", "texts", "-o", "made", "--kind", "fsq", *SIZE], 1, "--set levels=L,L"),
        (["tokenizer", "texts", "-o", "made", "--kind", "segments", *SIZE], 1, "--set parts=NAME,DIR"),
        (["tokenizer", "texts", "-o", "made", "--kind", "nibbles", *SIZE], 1, "always has 16 symbols"),
        (["tokenizer", "texts", "-o", "made", "--kind", "nobody's", *SIZE], 1, "no tokenizer is called"),
        (["prior", "texts", "-o", "made", "--tokenizer", "bytes", *SIZE], 1, "always has 256 symbols"),
        (["prior", "texts", "-o", "made", "--tokenizer", "texts", *SIZE], 1, "has its symbols already"),
        (["tokenizer", "texts", "-o", "made", "--vocab-size", "255"], 1, "too small for the tokenizer 'bpe': 256 or more"),
        (["texts", "-o", "made", "--vocab-size", "16"], 1, "256 or more"),
        (["texts", "-o", "texts"], 1, "is no model directory"),
        (["texts", "-o", "new.txt"], 1, "is a file"),
        (["--resume", "-o", "made"], 1, "no run to resume"),
        (["texts", "-o", "made", "--resume", "-f"], 2, "exclude each other"),
        (["texts", "-o", "made", "--weight", "*.pdf=2"], 1, "matches no file"),
        (["texts", "-o", "made", "--weight", "*.txt=-1"], 2, "is not a factor above 0"),
        (["texts", "-o", "made", "--preset", "huge"], 2, "'huge' is not one of"),
        (["texts", "-o", "made", *TINY, "--learning-rate", "nan"], 2, "--learning-rate nan: give a number"),
        (["texts", "-o", "made", *TINY, "--device", "mps"], 1, "tokpress: no mps device here; leave --device out"),
        (["tokenizer", "texts", "-o", "made", "--kind", "vq", "--device", "mps"], 1, "tokpress: no mps device here"),
        (["prior", "texts", "-o", "made", "--prior", "wavenet2"], 1, "no prior is called 'wavenet2'"),
        (["prior", "texts", "-o", "made", "--prior", "mingru", "--set", "wide=3"], 1, "it has: width, depth, hidden"),
        (["prior", "texts", "-o", "made", "--prior", "mingru", "--set", "width=x"], 1, "of type int"),
        (["prior", "texts", "-o", "made", "--prior", "mingru", "--set", "width=0"], 1, "at least 1"),
        (["prior", "texts", "-o", "made", "--prior", "memory"], 1, "train that one with --memory"),
        (["prior", "texts", "-o", "made", "--prior", "histogram", "--tokenizer", "no"], 1, "holds no tokenizer"),
        (["prior", "texts", "-o", "made", "--prior", "histogram", "--import", "no_such"], 1, "cannot import no_such"),
    ],
)  # fmt: skip
def test_errors(words, code, said, tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "short").write_bytes(b"ab")
    (tmp_path / "cut.xz").write_bytes(lzma.compress(prose(3000, 3))[:-50])
    shown = run("train", *words, code=code).output
    assert shown.startswith(said) if said.startswith("tokpress:") else said in shown
    assert not Path("made").exists() and Path("texts/one.txt").exists()


def test_what_exists_is_kept():
    run("train", "prior", "texts", "-o", "made", "--prior", "histogram", "-q")
    before = Path("made/config.json").read_bytes()
    assert "replace it with -f" in run("train", "prior", "texts", "-o", "made", "--prior", "histogram", code=1).output
    assert Path("made/config.json").read_bytes() == before
    run("train", "prior", "texts", "-o", "made", "--prior", "histogram", "--tokenizer", "nibbles", "-f", "-q")
    assert load_folder("made").tokenizer.name == "nibbles"


def test_without_torch(monkeypatch):
    monkeypatch.delitem(sys.modules, "tokpress.training.loop.fit", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    said = run("train", "texts", "-o", "made", *TINY, code=1).output
    assert said == 'tokpress: training needs torch, which is not installed: pip install "tokpress[train]"\n', (
        "and nothing before"
    )
    assert not Path("made").exists()


def test_a_corpus_called_tokenizer(corpus):
    corpus.rename("tokenizer")
    assert "Missing option '-o'" in run("train", "tokenizer", code=2).output
    run("train", "prior", "./tokenizer", "-o", "made", "--prior", "histogram", "-q")
    assert "train tokenizer" in run("train", "tokenizer", "--help").output
    assert "tokenizer  " in run("train", "--help").output


@pytest.mark.parametrize("given", ["theirs", "theirs/tokenizer.json"])
def test_a_tokenizer_of_other_people(given):
    """As a model directory of another library holds it, or the file alone."""
    theirs = Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<end>"], initial_alphabet=alphabet, show_progress=False
    )
    theirs.train(["texts/one.txt"], trainer)
    Path("theirs").mkdir()
    theirs.save("theirs/tokenizer.json")
    Path("theirs/config.json").write_text('{"model_type": "gpt2"}')
    run("train", "prior", "texts", "-o", "made", "--prior", "histogram", "--tokenizer", given, "-q")
    model, text = load("made"), Path("new.txt").read_bytes().replace("é".encode(), b"e")
    assert model.tokenizer.encode(text).tolist() == theirs.encode(text.decode("ascii")).ids
    assert (
        tokpress.decompress(tokpress.compress(bytes(range(256)) + text, model=model), model=model)
        == bytes(range(256)) + text
    )
    round_trip("made")


def test_a_tokenizer_that_loses_bytes():
    Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]")).save("words.json")
    said = run("train", "prior", "texts", "-o", "made", "--tokenizer", "words.json", code=1).output
    assert "words.json is a WordPiece model, which cannot spell every byte" in said and not Path("made").exists()


# ── stop and resume ─────────────────────────────────────────────────────────────────────────────────


#: Ctrl-C at a certain step, or before the first one
INTERRUPTED = """
import os, signal
from tokpress.cli import main
from tokpress.cli.training import Display
phase, step = Display.phase, Display.step
def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
def phase_then(self, name):
    phase(self, name)
    if {at} == 0 and name.startswith("Training"):
        interrupt()
def step_then(self, progress):
    step(self, progress)
    if progress.step == {at}:
        interrupt()
Display.phase, Display.step = phase_then, step_then
main()
"""


@pytest.mark.parametrize("at", [pytest.param(0, marks=pytest.mark.slow), 3])
def test_stop_and_resume(tmp_path, at):
    words = ("texts", "-o", "made", "--preset", "tiny", "--max-steps", 100_000, "--max-minutes", 5)
    process = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(at=at), "train", *map(str, words)], capture_output=True, text=True,
        timeout=LAST_RESORT, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    said = process.stderr
    assert process.returncode == 130 and "--resume" in said and "Traceback" not in said, said
    stopped_at = int(re.search(r"stopped at step (\d+)", said)[1])
    assert not Path("made/config.json").exists()
    assert "unfinished run" in run("train", "texts", "-o", "made", code=1).output
    assert "seed 0, not 3" in run("train", "--resume", "-o", "made", "--seed", 3, code=1).output
    assert "vocab size 320, not 1024" in run("train", "--resume", "-o", "made", "--preset", "small", code=1).output
    told = run("train", "--resume", "-o", "made", "--max-steps", stopped_at + 3, "--keep-checkpoint").output
    assert f"resuming at step {stopped_at:,}" in told and f", step {stopped_at + 3:,}, " in told
    exec(from_docs("training.md", "model_of_checkpoint"), {})
    networks = [innermost(load(name).prior).tensors() for name in ("as_it_stands", "made")]
    assert all(np.array_equal(networks[0][name], value) for name, value in networks[1].items())
    told = run("train", "--resume", "-o", "made", "--max-steps", stopped_at + 3, "--keep-checkpoint").output
    assert "nothing was trained" in told
    told = run("train", "texts", "--resume", "-o", "made", "--max-steps", stopped_at + 5).output
    assert f", step {stopped_at + 5:,}, " in told and not Path("made/.checkpoint").exists()
    assert "`tokpress train texts -o made --preset tiny --max-steps 100000 --max-minutes 5 && " in (
        Path("made/README.md").read_text()
    )
    round_trip("made")
    assert "begin a run with --init made" in run("train", "--resume", "-o", "made", code=1).output


def test_a_run_that_read_little_says_so(corpus):
    (corpus / "long.txt").write_bytes(prose(60_000, 5))
    words = ("texts", "-o", "made", "--preset", "tiny", "--no-compile", "-f", "--max-steps")
    assert "after 1 steps, which read" in run("train", *words, 1).output
    assert "hardly learned" not in run("train", *words, 200).output


def test_a_changed_corpus_is_not_resumed(corpus):
    run("train", "texts", "-o", "made", *TINY, "--keep-checkpoint", "-q")
    (corpus / "one.txt").write_bytes(prose(3000, 9))
    os.utime(corpus / "one.txt", (10**9, 10**9))
    assert "one.txt; begin anew" in run("train", "--resume", "-o", "made", code=1).output


@pytest.mark.slow
def test_two_processes_train_one_model():
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    words = ["tokpress.cli", "train", "texts", "-o", "made", *map(str, TINY)]
    process = subprocess.Popen([*launcher, *words], stderr=subprocess.PIPE, text=True)
    try:
        said = process.communicate(timeout=LAST_RESORT)[1]
    finally:
        process.terminate()  # the launcher ends its processes too
        process.wait()
    assert process.returncode == 0, said
    assert said.count("Learning the vocabulary") == 1 and "2 processes train together" in said
    card = Path("made/README.md").read_text()
    assert "in each of 2 process(es)" in card and "`tokpress train texts -o made --preset tiny" in card
    round_trip("made")


def test_a_terminal_sees_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    progress = Progress(60, 4000, 30.0, 3.2, 2.0, 2.468, 0.25, 0.003)
    with Display(quiet=False) as display:
        display.phase("Tokenizing")
        display.bytes(5 * 10**6, 10**7)
        display.phase("Training the mingru prior")
        display.step(progress)
    shown = terminal.getvalue()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert " 100% 5.0 MB of 10.0 MB" in text and " 25% 1:30 left, held-out 2.468, train 2.308 bits/byte" in text, text
    with Display(quiet=True) as display:
        display.phase("Tokenizing")
        display.step(progress)
    assert terminal.getvalue() == shown
