"""Every command that README and docs show exists; its recipes, overrides and specs are valid."""

import re
import shlex
from pathlib import Path

import click
import pytest
from PIL import Image

from promptreid.cli.main import cli, main
from promptreid.config.reading.keys import known_keys
from promptreid.config.recipes import load_recipe, recipe_names
from promptreid.config.schema import Recipe
from promptreid.data.data_spec import parse_spec
from promptreid.data.reader_registry import READERS
from promptreid.errors import ConfigError

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands():
    found = []
    for page in PAGES:
        for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.M | re.S):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("promptreid "):
                    found.append(pytest.param(line, id=f"{page.name}: {line}"))
    return found


def leaf(words):
    """Follow command names; return the command and the words behind them."""
    node = cli
    while isinstance(node, click.Group) and words and not words[0].startswith("-"):
        found = node.get_command(click.Context(node), words[0])
        assert found is not None, words[0]
        node, words = found, words[1:]
    return node, words


def test_pages_show_commands():
    assert len(commands()) > 15


@pytest.mark.parametrize("line", commands())
def test_command_is_valid(line):
    line = re.sub(
        r"\[[^\]]*\.\.\.\]|\[--?\w[^\]]*\]|\s{2,}.*$", "", line
    )  # optional parts, remarks
    command, words = leaf(shlex.split(line)[1:])
    options = {name for option in command.params for name in option.opts}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in options, word
    data = [words[i + 1] for i, word in enumerate(words) if word == "--data"]
    for spec in data:
        if spec != "SPEC":
            assert parse_spec(spec).name in READERS
    names = [word for word in words if "=" in word and not word.startswith("--")]
    overrides = [word for word in names if word not in data and ":" not in word.partition("=")[0]]
    if command.name == "train" and words and not words[0].startswith("-"):
        load_recipe(words[0], overrides)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.slow
def test_the_offline_tour_of_the_readme_runs(tmp_path, capsys, monkeypatch):
    text = (ROOT / "README.md").read_text()
    tour = text[text.index("Nothing at hand?") :]
    block = re.search(r"^```\n(.*?)^```", tour, re.M | re.S).group(1)
    monkeypatch.chdir(tmp_path)
    batch = "stages.image.batch={identities: 2, images: 2}"
    short = {
        "data": ["--workers", "1"],
        "train": ["stages.prompts.epochs=1", "stages.image.epochs=1", batch, "--device", "cpu"],
    }
    for line in block.splitlines():
        words = shlex.split(line.replace("/tmp/", f"{tmp_path}/").replace(" 64", " 6"))[1:]
        with pytest.raises(SystemExit) as done:
            main([*words, *short[words[0]]])
        assert done.value.code == 0, capsys.readouterr().err
    assert "Protocol market1501" in capsys.readouterr().out
    assert (tmp_path / "runs" / "clip-reid-tiny-market1501-seed0" / "scores.json").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_data_sets_with_options_are_quoted_for_the_shell(page):
    for line in page.read_text(encoding="utf-8").splitlines():
        for word in re.findall(r"(?:--data|--test|inspect)\s+(\S+)", line):
            if "?" in word or "&" in word:
                assert word[0] in "\"'", line


def test_the_glossary_leads_to_keys_and_recipes_that_exist():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| ")]
    named = {code for row in rows for code in re.findall(r"`([^`]+)`", row[-2])}
    recipes = {name for name in named if re.fullmatch(r"[a-z][a-z-]*(/[a-z-]+)?", name)}
    known = {*recipe_names(), *READERS, "camera", "prompt", "precision", "losses"}
    assert len(recipes) > 8
    assert recipes <= known
    _, keys = known_keys(Recipe, {"stages": [{"name": "NAME"}]})
    dotted = {re.sub(r"^(losses|batch)\.", r"stages.NAME.\1.", name) for name in named}
    dotted = {name for name in dotted if re.fullmatch(r"[a-zA-Z_]+(\.[a-zA-Z0-9_]+)+", name)}
    assert len(dotted) > 25
    assert dotted <= set(keys)


def test_words_of_the_glossary_are_answered_with_its_keys():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    section = text.partition("## Settings")[2].partition("## ")[0]
    for line in section.splitlines():
        cells = [re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:3]]
        if not any(cells) or "read as" in line:
            continue
        for word in cells[0]:
            with pytest.raises(ConfigError) as caught:
                load_recipe("clip-reid", [f"{word}=1"])
            ends = [name.removeprefix("stages.NAME.") for name in cells[1]]
            ends = [end.partition(" ")[0] for end in ends]
            assert any(end in str(caught.value) for end in ends), (word, str(caught.value))


def photos(root, paint, names):
    """Write `root/NAME/N.jpg`, three pictures of each."""
    paint(root, identities=len(names), images=3)
    for name, folder in zip(names, sorted(root.iterdir()), strict=True):
        for number, image in enumerate(sorted(folder.iterdir()), start=1):
            Image.open(image).save(folder / f"{number}.jpg")
            image.unlink()
        folder.rename(root / name)


@pytest.mark.slow
def test_the_first_hour_of_the_readme_ends_in_an_answer(tmp_path, capsys, monkeypatch, paint):
    """A folder of photos, and nothing but what the README says, from inspecting to a report."""
    text = (ROOT / "README.md").read_text()
    hour = text[text.index("## A first hour") : text.index("A published setting")]
    lines = [line for block in re.findall(r"^```\n(.*?)^```", hour, re.M | re.S)
             for line in block.splitlines()]  # fmt: skip
    photos(tmp_path / "crops", paint, ["anna", "ben", *(f"person {n}" for n in range(10))])
    photos(tmp_path / "visitors", paint, [f"visitor {n}" for n in range(8)])
    (tmp_path / "crops" / "ben" / "3.jpg").rename(tmp_path / "who.jpg")
    monkeypatch.chdir(tmp_path)
    batch = "stages.image.batch={identities: 2, images: 2}"
    short = {
        "train": ["stages.prompts.epochs=1", "stages.image.epochs=1", batch, "--device", "cpu"],
        "report": ["--map", "pca"],
    }
    said = {}
    for line in lines:
        words = shlex.split(line.replace("/data/", f"{tmp_path}/"))[1:]
        with pytest.raises(SystemExit) as done:
            main([*words, *short.get(words[0], ())])
        said[words[0]] = capsys.readouterr()
        assert done.value.code == 0, said[words[0]].err
    assert list(said) == ["data", "train", "same", "search", "report", "threshold"]
    assert "Before training (tiny untrained) and after:" in said["train"].out
    assert "promptreid same runs/mine A.jpg B.jpg" in said["train"].out
    assert re.match(r"(NOT )?THE SAME: .*anna/1.jpg and .*ben/1.jpg\n", said["same"].out)
    assert "strangers score" in said["same"].out
    assert "who.jpg" in said["search"].out
    assert "wrote found.html" in said["search"].out
    assert (tmp_path / "runs" / "mine" / "report.html").is_file()
    for word, outputs in said.items():
        if word not in ("data", "report"):
            written = f"{outputs.out}\n{outputs.err}".replace(str(tmp_path), "")
            assert all(len(one) <= 80 for one in written.splitlines()), word
