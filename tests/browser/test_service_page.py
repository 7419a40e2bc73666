"""The page of a service as a browser shows it, and all that can be done there."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the service needs FastAPI: promptreid[serve]")
from browsed_gallery import BrowsedGallery

from promptreid.serve.access_tokens import make_token

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]
CHECKS = Path(__file__).with_name("page_checks.js").read_text(encoding="utf-8")
SIZES = {"phone": (390, 844), "desktop": (1440, 900)}
STRANGER = "person 24"  # is not enrolled


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with BrowsedGallery(tmp_path_factory.mktemp("browsed"), looks=True) as running:
        yield running


@pytest.fixture
def visit(browser):
    """Open a page; at the end nothing may have gone wrong that a test did not name."""
    contexts, troubles = [], []

    def opened(url, *, size="desktop", theme="light", expected="$^", **options):
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)

        def note(words):
            if not re.search(expected, words):
                troubles.append(words)

        page.on("console", lambda said: note(f"console: {said.text}"))
        page.on("pageerror", lambda error: note(f"error: {error}"))
        home = url.partition("#")[0].rstrip("/")
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((home, "blob:", "data:")) else note(request.url)
            ),
        )
        page.goto(url)
        page.wait_for_selector("main > :not(.loading)")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not troubles


def until(page, script, argument=None):
    """Wait until a script is true; the policy of the page forbids that the browser polls it."""
    for _ in range(200):
        if page.evaluate(script, argument):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never became true: {script}")


def ask(page, *files):
    """Search for pictures and return the verdicts."""
    page.set_input_files(".drop input", list(files))
    page.wait_for_selector(f".answer:nth-child({len(files)})")
    return page.locator(".answer h2").all_inner_texts()


def notice(page):
    page.wait_for_selector("#notice p")
    return page.inner_text("#notice p")


def undo(page):
    before = notice(page)
    page.click("#notice button:has-text('Undo')")
    until(page, "old => document.querySelector('#notice p')?.innerText !== old", before)


def person(page, url, name):
    """Open somebody's page."""
    page.goto(f"{url}/#/identities")
    page.click(f".people a:has(.name:text-is('{name}'))")
    page.wait_for_selector(".identity h1")
    assert page.inner_text(".identity h1") == name


def dialog(page, button, fill=None, confirm="button[type=submit]"):
    """Press a button that opens a dialog, fill its field and confirm."""
    page.click(f".identity button:has-text('{button}'):visible >> nth=0")
    page.wait_for_selector("dialog[open]")
    if fill is not None:
        page.fill("dialog .field input, dialog .field textarea", fill)
    page.click(f"dialog {confirm}")


def test_who_is_on_a_picture_and_who_is_nobody(visit, served):
    page = visit(served.url)
    known, stranger = served.files["person 3"][0], served.files[STRANGER][0]
    assert ask(page, known, stranger) == ["person 3", "Nobody who is enrolled"]
    first, second = page.locator(".answer").all()
    rows = first.locator(".candidates > li")
    assert "line" not in rows.nth(0).get_attribute("class")
    assert rows.nth(1).get_attribute("class") == "line"
    assert "below" in rows.nth(2).get_attribute("class")
    assert second.locator(".candidates > li").nth(0).get_attribute("class") == "line"
    assert rows.nth(0).locator(".name").inner_text() == "person 3"
    assert re.search(r"camera (gate|hall) · 2023-11-1[4-9] \d\d:\d\d UTC", rows.nth(0).inner_text())
    for image in first.locator("img").all():
        image.scroll_into_view_if_needed()
        until(page, "one => one.naturalWidth > 0", image.element_handle())
    verdicts = page.locator(".answer").all_inner_texts()
    page.click(".candidate .name a >> nth=0")
    page.wait_for_selector(".identity h1")
    page.go_back()
    page.wait_for_selector(".answer:nth-child(2)")
    assert page.locator(".answer").all_inner_texts() == verdicts


def test_the_slider_moves_the_line_by_p_values(visit, served):
    page = visit(served.url)
    with page.expect_response("**/v1/search") as answered:
        ask(page, served.files["person 3"][0])
    answer = answered.value.json()["answers"][0]
    least = 2 / (answer["identities"] + 1)
    assert page.inner_text(".rate-words") == "Accept 1 in 12 strangers"
    seen = set()
    for step in range(int(page.get_attribute("#rate", "max")) + 1):
        page.locator("#rate").fill(str(step))
        rate = 1 / int(re.search(r"1 in (\d+)", page.inner_text(".rate-words")).group(1))
        rate = max(rate, least) if step else rate
        accepted = sum(one["p"] <= rate + 1e-9 for one in answer["candidates"])
        rows = page.locator(".candidates > li").all()
        assert [row.get_attribute("class") for row in rows].index("line") == accepted
        assert page.get_attribute("#rate", "aria-valuetext") == page.inner_text(".rate-words")
        assert page.get_attribute(".answer", "data-verdict") == "identity"
        seen.add(accepted)
    assert len(seen) > 1
    rare = "{rate: 0.0005, least_rate: 0.0008, calibrating: 2500}"
    begin = f"import('/page/rate.js').then(page => page.rateSlider({rare}).rate())"
    assert page.evaluate(begin) == 0.0008  # the nearest to the usual one that can be promised


def test_a_picture_is_pasted(visit, served):
    page = visit(served.url)
    content = list(served.files["person 5"][0].read_bytes())
    paste = """content => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(content)], "pasted.png", {type: "image/png"}));
      document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true}));
    }"""
    page.evaluate(paste, content)
    page.wait_for_selector(".answer")
    assert page.inner_text(".answer h2") == "person 5"
    assert page.inner_text(".asked-name") == "pasted.png"
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    hurry = """async () => {
      for (const name of ["enrol", "search", "identities"]) {
        location.hash = `#/${name}`;
        await new Promise((wake) => addEventListener("hashchange", wake, {once: true}));
      }
    }"""
    page.evaluate(hurry)
    page.wait_for_selector(".people li")
    page.evaluate(paste, content)  # no page that was passed by takes it
    page.wait_for_timeout(200)
    assert not [url for url in asked if url.endswith("/v1/search")]


def test_a_picture_that_is_dropped_beside_the_area_does_not_replace_the_page(visit, served):
    page = visit(served.url)
    dropped = """() => {
      const data = new DataTransfer();
      data.items.add(new File(["x"], "a.png", { type: "image/png" }));
      return ["dragover", "drop"].map((name) => !document.body.dispatchEvent(
        new DragEvent(name, { bubbles: true, cancelable: true, dataTransfer: data })));
    }"""
    assert page.evaluate(dropped) == [True, True]


def test_conditions_leave_pictures_out(visit, served):
    page = visit(served.url)
    ask(page, served.files["person 6"][0])
    page.click(".conditions summary")
    page.fill(".conditions input >> nth=0", "hall")
    page.click(".conditions button[type=submit]")
    until(
        page,
        "[...document.querySelectorAll('.candidate')].every(one => one.innerText.includes('hall'))",
    )
    page.fill(".conditions input >> nth=0", "cellar")
    page.click(".conditions button[type=submit]")
    page.wait_for_selector(".answer:not(:has(.candidate))")
    assert "No enrolled picture may answer" in page.inner_text(".verdict")


def test_two_pictures_side_by_side_and_where_the_model_looks(visit, served):
    page = visit(served.url)
    ask(page, served.files["person 7"][0])
    page.focus(".candidate button.picture >> nth=0")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog.compare[open]")
    assert page.inner_text("dialog h2") == "Is this person 7?"
    assert re.search(r"0\.\d{4}", page.inner_text("dialog .facts"))
    write = "import('/page/words.js').then(words => [1, 0.99996, 0.51].map(words.scoreText))"
    assert page.evaluate(write) == ["1.0000", "0.999960", "0.5100"]
    pictures = page.locator("dialog img")
    before = [image.evaluate("one => one.src") for image in pictures.all()]
    page.click("dialog button[aria-pressed]")
    until(page, "document.querySelector('dialog [aria-pressed=true]')")
    for image, address in zip(pictures.all(), before, strict=True):
        changed = "([one, old]) => one.src !== old && one.naturalWidth > 0"
        until(page, changed, [image.element_handle(), address])
    assert "do not prove" in page.inner_text("dialog")
    page.click("dialog button[aria-pressed]")
    held = []
    page.route("**/activation", lambda route: held.append(route))
    page.click("dialog button[aria-pressed]")  # maps are asked for again ...
    page.wait_for_timeout(100)
    page.click("dialog button[aria-pressed]")  # ... and not wanted any more
    until(page, "[...document.querySelectorAll('dialog img')].every(one => one.complete)")
    before = [image.evaluate("one => one.src") for image in pictures.all()]
    assert held
    for route in held:
        route.fulfill(
            content_type="image/svg+xml", body="<svg xmlns='http://www.w3.org/2000/svg'/>"
        )
    page.wait_for_timeout(200)
    assert [image.evaluate("one => one.src") for image in pictures.all()] == before
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    assert page.evaluate("document.activeElement.className") == "picture"


def test_pictures_are_enrolled_and_what_cannot_be_used_is_named(visit, tmp_path):
    with BrowsedGallery(tmp_path, 20) as served:
        page = visit(served.url + "/#/enrol", expected=r"status of 422")
        broken = tmp_path / "broken.png"
        broken.write_bytes(b"no picture")
        letter = tmp_path / "letter.txt"
        letter.write_text("dear")
        chosen = [*served.files["person 20"], broken, letter]
        page.set_input_files(".drop input >> nth=0", chosen)
        assert "letter.txt is no picture" in page.inner_text(".drop .wrong")
        assert page.inner_text("button[type=submit]") == "Enrol 5 pictures"
        page.fill("input[list=known]", "new person")
        page.fill("input[placeholder^='coat']", "coat red")
        page.click("button[type=submit]")
        assert "“coat red” is no attribute" in page.inner_text(".form .wrong")
        page.fill("input[placeholder^='coat']", "coat=red")
        page.click("button[type=submit]")
        page.wait_for_selector(".progress h2")
        words = page.inner_text(".progress")
        assert "4 pictures enrolled" in words
        assert "1 picture could not be used" in words
        assert "broken.png" in words
        assert "21 identities, 64 pictures" in page.inner_text("#gallery-counts")
        rows = [row for row in served.gallery.records.identities() if row.name == "new person"]
        assert rows[0].entries == 4
        page.set_input_files(".drop input >> nth=0", served.files["person 20"])
        held = []
        page.route("**/v1/entries", lambda route: held.append(route), times=1)
        page.click("button[type=submit]")
        page.wait_for_selector(".progress:has-text('Stop')")
        page.set_input_files(".drop input >> nth=0", served.files["person 19"][:1])
        assert page.is_disabled("button[type=submit]")
        page.wait_for_timeout(50)
        [route] = held
        route.continue_()
        page.wait_for_selector(".progress:has-text('4 were there already')")
        assert page.inner_text("button[type=submit]") == "Enrol 1 picture"  # which came meanwhile


def test_a_folder_is_an_identity(visit, tmp_path):
    with BrowsedGallery(tmp_path, 0) as served:
        page = visit(served.url)
        assert page.inner_text("h2") == "Nobody is enrolled yet"
        page.click("a.button:has-text('Enrol pictures')")
        page.wait_for_selector(".form")
        page.set_input_files(".drop input[webkitdirectory]", str(tmp_path / "pictures"))
        assert "8 pictures of 2 identities" in page.inner_text(".chosen")
        assert page.is_disabled("input[list=known]")
        page.click("button[type=submit]")
        page.wait_for_selector(".progress h2")
        assert page.inner_text(".progress h2") == "Done"
        names = {row.name: row.entries for row in served.gallery.records.identities()}
        assert names == {"person 0": 4, "person 1": 4}


def test_names_notes_and_hiding_have_a_way_back(visit, served):
    page = visit(served.url)
    person(page, served.url, "person 8")
    dialog(page, "Rename", "Anna <b>B.</b>")
    assert notice(page) == "Renamed to Anna <b>B.</b>."
    assert page.inner_text(".identity h1") == "Anna <b>B.</b>"
    undo(page)
    page.wait_for_selector("h1:text-is('person 8')")
    dialog(page, "Add note", "Seen on\nMonday")
    page.wait_for_selector(".note")
    assert page.inner_text(".note") == "Seen on\nMonday"
    page.click(".identity button:text-is('Hide')")
    page.wait_for_selector(".badge")
    page.wait_for_selector("#gallery-counts:has-text('3 hidden')")
    undo(page)
    page.wait_for_selector(".badge", state="detached")
    page.click(".entries label >> nth=1")
    page.click(".chosen-bar button:text-is('Hide')")
    page.wait_for_selector(".entries .hidden-one")
    undo(page)
    page.wait_for_selector(".entries .hidden-one", state="detached")


def test_the_way_back_is_near_for_the_keyboard_and_waits_for_it(visit, served):
    page = visit(served.url)
    person(page, served.url, "person 7")
    page.clock.install()
    page.focus(".identity button:text-is('Hide')")
    page.keyboard.press("Enter")
    page.wait_for_selector("#notice button")
    page.focus("main")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.innerText") == "Undo"
    page.clock.run_for(60_000)
    page.keyboard.press("Enter")
    page.wait_for_selector(".badge", state="detached")
    page.focus("main")
    page.clock.run_for(60_000)
    page.wait_for_selector("#notice p", state="detached")


def test_a_change_of_somebody_else_is_not_written_over(visit, served):
    page = visit(served.url, expected="status of 412")
    person(page, served.url, "person 9")
    served.gallery.name("person 9", "renamed elsewhere")
    dialog(page, "Rename", "mine")
    assert "Somebody changed this identity meanwhile" in notice(page)
    assert page.inner_text(".identity h1") == "renamed elsewhere"


def test_merging_and_splitting_have_a_way_back(visit, served):
    page = visit(served.url)
    person(page, served.url, "person 10")
    page.click(".identity button:has-text('Merge into')")
    page.wait_for_selector(".choice")
    page.click("dialog button[type=submit]")
    assert page.inner_text("dialog .wrong") == "Choose somebody first."
    page.fill("dialog input[type=search]", "person 11")
    until(page, "document.querySelectorAll('.choice').length === 1")
    page.click(".choice label")
    page.fill("dialog input[type=search]", "person 12")  # where person 11 is not listed any more
    page.wait_for_selector(".choice:has-text('person 12')")
    page.click("dialog button[type=submit]")
    assert page.inner_text("dialog .wrong") == "Choose somebody first."
    page.fill("dialog input[type=search]", "person 11")
    page.click(".choice:has-text('person 11') label")
    page.click("dialog button[type=submit]")
    page.wait_for_selector(".identity h1:text-is('person 11')")
    assert page.locator(".entries li").count() == 6
    undo(page)
    page.wait_for_selector(".identity h1:text-is('person 10')")
    assert page.locator(".entries li").count() == 3
    page.click(".entries label >> nth=0")
    assert page.inner_text(".chosen-bar span") == "1 picture chosen"
    dialog(page, "Split off", "somebody else")
    assert notice(page) == "1 picture went to somebody else."
    until(page, "document.querySelectorAll('.entries li').length === 2")
    undo(page)
    until(page, "document.querySelectorAll('.entries li').length === 3")


def test_erasing_asks_for_the_name_and_is_proven(visit, tmp_path):
    with BrowsedGallery(tmp_path, 20) as served:
        page = visit(served.url)
        person(page, served.url, "person 1")
        dialog(page, "Erase", "person")
        assert page.inner_text("dialog .wrong") == "That is not the name."
        page.fill("dialog .field input", "person 1")
        page.click("dialog button[type=submit]")
        assert re.search(r"3 pictures erased\. \d+ pieces? of them .* none is left", notice(page))
        page.wait_for_selector(".people")
        assert "person 1" not in page.locator(".people .name").all_inner_texts()
        assert "19 identities" in page.inner_text("#gallery-counts")


def test_identities_are_found_by_letters(visit, served):
    page = visit(served.url + "/#/identities")
    assert page.locator(".people li").count() >= 20
    page.fill(".identities input", "person 2")
    until(page, "document.querySelectorAll('.people li').length < 10")
    assert "person 12" in page.locator(".people .name").all_inner_texts()
    assert "person 13" not in page.locator(".people .name").all_inner_texts()
    page.fill(".identities input", "nobody has this")
    page.wait_for_selector(".end:has-text('No name has these letters')")


def test_a_token_is_asked_for_and_rights_decide_what_is_offered(visit, tmp_path):
    tokens = tmp_path / "tokens.json"
    token = make_token(tokens, "door", "*", ["search"])
    with BrowsedGallery(tmp_path, 20, tokens=tokens) as served:
        page = visit(served.url, expected="status of 401")
        assert page.inner_text("h1") == "This gallery needs a token"
        page.fill("input[type=password]", "wrong")
        page.click("button[type=submit]")
        page.wait_for_selector(".failure, .alone p")
        page.fill("input[type=password]", token)
        page.click("button[type=submit]")
        page.wait_for_selector(".drop")
        assert page.locator("nav a").all_inner_texts() == ["Search", "Identities"]
        assert ask(page, served.files["person 3"][0]) == ["person 3"]
        until(page, "document.querySelector('.candidate img').naturalWidth > 0")
        assert not page.locator(".verdict button").count()
        token = make_token(tokens, "door", "*", ["search"])  # in the place of the other
        page.set_input_files(".drop input", [served.files["person 4"][0]])
        page.click(".failure a")
        page.wait_for_selector("h1:text-is('This gallery needs a token')")
        linked = visit(f"{served.url}/#token={token}")
        assert token not in linked.url
        linked.wait_for_selector(".drop")
        broken = visit(f"{served.url}/#token=%", expected="status of 401")
        assert broken.inner_text("h1") == "This gallery needs a token"
        broken.evaluate("token => { location.hash = `#token=${token}`; }", token)  # in the same tab
        broken.wait_for_selector(".drop")
        assert token not in broken.url


def test_a_service_that_went_away_is_told(visit, tmp_path):
    with BrowsedGallery(tmp_path, 20) as served:
        page = visit(served.url, expected="ERR_CONNECTION|Failed to load")
    page.set_input_files(".drop input", [served.files["person 3"][0]])
    page.wait_for_selector(".failure")
    assert "The service does not answer" in page.inner_text(".failure")
    assert page.is_visible(".failure button")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_everything_can_be_read_and_fits(visit, served, size, theme):
    page = visit(served.url, size=size, theme=theme)
    ask(page, served.files["person 3"][0], served.files[STRANGER][0])
    for place in ("", "compare", "#/enrol", "#/identities", "identity"):
        if place == "compare":
            page.click(".candidate button.picture >> nth=0")
            page.wait_for_selector("dialog[open]")
        elif place == "identity":
            page.click(".people a >> nth=0")
            page.wait_for_selector(".entries label")
            page.click(".entries label >> nth=0")
        elif place:
            if page.locator("dialog").count():
                page.keyboard.press("Escape")
            page.goto(f"{served.url}/{place}")
            page.wait_for_selector("main h1:not(.unseen)")
        page.evaluate(CHECKS)
        found = json.loads(page.evaluate("JSON.stringify(window.pageChecks.contrast())"))
        assert found["count"] > 5
        assert not found["poor"], place
        levels = page.evaluate("window.pageChecks.headings()")
        assert levels[0] == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]


def test_words_rank_and_decide_nothing(visit, served):
    page = visit(served.url)
    page.fill(".words input[type=search]", "a red <coat>")
    assert not page.is_visible("#words-and-picture")
    page.keyboard.press("Enter")
    page.wait_for_selector(".answer")
    assert page.inner_text(".answer h2") == "Ranked by likeness"
    assert page.inner_text(".asked-name") == "“a red <coat>”"
    assert page.locator(".candidate").count() == 10
    assert not page.locator(".line").count()
    assert "p 0" not in page.inner_text(".candidates")
    ask(page, served.files["person 3"][0])
    page.check("#words-and-picture")
    with page.expect_response("**/v1/search/text") as answered:
        page.click(".words button")
    assert answered.value.json()["weight"] == 0.5  # 1 without a picture
    page.wait_for_selector(".answer[data-verdict=words]")


def test_somebody_it_is_not_and_what_was_used(visit, tmp_path):
    with BrowsedGallery(tmp_path, 20) as served:
        page = visit(served.url)
        picture = served.files["person 3"][0]
        assert ask(page, picture) == ["person 3"]
        page.click(".candidate button.picture >> nth=0")
        page.click("dialog button:has-text('Not person 3')")
        assert "no longer taken for person 3" in notice(page)
        ask(page, picture)
        page.wait_for_selector(".verdict :text('Left out: person 3')")
        page.click("#notice button:has-text('Undo')")
        page.wait_for_selector("#notice p", state="detached")
        page.reload()
        page.wait_for_selector(".drop")
        assert ask(page, picture) == ["person 3"]
        page.click("nav a:text-is('Audit')")
        page.wait_for_selector(".uses li")
        assert page.locator(".uses li").count() >= 3
        page.click("button:text-is('Check the record')")
        page.wait_for_selector(":text('are as they were written')")
