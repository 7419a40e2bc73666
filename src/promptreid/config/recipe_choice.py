"""Which recipe suits somebody's data and machine, and why; for those who have no opinion yet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from promptreid.config.recipes import load_recipe
from promptreid.config.stage import StageConfig

FEWEST_TO_TRAIN = 4
"""With fewer identities to learn from, a training would only learn these."""

_TALL, _WIDE = 1.4, 0.7
_IDENTITIES, _IMAGES = 16, 4
LEAST_SHARE = 0.25
"""Below this share of its epochs a recipe is no longer the one that was chosen."""
_FEWEST_EPOCHS = 0.02


@dataclass(frozen=True)
class Subject:
    """What pictures show.

    Attributes:
        noun: Its name in a sentence.
        recipe: The recipe for a strong machine; empty for that of people with another sentence.
        mirrored: Whether a mirrored picture may still show the same individual.
    """

    noun: str
    recipe: str = ""
    mirrored: bool = True


SUBJECTS: Mapping[str, Subject] = MappingProxyType(
    {
        "people": Subject("person", "clip-reid"),
        "vehicles": Subject("vehicle", "clip-reid/vehicle"),
        "hands": Subject("hand", "clip-reid/hand", mirrored=False),
        "animals": Subject("animal", mirrored=False),
        "things": Subject("thing"),
    }
)
"""What may be shown, by the word that people use for it."""


@dataclass(frozen=True)
class Situation:
    """What is known of data and machine before anything is trained.

    Attributes:
        identities: Identities that a training learns from.
        images: Images of them.
        height_by_width: Median height over width of the images.
        cameras: Number of cameras that are known; 0 for none.
        device: "cuda", "mps" or "cpu".
        weights: Whether pretrained CLIP weights are here or can be fetched.
        subject: A key of `SUBJECTS`; empty where nobody has said it.
    """

    identities: int
    images: int
    height_by_width: float
    cameras: int = 0
    device: str = "cpu"
    weights: bool = False
    subject: str = ""


@dataclass(frozen=True)
class RecipeChoice:
    """A recipe with its overrides, and why they were chosen.

    Attributes:
        recipe: Name of the recipe.
        overrides: `dotted.key=value` texts.
        reasons: Sentences.
    """

    recipe: str
    overrides: tuple[str, ...]
    reasons: tuple[str, ...]


def choose_recipes(situation: Situation) -> tuple[RecipeChoice, ...]:
    """Choose recipes for a situation: the best first, then a quicker one where there is one."""
    if not situation.subject:
        subject = "people" if situation.height_by_width >= _TALL else "things"
        guess = (
            f"Nobody has said what the pictures show; they are taken for {subject}, since they are "
            f"{_name_shape(situation)}. --subject says it: {', '.join(SUBJECTS)}."
        )
        choices = choose_recipes(replace(situation, subject=subject))
        return tuple(replace(one, reasons=(guess, *one.reasons)) for one in choices)
    strong = situation.device != "cpu" and situation.weights
    if situation.identities < FEWEST_TO_TRAIN:
        return (_choose_untrained(situation, strong=strong),)
    small = _choose_small(situation)
    return (_choose_large(situation), small) if strong else (small,)


def _choose_untrained(situation: Situation, *, strong: bool) -> RecipeChoice:
    known = situation.identities
    why = (
        f"A training would learn from {known} individuals only, and so learn these instead of what "
        f"tells strangers apart. From {2 * FEWEST_TO_TRAIN} individuals in the folder on, half of "
        "which train, it is worth a try. So the model is taken as it is."
    )
    if strong:
        size = _override_size(situation, "zero-shot", tall=(256, 128), square=(224, 224))
        return RecipeChoice("zero-shot", size, (why,))
    size = _override_size(situation, "zero-shot", tall=(128, 64), square=(128, 128))
    tiny = "It is `tiny`, the small model in the package, which never saw a photograph."
    return RecipeChoice("zero-shot", ("backbone.name=tiny", *size), (why, tiny))


def _choose_large(situation: Situation) -> RecipeChoice:
    subject = SUBJECTS[situation.subject]
    recipe = subject.recipe or "clip-reid"
    square = (256, 256) if situation.subject == "vehicles" else (224, 224)
    size = _override_size(situation, recipe, tall=(256, 128), square=square)
    reasons = (
        f"There is a graphics card ({situation.device}), and CLIP's pretrained weights can be had: "
        "the published method with ViT-B/16.",
        *_explain_shape(situation, recipe, size),
        *_explain_cameras(situation),
    )
    overrides = (*size, *_override_subject(situation, recipe), *_override_batch(situation, recipe))
    return RecipeChoice(recipe, overrides, reasons)


def _choose_small(situation: Situation) -> RecipeChoice:
    recipe = "clip-reid/tiny"
    size = _override_size(situation, recipe, tall=(128, 64), square=(128, 128))
    if situation.device == "cpu":
        why = "There is no graphics card: a small model, which trains within minutes."
    else:
        why = "CLIP's pretrained weights cannot be had from here: the small model in the package."
    reasons = (
        why + " It never saw a photograph, so a large one on a graphics card is better.",
        *_explain_shape(situation, recipe, size),
        *_explain_cameras(situation),
    )
    overrides = (*size, *_override_subject(situation, recipe), *_override_batch(situation, recipe))
    return RecipeChoice(recipe, overrides, reasons)


def _name_shape(situation: Situation) -> str:
    ratio = situation.height_by_width
    return "tall" if ratio >= _TALL else "wide" if ratio <= _WIDE else "about square"


def _override_size(
    situation: Situation, recipe: str, *, tall: tuple[int, int], square: tuple[int, int]
) -> tuple[str, ...]:
    """Set the image size that suits the shape of the pictures, where the recipe has another."""
    sizes = {"tall": tall, "about square": square, "wide": tall[::-1]}
    size = sizes[_name_shape(situation)]
    if load_recipe(recipe).backbone.image_size == size:
        return ()
    return (f"backbone.image_size=[{size[0]},{size[1]}]",)


def _explain_shape(situation: Situation, recipe: str, size: tuple[str, ...]) -> tuple[str, ...]:
    height, width = load_recipe(recipe, size).backbone.image_size
    return (f"The pictures are {_name_shape(situation)}: read at {height} x {width} pixels.",)


def _explain_cameras(situation: Situation) -> tuple[str, ...]:
    if situation.cameras < 2:
        return ()
    return (
        f"{situation.cameras} cameras are known: in the test a match counts only if another camera "
        "took it.",
    )


def _override_subject(situation: Situation, recipe: str) -> tuple[str, ...]:
    """Say in the sentences what is shown, and mirror nothing that is another one in a mirror."""
    subject, loaded = SUBJECTS[situation.subject], load_recipe(recipe)
    sentence = f"A photo of a {{context}} {subject.noun}."
    overrides = []
    if loaded.prompt.template != (sentence,):
        overrides.append(f"prompt.template={sentence}")
    flips = any(stage.augment.flip for stage in loaded.stages if stage.images == "augmented")
    if flips and not subject.mirrored:
        overrides.append("stages.image.augment.flip=0")
    return tuple(overrides)


def _override_batch(situation: Situation, recipe: str) -> tuple[str, ...]:
    """Ask for no more identities in a batch than suit the few that there are."""
    asked = load_recipe(recipe).stages[-1].batch.identities or _IDENTITIES
    fitting = min(asked, max(2, situation.identities // 2))
    return () if fitting == asked else (f"stages.image.batch.identities={fitting}",)


def shorten_to(
    choice: RecipeChoice,
    seconds_by_part: Mapping[str, float],
    limit: float,
    *,
    least: float = LEAST_SHARE,
) -> tuple[RecipeChoice, float] | None:
    """Lower the epochs of a recipe so that its stages end in time.

    Args:
        choice: A recipe that was measured.
        seconds_by_part: Seconds of each stage by its name, of its halves (`half: NAME`) and of the
            rest.
        limit: Seconds that all of it may take.
        least: Share of the epochs below which nothing is left of the recipe.

    Returns:
        The choice as it is where it is in time or trains nothing, or one of fewer epochs, and the
        seconds that it takes; None where fewer than the least share of them would be left.
    """
    total = sum(seconds_by_part.values())
    stages = load_recipe(choice.recipe, choice.overrides).stages
    if total <= limit or not stages:  # what is not trained cannot be shortened
        return choice, total
    names = {stage.name for stage in stages}
    names |= {f"half: {name}" for name in names}
    moving = sum(seconds for part, seconds in seconds_by_part.items() if part in names)
    share = max(0.0, (limit - (total - moving)) / moving) if moving else 0.0
    if share < least:
        return None
    share = max(share, _FEWEST_EPOCHS)
    shortened = [text for stage in stages for text in _shorten_stage(stage, share)]
    reason = (
        "With all of its epochs, the passes over all pictures, it would take "
        f"{total / limit:.1f} times as long as it may, so {share:.0%} of them are trained."
    )
    shorter = replace(
        choice,
        overrides=(*choice.overrides, *shortened),
        reasons=(*choice.reasons, reason),
    )
    return shorter, total - moving + share * moving


def _shorten_stage(stage: StageConfig, share: float) -> list[str]:
    """Lower the epochs of a stage and all that is counted in them."""
    key, schedule = f"stages.{stage.name}", stage.schedule
    texts = [f"{key}.epochs={max(1, math.floor(share * stage.epochs))}"]
    if schedule.warmup_epochs:
        epochs = math.floor(share * schedule.warmup_epochs)
        texts.append(f"{key}.schedule.warmup_epochs={epochs}")
    if schedule.milestones:
        lower = sorted({max(1, math.floor(share * epoch)) for epoch in schedule.milestones})
        texts.append(f"{key}.schedule.milestones=[{','.join(map(str, lower))}]")
    return texts
