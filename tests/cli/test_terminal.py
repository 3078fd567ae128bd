"""What reaches a terminal: nothing from outside that it would obey, and no control sequences where they are not wanted."""

import ast
import json
import os
import pty
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import tokpress
from tests.limits import LAST_RESORT
from tokpress.cli import terminal

from .conftest import command, letters

CLI, PACKAGE = Path(terminal.__file__).parent, Path(tokpress.__file__).parent
EVIL = "\x1b]0;owned\x07\x1b[31m\x9b2J‮\r"
ESCAPED = r"\x1b]0;owned\x07\x1b[31m\x9b2J\u202e\r"


def on_terminal(*words, code=0, input=b"", **environment) -> str:
    """What a terminal gets from the command, on stdout and stderr."""
    master, slave = pty.openpty()
    pieces: list[bytes] = []

    def read() -> None:
        try:
            while piece := os.read(master, 65536):
                pieces.append(piece)
        except OSError:  # nobody writes to it any more
            pass

    reader = threading.Thread(target=read)
    try:
        running = subprocess.Popen(
            command(*words), stdin=subprocess.PIPE, stdout=slave, stderr=slave,
            env=os.environ | {"TERM": "xterm"} | environment,
        )  # fmt: skip
        os.close(slave)
        reader.start()
        running.communicate(input, timeout=LAST_RESORT)
        reader.join()
    finally:
        os.close(master)
    shown = b"".join(pieces).decode()
    assert running.returncode == code, shown
    return shown


def is_plain(shown: str) -> bool:
    return all(c.isprintable() or c in "\r\n\t" for c in shown) and "\r" not in shown.replace("\r\n", "")


# --- control sequences


def test_a_line_that_moves(place, tiny):
    (place / "a").write_bytes(letters(100_000))
    shown = on_terminal("compress", "-m", tiny, "--frame-size", "4K", "a")
    assert "\r\x1b[Ka: " in shown and shown.rstrip().endswith("model tiny")


@pytest.mark.parametrize("plain", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_no_control_sequences(place, tiny, plain):
    pytest.importorskip("rich")
    (place / "a").write_bytes(letters(100_000))
    for words in (
        ("compress", "-f", "--rm", "-m", tiny, "--frame-size", "1K", "a"),
        ("test", "-m", tiny, "a.tokp"),
        ("decompress", "-m", tiny, "a.tokp"),
        ("info", "-v", "a.tokp"),
        ("models", "-v"),
        ("bench", "--against", "", "small"),
        ("--help",),
    ):
        if "NO_COLOR" in plain and words[0] not in ("compress", "bench"):
            continue
        (place / "small").write_bytes(b"small")
        shown = on_terminal(*words, **plain)
        assert shown and is_plain(shown), repr(shown)


def test_quiet(place, tiny):
    (place / "a").write_bytes(letters(100_000))
    assert on_terminal("compress", "-q", "--rm", "-m", tiny, "--frame-size", "1K", "a") == ""


def test_training_draws_no_bar_where_none_is_wanted(monkeypatch):
    pytest.importorskip("rich")
    from tokpress.cli.training import Display

    monkeypatch.setattr(sys, "stderr", type("Terminal", (), {"isatty": lambda self: True})())
    for name, value in (("TERM", "dumb"), ("NO_COLOR", "1")):
        with monkeypatch.context() as patch:
            patch.setenv("TERM", "xterm")
            patch.setenv(name, value)
            with Display(False) as display:
                assert display._bar is None
    monkeypatch.setattr(sys, "stderr", None)
    with Display(False) as display:
        assert display._bar is None


# --- what comes from outside


@pytest.fixture
def evil_models(place, tiny, monkeypatch):
    """Directories of models whose names, contents and errors hold what a terminal obeys."""
    home = place / "m"
    shutil.copytree(tiny, home / f"sound{EVIL}")
    config = json.loads((home / f"sound{EVIL}" / "config.json").read_text())
    broken = {
        "name": {"tokenizer": {"name": EVIL}},
        "names": {"tokenizer": {"name": [EVIL]}, "prior": {"name": {EVIL: 1}}},
        "number": {"tokenizer": {"name": 5}},
        "list": [EVIL],
        "text": EVIL,
        "nothing": None,
        "none": {},
        "long": {"tokenizer": {"name": "x" * 100_000}},
    }
    for name, change in broken.items():
        (home / f"{name}{EVIL}").mkdir()
        changed = config | change if isinstance(change, dict) and change else change
        (home / f"{name}{EVIL}" / "config.json").write_text(json.dumps(changed))
    for name, data in (
        ("no json", b"{" + EVIL.encode()), ("no text", b"\xff\xfe"), ("empty", b""), ("deep", b"[" * 200_000),
        ("figures", b'{"tokenizer": {"name": ' + b"9" * 10_000 + b"}}"),
    ):  # fmt: skip
        (home / name).mkdir()
        (home / name / "config.json").write_bytes(data)
    for name, shape in (("huge", [10**4000]), ("many", [1 << 40] * 200), ("text", ["x", 10**9]), ("negative", [-5])):
        folder = home / f"shape {name}"
        shutil.copytree(tiny, folder)
        head = json.dumps({f"t{EVIL}": {"dtype": "I8", "shape": shape, "data_offsets": [0, 0]}}).encode()
        (folder / "model.safetensors").write_bytes(len(head).to_bytes(8, "little") + head)
    for name in ("loop", "folder", "shut"):
        (home / name).mkdir()
    os.symlink("config.json", home / "loop" / "config.json")
    (home / "folder" / "config.json").mkdir()
    (home / "a file").write_bytes(b"")
    monkeypatch.setenv("TOKPRESS_MODELS", str(home))
    return home


def test_models(place, evil_models):
    """None of them ends the list, and none reaches the terminal."""
    listed = subprocess.run(command("models", "-v"), capture_output=True, text=True)
    assert listed.returncode == 1 and "Traceback" not in listed.stderr
    for text in (listed.stdout, listed.stderr):
        assert all(line.isprintable() for line in text.splitlines())
    assert "\ncontext-mixing " in listed.stdout and f"\nsound{ESCAPED} "[:50] in listed.stdout
    assert max(map(len, listed.stdout.splitlines())) < 600
    told = json.loads(subprocess.run(command("models", "--json"), capture_output=True).stdout)
    assert f"sound{EVIL}" in [each["name"] for each in told] and "context-mixing" in [each["name"] for each in told]
    shown = on_terminal("models", "-v", code=1, NO_COLOR="1")
    assert is_plain(shown)


def test_info_names_a_model_by_its_folder(place, evil_models):
    folder = evil_models / f"sound{EVIL}"
    (place / "a").write_bytes(letters(3000))
    subprocess.run(command("compress", "-q", "-m", folder, "a"), check=True, stderr=subprocess.DEVNULL)
    for more in ((), ("-v",)):
        shown = on_terminal("info", *more, "-m", folder, "a.tokp", NO_COLOR="1")
        assert ESCAPED in shown and is_plain(shown)
    found = json.loads(subprocess.run(command("info", "--json", "-m", folder, "a.tokp"), capture_output=True).stdout)
    assert found[0]["frames"][0]["model"] == f"sound{EVIL}"


def test_names_of_files(place, tiny):
    """In errors, results, warnings, wrong usage, tracebacks and tables."""
    pytest.importorskip("rich")
    name = EVIL + "[red]x"
    (place / name).write_bytes(letters(3000))
    for words, code in (
        (("compress", "-m", tiny, name), 0), (("info", name), 1), (("test", "-v", name), 1), (("compress", name + "?"), 1),
        (("compress", "-m", name, name), 1), (("compress", f"--{EVIL}"), 2), ((EVIL,), 2), (("compress", "-o", EVIL, "a", "b"), 2),
        (("compress", "--frame-size", EVIL, "a"), 2), (("completion", EVIL), 2), (("score", "-m", tiny, name), 0),
        (("score", "-m", tiny, "--by", "line", name), 0), (("bench", "--against", "", name), 0), (("bench", "--against", EVIL, name), 2),
        (("bench", "--against", "", "--json", "-", name), 0), (("unpack", "-l", name), 1), (("sample", "-m", name), 1),
    ):  # fmt: skip
        assert is_plain(shown := on_terminal(*words, code=code, NO_COLOR="1")), (words, shown)


def test_contents(place, tiny):
    (place / "a").write_bytes(EVIL.encode() * 20 + b"\nabc\n")
    for words in (("score", "-m", tiny, "--by", "line", "a"), ("score", "-m", tiny, "--by", "token", "a")):
        assert is_plain(on_terminal(*words))
    assert is_plain(on_terminal("sample", "-n", "500", "-m", "context-mixing", NO_COLOR="1"))


def test_printable():
    assert terminal.printable(EVIL) == ESCAPED and terminal.printable("\udcff é日") == "\\udcff é日"


# --- one way to print

#: what prints, by its last name
PRINTS = {"echo", "secho", "print", "pprint", "print_exc", "print_exception", "print_tb", "print_stack", "Console"}


def prints(tree: ast.AST) -> list[int]:
    """Lines of calls that print, or that write to the standard streams as text."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        written = name in ("write", "writelines") and ast.unparse(function).startswith(("sys.std", "sys.__std"))
        if name in PRINTS or written:
            found.append(node.lineno)
    return found


def test_nothing_else_prints():
    """A bar of rich's, in training, is given a Console; what it shows is made printable."""
    allowed = {
        ("training.py", 1),
        ("backend.py", 1),
        ("build_core.py", 4),
        ("package.py", 1),
    }  # the last three are scripts
    for path in [*CLI.glob("*.py"), *PACKAGE.rglob("*.py")]:
        lines = prints(ast.parse(path.read_text("utf-8")))
        if path.name == "terminal.py" and path.parent == CLI:
            assert len(lines) >= 3  # the test sees what prints
        else:
            assert not lines or (path.name, len(lines)) in allowed, f"{path.name}: lines {lines}"
