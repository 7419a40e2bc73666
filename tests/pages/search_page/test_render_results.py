"""The page of search results: what stands on it, and that nothing can break out of it."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from search_results_content import make_results_page

from promptreid.pages.search_page.render_results import render_results, write_results


class Tree(HTMLParser):
    """Counts tags and collects the words of those with a class."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self._open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)

    def of_class(self, name):
        return [tag for tag, values in self.tags if name in (values.get("class") or "").split()]


@pytest.fixture(scope="module")
def text():
    return render_results(make_results_page())


def test_the_line_of_nobody_stands_where_it_falls(text):
    sections = re.split(r"<section ", text)[1:]
    above = [section.split('class="line"')[0].count('class="card') for section in sections]
    lines = [section.count('class="line"') for section in sections]
    assert lines == [1, 1, 1, 0, 0]
    assert above[:3] == [2, 0, 3]
    assert sections[0].count("card below") == 1
    assert sections[1].count("card below") == 3
    assert "card below" not in sections[2] + sections[3]


def test_scores_p_values_and_facts_are_written(text):
    tree = " ".join(Tree(text).words)
    for words in ("0.910", "p 0.0099", "camera gate", "coat: red", "5 %", "not there", "Fits best"):
        assert words in tree.replace("\N{NO-BREAK SPACE}", " ")


def test_scores_that_are_nearly_one_keep_the_digits_that_tell_them_apart():
    page = make_results_page()
    first = page.results[0]
    close = [replace(one, score=1 - 2e-5 * one.rank) for one in first.candidates]
    told = render_results(replace(page, results=(replace(first, candidates=tuple(close)),)))
    assert not [score for score in ("0.999980", "0.999960", "0.999940") if score not in told]


def test_names_cannot_break_out_and_nothing_is_fetched(text):
    tree = Tree(text)
    tags = {tag for tag, _ in tree.tags}
    assert "script" not in tags
    assert [values["href"] for tag, values in tree.tags if tag == "link"] == ["data:,"]
    for tag, values in tree.tags:
        assert not any(name.startswith("on") for name in values), tag
        for name in ("src", "href"):
            assert (values.get(name) or "#").startswith(("data:", "#")), values
    policies = [
        values["content"] for tag, values in tree.tags if tag == "meta" and "http-equiv" in values
    ]
    assert len(policies) == 1
    assert "default-src 'none'" in policies[0]
    assert "script-src" not in policies[0]
    assert "<b>evil" not in text
    assert "\x1b" not in text


def test_all_pictures_have_a_name(text):
    images = [values for tag, values in Tree(text).tags if tag == "img"]
    assert len(images) >= 10
    assert all(values["alt"].strip() for values in images)


def test_the_same_content_gives_the_same_bytes(text, tmp_path):
    size = write_results(make_results_page(), tmp_path / "new" / "page.html")
    content = (tmp_path / "new" / "page.html").read_bytes()
    assert len(content) == size
    assert content.decode() == text
    assert np.char.count(text, "data:image/webp;base64,") >= 10
