"""The page as text: what is on it, what cannot get into it, how large it is."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from report_content import HOSTILE, HOSTILE_LABEL

from promptreid.evaluation.uncertainty.intervals import Difference
from promptreid.inference.text_controls.domain_texts import DomainTexts
from promptreid.inference.text_controls.word_control import WordControl
from promptreid.pages.report_page import write_page
from promptreid.pages.report_page.render_page import render_page

pytestmark = pytest.mark.slow

VOID = {"meta", "link", "br", "image", "use", "path", "circle", "rect"}


class Reader(HTMLParser):
    """Collects tags, their attributes, names and text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.text, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def read(page):
    return Reader(page)


@pytest.fixture(scope="module")
def small(content):
    """One run without extras: what is drawn takes most of the time of a page."""
    test = content.tests[0]
    bare = replace(
        test,
        runs=(replace(test.runs[0], verification=None, breakdowns=()),),
        pairs=(),
        figures={},
        ranks=(),
        map=None,
        unmatched=(),
        remarks=(),
        notes=(),
    )
    run = replace(
        content.runs[0], changes=(), parent="", recipe="", source="", environment=None, data=(),
        status=None, threshold=None,
    )  # fmt: skip
    return replace(content, runs=(run,), curves=None, tests=(bare,), remarks=())


def words(read):
    return " ".join(" ".join(read.text).split())


def test_every_part_is_there_and_every_element_is_closed(read, content):
    assert read.open == []
    ids = {attrs["id"] for _, attrs in read.tags if "id" in attrs}
    parts = ("scores", "changes", "figures", "groups", "ranks", "looks", "map", "unmatched")
    assert {f"test-1-{part}" for part in parts} <= ids
    assert {"summary", "runs", "curves", "methods", "again"} <= ids
    told = words(read)
    for remark in (*content.remarks, *content.tests[0].remarks, *content.tests[0].notes):
        assert remark in told
    assert content.command in told
    assert "identity not in the gallery" in told
    for run in content.tests[0].runs:
        assert f"{100 * run.scores.mAP:.1f}" in told


def test_links_and_references_lead_somewhere_on_the_page(read):
    ids = [attrs["id"] for _, attrs in read.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for tag, attrs in read.tags:
        assert "src" not in attrs
        target = attrs.get("href", "")
        if target.startswith("#"):
            assert target[1:] in ids, (tag, target)
        else:
            assert not target or target.startswith("data:"), (tag, target)
        for name in re.findall(r"url\(#([^)]+)\)", " ".join(map(str, attrs.values()))):
            assert name in ids


def test_names_from_outside_stay_words(read, page):
    scripts = read.all("script")
    assert len(scripts) == 1
    assert HOSTILE in words(read)
    assert "alert" not in " ".join(attrs.get("onerror", "") for _, attrs in read.tags)
    assert not read.all("img")
    assert not [name for _, attrs in read.tags for name in attrs if name.startswith("on")]
    labels = " ".join(attrs.get("aria-label", "") for _, attrs in read.tags)
    assert HOSTILE in labels
    titles = [text for text in read.text if HOSTILE_LABEL in text]
    assert titles
    assert "<script>alert" not in page


def test_only_the_own_script_may_run_and_nothing_may_be_fetched(read, page):
    (policy,) = [
        attrs["content"]
        for attrs in read.all("meta")
        if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    script = re.search(r"<script>(.*)</script>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    addresses = re.findall(r"(?:https?:)?//[\w.]+", re.sub(r"base64,[^\"]*", "", page))
    assert set(addresses) <= {"http://www.w3.org"}


def test_the_same_content_gives_the_same_bytes(content, page, tmp_path):
    path = tmp_path / "deep" / "report.html"
    size = write_page(content, path)
    assert path.read_bytes() == page.encode()
    assert size == path.stat().st_size < 2_000_000


def test_a_page_that_is_there_is_replaced(small, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    write_page(small, path)
    assert path.read_bytes().startswith(b"<!doctype html>")
    assert list(tmp_path.iterdir()) == [path]


def test_pictures_are_stored_once(page, content):
    addresses = re.findall(r'data:image/webp;base64,[^"]+', page)
    assert len(addresses) == len(set(addresses))
    shown = re.findall(r'<use href="#p\d+"/>', page)
    assert len(shown) > len(set(shown))
    hits = [
        hit
        for section in content.tests[0].ranks
        for query in section.queries
        for found in query.lists.values()
        for hit in found.hits
    ]
    assert page.count('role="listitem"') >= len(hits)


def test_matches_are_told_in_words_and_signs(read):
    labels = [attrs.get("aria-label", "") for attrs in read.all("svg")]
    assert any(label.startswith("same identity at rank ") for label in labels)
    assert any(label.startswith("another identity at rank ") for label in labels)
    signs = [attrs["href"] for attrs in read.all("use")]
    assert signs.count("#tick") >= labels.count("same identity at rank 1")
    assert "#cross" in signs


def test_a_report_of_one_run_without_extras_still_makes_a_page(small):
    read = Reader(render_page(small))
    told = words(read)
    assert "zero-shot came without a recipe." in told
    assert "Learning curves" not in told
    assert "Rank lists" not in told
    assert "the best of" not in told
    assert read.open == []


def test_a_report_of_two_data_sets_has_a_section_for_each(content):
    second = replace(content.tests[0], name="strangers", figures={}, ranks=(), map=None)
    read = Reader(render_page(replace(content, tests=(content.tests[0], second))))
    ids = [attrs["id"] for _, attrs in read.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {"test-1", "test-2", "test-2-scores"} <= set(ids)
    assert "Results on strangers" in words(read)


def test_file_names_that_are_no_text_are_shown_by_number(small, tmp_path):
    run = replace(small.runs[0], path="runs/b\udcff")
    write_page(replace(small, runs=(run,)), tmp_path / "page.html")
    assert "runs/b\\udcff" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_wide_pictures_and_many_do_not_swell_the_page(content, tmp_path):
    rng = np.random.default_rng(0)
    test = replace(content.tests[0], figures={})
    noise = tuple(rng.integers(0, 255, (48, 24, 3)).astype(np.uint8) for _ in test.map.pictures)
    loud = replace(test, map=replace(test.map, pictures=noise))
    sizes = [
        write_page(replace(content, tests=(found,), curves=None), tmp_path / "page.html")
        for found in (test, loud)
    ]
    assert sizes[1] - sizes[0] < 2000 * len(noise)  # of 3,456 bytes each as they are


def test_words_that_were_exchanged_have_a_table_and_a_verdict(content, read):
    control = WordControl(
        {"mAP": 0.5}, {"mAP": 0.4}, {"mAP": 0.45},
        {"mAP": Difference(0.1, 0.05, 0.2, 0.99)}, {"mAP": Difference(0.05, -0.01, 0.1, 0.9)},
        3, 0, 40,
    )  # fmt: skip
    test = content.tests[0]
    first, *others = test.runs
    heard = replace(content, tests=(replace(test, runs=(replace(first, words=control), *others)),))
    with_words = Reader(render_page(heard))
    told = words(with_words)
    assert "Do the words matter?" in told
    assert "Own words beat permuted ones by 10.00 points of mAP" in told
    assert "50.00" in told
    assert "+5.00 to +20.00" in told
    assert with_words.open == []
    assert "Do the words matter?" not in words(read)


def test_domain_tokens_are_judged_beside_the_facts(small, read):
    texts = DomainTexts("north", 0.9, 0.7, 0.8, Difference(0.2, 0.1, 0.3, 0.99), 40, 10)
    run = replace(small.runs[0], domain_texts=(texts,))
    judged = Reader(render_page(replace(small, runs=(run,))))
    assert "Domain tokens matter to the texts" in words(judged)
    assert judged.open == []
    assert "domain tokens" not in words(read)


def test_what_cannot_be_seen_in_names_is_written_out_on_the_page(content, small, tmp_path):
    name = "Andr\udce9\x1b[1m\u202egpj\x00"
    runs = (replace(content.runs[0], name=name, path=f"runs/{name}"), *content.runs[1:])
    page = render_page(replace(content, runs=runs))
    assert r"Andr\udce9\u001b[1m\u202egpj\u0000" in page
    assert not set("\udce9\x1b\u202e\x00") & set(page)
    assert write_page(replace(small, runs=runs), tmp_path / "a.html") > 1000
    assert r"Andr\udce9" in (tmp_path / "a.html").read_text(encoding="utf-8")
