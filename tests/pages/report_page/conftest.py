import pytest


@pytest.fixture(scope="session")
def content():
    from report_content import report_content

    return report_content()


@pytest.fixture(scope="session")
def page(content):
    from promptreid.pages.report_page.render_page import render_page

    return render_page(content)
