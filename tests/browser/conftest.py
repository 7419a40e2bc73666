"""A headless browser, where there is one."""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def browser_binary():
    named = os.environ.get("CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser():
    reason = "tests in a browser need Playwright: pip install 'promptreid[test]'"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    binary = browser_binary()
    if binary is None:
        pytest.skip("tests in a browser need Chromium (apt install chromium, or CHROMIUM=path)")
    # A browser run by root, as in a container, starts only without its sandbox.
    options = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=binary, args=options)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """A report on the disk, with names that try to break out of it."""
    from report_content import report_content

    from promptreid.pages.report_page import write_page

    path = tmp_path_factory.mktemp("report") / "report.html"
    write_page(report_content(), path)
    return path.as_uri()
