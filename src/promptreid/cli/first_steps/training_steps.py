"""The steps from a chosen recipe to a model with a threshold, its report and its gallery."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from promptreid.cli.first_steps.command_steps import CommandSteps
from promptreid.cli.first_steps.recipe_steps import PlannedTraining, plan_training, skip_unreadable
from promptreid.cli.first_steps.wishes import Wishes, tell
from promptreid.errors import PromptReIDError

_RATES = (0.05, 0.1, 0.2, 0.3, 0.5)


def train_and_show(
    spec: str, inspection: Mapping[str, Any], steps: CommandSteps, wishes: Wishes
) -> dict[str, Any]:
    """Train, score, choose a threshold, and make the report and the gallery.

    Args:
        spec: The data.
        inspection: What was found of them.
        steps: Commands so far.
        wishes: What is wanted.

    Returns:
        What was made, JSON-ready.
    """
    faults = [text for text in inspection["problems"] if "cannot be read" not in text]
    if faults:
        tell("For honest scores, mend this first: " + " ".join(faults))
    planned = plan_training(spec, inspection, steps, wishes)
    more = (*wishes.device_words, *skip_unreadable(inspection))
    steps.title("Train, score, and choose a threshold")
    result = _train(planned.words(spec, *more), "run", steps)
    runs = [result["run"]]
    if any(scores.get("worth", {}).get("verdict") == "worse" for scores in result["scores"]):
        result = _take_untrained(spec, planned, more, steps)
        runs = [*runs, result["run"]]
    run = result["run"]
    threshold = result["threshold"] or _choose_threshold(spec, run, more, steps)
    report = _report(runs, more, steps) if result["scores"] else None
    everybody = sum(split["identities"] for split in inspection["splits"])
    gallery = _enrol(spec, run, promised_rate(everybody), inspection, steps, wishes)
    return {
        "data": spec,
        **asdict(planned),
        "run": run,
        "scores": result["scores"],
        "threshold": threshold,
        "report": report,
        "gallery": gallery,
    }


def _train(words: list[str], name: str, steps: CommandSteps) -> dict[str, Any]:
    """Train into a folder of a name, and return where it is, its scores and its threshold."""
    file = steps.folder / f"{name}-scores.json"
    out = ("--out", str(steps.folder / name), "--resume", "--json", str(file))
    steps.run(*words, *out, leaves=file)
    return json.loads(file.read_text(encoding="utf-8"))


def _take_untrained(
    spec: str, planned: PlannedTraining, more: tuple[str, ...], steps: CommandSteps
) -> dict[str, Any]:
    """Score the model that a training began with, to take it in the place of what it made."""
    steps.title("Take the model as it was")
    tell(
        "The training made it worse at telling these individuals apart: there are too few to learn "
        "from, or too few pictures. So what it began with is taken, until there are more."
    )
    return _train(planned.untrained().words(spec, *more), "untrained", steps)


def _choose_threshold(
    spec: str, run: str, more: tuple[str, ...], steps: CommandSteps
) -> dict[str, Any] | None:
    """Choose a threshold on the people of the test, where the training could not choose one."""
    steps.title("Choose from which score on two pictures show the same individual")
    file = steps.folder / "threshold.json"
    words = ("threshold", run, "--data", spec, *more, "--json", str(file))
    try:
        steps.run(*words, leaves=file)
    except PromptReIDError as error:
        tell(f"There is no threshold: {error} More individuals in the folder are the way to one.")
        return None
    return json.loads(file.read_text(encoding="utf-8"))


def _report(runs: list[str], more: tuple[str, ...], steps: CommandSteps) -> str | None:
    """Write the report, where its packages are installed."""
    from promptreid.figures.extra import INSTALL, missing

    steps.title("Write all of it on one page")
    page = steps.folder / "report.html"
    words = ("report", *runs, *more, "--out", str(page))
    if missing("matplotlib", "sklearn", "jinja2"):
        tell(f"The page needs packages that are not installed: {INSTALL}. Then:")
        steps.show(*words)
        return None
    steps.run(*words, leaves=page)
    return str(page)


def promised_rate(identities: int) -> float:
    """Choose the part of strangers that a search may take for somebody.

    It is the usual one, or the least of some round ones that so many identities can promise.
    """
    from promptreid.gallery.searching.nobody import least_rate

    least = least_rate(identities)
    return next((rate for rate in _RATES if rate >= least), _RATES[0])


def _enrol(
    spec: str,
    run: str,
    rate: float,
    inspection: Mapping[str, Any],
    steps: CommandSteps,
    wishes: Wishes,
) -> str:
    """Enrol everybody in a gallery, which search and service ask."""
    gallery = steps.folder / "everybody.gallery"
    steps.title("Enrol everybody, to be searched for")
    if rate > _RATES[0]:
        tell(
            f"With so few individuals a search may take {rate:.0%} of strangers for somebody; with "
            "more of them it could promise less."
        )
    words = ("gallery", "create", str(gallery), "--model", run, "--rate", f"{rate:g}")
    steps.run(*words, *wishes.device_words, leaves=gallery)
    more = (*wishes.device_words, *skip_unreadable(inspection))
    steps.run("gallery", "add", str(gallery), spec, *more, leaves=gallery)
    return str(gallery)
