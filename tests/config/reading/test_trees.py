"""YAML files of recipes: read once, within limits, every mistake a sentence with its file."""

import os

import pytest

from promptreid.config import recipes
from promptreid.config.reading.trees import read_tree
from promptreid.config.recipes import load_recipe
from promptreid.config.sweep import load_sweep
from promptreid.errors import ConfigError


def problem(path):
    with pytest.raises(ConfigError) as caught:
        load_recipe(str(path))
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty; it must hold a mapping of keys to values"),
        (b"# nothing\n", "is empty"),
        (b"- a\n", "holds a list; it must hold a mapping"),
        (b"5\n", "holds a number"),
        (b"word\n", "holds a text"),
        (b"true\n", "holds true or false"),
        (b"name: [\n", "is not valid YAML: line 2, column 1"),
        (b"name: a\nsource: \xff\xfe\n", "is not UTF-8: the byte 0xff in line 2"),
        (b"\xff\xfe", "is not UTF-8: the byte 0xff in line 1"),
        (b"name: a\0b\n", "line 1, column 8: a character that YAML does not allow"),
        (b"x" * (1 << 20) + b"y", "is larger than 1 MiB"),
        (b"name: a\nname: b\n", "line 2, column 1: the key 'name' is given twice"),
        (b"template: {context} a photo\n", "A text that begins with { needs quotes"),
        (b"extends: 1\n", "extends takes the name of a recipe or a YAML file, or a list of them"),
        (b"extends: [clip-reid, 1]\n", "not ['clip-reid', 1]"),
        (b"extends: {a: b}\n", "extends takes"),
        (b"extends:\n", "not None"),
        (b"extends: ''\n", "extends takes"),
        (b"name: !!int abc\n", "line 1, column 7: 'abc' is not what !!int says"),
        (b"extends: clip-reid\nname: !!timestamp x\n", "line 2, column 7: the tag !!timestamp"),
    ],
)
def test_files_that_are_no_recipes(tmp_path, content, words):
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    before = load_recipe("clip-reid")
    told = problem(path)
    assert words in told
    assert str(path) in told
    assert load_recipe("clip-reid") == before  # a failure leaves nothing behind


def test_a_byte_order_mark_is_no_matter(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfextends: clip-reid\nsource: gr\xc3\xbcn\n")
    assert load_recipe(str(tmp_path / "a.yaml")).source == "grün"


def test_sweeps_are_read_by_the_same_reader(tmp_path):
    (tmp_path / "s.yaml").write_text("recipe: clip-reid\nseeds: [0]\nseeds: [1]\n")
    with pytest.raises(ConfigError, match="line 3, column 1: the key 'seeds' is given twice"):
        load_sweep(tmp_path / "s.yaml")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.yaml")
    with pytest.raises(ConfigError, match="is not a file"):
        read_tree(tmp_path / "a.yaml", holding="of anything")


def test_files_that_each_extend_the_one_before_twice_are_read_once_each(tmp_path, monkeypatch):
    (tmp_path / "0.yaml").write_text("extends: clip-reid\nsource: s0\n")
    for number in range(1, 19):
        text = f"extends: [{number - 1}.yaml, {number - 1}.yaml]\ndescription: d{number}\n"
        (tmp_path / f"{number}.yaml").write_text(text)
    read = []
    monkeypatch.setattr(
        recipes,
        "read_tree",
        lambda path, **options: read.append(path) or read_tree(path, **options),
    )
    recipe = load_recipe(str(tmp_path / "18.yaml"))
    assert len([path for path in read if path.parent == tmp_path]) == len(read) - 1 == 19
    assert (recipe.description, recipe.source, recipe.name) == ("d18", "s0", "18")


def test_too_long_a_chain_and_too_many_files_are_refused(tmp_path):
    (tmp_path / "0.yaml").write_text("extends: clip-reid\n")
    for number in range(1, 200):
        (tmp_path / f"{number}.yaml").write_text(f"extends: {number - 1}.yaml\n")
        (tmp_path / f"w{number}.yaml").write_text("extends: clip-reid\n")
    assert "extends too many recipes" in problem(tmp_path / "199.yaml")
    names = ", ".join(f"w{number}.yaml" for number in range(1, 200))
    (tmp_path / "wide.yaml").write_text(f"extends: [{names}]\n")
    assert "extends too many recipes" in problem(tmp_path / "wide.yaml")


def test_overrides_do_not_reach_the_next_reading(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: clip-reid\n")
    (tmp_path / "b.yaml").write_text("extends: [a.yaml, a.yaml]\n")
    changed = load_recipe(str(tmp_path / "b.yaml"), ["stages.image.losses.triplet.margin=0.7"])
    assert changed.stages[1].losses.triplet.margin == 0.7
    assert load_recipe(str(tmp_path / "b.yaml")).stages[1].losses.triplet.margin == 0.3


@pytest.mark.parametrize("name", ["{a: 1}", "[a]", "null", "1"])
def test_a_stage_whose_name_is_no_text(tmp_path, name):
    (tmp_path / "a.yaml").write_text(f"extends: clip-reid\nstages: [{{name: {name}}}]\n")
    assert "name" in problem(tmp_path / "a.yaml")
