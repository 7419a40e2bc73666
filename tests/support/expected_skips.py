"""A pytest plugin: where CI is set, a skip that nobody expects is a failure.

A skipped test checks nothing. It is fine where the machine lacks a device or an optional package
that the test extra leaves out; anything else that is missing has to be noticed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator

import pytest

EXPECTED_SKIPS = (
    r"needs a CUDA device",
    r"tests in a browser need Chromium",
    r"(wandb|mlflow) is not installed: promptreid\[\1\]",
    r"needs the instructions of another processor",
    r"needs a system whose calls can be traced",
    r"mounting is not allowed here",
)
"""Reasons, as patterns, that may keep a test from running in continuous integration."""


def fail_unexpected_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skipped report into a failed one unless its reason is expected, where CI is set."""
    if not os.environ.get("CI") or not report.skipped or hasattr(report, "wasxfail"):
        return
    longrepr = report.longrepr
    message = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    reason = message.removeprefix("Skipped: ")
    if any(re.match(pattern, reason) for pattern in EXPECTED_SKIPS):
        return
    report.outcome = "failed"
    report.longrepr = (
        f"Skipped without being expected: {reason!r}. Mend what is missing, or add the reason to "
        "EXPECTED_SKIPS in tests/support/expected_skips.py."
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Check the skips of tests and of their fixtures."""
    report = yield
    fail_unexpected_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Check the skips of whole files."""
    report = yield
    fail_unexpected_skip(report)
    return report
