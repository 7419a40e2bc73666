"""The page of a report: one HTML file that needs nothing else.

Jinja2 comes with the extra `report` and is imported when a page is written.
"""

from promptreid.pages.report_page.render_page import write_page

__all__ = ["write_page"]
