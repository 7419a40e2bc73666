"""The page of a report as a browser shows it."""

import itertools
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]
CHECKS = Path(__file__).with_name("page_checks.js").read_text(encoding="utf-8")
SIZES = {"phone": (390, 844), "tablet": (820, 1180), "desktop": (1440, 900)}


@pytest.fixture
def visit(browser, report):
    """Open the report; at the end nothing may have gone wrong or been fetched."""
    contexts, troubles = [], []

    def opened(*, size="desktop", theme="light", **options):
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: troubles.append(f"console: {said.text}"))
        page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        page.on("requestfailed", lambda request: troubles.append(f"failed: {request.url[:80]}"))
        page.on(
            "request",
            lambda request: (
                None
                if request.url == report or request.url.startswith("data:")
                else troubles.append(f"fetched: {request.url[:80]}")
            ),
        )
        page.goto(report)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def checked(visit):
    """Open the report with everything unfolded, and the checks at hand."""

    def opened(**options):
        page = visit(**options)
        page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        page.evaluate(CHECKS)
        return page

    return opened


def test_all_sections_are_there_and_shown(visit):
    page = visit()
    titles = [" ".join(title.split()) for title in page.locator("h2").all_inner_texts()]
    assert titles == [
        "Summary", "Results on people", "Learning curves", "What was run", "How to read this",
        "Reproduce",
    ]  # fmt: skip
    parts = page.locator("#test-1 h3").all_inner_texts()
    assert parts == [
        "Rank lists", "Scores", "Differences on the same queries", "Groups", "Curves and pairs",
        "Activation", "Map of embeddings", "Queries without a match",
    ]  # fmt: skip
    for link in page.locator(".contents a").all():
        target = page.locator(link.get_attribute("href"))
        assert target.count() == 1
        assert target.is_visible()
    for figure in page.locator(".plot, .map").all():
        box = figure.bounding_box()
        assert box["width"] > 150
        assert box["height"] > 100


def test_a_link_to_a_folded_part_unfolds_it(visit):
    from playwright.sync_api import expect

    page = visit()
    for name in ("runs", "methods"):
        fold = page.locator(f"#{name} > details")
        assert not fold.evaluate("part => part.open")
        page.locator(f".contents a[href='#{name}']").click()
        expect(fold).to_have_attribute("open", "")
        assert fold.locator("table, dl").first.is_visible()


def test_the_whole_command_is_copied(visit):
    page = visit()
    command = page.locator("#command").inner_text()
    assert command.startswith("promptreid report ")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the command").click()
    page.get_by_role("status").get_by_text("copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == command
    box, window = page.locator(".command").bounding_box(), page.viewport_size["width"]
    assert box["x"] + box["width"] <= window  # and it can all be read


def test_what_scrolls_says_so(visit):
    for size in ("phone", "desktop"):
        page = visit(size=size)
        said = page.evaluate(
            """[...document.querySelectorAll('.scroll')].filter(box => box.clientWidth).map(box => [
                 box.scrollWidth > box.clientWidth + 1,
                 getComputedStyle(box, '::before').content.includes('scroll sideways'),
               ])"""
        )
        assert all(wide == told for wide, told in said)
        assert any(wide for wide, _ in said) or size == "desktop"


def test_small_figures_stack_on_a_phone(visit):
    columns = {
        size: page.evaluate(
            "getComputedStyle(document.querySelector('.pairs')).gridTemplateColumns.split(' ')"
            ".length"
        )
        for size in ("phone", "desktop")
        for page in [visit(size=size)]
    }
    assert columns["phone"] == 1 < columns["desktop"]


def test_each_picture_of_a_list_has_rank_similarity_and_camera(visit):
    page = visit()
    captions = page.locator(".list figcaption").all_inner_texts()
    assert captions
    for caption in captions:
        rank, similarity, camera = [line.strip() for line in caption.strip().split("\n")]
        assert rank.split()[0].isdecimal()
        assert -1 <= float(similarity.replace("\N{MINUS SIGN}", "-")) <= 1
        assert camera.startswith("camera ")


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_wider_than_the_window(checked, size):
    page = checked(size=size)
    assert page.evaluate("pageChecks.overflow()") <= 0
    assert page.evaluate("pageChecks.cut()") == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_has_contrast(checked, theme):
    found = checked(theme=theme).evaluate("pageChecks.contrast()")
    assert found["count"] > 300
    assert found["poor"] == []


def test_the_theme_follows_the_system_until_the_reader_says_otherwise(visit):
    page = visit(theme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    assert dark != "rgb(255, 255, 255)"
    button = page.get_by_role("button", name="Theme:")
    assert button.inner_text() == "Theme: auto"
    button.click()
    assert button.inner_text() == "Theme: light"
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    page.reload()
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    button.click()
    page.emulate_media(color_scheme="light")
    assert button.inner_text() == "Theme: dark"
    assert page.evaluate(paper) == dark


def test_headings_and_names_serve_a_screen_reader(checked):
    page = checked()
    levels = page.evaluate("pageChecks.headings()")
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert page.evaluate("pageChecks.nameless()") == []
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("navigation", name="Contents").count() == 1
    assert page.get_by_role("banner").count() == 1
    for table in page.locator("table").all():
        assert table.locator("caption").inner_text()
        assert table.locator("th:not([scope])").count() == 0
    shown = page.get_by_role("img", name="same identity at rank 1", exact=True)
    assert shown.first.is_visible()


def test_the_keyboard_skips_to_the_report(visit):
    page = visit()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the report")
    assert skip.evaluate("link => link === document.activeElement")
    assert skip.bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def tab_to(page, selector):
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("found => document.activeElement.matches(found)", selector):
            return
    raise AssertionError(f"no {selector} within 200 steps")


def test_the_keyboard_reaches_points_of_the_map_and_shows_their_pictures(visit):
    page = visit()
    tab_to(page, ".map .pt")
    tip = page.locator(".tip")
    focused = "document.activeElement"
    assert tip.is_visible()
    assert tip.locator("svg use").count() == 1
    first = page.evaluate(f"{focused}.getAttribute('aria-label')")
    assert tip.inner_text() == first
    number = page.evaluate(f"{focused}.dataset.n")
    rings = page.locator(f".pt[data-n='{number}'] .ring")
    assert rings.count() == page.locator(".map").count() == 2
    page.keyboard.press("ArrowRight")
    second = page.evaluate(f"{focused}.getAttribute('aria-label')")
    assert second != first
    assert tip.inner_text() == second
    page.keyboard.press("End")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Home")
    assert page.evaluate(f"{focused}.getAttribute('aria-label')") == first
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    tab_to(page, ".map .pt")  # the next map takes one step, not one for each point
    assert page.evaluate(f"{focused}.closest('.plane').matches(':nth-child(2)')")


def test_pointing_at_a_mark_shows_it_in_all_maps(visit):
    page = visit()
    point = page.locator(".map").first.locator(".pt.query").first
    point.scroll_into_view_if_needed()
    point.hover(force=True)
    assert page.locator(".tip").is_visible()
    lit = page.locator(".maps.busy .pt.same")
    groups = {one.get_attribute("data-g") for one in lit.all()}
    assert len(groups) == 1
    assert page.locator(".ring").count() == 2
    page.mouse.move(2, 2)
    assert not page.locator(".tip").is_visible()
    assert page.locator(".maps.busy, .ring").count() == 0


def test_tables_sort_by_the_column_pressed(visit):
    page = visit()
    table = page.locator("#test-1-scores table").first
    names = table.locator("tbody th")
    head = table.get_by_role("columnheader", name="mAP", exact=False).first
    button = head.get_by_role("button")
    button.click()
    assert head.get_attribute("aria-sort") == "descending"
    falling = names.all_inner_texts()
    button.click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert names.all_inner_texts() == falling[::-1]
    groups = page.locator("#test-1-groups table").first
    groups.get_by_role("button", name="rank-1").click()
    for body in groups.locator("tbody").all():
        assert body.locator("tr").first.get_attribute("class") == "run"


def test_it_reads_without_its_script(visit):
    page = visit(java_script_enabled=False)
    assert page.locator("h2").count() == 6
    assert page.locator(".theme").count() == 0
    assert not page.locator(".with-script").first.is_visible()
    assert page.locator(".map .pt title").count() > 50
    first = page.locator(".list .picture").first
    assert first.bounding_box()["width"] > 20
    page.locator("summary").first.click()
    assert page.locator("details table").first.is_visible()


def test_paper_shows_everything(visit):
    page = visit(theme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for gone in (".contents", ".theme", ".with-script"):
        assert not page.locator(gone).first.is_visible()
    words = page.locator(".drawn details p")
    assert words.count() == 6
    for one in words.all():
        assert one.is_visible()
        assert one.bounding_box()["height"] > 0
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") > 5


def test_pictures_of_the_page_are_seen(visit):
    page = visit()
    picture = page.locator(".list .picture").first
    picture.scroll_into_view_if_needed()
    shot = picture.screenshot()
    from io import BytesIO

    import numpy as np
    from PIL import Image

    pixels = np.asarray(Image.open(BytesIO(shot)).convert("RGB")).reshape(-1, 3)
    assert len(np.unique(pixels // 16, axis=0)) > 20
