"""What README and docs tell a reader to type exists, is valid, and runs from top to bottom."""

import re

import click
import pytest
from docs_runner import PageRun, Sandbox, not_run
from docs_settings import NOT_RUN
from docs_snippets import PAGES, ROOT, page_name, shell_words, snippets

from promptreid.cli.main import cli
from promptreid.config.reading.keys import known_keys
from promptreid.config.recipes import load_recipe, recipe_names
from promptreid.config.schema import Recipe
from promptreid.data.data_spec import parse_spec
from promptreid.data.reader_registry import READERS
from promptreid.errors import ConfigError


def commands():
    found = []
    for page in PAGES:
        for snippet in snippets(page):
            if snippet.kind == "shell" and snippet.text.startswith("promptreid "):
                found.append(pytest.param(snippet.text, id=f"{page_name(page)}: {snippet.text}"))
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
    assert len(commands()) > 200


@pytest.mark.parametrize("line", commands())
def test_command_is_valid(line):
    command, words = leaf(shell_words(line)[1:])
    options = {name for option in command.params for name in option.opts}
    options |= {name for option in command.params for name in option.secondary_opts}
    options |= {"--help", "-h", "--debug"}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in options, word
    data = [words[i + 1] for i, word in enumerate(words) if word == "--data"]
    for spec in data:
        if spec != "SPEC":
            assert parse_spec(spec).name in READERS
    names = [word for word in words if "=" in word and not word.startswith("--")]
    overrides = [word for word in names if word not in data and ":" not in word.partition("=")[0]]
    trains = command.name == "train" and words and not words[0].startswith("-")
    if trains and not words[0].endswith(".yaml"):
        load_recipe(words[0], overrides)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    return Sandbox(tmp_path_factory.mktemp("reader"))


@pytest.mark.slow
def test_a_second_training_of_a_family_is_planned_and_its_mistakes_are_found(
    sandbox, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    place = "market1501:/data/Market-1501-v15.09.15"
    monkeypatch.setattr("docs_snippets.ROOT", tmp_path)
    sandbox.trained.add(("finetune-ce", "False"))
    before = sandbox.planned
    page.write_text(
        f"```\npromptreid train finetune-ce --data {place} --out runs/a\n"
        f"promptreid train finetune-ce nothing=1 --data {place}\n"
        "promptreid train finetune-ce --data market1501:/data/gone\n"
        "promptreid evaluate runs/a --by nobody\n```\n",
        encoding="utf-8",
    )
    problems = PageRun(sandbox, tmp_path).follow(page)
    assert [problem.splitlines()[0].split()[-1] for problem in problems] == [
        place, "market1501:/data/gone", "nobody",
    ]  # fmt: skip
    assert sandbox.planned == before + 2
    assert (tmp_path / "runs" / "a").is_dir()


FIRST = ROOT / "docs" / "own-photos.md"


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page != FIRST], ids=page_name)
def test_a_page_can_be_followed_from_top_to_bottom(page, sandbox, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    problems = PageRun(sandbox, tmp_path).follow(page)
    assert not problems, "\n\n".join(problems)


@pytest.mark.slow
def test_a_folder_of_photos_ends_in_an_answer(sandbox, tmp_path, monkeypatch):
    """A newcomer's page, and nothing but what it says, from a folder of photos to an answer."""
    monkeypatch.chdir(tmp_path)
    run = PageRun(sandbox, tmp_path)
    problems = run.follow(FIRST)
    assert not problems, "\n\n".join(problems)
    said = dict(run.said)
    assert list(said) == ["data", "train", "same", "search", "gallery"]
    assert re.match(r"(NOT )?THE SAME: .*anna/1.jpg and .*ben/1.jpg\n", said["same"])
    assert "strangers score" in said["same"]
    assert (tmp_path / "found.html").is_file()
    for word, text in run.said:
        if word in ("train", "same", "search", "threshold"):
            plain = text.replace(str(sandbox.root), "").replace(str(tmp_path), "")
            assert all(len(line) <= 80 for line in plain.splitlines()), text


def test_what_is_not_run_is_there():
    texts = [snippet.text for page in PAGES for snippet in snippets(page)]
    for pattern, _ in NOT_RUN:
        assert any(re.search(pattern, text) for text in texts), f"no page has {pattern}"
    shell = [
        snippet.text for page in PAGES for snippet in snippets(page) if snippet.kind == "shell"
    ]
    assert sum(not not_run(text) for text in shell) > 150


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=page_name)
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


def test_forty_five_questions_have_an_answer_with_a_command():
    index = (ROOT / "docs" / "faq.md").read_text(encoding="utf-8")
    questions = []
    for page in re.findall(r"^## \[.+\]\((faq/\w+\.md)\)$", index, re.MULTILINE):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        for answer in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
            question = answer.splitlines()[0]
            assert "```" in answer, question
            anchor = re.sub(r"[^\w -]", "", question.lower()).replace(" ", "-")
            questions.append(f"- [{question}]({page}#{anchor})")
    assert len(questions) >= 45
    assert [line for line in index.splitlines() if line.startswith("- ")] == questions


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
