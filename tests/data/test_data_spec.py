from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptreid.data.data_spec import DataSpec, parse_spec
from promptreid.errors import ConfigError

# What a file name can hold: bytes that are no text are halves of characters.
FILE_LETTERS = st.characters(
    blacklist_categories=("Cs",), blacklist_characters="\0"
) | st.sampled_from("?%3F&=\udc80\udcff")


@pytest.mark.parametrize(
    ("text", "name", "root", "options"),
    [
        ("market1501:/data/Market-1501-v15.09.15", "market1501", "/data/Market-1501-v15.09.15", {}),
        ("hands11k:/d?aspect=all&seed=3", "hands11k", "/d", {"aspect": "all", "seed": "3"}),
        ("csv:C:\\cows.csv", "csv", "C:\\cows.csv", {}),
        ("folder:~/my crops", "folder", "~/my crops", {}),
        ("csv:a.csv?", "csv", "a.csv", {}),
        ("csv:a.csv?root=/x%26y=z", "csv", "a.csv", {"root": "/x&y=z"}),
        ("folder:/what%3F/a%26b", "folder", "/what?/a%26b", {}),
        ("folder:/100%253F%25", "folder", "/100%3F%25", {}),
        ("folder:/x?root=%ff", "folder", "/x", {"root": "\udcff"}),
        ("folder:/caf\udce9", "folder", "/caf\udce9", {}),
        (" csv: a.csv ?missing = skip", "csv", "a.csv", {"missing": "skip"}),
    ],
)
def test_parts(text: str, name: str, root: str, options: dict[str, str]) -> None:
    assert parse_spec(text) == DataSpec(name, root, options)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/data/Market", "does not start with the name of a data set.*market1501:/data"),
        ("", "does not start"),
        (":/data", "does not start"),
        ("/a:b", "does not start"),
        ("market1501:", "does not say where 'market1501' lies"),
        ("market1501:?a=b", "does not say where"),
        ("m:/d?aspect", "'aspect' is no option of the form key=value"),
        ("folder:/what?/a", "A . that belongs to the path is written %3F"),
        ("folder:/a\0b", "holds what the name of no file can hold"),
        ("folder:/a?root=%00", "'root' holds a zero byte"),
        ("folder:/\ud800", "holds what the name of no file can hold"),
        ("m:/d?a=1&&b=2", "'' is no option"),
        ("m:/d?=1", "'=1' is no option"),
        ("m:/d?a=1&a=2", "'a' is given twice"),
    ],
)
def test_wrong_specs_are_explained(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_spec(text)


@settings(deadline=None)
@given(
    st.text(FILE_LETTERS, min_size=1).map(lambda text: f"/{text.strip()}"),
    st.dictionaries(
        st.from_regex(r"[a-z_]+", fullmatch=True), st.text(FILE_LETTERS).map(str.strip)
    ),
)
def test_written_specs_read_back(root: str, options: dict[str, str]) -> None:
    spec = DataSpec("csv", root, options)
    assert parse_spec(str(spec)) == spec


def test_parsing_imports_nothing_heavy() -> None:
    code = (
        "import sys; import promptreid.data.data_spec, promptreid.data.reader_registry;"
        "print([m for m in ('numpy', 'torch', 'pydantic') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_path_alone_is_told_the_reader_that_fits(tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.touch()
    for place, spec in ((tmp_path, f"folder:{tmp_path}"), (table, f"csv:{table}")):
        with pytest.raises(ConfigError) as caught:
            parse_spec(str(place))
        assert spec in str(caught.value)


def test_a_name_that_no_file_can_have_is_told():
    with pytest.raises(ConfigError, match="does not start with the name"):
        parse_spec("9" * 5000)
