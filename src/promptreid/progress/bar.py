"""Live bars for terminals. Rich is imported when one is shown, since that takes a while."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING

from promptreid.text.safe import visible

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn


def counted_bar(stream: IO[str], title: str, total: int, unit: str, left: Callable[[], str]) -> Bar:
    """Show a counted task on a terminal; `left` gives the time left, in words."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

    words = TextColumn("{task.description}")
    columns = (words, BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn(unit), _words(left))
    return _started(stream, columns, title, total)


def endless_bar(stream: IO[str], title: str) -> Bar:
    """Show that something is being done whose length is not known."""
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    return _started(stream, columns, title, None)


def _started(
    stream: IO[str], columns: Sequence[ProgressColumn], title: str, total: int | None
) -> Bar:
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(
        *columns,
        console=Console(file=stream),
        transient=True,
        redirect_stdout=False,  # what is printed for a pipe must not land on the terminal
        redirect_stderr=False,
    )
    bar.add_task(visible(title), total=total)
    bar.start()
    return bar


def _words(left: Callable[[], str]) -> ProgressColumn:
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Words(ProgressColumn):
        """Rate and time left, in words."""

        def render(self, task: Task) -> Text:
            return Text(left())

    return Words()
