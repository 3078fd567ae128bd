"""The help of every command: a sentence, examples that run, and one plain line for each option."""

import re
import shutil
from importlib import import_module
from pathlib import Path

import click
import pytest

from tests.test_docs import bash
from tokpress.cli import main
from tokpress.cli.train import train

COMMANDS = {name: getattr(import_module(f"tokpress.cli.{name}"), name) for name in main.COMMANDS}
COMMANDS |= {f"train {name}": command for name, command in train.parts.items()}
WIDTH = 78


def help_of(name: str) -> str:
    """As on a terminal of 80 columns."""
    parent = click.Context(main.cli, info_name="tokpress", **main.cli.context_settings)
    return click.Context(COMMANDS[name], info_name=name, parent=parent, terminal_width=WIDTH).get_help()


def examples(name: str) -> list[str]:
    """Commands without the comments behind them."""
    found = re.search(r"^  Examples?:\n((?:    .+\n)+)", help_of(name), re.MULTILINE)
    return [re.sub(r"  +\w.*", "", line.strip()) for line in found[1].splitlines()] if found else []


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_has_one_line(name):
    """A sentence and perhaps a default, on a terminal of 80 columns."""
    listed = re.split(r"\nPresets:", help_of(name)[help_of(name).index("\nOptions:") :])[0]
    lines = [line for line in listed.splitlines() if line and not line.endswith("ptions:")]
    options = [each for each in COMMANDS[name].params if isinstance(each, click.Option)]
    assert len(lines) == len(options) + 1  # and --help
    for line in lines:
        assert re.match(r"  -\S.*?  +[A-Z].*(\.|\.  \[default: .+\]|\.  \[required\]|\)\.)$", line), line


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_with_a_value_names_it_and_its_default(name):
    """Without a default, an option is off, or may be repeated."""
    ctx = click.Context(COMMANDS[name])
    for option in COMMANDS[name].params:
        if isinstance(option, click.Option) and not option.is_flag:
            assert option.metavar, option.opts
            assert option.show_default or not isinstance(option.get_default(ctx), int | float | str), option.opts


@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_is_longer_than_a_terminal(name):
    assert max(map(len, help_of(name).splitlines())) <= WIDTH


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_names_a_file_is_given_once(name):
    """Else the last name would silently replace the others."""
    for option in COMMANDS[name].params:
        names_a_file = re.fullmatch("FILE|OUT|ARCHIVE|DIR|NAME.DIR|NAME.PATH", option.metavar or "")
        if isinstance(option, click.Option) and names_a_file and not option.multiple:
            words = [*(word for each in ("a", "b", "c") for word in (option.opts[0], each)), "x"]
            with pytest.raises(click.UsageError, match=f"{option.opts[-1]} is given 3 times, and takes one "):
                COMMANDS[name].make_context(name, words)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    prose = Path(main.__file__).read_bytes()[:2000]
    for folder in ("notes", "records", "samples", ".config/fish/completions"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "one.txt").write_bytes(prose)
    for name in ("book.txt", "server.log", "new.json"):
        (tmp_path / name).write_bytes(prose)
    bash("tokpress compress -q -o a.tokp book.txt", tmp_path)
    return tmp_path


def run_examples(name: str, folder: Path) -> None:
    for example in examples(name):
        prepare(example, folder)
        bash(few_steps(example), folder)


def few_steps(example: str) -> str:
    """Two steps of a small network, in place of minutes."""
    if not example.startswith("tokpress train"):
        return example
    return example.replace("--preset small", "--preset tiny") + " --max-steps 2"


def prepare(example: str, folder: Path) -> None:
    """Inputs that the example names, and none of its outputs."""
    if "book.txt.tokp" in example and not (folder / "book.txt.tokp").exists():
        bash("tokpress compress -q book.txt", folder)
    if "decompress book.txt.tokp" in example:
        (folder / "book.txt").unlink(missing_ok=True)
    elif "compress book.txt" in example:
        (folder / "book.txt.tokp").unlink(missing_ok=True)
    if "unpack" in example and not (folder / "records.tokp").exists():
        bash("tokpress pack -q records -o records.tokp", folder)
    if "train" in example and "-o model" in example:
        shutil.rmtree(folder / "model", ignore_errors=True)


@pytest.mark.parametrize("name", [name for name in COMMANDS if not name.startswith("train")])
def test_examples(name, files):
    if name == "bench":
        pytest.importorskip("rich")
    assert examples(name)
    run_examples(name, files)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in COMMANDS if name.startswith("train")])
def test_examples_of_training(name, files):
    pytest.importorskip("accelerate")
    assert examples(name)
    run_examples(name, files)


def test_examples_of_the_overview(files):
    found = examples_of_overview()
    assert len(found) == 2
    for example in found:
        prepare(example, files)
        bash(example, files)


def examples_of_overview() -> list[str]:
    text = main.overview.text()
    return [re.sub(r"  +\w.*", "", line.strip()) for line in text.splitlines() if line.startswith("    tokpress ")]
