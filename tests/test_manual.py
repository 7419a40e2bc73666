"""The manual is whole: every recipe has a page that its file does not contradict, and it builds."""

import re
import shutil
import tomllib
from html.parser import HTMLParser

import pytest
import yaml
from docs_snippets import ROOT
from manual.build_site import PAGES, build_site
from manual.docstrings import markdown
from manual.link_pages import link_from, with_dark_twins
from manual.recipe_pages import families, train_command

from promptreid.config.recipe_settings import flat_settings
from promptreid.config.recipes import load_recipe, recipe_names

RECIPES = ROOT / "docs" / "recipes"
CLAIM = re.compile(r"`([a-z_0-9]+(?:\.[a-z_0-9]+)+): ([^`]+)`")
OVERRIDE = re.compile(r"`((?:[a-z_0-9]+\.)+[a-z_0-9]+|stage_mode)=([^` ]+)`")


@pytest.fixture(scope="module")
def site():
    """The whole site, built once; building it fails on any warning."""
    return build_site()


@pytest.fixture(scope="module")
def pages(site):
    return PAGES


@pytest.mark.slow
def test_every_recipe_has_a_page(pages):
    names = recipe_names()
    assert len(names) > 50
    for name in names:
        page = (pages / "recipes" / f"{name}.md").read_text(encoding="utf-8")
        assert f"promptreid train {name} " in page
        assert load_recipe(name).description in page
        assert "## Results" in page
        assert page.count("\n# ") + page.startswith("# ") >= 1


def test_every_family_page_has_idea_formula_and_settings(pages):
    for family in families():
        page = (RECIPES / f"{family}.md").read_text(encoding="utf-8")
        assert page.startswith(f"# {family}\n")
        assert len(page.split()) > 60
        if family != "clip-reid-sie-olp":
            assert re.search(r"```text\n.*(loss|score).*=", page, re.DOTALL), family
        assert CLAIM.search(page), family


def test_shown_commands_train_their_recipe():
    for name in recipe_names():
        words = train_command(name).split()
        overrides = [word for word in words if word.startswith("start.")]
        assert words[:3] == ["promptreid", "train", name]
        load_recipe(name, overrides)


def claims():
    for family in families():
        text = (RECIPES / f"{family}.md").read_text(encoding="utf-8")
        for key, value in CLAIM.findall(text):
            yield pytest.param(family, key, value, id=f"{family} {key}")


def settings_of(family, key):
    """Values of the settings that a page means by a key, whose beginning it may leave out."""
    flat = flat_settings(load_recipe(family))
    for name, value in list(flat.items()):
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": one for inner, one in value.items()}
    return [value for name, value in flat.items() if name == key or name.endswith(f".{key}")]


def test_there_are_claims():
    assert len(list(claims())) > 60


@pytest.mark.parametrize(("family", "key", "value"), claims())
def test_a_page_says_what_the_recipe_says(family, key, value):
    there = settings_of(family, key)
    assert there, f"no setting of {family} ends in {key}"
    told = yaml.safe_load(value) if value[0] in "[0123456789TFtf" else value
    told = float(value) if re.fullmatch(r"[0-9.]+e-?\d+", value) else told
    plain = [list(one) if isinstance(one, tuple) else one for one in there]
    assert all(one in (told, [told]) for one in plain), plain


def test_overrides_of_the_pages_are_valid():
    count = 0
    for family in families():
        text = (RECIPES / f"{family}.md").read_text(encoding="utf-8")
        for key, value in OVERRIDE.findall(text):
            if not value.isupper():
                load_recipe(family, [f"{key}={value}"])
                count += 1
    assert count > 10


class Links(HTMLParser):
    """What a page loads and leads to."""

    def __init__(self):
        super().__init__()
        self.loaded = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.loaded += [given["src"]] if given.get("src") else []
        if tag == "link" and given.get("rel") in ("stylesheet", "preconnect", "preload"):
            self.loaded += [given["href"]]


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(site):
    built = sorted(site.rglob("*.html"))
    assert len(built) > len(recipe_names()) + 30
    for page in built:
        links = Links()
        links.feed(page.read_text(encoding="utf-8"))
        assert links.loaded
        assert not [one for one in links.loaded if re.match(r"(https?:)?//", one)], page
    for page in PAGES.rglob("*.md"):
        assert (site / page.relative_to(PAGES)).with_suffix(".html").is_file()


def test_a_warning_fails_the_build(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "docs" / "images", tmp_path / "pages" / "images")
    (tmp_path / "pages" / "index.md").write_text("# Page\n\n[gone](gone.md)\n", encoding="utf-8")
    (tmp_path / "zensical.toml").write_text(
        '[project]\nsite_name = "small"\ndocs_dir = "pages"\n', encoding="utf-8"
    )
    monkeypatch.setattr("manual.build_site.write_pages", lambda: tmp_path / "pages")
    monkeypatch.setattr("manual.build_site.PAGES", tmp_path / "pages")
    with pytest.raises(RuntimeError, match="gone"):
        build_site()


def test_every_page_of_docs_is_in_the_navigation():
    config = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    listed = {
        page for part in config["project"]["nav"] for pages in part.values() for page in pages
    }
    docs = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert docs <= listed
    assert {"index.md", "contributing.md", "changelog.md", "reference/index.md"} <= listed


def test_links_hold_on_the_site():
    text = "[a](docs/data.md#tables) [code](src/x.py) ![p](docs/images/p.png) [web](https://e.org)"
    assert link_from("README.md", text) == (
        "[a](data.md#tables) `code` ![p](images/p.png) [web](https://e.org)"
    )
    assert link_from("docs/recipes/index.md", "[b](../../README.md#which)") == (
        "[b](../index.md#which)"
    )
    assert (
        link_from("README.md", "```\n[a](docs/data.md)\n```\n") == "```\n[a](docs/data.md)\n```\n"
    )


def test_docstrings_become_markdown():
    text = """Do one thing.

    Args:
        first: What comes
            first.
        second: (N, D).

    Returns:
        The rest.

    Raises:
        DataError: It cannot be read.

    Example:
        >>> 1 + 1
        2
    """
    assert markdown(text) == (
        "Do one thing.\n\n**Args**\n\n- `first`: What comes first.\n- `second`: (N, D).\n\n"
        "**Returns** The rest.\n\n**Raises**\n\n- `DataError`: It cannot be read.\n\n"
        "**Example**\n\n```python\n>>> 1 + 1\n2\n```"
    )


def test_pictures_have_dark_twins_on_the_site(tmp_path):
    for name in ("a.png", "a-dark.png", "b.png"):
        (tmp_path / name).touch()
    picture = (
        '<picture><source media="(prefers-color-scheme: dark)" srcset="docs/a-dark.png">'
        '<img width="9" src="a.png" alt="A"></picture>'
    )
    text = f"![A](a.png) ![B](b.png) {picture}\n```\n![A](a.png)\n```\n"
    assert with_dark_twins(text, tmp_path) == (
        "![A](a.png#only-light)![A](a-dark.png#only-dark) ![B](b.png) "
        '<img width="9" src="a.png#only-light" alt="A">'
        '<img width="9" src="a-dark.png#only-dark" alt="A">\n```\n![A](a.png)\n```\n'
    )
