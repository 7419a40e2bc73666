"""The page of search results as a browser shows it."""

from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]
CHECKS = Path(__file__).with_name("page_checks.js").read_text(encoding="utf-8")
SIZES = {"phone": (390, 844), "desktop": (1440, 900)}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    from search_results_content import make_results_page

    from promptreid.pages.search_page.render_results import write_results

    path = tmp_path_factory.mktemp("results") / "found.html"
    write_results(make_results_page(), path)
    return path.as_uri()


@pytest.mark.parametrize(("size", "theme"), [("phone", "light"), ("desktop", "dark")])
def test_it_fits_is_legible_and_fetches_nothing(browser, results, size, theme):
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, java_script_enabled=True
    )
    page, troubles = context.new_page(), []
    page.on("console", lambda said: troubles.append(said.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url == results or request.url.startswith("data:")
            else troubles.append(request.url[:80])
        ),
    )
    page.goto(results)
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    page.evaluate(CHECKS)
    contrast = page.evaluate("pageChecks.contrast()")
    assert contrast["count"] > 60
    assert contrast["poor"] == []
    assert page.evaluate("pageChecks.overflow()") <= 0
    assert page.evaluate("pageChecks.nameless()") == []
    levels = page.evaluate("pageChecks.headings()")
    assert (levels[0], set(levels[1:])) == (1, {2})
    for image in page.locator("img").all():
        assert image.evaluate("one => one.complete && one.naturalWidth > 0")
    line, cards = page.locator(".line").first.bounding_box(), page.locator(".result").first
    above = cards.locator(".card:not(.below)").last.bounding_box()
    below = cards.locator(".card.below").first.bounding_box()
    assert above["y"] + above["height"] <= line["y"] + 1
    assert line["y"] + line["height"] <= below["y"] + 1
    context.close()
    assert troubles == []
