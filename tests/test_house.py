"""The house holds: imports run down its floors, in no circle, and a name stands for one thing."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import promptreid
from promptreid.runs import file_names

SOURCES = Path(promptreid.__file__).parent

FLOORS = {
    "__main__": 11, "__init__": 10, "cli": 10,
    "actions": 9,
    "pages": 8, "sweeps": 8, "serve": 8,
    "training": 7, "gallery": 7,
    "figures": 6,
    "inference": 5,
    "losses": 4, "evaluation": 4,
    "models": 3,
    "data": 2, "runs": 2, "moving": 2,
    "config": 1, "recipes": 1, "tracking": 1, "synth": 1,
    "text": 0, "progress": 0, "files": 0, "file_locks": 0, "seeds": 0, "errors": 0, "tensors": 0,
    "json_record": 0, "processor": 0, "processes": 0, "torch_threads": 0, "transfer": 0,
    "version": 0, "hub": 0,
}  # fmt: skip
"""Floor of each room; a room imports from floors below its own."""

BESIDE = {("runs", "data"), ("data", "tables")}
"""Rooms of one floor of which the first may import the second."""

RENDERING = {
    "promptreid.actions.datasets.render_data",
    "promptreid.cli.demo_hands",
    "promptreid.cli.pretrain",
}
"""Modules that may render pictures."""

PRINTING = {"__main__", "cli", "progress"}
"""Rooms that print; the others return values."""

MOST_FILES = 16
"""Files of a folder, `__init__` apart; folders of siblings of one kind may hold more."""

SIBLINGS = {"cli", "data/readers", "losses", "synth/people"}


ACROSS = {"benchmarks", "browser", "fuzz"}
"""Folders of tests that belong to no room of the package."""


def modules() -> dict[str, Path]:
    """All modules of the package by their full name."""
    found = {}
    for path in SOURCES.rglob("*.py"):
        parts = path.relative_to(SOURCES.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    assert len(found) > 200
    return found


MODULES = modules()


@cache
def parsed(path: Path) -> ast.Module:
    """A file of the package, read once for all tests."""
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def _forget_parsed() -> Iterator[None]:
    """Keep the trees no longer than they are looked at."""
    yield
    parsed.cache_clear()


def imports(path: Path) -> set[str]:
    """Modules of the package that a file imports, at its top, in functions or for types alone."""
    named = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            wholes = {f"{module}.{alias.name}" for alias in node.names}
            named |= {whole if whole in MODULES else module for whole in wholes}
    return {name for name in named if name.split(".")[0] == "promptreid"}


@cache
def all_imports() -> dict[str, set[str]]:
    """What each module of the package imports from it."""
    return {name: imports(path) for name, path in MODULES.items()}


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def test_every_room_has_a_floor():
    assert {room(module) for module in MODULES} <= set(FLOORS)


def test_imports_run_down_the_floors():
    running_up = []
    for module, named in all_imports().items():
        for target in named:
            above, below = room(module), room(target)
            if above == below or (above, below) in BESIDE or FLOORS[above] == FLOORS[below] == 0:
                continue
            if FLOORS[below] >= FLOORS[above] and module != "promptreid":
                running_up.append(f"{module} imports {target}")
    assert not running_up, "\n".join(sorted(running_up))


def circles() -> list[list[str]]:
    """Groups of modules that import each other, by Tarjan's algorithm."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for target in all_imports().get(module, ()):
            if target == module:
                continue
            if target not in number:
                visit(target)
                lowest[module] = min(lowest[module], lowest[target])
            elif target in stack:
                lowest[module] = min(lowest[module], number[target])
        if lowest[module] == number[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for module in MODULES:
        if module not in number:
            visit(module)
    return groups


def test_no_files_import_each_other_in_a_circle():
    groups = circles()
    assert not groups, "\n".join(map(", ".join, groups))


def test_only_commands_that_render_import_rendered_pictures():
    importing = {
        module
        for module, named in all_imports().items()
        if room(module) != "synth" and any(room(target) == "synth" for target in named)
    }
    assert importing <= RENDERING


def test_only_commands_and_progress_print():
    printing = []
    for module, path in MODULES.items():
        if room(module) in PRINTING:
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "click.echo"):
                printing.append(f"{module}:{node.lineno}")
            named = [node.module] if isinstance(node, ast.ImportFrom) else []
            named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            printing += [f"{module} imports click" for name in named if name == "click"]
    assert not printing


def texts(path: Path) -> set[str]:
    """All string constants of a file."""
    nodes = ast.walk(parsed(path))
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def test_only_the_room_of_runs_knows_names_inside_a_run():
    names = {value for key, value in vars(file_names).items() if key.isupper() and "." in value}
    assert len(names) >= 12
    knowing = {
        f"{module}: {', '.join(sorted(found))}"
        for module, path in MODULES.items()
        if room(module) != "runs" and (found := names & texts(path))
    }
    assert not knowing


def test_nobody_reads_what_a_checkpoint_says_by_keys():
    """What a checkpoint says is a typed record everywhere but where it is written and read."""
    known = {"promptreid.models.checkpoint", "promptreid.models.checkpoint_info"}
    for module, path in MODULES.items():
        if module not in known:
            assert not {"camera_values", "view_values"} & texts(path), module
            code = path.read_text(encoding="utf-8")
            assert not re.search(r"\.(metadata|info)(\[|\.get\()", code), module


def functions(path: Path) -> list[ast.FunctionDef]:
    """Public functions of a file, constructors included; those of the command line apart."""
    return [
        node
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef)
        and (node.name == "__init__" or not node.name.startswith("_"))
        and not any("click" in ast.unparse(one) for one in node.decorator_list)
    ]


def test_more_than_eight_arguments_have_a_reason():
    """A function that takes more says in its docstring why its arguments are many."""
    unexplained, most = [], 8
    for module, path in MODULES.items():
        for node in functions(path):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = sum(argument.arg not in ("self", "cls") for argument in given)
            told = re.search("The (many )?arguments are", ast.get_docstring(node) or "")
            if count > most and not told:
                unexplained.append(f"{module}.{node.name} takes {count}")
    assert not unexplained, "\n".join(unexplained)


def test_every_file_name_occurs_once():
    places = defaultdict(list)
    for module, path in MODULES.items():
        top = room(module)
        if path.name != "__init__.py" and top not in ("cli", "config"):
            places[path.name].append(module)
    twice = {name: found for name, found in places.items() if len(found) > 1}
    assert not twice


def test_every_class_name_occurs_once():
    places = defaultdict(list)
    for module, path in MODULES.items():
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and node.name != "Options":  # one of each reader
                places[node.name].append(module)
    twice = {name: found for name, found in places.items() if len(found) > 1}
    assert not twice


def test_folders_hold_what_can_be_seen_at_a_glance():
    for folder in {path.parent for path in MODULES.values()}:
        name = str(folder.relative_to(SOURCES))
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        if name not in SIBLINGS:
            assert len(files) <= MOST_FILES, f"{name} holds {len(files)} files"
        if name != ".":
            text = (folder / "__init__.py").read_text(encoding="utf-8")
            assert ast.get_docstring(ast.parse(text)), f"{name} does not say what lives there"


def test_tests_stand_where_their_room_does():
    """What tests one file stands in the folder of that file, whose name it has."""
    tests = Path(__file__).parent
    folders = defaultdict(set)
    for path in MODULES.values():
        folders[path.stem].add(path.parent.relative_to(SOURCES))
    for path in tests.rglob("test_*.py"):
        folder = path.parent.relative_to(tests)
        if str(folder) in ACROSS:
            continue
        assert (SOURCES / folder).is_dir(), f"{path} stands in no room"
        of_that_name = folders.get(path.stem.removeprefix("test_"), {folder})
        assert folder in of_that_name, f"{path} tests a file of another folder"
