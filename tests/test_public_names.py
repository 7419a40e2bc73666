"""What `import promptreid` shows, at once and without PyTorch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import promptreid


def test_importing_the_package_loads_neither_torch_nor_numpy():
    code = (
        "import sys, promptreid; names = dir(promptreid); "
        "print(*names, *({'torch', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == sorted(promptreid.__all__)


def test_every_public_name_is_there_and_says_what_it_does():
    for name in promptreid.__all__:
        value = getattr(promptreid, name)
        assert name.startswith("__") or value.__doc__, name
    assert len(promptreid.__all__) > 15


def test_type_checkers_see_the_names_that_are_imported_when_asked_for():
    tree = ast.parse(Path(promptreid.__file__).read_text(encoding="utf-8"))
    seen = {
        (alias.name, f"{node.module}".removeprefix("promptreid."))
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == set(promptreid._PLACES.items())
    assert {*promptreid._PLACES, "__version__"} == set(promptreid.__all__)


def test_no_part_of_the_package_has_the_name_of_a_function():
    """A module that is imported would take the place of the function."""
    parts = {path.stem for path in Path(promptreid.__file__).parent.glob("*.py")}
    parts |= {path.parent.name for path in Path(promptreid.__file__).parent.glob("*/__init__.py")}
    assert not parts & set(promptreid.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="trian"):
        promptreid.trian
