"""Stores of records, each test with a fresh one of every kind that can be started."""

from __future__ import annotations

import pytest
from record_stores import MODEL, SETTINGS, STORES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print against which stores the contract was held, and why not against others."""
    terminalreporter.section("stores of records")
    for kind in STORES.values():
        reason = kind.reason_not_run()
        terminalreporter.line(f"{kind.name}: {'ran' if reason is None else f'not run, {reason}'}")


@pytest.fixture(params=STORES)
def kind(request):
    """A kind of store."""
    chosen = STORES[request.param]
    reason = chosen.reason_not_run()
    if reason is not None:
        pytest.skip(reason)
    return chosen


@pytest.fixture
def place(kind, tmp_path):
    """A place with empty records of a model."""
    where = kind.new_place(tmp_path, "store")
    made = kind.create(where, SETTINGS)
    with made.writing():
        made.set_model(MODEL)
    made.close()
    return where


@pytest.fixture
def records(kind, place):
    """Those records, opened."""
    opened = kind.open(place)
    yield opened
    opened.close()
