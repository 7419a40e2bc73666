"""The choice of a recipe for somebody's pictures, and how long it takes on their machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from promptreid.actions.first_steps.data_situation import describe_situation
from promptreid.actions.first_steps.noted_steps import NotedSteps, command_line
from promptreid.actions.first_steps.wishes import DeclinedError, Wishes
from promptreid.config.recipe_choice import LEAST_SHARE, RecipeChoice, choose_recipes, shorten_to
from promptreid.config.recipes import load_recipe
from promptreid.text.durations import duration

_WORTH_ASKING = 120.0  # seconds that nobody should be surprised by


@dataclass(frozen=True)
class PlannedTraining:
    """A training that was chosen and measured.

    Attributes:
        choice: The recipe with its overrides, and why.
        seconds: How long it takes, about.
    """

    choice: RecipeChoice
    seconds: float

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PlannedTraining:
        """Read what `to_dict` gave, after it was JSON."""
        texts = {key: tuple(values[key]) for key in ("overrides", "reasons")}
        return cls(RecipeChoice(values["recipe"], **texts), values["seconds"])

    def to_dict(self) -> dict[str, Any]:
        """Return all of it on one level, JSON-ready."""
        return {**asdict(self.choice), "seconds": self.seconds}

    def untrained(self) -> PlannedTraining:
        """Return what the training began with: its backbone as it is."""
        chosen = self.choice
        backbone = tuple(text for text in chosen.overrides if text.startswith("backbone."))
        named = load_recipe(chosen.recipe, chosen.overrides).backbone
        height, width = named.image_size
        size = f"backbone.image_size=[{height},{width}]"
        overrides = dict.fromkeys((f"backbone.name={named.name}", *backbone, size))
        return PlannedTraining(RecipeChoice("zero-shot", tuple(overrides), ()), 0.0)

    def words(self, spec: str, *more: str) -> list[str]:
        """Write the command that trains it on data, with further options."""
        return _training_words(self.choice, spec, more)


def plan_training(
    spec: str, inspection: Mapping[str, Any], steps: NotedSteps, wishes: Wishes
) -> PlannedTraining:
    """Choose a recipe and measure how long it takes; what an earlier call chose stays.

    Raises:
        DeclinedError: Somebody does not want to wait so long.
    """
    if "training" in steps.known:
        return PlannedTraining.from_dict(steps.known["training"])
    steps.title("Choose a recipe, and measure how long it takes")
    with steps.progress.doing("looking at this machine"):
        situation = describe_situation(inspection, subject=wishes.subject, device=wishes.device)
    more = (*wishes.device_words, *skip_unreadable(inspection))
    planned = _choose_in_time(choose_recipes(situation), spec, more, steps, wishes)
    steps.tell(f"It will take about {duration(planned.seconds)}.")
    _ask(planned, spec, more, steps, wishes)
    steps.learn(training=planned.to_dict())
    return planned


def skip_unreadable(inspection: Mapping[str, Any]) -> tuple[str, ...]:
    """Leave pictures out that cannot be decoded, where there are some."""
    return ("--unreadable", "skip") if inspection["unreadable"] else ()


def choose_unreadable(inspection: Mapping[str, Any]) -> str:
    """Return what becomes of pictures that cannot be decoded, as a function takes it."""
    return "skip" if inspection["unreadable"] else "stop"


def _choose_in_time(
    choices: tuple[RecipeChoice, ...],
    spec: str,
    more: tuple[str, ...],
    steps: NotedSteps,
    wishes: Wishes,
) -> PlannedTraining:
    """Measure recipes, the best first, and take the first that can be trained in time."""
    limit = 60 * wishes.minutes
    for choice in choices:
        for reason in choice.reasons:
            steps.tell(reason)
        seconds = _measure(choice, spec, more, steps, wishes)
        least = 0.0 if choice is choices[-1] else LEAST_SHARE
        fitting = shorten_to(choice, seconds, limit, least=least)
        if fitting is None:
            steps.tell(
                f"That is much longer than the {wishes.minutes:g} minutes it may take (--minutes "
                "says how long it may), so something quicker is taken."
            )
            continue
        shorter, total = fitting
        for reason in shorter.reasons[len(choice.reasons) :]:
            steps.tell(reason)
        return PlannedTraining(shorter, round(total, 1))
    raise AssertionError("the last choice always fits")


def _measure(
    choice: RecipeChoice, spec: str, more: tuple[str, ...], steps: NotedSteps, wishes: Wishes
) -> dict[str, float]:
    """Measure how long a training takes, in seconds of each of its parts."""

    def do() -> None:
        from promptreid.actions.train_recipe import estimate

        measured = estimate(
            choice.recipe, spec, overrides=choice.overrides, device=wishes.device,
            unreadable="skip" if "skip" in more else "stop", progress=steps.progress,
        )  # fmt: skip
        steps.learn(parts=measured.parts)

    steps.take(*_training_words(choice, spec, more), "--estimate", do=do)
    return steps.known["parts"]


def _training_words(choice: RecipeChoice, spec: str, more: tuple[str, ...]) -> list[str]:
    return ["train", choice.recipe, *choice.overrides, "--data", spec, *more]


def _ask(
    planned: PlannedTraining,
    spec: str,
    more: tuple[str, ...],
    steps: NotedSteps,
    wishes: Wishes,
) -> None:
    """Ask whether somebody wants to wait for a long training, where somebody is there."""
    if wishes.ask is None or planned.seconds < _WORTH_ASKING or wishes.ask():
        return
    steps.tell("To train it later:")
    steps.show(*planned.words(spec, *more))
    raise DeclinedError(
        f"Nothing was trained. To train it later: {command_line(planned.words(spec, *more))}"
    )
