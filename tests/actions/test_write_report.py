"""What a notebook shows of a page that was written."""

from pathlib import Path
from typing import Any

from promptreid.actions.write_report import WrittenReport


class Told(WrittenReport):
    """A page whose content does not matter."""

    def _verdict(self) -> tuple[str, str]:
        return "<best>", "sure"


def test_a_notebook_shows_the_name_of_the_page_and_runs_nothing_of_it():
    content: Any = None
    page = Told(Path("out/#1 <img src=x onerror=alert(1)>.html"), 1, content)._repr_html_()
    assert "<img" not in page
    assert "<best>" not in page
    assert "href='out/%231%20%3Cimg" in page
