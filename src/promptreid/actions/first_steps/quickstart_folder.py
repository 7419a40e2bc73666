"""From a folder of pictures to a search page, as the command `quickstart` and Python lead."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptreid.actions.first_steps.guide import Guide
from promptreid.actions.first_steps.plain_words import describe_threshold
from promptreid.actions.first_steps.wishes import Say, Wishes
from promptreid.config.recipe_choice import SUBJECTS
from promptreid.errors import ConfigError, unknown_name
from promptreid.processes.asked_call import asked_call, call_text
from promptreid.progress import Calm, Lines, Progress

if TYPE_CHECKING:
    from promptreid.actions.run import Run


@dataclass(frozen=True, eq=False, repr=False)
class FirstModel:
    """What a quickstart made.

    Attributes:
        content: All of it, JSON-ready, as `promptreid quickstart --json` writes it.
    """

    content: dict[str, Any]

    @property
    def run(self) -> Run | None:
        """The run with its model; None where nothing could be trained."""
        from promptreid.actions.run import Run

        return Run(self.content["run"]) if "run" in self.content else None

    @property
    def gallery(self) -> Path | None:
        """The gallery of everybody, which `search` takes; None where nothing was trained."""
        return Path(self.content["gallery"]) if "gallery" in self.content else None

    @property
    def report(self) -> Path | None:
        """The page that says how good the model is; None where there is none."""
        page = self.content.get("report")
        return None if page is None else Path(page)

    @property
    def page(self) -> Path | None:
        """The page of a search; None where there is none."""
        page = self.content.get("page")
        return None if page is None else Path(page)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, JSON-ready."""
        return self.content

    def __repr__(self) -> str:
        if "run" not in self.content:
            return f"FirstModel(nothing was trained: {self.content['reason']})"
        return f"FirstModel({self.content['run']}: {describe_threshold(self.content['threshold'])})"


def quickstart(
    folder: str | os.PathLike[str],
    *,
    subject: str | None = None,
    minutes: float = 60.0,
    out: str | os.PathLike[str] | None = None,
    device: str | None = None,
    ask: Callable[[], bool] | None = None,
    say: Say | None = None,
    progress: Progress | None = None,
) -> FirstModel:
    """From a folder of pictures to a trained model, its threshold and a search page.

    The arguments are the options of `promptreid quickstart`. Every step is told with the command
    that does the same. Stopped, the same call goes on where it was.

    Args:
        folder: It holds one folder of pictures for each person (or vehicle, or animal); or a data
            spec such as "csv:people.csv".
        subject: What the pictures show: "people", "vehicles", "hands", "animals" or "things"; None
            for a guess.
        minutes: How long the training may take; it is measured before, and shortened to fit.
        out: Folder for all that is made; None for one in `runs/` that is named after `folder`.
        device: Where to compute; None for the best there is.
        ask: Asks whether to begin a training of more than two minutes; None to begin.
        say: Hears each line, and whether it is the title of a step; None to hear them with the
            progress.
        progress: Where to report; None for lines on standard error.

    Returns:
        The run, its threshold, the gallery, and the pages.

    Raises:
        ConfigError: There is no such subject or device, or the minutes are none.
        DataError: There is no such folder, or no picture in it.
        RunError: The folder for all that is made holds something else, or the pictures changed.
        Interrupted: It was stopped with Ctrl-C while it trained; the state is saved.
        DeclinedError: The answer to `ask` was no.
    """
    said, progress = call_text("quickstart", quickstart, locals()), progress or Lines()
    if subject is not None and subject not in SUBJECTS:
        raise ConfigError(unknown_name("subject", subject, SUBJECTS))
    if not minutes > 0:
        raise ConfigError(f"minutes is {minutes}; give a number above 0.")
    place, target = os.fspath(folder), None if out is None else Path(out)
    calm = Calm(progress)

    def tell(text: str, title: bool) -> None:
        progress.message(text)

    with asked_call((said,)):
        wishes = Wishes(subject, float(minutes), device, ask)
        guide = Guide.begin(place, target, wishes, say=say or tell, progress=calm)
        return FirstModel(guide.lead())
