"""The sweep of ideas: each row is its base with one thing changed, and trains."""

from pathlib import Path

import pytest
from small_hands import render_small_hands

from promptreid.config.recipe_settings import differing, flat_settings
from promptreid.config.sweep import find_sweep, load_sweep
from promptreid.progress import Silent
from promptreid.sweeps.sweep_plan import PlannedRun, plan_sweep
from promptreid.training.run.train import TrainRequest, train

pytestmark = pytest.mark.slow

LOSSES, PROMPT = "stages.image.losses", "prompt"
IDEAS = {
    "semi-hard": ("ce-triplet", {f"{LOSSES}.triplet.mining": "semihard"}),
    "compact": ("ce-triplet", {f"{LOSSES}.compact": 1.0}),
    "siamese": ("ce-triplet", {f"{LOSSES}.pair": 1.0, f"{LOSSES}.triplet": None}),
    "arcface": ("ce-triplet", {f"{LOSSES}.arcface": 1.0, f"{LOSSES}.id": None}),
    "tokens-4": ("prompts", {f"{PROMPT}.context_tokens": 4}),
    "tokens-16": ("prompts", {f"{PROMPT}.context_tokens": 16}),
    "ensemble": ("prompts", {f"{PROMPT}.ensemble": 4}),
    "init": ("prompts", {f"{PROMPT}.init": "{gender}, {skin} skin,"}),
    "dropout": ("prompts", {f"{PROMPT}.dropout": 0.2}),
    "contrast": (
        "prompts",
        {
            f"{LOSSES}.supcon_i2t": 1.0,
            f"{LOSSES}.supcon_t2i": 1.0,
            f"{LOSSES}.i2t": None,
        },
    ),
}


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("hands")
    render_small_hands(root, "dorsal right")
    return f"hands11k:{root}?aspect=dorsal_right&repeats=2"


@pytest.fixture(scope="module")
def planned(hands: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, PlannedRun]:
    """The runs of seed 0 by their row."""
    sweep = load_sweep(find_sweep("hand-ideas"))
    assert sweep.seeds == (0, 1, 2)
    out = tmp_path_factory.mktemp("ideas")
    runs = plan_sweep(sweep, beside=Path(), out=out, data=[hands], seeds=[0])
    return {run.label: run for run in runs}


def test_every_row_is_a_base_or_an_idea(planned: dict[str, PlannedRun]) -> None:
    assert set(planned) == {"ce-triplet", "prompts", *IDEAS}


@pytest.mark.parametrize("idea", IDEAS)
def test_an_idea_is_its_base_with_one_thing_changed(
    planned: dict[str, PlannedRun], idea: str
) -> None:
    base, changes = IDEAS[idea]
    before, after = (flat_settings(planned[name].resolved) for name in (base, idea))
    assert {key: after.get(key) for key in differing([before, after])} == changes


SMALL = (
    "backbone.pretrained=none",
    "backbone.image_size=[48, 32]",
    "hardware.precision=fp32",
    "stages.image.epochs=1",
    "stages.image.batch={identities: 4, images: 2}",
    "stages.image.augment.pad=2",
)


@pytest.mark.parametrize("row", ["ce-triplet", "prompts", *IDEAS])
def test_every_row_trains(
    planned: dict[str, PlannedRun], hands: str, tmp_path: Path, row: str
) -> None:
    run = planned[row]
    more = SMALL
    if len(run.resolved.stages) > 1:
        more = (*more, "stages.prompts.epochs=1", "stages.prompts.batch={size: 12}")
    asked = TrainRequest(
        run.recipe, (*run.overrides, *more), (hands,), tmp_path / "run", device="cpu"
    )
    assert (train(asked, progress=Silent()).path / "scores.json").is_file()
