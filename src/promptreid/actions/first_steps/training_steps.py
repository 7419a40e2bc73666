"""The steps from a chosen recipe to a model with a threshold, its report and its gallery."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptreid.actions.first_steps.noted_steps import NotedSteps
from promptreid.actions.first_steps.plain_words import describe_enrolment, describe_scores
from promptreid.actions.first_steps.recipe_steps import (
    PlannedTraining,
    choose_unreadable,
    plan_training,
    skip_unreadable,
)
from promptreid.actions.first_steps.wishes import Wishes
from promptreid.errors import PromptReIDError

_RATES = (0.05, 0.1, 0.2, 0.3, 0.5)


def train_and_show(
    spec: str, inspection: Mapping[str, Any], steps: NotedSteps, wishes: Wishes
) -> dict[str, Any]:
    """Train, score, choose a threshold, and make the report and the gallery.

    Args:
        spec: The data.
        inspection: What was found of them.
        steps: Steps so far.
        wishes: What is wanted.

    Returns:
        What was made, JSON-ready.
    """
    return _TrainingSteps(spec, inspection, steps, wishes).take_all()


def promised_rate(identities: int) -> float:
    """Choose the part of strangers that a search may take for somebody.

    It is the usual one, or the least of some round ones that so many identities can promise.
    """
    from promptreid.gallery.searching.nobody import least_rate

    least = least_rate(identities)
    return next((rate for rate in _RATES if rate >= least), _RATES[0])


class _TrainingSteps:
    def __init__(
        self, spec: str, inspection: Mapping[str, Any], steps: NotedSteps, wishes: Wishes
    ) -> None:
        self.spec, self.inspection, self.steps, self.wishes = spec, inspection, steps, wishes
        self.more = (*wishes.device_words, *skip_unreadable(inspection))
        self.how: dict[str, Any] = {
            "unreadable": choose_unreadable(inspection),
            "progress": steps.progress,
        }

    def take_all(self) -> dict[str, Any]:
        planned = plan_training(self.spec, self.inspection, self.steps, self.wishes)
        self.steps.title("Train, score, and choose a threshold")
        run, verdict = self._train(planned, "run")
        runs = [run]
        if verdict == "worse":
            run, _ = self._take_untrained(planned)
            runs = [*runs, run]
        threshold = self._read_threshold(run) or self._choose_threshold(run)
        scores = list(self._open(run).results)
        report = self._report(runs) if scores else None
        made = {"data": self.spec, **planned.to_dict(), "run": str(run), "scores": scores}
        return {**made, "threshold": threshold, "report": report, "gallery": self._enrol(run)}

    def _train(self, planned: PlannedTraining, name: str) -> tuple[Path, str]:
        """Train into a folder of a name; return it, and whether training gained anything."""
        out, chosen = self.steps.folder / name, planned.choice

        def do() -> None:
            from promptreid.actions.train_recipe import train

            train(
                chosen.recipe, self.spec, overrides=chosen.overrides, out=out, resume=True,
                device=self.wishes.device, **self.how,
            )  # fmt: skip

        words = planned.words(self.spec, *self.more)
        self.steps.take(*words, "--out", str(out), "--resume", do=do, leaves=out)
        results = self._open(out).results
        for sentence in describe_scores(results):
            self.steps.tell(sentence)
        verdicts = [result["worth"]["verdict"] for result in results if "worth" in result]
        return out, "worse" if "worse" in verdicts else ""

    def _take_untrained(self, planned: PlannedTraining) -> tuple[Path, str]:
        """Score the model that a training began with, to take it in the place of what it made."""
        self.steps.title("Take the model as it was")
        self.steps.tell(
            "The training made it worse at telling these individuals apart: there are too few to "
            "learn from, or too few pictures. So what it began with is taken, until there are more."
        )
        return self._train(planned.untrained(), "untrained")

    def _open(self, run: Path) -> Any:
        from promptreid.actions.run import Run

        return Run(run)

    def _read_threshold(self, run: Path) -> dict[str, Any] | None:
        kept = self._open(run).threshold
        return None if kept is None else kept.to_dict()

    def _choose_threshold(self, run: Path) -> dict[str, Any] | None:
        """Choose a threshold on the people of the test, where the training could not choose one."""

        def do() -> None:
            from promptreid.actions.choose_run_threshold import threshold

            threshold(run, self.spec, device=self.wishes.device, **self.how)

        self.steps.title("Choose from which score on two pictures show the same individual")
        try:
            self.steps.take("threshold", str(run), "--data", self.spec, *self.more, do=do)
        except PromptReIDError as error:
            self.steps.tell(
                f"There is no threshold: {error} More individuals in the folder are the way to one."
            )
        return self._read_threshold(run)

    def _report(self, runs: list[Path]) -> str | None:
        """Write the report, where its packages are installed."""
        from promptreid.figures.extra import INSTALL, missing

        self.steps.title("Write all of it on one page")
        page = self.steps.folder / "report.html"
        # "run" and "untrained" are names for a folder; on the page they would be no names at all.
        folder = self.steps.folder.resolve().name or "run"
        names = [folder, f"{folder} untrained"][: len(runs)]
        named = [word for name in names for word in ("--name", name)]
        words = ("report", *map(str, runs), *named, *self.more, "--out", str(page))
        if missing("matplotlib", "sklearn", "jinja2"):
            self.steps.tell(f"The page needs packages that are not installed: {INSTALL}. Then:")
            self.steps.show(*words)
            return None

        def do() -> None:
            from promptreid.actions.write_report import report

            report(*runs, names=names, out=page, device=self.wishes.device, **self.how)

        self.steps.take(*words, do=do, leaves=page)
        return str(page)

    def _enrol(self, run: Path) -> str:
        """Enrol everybody in a gallery, which search and service ask."""
        place = self.steps.folder / "everybody.gallery"
        everybody = sum(split["identities"] for split in self.inspection["splits"])
        rate = promised_rate(everybody)
        self.steps.title("Enrol everybody, to be searched for")
        if rate > _RATES[0]:
            self.steps.tell(
                f"With so few individuals a search may take {rate:.0%} of strangers for somebody; "
                "with more of them it could promise less."
            )

        def create() -> None:
            from promptreid.actions.gallery_models import create_gallery

            create_gallery(place, run, rate=rate, device=self.wishes.device).close()

        def enrol() -> str:
            from promptreid.actions import enrol_data
            from promptreid.actions.gallery_models import open_gallery

            gallery = open_gallery(place, run, device=self.wishes.device)
            with contextlib.closing(gallery):
                enrol_data.enrol(gallery, self.spec, **self.how)
                return describe_enrolment(gallery.info())

        words = ("gallery", "create", str(place), "--model", str(run), "--rate", f"{rate:g}")
        self.steps.take(*words, *self.wishes.device_words, do=create, leaves=place)
        self.steps.take("gallery", "add", str(place), self.spec, *self.more, do=enrol, leaves=place)
        return str(place)
