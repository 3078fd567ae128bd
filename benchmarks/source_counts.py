"""Counts over a source tree, by ast: docs/structure.md shows them, tests/test_structure.py bounds them.

The tree is read, never imported, so it may be that of an older commit. A finding is a line such as "tokpress/a.py:12: text".
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path

#: imports go downwards; the last room is for files that every room may use
ROOMS = (
    "cli", "bench", "toolkit", "training", "integrations", "codec", "models", "priors", "tokenizers", "coding", "pages", "media", "exact", "storage",
    "native", "container", "loose",
)  # fmt: skip
#: loose files that stand above all rooms; the names of tokpress.tokenizers for users come from the toolkit
ABOVE = {"tokpress", "tokpress.__main__", "tokpress.conformance", "tokpress.tokenizers"}
MAX_LINES, MAX_FUNCTION_LINES, MAX_BRANCHES = 400, 60, 25
#: methods of containers and context variables that change them
CHANGES = {
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "remove", "set", "setdefault",
    "update",
}  # fmt: skip
#: calls that make an object whose only use is to be changed
CHANGEABLE = {"Condition", "ContextVar", "Event", "Lock", "Queue", "RLock", "Semaphore", "SimpleQueue", "local"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Tree:
    """The sources of a checkout: tokpress/ and cli/ (installed as tokpress.cli), which are the package, benchmarks/ and tests/."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def modules(self) -> dict[str, Path]:
        """Every module of the package and of the benchmarks by its name."""
        found = {}
        for part, base in (("tokpress", "tokpress"), ("cli", "tokpress.cli"), ("benchmarks", "benchmarks")):
            folder = self.root / part
            for path in sorted(folder.rglob("*.py")):
                parts = [base, *path.relative_to(folder).with_suffix("").parts]
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        return found

    @cached_property
    def parsed(self) -> dict[str, ast.Module]:
        return {name: parse(path) for name, path in self.modules.items()}

    @cached_property
    def package(self) -> dict[str, ast.Module]:
        return {name: module for name, module in self.parsed.items() if name.partition(".")[0] == "tokpress"}

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """Within the package."""
        return {name: set(self.names(name).values()) - {name} for name in self.package}

    def names(self, name: str) -> dict[str, str]:
        """Name in a module → the module that it comes from or stands for, of all imports of the package."""
        return imported(self.parsed[name], name, self.modules[name].name == "__init__.py", set(self.modules))

    @cached_property
    def defined(self) -> dict[str, set[str]]:
        """Functions, classes, variables and attributes that a module defines."""
        return {name: set(_definitions(tree)) for name, tree in self.parsed.items()}

    def place(self, name: str, node: ast.AST, text: str) -> str:
        return f"{self.modules[name].relative_to(self.root).as_posix()}:{getattr(node, 'lineno', 1)}: {text}"

    def files(self, *folders: str, kinds: Iterable[str] = ("py", "c", "h")) -> list[Path]:
        found = (path for folder in folders for kind in kinds for path in (self.root / folder).rglob(f"*.{kind}"))
        return sorted(path for path in found if "__pycache__" not in path.parts)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imported(tree: ast.AST, name: str, is_package: bool, known: set[str]) -> dict[str, str]:
    """Imported name → its module among `known`, wherever the import stands: at the top, in functions, for type checkers."""
    package = (name if is_package else name.rpartition(".")[0]).split(".")
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                found[alias.asname or alias.name] = inner if inner in known else module
    return {name: module for name, module in found.items() if module in known}


# --- rooms ----------------------------------------------------------------------------------------------------------


def room(name: str) -> str:
    part = name.split(".")[1] if "." in name else ""
    return part if part in ROOMS else "loose"


def is_upward(start: str, end: str) -> bool:
    return ROOMS.index(room(end)) < ROOMS.index(room(start))


def loose_files(tree: Tree) -> list[str]:
    return sorted(path.name for path in (tree.root / "tokpress").glob("*.py"))


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules each of which reaches the others."""

    def reached(start: str) -> set[str]:
        seen, left = set(), [start]
        while left:
            for name in imports[left.pop()] - seen:
                seen.add(name)
                left.append(name)
        return seen

    all_reached = {name: reached(name) for name in imports}
    groups = {tuple(sorted(b for b in all_reached[a] if a in all_reached[b])) for a in imports if a in all_reached[a]}
    return [list(group) for group in sorted(groups)]


def upward_imports(tree: Tree) -> list[str]:
    return [
        f"{name} imports {other}"
        for name, others in tree.imports.items()
        for other in sorted(others)
        if name not in ABOVE and (other in ABOVE or is_upward(name, other))
    ]


# --- contracts and names --------------------------------------------------------------------------------------------


def members(tree: Tree, contract: str) -> list[str]:
    """Names that the class `contract` defines, without those of Python's own (`__init__`)."""
    found: set[str] = set()
    for module in tree.package.values():
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef) and node.name == contract:
                names = {name for statement in node.body for name in _bound(statement)}
                found |= {name for name in names if not name.startswith("__")}
    return sorted(found)


def untyped_networks(tree: Tree) -> list[str]:
    """Parameters `m: Any`: networks whose operations no type describes."""
    return [
        tree.place(name, each, f"{node.name}({ast.unparse(each)})")
        for name, node in _functions(tree)
        for each in node.args.args
        if each.arg == "m" and each.annotation is not None and ast.unparse(each.annotation) == "Any"
    ]


def constants(tree: Tree, prefix: str) -> list[str]:
    return sorted(
        f"{name}.{constant}"
        for name, module in tree.package.items()
        for constant in _globals(module)
        if constant.startswith(prefix)
    )


# --- what a file keeps to itself ------------------------------------------------------------------------------------


def private_uses(tree: Tree) -> list[str]:
    """Names that begin with _ and are defined in another file only."""
    found = []
    for name, module in tree.parsed.items():
        names, others = tree.names(name), set().union(*(d for other, d in tree.defined.items() if other != name))
        for node in ast.walk(module):
            if isinstance(node, ast.ImportFrom):
                used = [a.name for a in node.names if (a.asname or a.name) in names and _is_private(a.name)]
                found += [tree.place(name, node, each) for each in used if f"tokpress.{each}" not in tree.package]
            elif isinstance(node, ast.Attribute) and _is_private(node.attr) and not _is_own(node.value):
                of_module = isinstance(node.value, ast.Name) and node.value.id in names
                if of_module or node.attr in others - tree.defined[name]:
                    found.append(tree.place(name, node, ast.unparse(node)))
    return found


def outside_sets(tree: Tree) -> list[str]:
    """Assignments to an attribute that classes of other files define, and only they; and to names in another module."""
    attributes = {name: set(_attributes(module)) for name, module in tree.parsed.items()}
    found = []
    for name, module in tree.parsed.items():
        names, others = tree.names(name), set().union(*(a for other, a in attributes.items() if other != name))
        for node in ast.walk(module):
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and not _is_own(node.value):
                of_module = isinstance(node.value, ast.Name) and node.value.id in names
                if of_module or node.attr in others - attributes[name]:
                    found.append(tree.place(name, node, f"{ast.unparse(node)} ="))
    return found


def changed_state(tree: Tree) -> list[str]:
    """Names of modules that calls change: by `global`, by changing what the name holds, or by its methods."""
    classes = {
        node.name
        for module in tree.package.values()
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef) and _changes_itself(node)
    }
    found = []
    for name, module in tree.package.items():
        top = _globals(module)
        changed = {
            each
            for each, value in top.items()
            if isinstance(value, ast.Call) and _called(value) in classes | CHANGEABLE
        }
        for function in (node for node in ast.walk(module) if isinstance(node, Function)):
            stated = {each for node in ast.walk(function) if isinstance(node, ast.Global) for each in node.names}
            own = set(_locals(function)) - stated
            changed |= stated | {
                each for node in ast.walk(function) for each in _changed(node) if each in top.keys() - own
            }
        found += [f"{name}.{each}" for each in sorted(changed)]
    return found


# --- size -----------------------------------------------------------------------------------------------------------


def long_files(tree: Tree, folders: Iterable[str] = ("tokpress", "cli", "benchmarks", "tests")) -> list[str]:
    lines = {path: path.read_bytes().count(b"\n") for path in tree.files(*folders)}
    return [f"{path.relative_to(tree.root).as_posix()}: {n} lines" for path, n in lines.items() if n > MAX_LINES]


def long_functions(tree: Tree) -> list[str]:
    return _functions_over(tree, lambda node: (node.end_lineno or 0) - node.lineno + 1, MAX_FUNCTION_LINES, "lines")


def branching_functions(tree: Tree) -> list[str]:
    return _functions_over(tree, lambda node: sum(map(_branches, ast.walk(node))), MAX_BRANCHES, "branches")


def _functions_over(tree: Tree, size: Callable[[Function], int], most: int, unit: str) -> list[str]:
    sizes = [(name, node, size(node)) for name, node in _functions(tree)]
    return [tree.place(name, node, f"{node.name}: {n} {unit}") for name, node, n in sizes if n > most]


def _branches(node: ast.AST) -> int:
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    return isinstance(
        node, ast.If | ast.IfExp | ast.For | ast.AsyncFor | ast.While | ast.ExceptHandler | ast.match_case
    )


# --- tests ----------------------------------------------------------------------------------------------------------


def test_functions(tree: Tree) -> list[str]:
    return [
        f"{path.relative_to(tree.root).as_posix()}: {node.name}"
        for path in tree.files("tests", kinds=["py"])
        for node in ast.walk(parse(path))
        if isinstance(node, Function) and node.name.startswith("test_")
    ]


test_functions.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it where it is imported


def patches(tree: Tree) -> list[str]:
    """Calls of monkeypatch.setattr, whatever the patch is called."""
    return [
        f"{path.relative_to(tree.root).as_posix()}:{node.lineno}: {ast.unparse(node)}"
        for path in tree.files("tests", kinds=["py"])
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr"
    ]


# --- ast ------------------------------------------------------------------------------------------------------------


def _functions(tree: Tree) -> Iterator[tuple[str, Function]]:
    for name, module in tree.parsed.items():
        yield from ((name, node) for node in ast.walk(module) if isinstance(node, Function))


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _is_own(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def _bound(statement: ast.stmt) -> Iterator[str]:
    """Names that a statement of a module or class binds."""
    if isinstance(statement, Function | ast.ClassDef):
        yield statement.name
    else:
        yield from (
            node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )


def _attributes(tree: ast.AST) -> Iterator[str]:
    """Attributes that the classes of a file define: in their bodies, and on `self` or `cls`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from (name for statement in node.body for name in _bound(statement))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_own(node.value):
            yield node.attr


def _definitions(tree: ast.Module) -> Iterator[str]:
    yield from _attributes(tree)
    yield from (name for statement in tree.body for name in _bound(statement))


def _globals(module: ast.Module) -> dict[str, ast.expr | None]:
    """Name of a module → its value, of those that are assigned at the top and imported from nowhere."""
    found: dict[str, ast.expr | None] = {}
    for statement in module.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = [n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]
            found |= dict.fromkeys(names, statement.value)
    return found


def _locals(function: Function) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _called(node: ast.Call) -> str:
    function = node.func.value if isinstance(node.func, ast.Subscript) else node.func
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def _changed(node: ast.AST) -> Iterator[str]:
    """The name whose content a node changes: `name[…] = `, `name.x = `, `name.append(…)`."""
    base: ast.expr | None = None
    if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
        base = node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
        base = node.func.value
    while isinstance(base, ast.Attribute | ast.Subscript):
        base = base.value
    if isinstance(base, ast.Name):
        yield base.id


def _changes_itself(node: ast.ClassDef) -> bool:
    methods = (each for each in node.body if isinstance(each, Function) and each.name not in ("__init__", "__new__"))
    return any(name == "self" for method in methods for each in ast.walk(method) for name in _changed(each))
