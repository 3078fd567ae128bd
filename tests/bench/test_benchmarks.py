"""The benchmarks behind the figures of README and docs, on a few small files: runner, store, pages, targets, downloads."""

import bz2
import functools
import hashlib
import http.server
import json
import lzma
import re
import subprocess
import sys
import threading
import zipfile

import click
import pytest

from benchmarks import __main__ as runner
from benchmarks import acceptance, corpora, pages, targets
from benchmarks.registry import REGISTRY, Benchmark, MeasurementError, OutOfTime, Setup
from benchmarks.store import Results
from tests.limits import LAST_RESORT
from tokpress.bench.measure import Row

from .conftest import ROOT

BEGIN, END = pages.marks("rates", "rates")


@pytest.fixture
def data(tmp_path):
    """A data folder with one English file, one mixed one, and one in a zip."""
    licence = (ROOT / "LICENSE").read_bytes()
    for name, content in {
        "text/calgary/paper4": licence,
        "logs/HDFS_2k.log": b"".join(b"%06d INFO block %d received\n" % (i, i * i) for i in range(200)),
        "silesia/dickens.xz": lzma.compress(licence * 2),
    }.items():
        path = tmp_path / "data" / "bench" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    with zipfile.ZipFile(tmp_path / "data" / "bench" / "more.zip", "w") as archive:
        archive.writestr("inside/one", b"one" * 100)
    return tmp_path / "data"


def call(*words, code=0):
    """python -m benchmarks WORDS…, as a user calls it."""
    command = [sys.executable, "-m", "benchmarks", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=LAST_RESORT)
    assert done.returncode == code, done.stderr
    return done


def place(data):
    return ["--data", data, "--work", data.parent / "work", "--root", data.parent / "root"]


def test_the_list_names_every_benchmark():
    lines = call().stdout
    for name, each in REGISTRY.items():
        assert f"\n{name} " in f"\n{lines}" and each.about() in lines and each.about().endswith(".")
        assert each.takes and each.takes in lines
        assert not each.page or each.page in lines


def test_every_result_in_git_is_of_a_benchmark_and_is_shown():
    """In the schema of the store; each run has cases."""
    stored = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    assert stored
    for path in stored:
        each, results = REGISTRY[path.stem], Results(path, path.stem)
        assert each.stored and results.values()
        assert results.runs_of(results.values()) == results.runs
        keys = {"command", "settings", "code", "started", "finished", "load", "machine", "versions", "facts"}
        assert all(set(run) == keys and run["command"].startswith("python -m benchmarks") for run in results.runs)


@pytest.mark.parametrize(
    "words", [["nothing"], ["rates", "--set", "x=1"], ["rates", "--set", "repeat=many"], ["rates", "LICENSE"]]
)
def test_wrong_words_are_named(words):
    assert words[-1] in call(*words, code=2).stderr


def test_the_parts_that_benchmarks_write_have_their_marks():
    for path, name, what in [
        ("README.md", "rates", "rates"),
        *(
            (f"docs/{name}.md", name, "measured")
            for name in ("lecture", "tokenizers", "archives", "pictures_and_sound")
        ),
        *((path, "lecture", "measured") for path in (ROOT / "docs" / "priors").glob("*.md") if path.stem != "README"),
    ]:
        if not (ROOT / path).name.startswith("next_scale"):
            pages.check_marks(ROOT / path, name, what)


def test_the_example_of_readme_is_what_is_printed(tmp_path):
    """Sizes and all; only the speed may differ."""
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    call("readme", "--root", tmp_path)
    before, after = (
        re.sub(r"[\d.]+ MB/s", "", path.read_text()) for path in (ROOT / "README.md", tmp_path / "README.md")
    )
    assert before == after, "run python -m benchmarks readme"


def test_rates(data):
    root = data.parent / "root"
    (root / "docs").mkdir(parents=True)
    (root / "README.md").write_text("no marks")
    words = ["rates", *place(data), "--set", "against=xz:6", "--set", "models="]
    assert "must hold these two lines" in call(*words, code=1).stderr
    (root / "README.md").write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    first = call(*words)
    assert "left out: text/calgary/book1" in first.stderr and "rates: xz:6 on silesia/dickens" in first.stderr
    text = (root / "README.md").read_text()
    assert text.startswith(f"before\n{BEGIN}\n") and text.endswith(f"{END}\nafter\n") and "\nold\n" not in text
    assert "\n| English prose, " in text and "\n| logs, " in text and "| xz -9e |" in text
    stored = json.loads((root / "benchmarks" / "results" / "rates.json").read_text())
    (run,) = stored["runs"]
    assert (
        len(stored["cases"]) == 6 and run["machine"]["cpu"] and run["settings"] == {"against": ["xz:6"], "models": []}
    )
    assert run["command"] == "python -m benchmarks rates --set against=xz:6 --set models="
    page = (root / "docs" / "results.md").read_text()
    assert "svg" in (root / "docs" / "rates.svg").read_text()
    assert "| logs/HDFS_2k.log |" in page and "xz -6" in page and run["code"] in page
    again = call(*words)
    assert " on silesia/dickens" not in again.stderr and (root / "README.md").read_text() == text
    (root / "docs" / "results.md").unlink()
    call("rates", *place(data), "--report")
    assert (root / "docs" / "results.md").read_text() == page


def results_of(path, **changes):
    """A store with one case, as another run made it."""
    results = Results(path, "rates")
    results.begin({}, (), {})
    results.keep("x", 1)
    results.runs[0] |= changes
    results.write()
    fresh = Results(path, "rates")
    fresh.begin({}, (), {})
    return fresh


def test_a_case_stands_for_the_same_code_machine_and_settings(tmp_path):
    path = tmp_path / "rates.json"
    assert results_of(path).stands("x")
    machine = json.loads(path.read_text())["runs"][0]["machine"]
    for changes in (
        {"code": "other"},
        {"code": None},
        {"settings": {"repeat": 2}},
        {"machine": machine | {"cpu": "other"}},
        {"machine": machine | {"int8": "other"}},
    ):
        path.unlink()
        results = results_of(path, **changes)
        assert not results.stands("x") and results.values() == {"x": 1}
        results.keep("y", 2)
        assert len(results.runs) == 2 and results.runs_of(["y"]) != results.runs_of(["x"])
        results.keep("x", 3)
        assert Results(path, "rates").values() == {"x": 3, "y": 2} and len(Results(path, "rates").runs) == 1


class Small(Benchmark):
    """Counts its calls."""

    name, page, takes, settings = "small", "", "no time", {"size": 1}

    def __init__(self):
        self.calls = []

    def one(self, case):
        self.calls.append(case)
        if case == "b2":
            raise MeasurementError("it broke")
        if case == "c":
            raise OutOfTime
        return len(self.calls)

    def cases(self, setup):
        return {case: functools.partial(self.one, case) for case in ("a1", "a2", "b1", "b2", "c", "d")}

    def report(self, results, setup):
        return []


def test_only_again_and_missing(tmp_path):
    path = tmp_path / "small.json"

    def measured(*only, again=False, missing=False, size=1):
        each = Small()
        setup = Setup(tmp_path, tmp_path, tmp_path, settings={"size": size})
        wrong = runner.measure(each, setup, Results(path, "small"), only, again, missing)
        return each.calls, wrong

    with pytest.raises(click.BadParameter, match="the cases are:\na1\na2"):
        measured("x*")
    assert measured("a*") == (["a1", "a2"], [])
    assert measured("a?", "b1") == (["b1"], [])
    assert measured() == (["b2", "c"], ["b2: it broke"])  # and no further one once the time is used up
    assert measured("a1", again=True) == (["a1"], [])
    assert measured("a*", size=2) == (["a1", "a2"], [])
    path.write_text(path.read_text().replace('"code": "', '"code": "0'))
    assert measured("a*", "b*", missing=True) == (["b2"], ["b2: it broke"])
    assert measured("a*", "b1") == (["a1", "a2", "b1"], [])
    assert set(Results(path, "small").values()) == {"a1", "a2", "b1"}


def test_no_case_begins_after_the_deadline(tmp_path):
    each, setup = Small(), Setup(tmp_path, tmp_path, tmp_path, settings={"size": 1}, deadline=0)
    assert runner.measure(each, setup, Results(None, "small"), (), False, False) == [] and each.calls == []


def test_acceptance(data):
    pytest.importorskip("pyppmd")
    root = data.parent / "root"
    command = ["acceptance", *map(str, place(data)), "--only", "english*"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *command], capture_output=True, text=True, cwd=ROOT, timeout=LAST_RESORT
    )
    found = Results(root / "benchmarks" / "results" / "acceptance.json", "acceptance").values("english: ")
    figures, _ = acceptance.english_figures(found)
    assert done.returncode == any(figure.ok is False for figure in figures), done.stderr
    ours, xz = (sum(m[key] for m in found.values()) for key in ("tokpress", "xz"))
    assert figures[0].measured == f"{100 * (1 - ours / xz):.1f} %" and figures[0].asked == "≥ 30 %"
    page = (root / "docs" / "acceptance.md").read_text()
    assert all(f"| {f.name} | {f.asked} | {f.measured} |" in page for f in figures)
    assert "| silesia/dickens | " in page


def test_the_bound_keeps_totals_failures_and_the_worst():
    from benchmarks.exact import bound_figures, totals_of

    files = {f"text/{i}": {"bytes": 100, "tokpress": 50 - i, "xz": 60, "error": None} for i in range(5)}
    good = totals_of(files)
    assert good["files"] == 5 and good["tokpress"] == 240 and list(good["worst"]) == ["text/0", "text/1", "text/2"]
    assert all(figure.ok is not False for figure in bound_figures({"text": good})[0])
    bad = totals_of(files | {"text/x": {"bytes": 9, "tokpress": None, "xz": 9, "error": "broke"}})
    figures, lines = bound_figures({"text": good, "logs": bad})
    assert figures[0].measured == "10 of 11" and figures[0].ok is False and "* text/x failed: broke" in lines
    large = totals_of({"text/0": {"bytes": 100, "tokpress": 125, "xz": 60, "error": None}})
    assert [figure.ok for figure in bound_figures({"text": large})[0]] == [True, False, None]


def rates(ours, peer, sizes=(50_000, 200_000)):
    rows = {"tokpress": ours, "zpaq": peer, "xz": peer}
    return {
        "English": {
            codec: {
                f"f{i}": Row(
                    f"f{i}",
                    codec,
                    size,
                    compressed_bytes=round(rate * size),
                    compress_seconds=2.0,
                    decompress_seconds=1.0,
                )
                for i, size in enumerate(sizes)
            }
            for codec, rate in rows.items()
        }
    }


def test_a_target_counts_the_files_that_reach_it():
    target = targets._saved("English", "tokpress", "zpaq", 0.2, 10_000, 100_000)
    figure = targets.check(target, rates(0.2, 0.3))
    assert figure.ok and figure.measured == "1 of 1 files; least 33.3% (f0)"
    assert targets.check(target, rates(0.25, 0.3)).ok is False
    assert targets.check(target, {}) is None
    speed = targets._decoding("English", "tokpress", 100_000, 1e5)
    assert targets.check(speed, rates(0.2, 0.3)).measured == "1 of 1 files; least 200 KB/s (f1)"
    # compressing takes twice as long
    both = next(target for target in targets.TARGETS if target.value is targets.encode_to_decode)
    figure = targets.check(both, rates(0.2, 0.3))
    assert figure.ok is False and figure.measured == "0 of 1 files; 0.50 to 0.50"


def test_a_share_of_files_and_ties():
    target = next(target for target in targets.TARGETS if target.share == 0.75)
    sizes = tuple(range(1000, 1004))
    rows = {"mixed": rates(0.2, 0.3, sizes)["English"]}
    assert targets.check(target, rows).ok
    rows["mixed"]["tokpress"]["f0"].compressed_bytes = rows["mixed"]["zpaq"]["f0"].compressed_bytes
    assert targets.check(target, rows).measured == "3 of 4 files" and targets.check(target, rows).ok
    rows["mixed"]["tokpress"]["f1"].compressed_bytes = 1000
    assert targets.check(target, rows).ok is False


def test_products(data):
    file, root = ROOT / "docs" / "format.md", data.parent / "root"
    done = call("products", *place(data), "--set", "bytes=3000,9000", "--set", "rounds=1", file)
    rows = Results(root / "benchmarks" / "results" / "products.json", "products").values().values()
    assert {row["bytes"] for row in rows} == {3000, 9000} and all(row["microseconds_a_token"] > 0 for row in rows)
    # blocks, n-grams, groups and one group of the card's shape
    assert {row["needed"] for row in rows} == {4 * 192 * (3 * 192 + 192 + 2 * 384) + 192 * 80 + 192 * (512 + 16)}
    assert "| format.md | 1 | 3,000 |" in done.stdout


def test_float_forward_is_that_of_the_network():
    """A network whose rounding is switched off costs nearly what its exact steps cost, and not the same."""
    pytest.importorskip("torch")
    import numpy as np

    from benchmarks.exact import unrounded_bits
    from tests.coding import common as coding
    from tests.models import tiny_mingru

    prior = tiny_mingru()
    tokens = np.random.default_rng(5).integers(0, 256, 700).astype(np.int32)
    exact = float(coding.score(prior, tokens, lanes=3).sum())
    for window in (64, 1000):
        assert unrounded_bits(prior, tokens, 3, window) == pytest.approx(exact, rel=0.01)
    assert unrounded_bits(prior, tokens, 3) != exact


def test_columns_that_hold_nothing_are_left_out():
    """A column of dashes only once stood in every table of docs/tokenizers.md."""
    markdown = pages.markdown
    assert markdown(["a", "b", "c"], [["x", "–", "1"], ["y", "–", "–"]])[0] == "| a | c |"
    assert markdown(["a", "b"], [["–", "–"], ["–", "2"]])[0] == "| a | b |"
    assert markdown(["a", "b"], [])[0] == "| a | b |"


def test_the_page_of_tokenizers_tells_its_aims():
    """In each table, the targets and how they are judged."""
    text = (ROOT / "docs" / "tokenizers.md").read_text("utf-8")
    tables = [line for line in text.splitlines() if line.startswith("| run | codes K |")]
    assert tables and all("used (aim: 95%)" in line and "saved (aim: 25%)" in line for line in tables)
    assert text.count("judged by streams") == len(tables) and "– | – |" not in text


# --- downloads, from a server on this machine ----------------------------------------------------------------------


@pytest.fixture
def mirror(tmp_path):
    """(URL, folder): a web server that holds HOST/PATH of the originals."""
    folder = tmp_path / "mirror"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


def entry(path, content, **more):
    return {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), **more}


def test_fetch(mirror, tmp_path, capsys):
    url, folder = mirror
    one, two, head, plain = b"one" * 50, b"two" * 500, b"head" * 9, b"plain"
    (folder / "host" / "a").mkdir(parents=True)
    with zipfile.ZipFile(folder / "host" / "a" / "set.zip", "w") as archive:
        archive.writestr("1", one)
        archive.writestr("long", head + b"rest")
        archive.writestr("longer", plain + b"x")
    (folder / "host" / "a" / "two.bz2").write_bytes(bz2.compress(two))
    (folder / "host" / "a" / "plain").write_bytes(plain)
    (folder / "host" / "a" / "other").write_bytes(b"PLAIN")
    (folder / "host" / "a" / "broken.bz2").write_bytes(b"no bz2")
    files = [
        entry("t/one", one, member="1"),
        entry("t/head", head, member="long", form="head"),
        entry("t/two", two, url="https://host/a/two.bz2", form="bz2"),
        entry("p/plain", plain, url="https://host/a/plain"),
        entry("bad/other", plain, url="https://host/a/other"),
        entry("bad/longer", plain, member="longer"),
        entry("bad/absent", plain, member="absent"),
        entry("bad/nowhere", plain, url="https://host/a/nowhere"),
        entry("bad/broken", plain, url="https://host/a/broken.bz2", form="bz2"),
    ]
    table = tmp_path / "corpora.json"
    table.write_text(json.dumps({"set": {"url": "https://host/a/set.zip", "licence": "none", "files": files}}))
    target = tmp_path / "fetched"
    assert corpora.fetch(target, ("p/*",), url, table) == []
    assert sorted(path.name for path in target.rglob("*") if path.is_file()) == ["plain"]
    capsys.readouterr()
    wrong = corpora.fetch(target, (), url, table)
    assert [line.partition(":")[0] for line in wrong] == [f["path"] for f in files if f["path"].startswith("bad")]
    assert "p/plain" not in capsys.readouterr().err  # it is there already
    found = {str(p.relative_to(target / "bench")): p.read_bytes() for p in target.rglob("*") if p.is_file()}
    assert found == {"t/one": one, "t/head": head, "t/two": two, "p/plain": plain}
    (target / "bench" / "t" / "one").write_bytes(one[:-1] + b"?")
    assert corpora.fetch(target, ("t/*",), url, table) == []
    assert (target / "bench" / "t" / "one").read_bytes() == one


def test_the_command_fetches_through_a_mirror(mirror, tmp_path):
    """Nothing stands there: every file is named, and the exit code says so."""
    done = call(
        "data", "--fetch", tmp_path / "f", "--only", "images/kodak/kodim01.png", "--set", f"mirror={mirror[0]}", code=1
    )
    assert "kodim01.png" in done.stderr and "404" in done.stderr and not (tmp_path / "f").exists()


def test_the_table_of_corpora():
    """Every entry has a digest, stays below its folder, and is read from a web address."""
    found = corpora.entries()
    assert len({each.path for each in found}) == len(found) > 80
    for each in found:
        assert re.fullmatch(r"[0-9a-f]{64}", each.sha256) and each.bytes > 0 and each.url.startswith("https://")
        assert ".." not in each.path.split("/") and not each.path.startswith("/")
        assert each.form in ("", "bz2", "gz", "head") and (each.form != "head" or each.member)
