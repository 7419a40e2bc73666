import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))


@pytest.fixture(scope="session")
def content():
    from report_content import report_content

    return report_content()


@pytest.fixture(scope="session")
def page(content):
    from promptreid.report.page.render import render_page

    return render_page(content)
