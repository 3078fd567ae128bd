"""Rules of the source tree: what the parts may know of each other, and what tests may wait for. docs/structure.md shows the counts."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from benchmarks.source_counts import (
    ROOMS,
    Tree,
    changed_state,
    circles,
    loose_files,
    outside_sets,
    patches,
    private_uses,
    room,
    upward_imports,
)

ROOT = Path(__file__).parent.parent
MAX_LOOSE = 9
#: files that use a private name of another library, which one of ours has too
FOREIGN_NAMES = {"tokpress/training/nets/bottlenecks.py"}
#: files that set attributes of another file's class, which are meant to be set: those of sys and of autograd's context
SET_FROM_OUTSIDE = {"cli/main.py", "tokpress/training/nets/quantized.py"}
#: what tests may patch: the world outside of tokpress
WORLD = ("os", "sys", "threading.Thread", "torch.cuda", "'builtins.open'")
#: tests that patch tokpress itself: none may be added
PATCHING = {
    "tests/cli/test_damage.py", "tests/cli/test_limits.py", "tests/cli/test_owners.py", "tests/cli/test_pack.py",
    "tests/cli/test_places.py", "tests/cli/test_remove.py", "tests/cli/test_signals.py", "tests/cli/test_unpack.py",
    "tests/priors/test_memory.py", "tests/tokenizers/test_bpe.py", "tests/tokenizers/test_segments.py",
    "tests/training/test_autoencoders.py", "tests/training/test_classes.py", "tests/training/test_corpus.py", "tests/training/test_network.py",
    "tests/training/test_segments.py",
}  # fmt: skip
#: what a process has once
STATE = {
    "container.lzma2._turn": "one lzma encoder at work: it takes 390 MB",
    "exact.threads._BLAS": "the threads of numpy's library",
    "exact.threads._crew": "the threads that share steps",
    "exact.threads._thread_limit": "the limit of a context",
    "models.store._loading": "one thread loads a model",
    "priors.registry.PRIORS": "registered priors",
    "registry._FILES": "files of registered components",
    "registry._OWN": "registered components of others",
    "tokenizers.registry.TOKENIZERS": "registered tokenizers",
    "training.nets.adversarial._PERCEPTUAL": "a network that is loaded once",
    "cli.output._unfinished": "outputs to remove when the process is stopped",
    "cli.signals._received": "the signal that arrived",
    "cli.signals._holding": "whether signals wait",
    "cli.signals._finished": "whether the work is over",
    "cli.signals._check_job": "whether a thread's work is still wanted",
    "cli.output._tag": "the names of temporary files in a worker",
    "cli.terminal._desk": "the terminal's line",
}


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree(ROOT)


def test_no_circles(tree):
    assert circles(tree.imports) == []


def test_imports_go_downwards(tree):
    assert {room(name) for name in tree.imports} == set(ROOMS)
    assert upward_imports(tree) == []


def test_few_files_are_loose(tree):
    assert len(loose_files(tree)) <= MAX_LOOSE


def files(found: list[str]) -> set[str]:
    return {each.partition(":")[0] for each in found}


def test_no_private_name_is_used_in_another_file(tree):
    assert files(private_uses(tree)) <= FOREIGN_NAMES


def test_no_attribute_is_set_from_outside(tree):
    assert files(outside_sets(tree)) <= SET_FROM_OUTSIDE


def test_tests_patch_the_world_and_not_tokpress(tree):
    ours = [each for each in patches(tree) if each.partition("(")[2].split(",")[0] not in WORLD]
    assert files(ours) <= PATCHING


def test_no_call_changes_the_state_of_a_module(tree):
    """But for what a process has once."""
    assert {name.removeprefix("tokpress.") for name in changed_state(tree)} <= set(STATE)


def time_limits(path: Path) -> list[str]:
    """Calls in a test that give another process or thread less than LAST_RESORT, or that wait for a time to pass."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            limits = [each.value for each in node.keywords if each.arg in ("timeout", "deadline")]
            if isinstance(node.func, ast.Attribute) and node.func.attr == "result":
                limits += node.args
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("wait", "join", "get", "acquire"):
                numbers = [
                    each for each in node.args if isinstance(each, ast.Constant) and type(each.value) in (int, float)
                ]
                flags = [each for each in node.args if isinstance(each, ast.Constant) and type(each.value) is bool]
                if len(numbers) + len(flags) == len(node.args):  # `get(True, 5)`, but not `settings.get("size", 5)`
                    limits += numbers
            if ast.unparse(node.func) in ("time.sleep", "sleep") and node.args:
                limits += node.args
            found += [ast.unparse(node) for limit in limits if ast.unparse(limit) not in ("LAST_RESORT", "None", "0")]
    return found


def test_positional_limits_are_found(tmp_path):
    (tmp_path / "a.py").write_text("a.wait(5)\nb.join(0.5)\nc.get(True, 5)\nd.acquire()\ne.get('f', 5)\n")
    assert time_limits(tmp_path / "a.py") == ["a.wait(5)", "b.join(0.5)", "c.get(True, 5)"]


def test_no_test_depends_on_the_speed_of_the_machine():
    """Tests wait for events (tests/limits.py). What sleeps, to be given the chance to be wrong, is listed here."""
    root = ROOT / "tests"
    allowed = {"limits.py": 1}
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        found = time_limits(path)
        assert len(found) <= allowed.get(name, 0), f"{name}: {found}"


def test_every_dependency_is_used_without_an_extra():
    """A dependency of training alone belongs to the extra `train`."""
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    imported: set[str] = set()
    for path in [*(ROOT / "tokpress").rglob("*.py"), *(ROOT / "cli").glob("*.py")]:
        if path.relative_to(ROOT).parts[1] not in ("training", "bench", "integrations"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                imported |= {name.partition(".")[0] for name in names}
    assert {re.split("[^a-z]", each)[0] for each in dependencies} <= imported


def test_every_package_is_installed():
    """setuptools installs what is listed; an editable installation would not show what is missing."""
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"])
    package = ROOT / "tokpress"
    found = {".".join(("tokpress", *path.parent.relative_to(package).parts)) for path in package.rglob("*.py")}
    assert listed == found | {"tokpress.cli"}
