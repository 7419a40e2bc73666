"""A counted task ends, however the work ends that it counts."""

import io

import pytest

from promptreid.errors import DataError
from promptreid.progress import Lines
from promptreid.progress.counted_task import RenderedCount, counting


class Terminal(io.TextIOWrapper):
    def isatty(self):
        return True

    def shown(self):
        self.flush()
        return self.buffer.getvalue().decode()


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")  # one that can hide its cursor
    return Terminal(io.BytesIO(), encoding="utf-8", newline="\n")


def work(progress):
    with counting(progress, "embedding", 10, "images"):
        progress.advance(3)
        raise DataError("An image cannot be read.")


def render(progress):
    with RenderedCount(progress, "rendering", "people") as count:
        count(1, 4)
        raise KeyboardInterrupt


@pytest.mark.parametrize(("task", "error"), [(work, DataError), (render, KeyboardInterrupt)])
def test_a_failure_shows_the_cursor_again_and_nothing_goes_on_counting(terminal, task, error):
    lines = Lines(terminal)
    with pytest.raises(error):
        task(lines)
    assert terminal.shown().count("\x1b[?25l") == terminal.shown().count("\x1b[?25h") == 1
    assert not lines.tick()  # nothing is being done
