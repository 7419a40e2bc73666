"""Every kind of recipe that can learn from hands trains on rendered ones, at a small size."""

import csv
from pathlib import Path

import pytest
import torch
from distinct_recipes import distinct_recipes
from small_hands import render_small_hands

from promptreid.config.recipes import load_recipe
from promptreid.data.load_data import load_data
from promptreid.errors import ConfigError
from promptreid.models.checkpoint import load_model
from promptreid.progress import Silent
from promptreid.runs.run_folder import RunFolder
from promptreid.training.run.build_model import build_model
from promptreid.training.run.run_inputs import prompt_fields
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.run.training_data import training_data

pytestmark = pytest.mark.slow

FAMILIES = (
    "zero-shot",
    "finetune-ce",
    "finetune-losses",
    "prompt-learning",
    "hand-clip",
    "pretrain-",
    "prompt-sg",
    "mta-clip",
)
NAMES = [
    name
    for name in distinct_recipes()
    if name.startswith(FAMILIES)
    and not name.endswith("/cnn")  # the same with another backbone, which is no matter of seconds
    and name != "finetune-losses/hardest"  # its stage needs more images; see below
]


def small(name: str, *more: str) -> tuple[str, ...]:
    """Overrides that make a recipe run in a second on the tiny backbone."""
    height = 96 if "pcb" in name else 48
    overrides = ["backbone.name=tiny", "backbone.pretrained=none"]
    overrides += [f"backbone.image_size=[{height}, 32]", "hardware.precision=fp32"]
    for stage in load_recipe(name).stages:
        key = f"stages.{stage.name}"
        overrides += [f"{key}.epochs=1", f"{key}.augment.pad=2"]
        overrides += [f"{key}.blocks=2"] if stage.blocks else []
        balanced = stage.batch.identities is not None
        overrides.append(
            f"{key}.batch=" + ("{identities: 4, images: 2}" if balanced else "{size: 12}")
        )
    return (*overrides, *more)


def go(name: str, overrides: tuple[str, ...], data: str, out: Path) -> RunFolder:
    return train(TrainRequest(name, overrides, (data,), out, device="cpu"), progress=Silent())


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("hands")
    render_small_hands(root, "dorsal right", "palmar left")
    return f"hands11k:{root}?aspect=dorsal_right&repeats=2"


@pytest.fixture(scope="module")
def prompts(hands: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "prompts"
    return go("prompt-learning", small("prompt-learning"), hands, out).path


@pytest.mark.parametrize("name", NAMES)
def test_recipe_trains_scores_and_moves_what_it_says(name: str, hands: str, tmp_path: Path) -> None:
    overrides = small(name)
    recipe = load_recipe(name, overrides)
    run = train(
        TrainRequest(name, overrides, (hands,), tmp_path / "run", device="cpu"), progress=Silent()
    )
    assert run.status().status == "complete"
    assert run.scores()[0]["queries"] > 0
    if not recipe.stages:
        return
    data = training_data(
        [load_data(hands)],
        validation=recipe.validation.kind,
        fraction=recipe.validation.fraction,
        seed=0,
        fields=prompt_fields(recipe),
        per_image=recipe.prompt.kind == "image",
        side_attribute=recipe.sie.attribute,
    )
    fresh, _ = build_model(recipe, data, seed=0)
    trained, _ = load_model(run.last)
    before, after = fresh.state_dict(), trained.state_dict()
    assert before.keys() == after.keys()
    learned = {name for stage in recipe.stages for name in fresh.learn(stage.learns)}
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    frozen = {name for name, _ in fresh.named_parameters()} - learned
    assert not moved & frozen
    for part in {part for stage in recipe.stages for part in stage.learns}:
        assert moved & set(fresh.part_parameters(part)), part


def test_prompt_guided_takes_the_prompts_of_an_earlier_run(
    hands: str, prompts: Path, tmp_path: Path
) -> None:
    overrides = small("prompt-guided", f"start.checkpoint={prompts}")
    run = go("prompt-guided", overrides, hands, tmp_path / "run")
    taught, _ = load_model(prompts / "checkpoints" / "last.safetensors")
    guided, _ = load_model(run.last)
    assert torch.equal(guided.prompt.tokens, taught.prompt.tokens)
    assert not torch.equal(guided.backbone.image.conv1.weight, taught.backbone.image.conv1.weight)


@pytest.mark.parametrize("name", ["prompt-guided", "hand-clip"])
def test_images_are_not_taught_by_random_prompts(name: str, hands: str, tmp_path: Path) -> None:
    overrides = ("backbone.name=tiny", "stage_mode=image_only")
    with pytest.raises(ConfigError, match=r"still random.*start\.checkpoint"):
        train(TrainRequest(name, overrides, (hands,), tmp_path / "run"), progress=Silent())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("mode", "stages"),
    [
        ("prompts_only", ["prompts"]),
        ("image_only", ["image"]),
        ("prompts_then_image", ["prompts", "image"]),
    ],
)
def test_stage_mode(mode: str, stages: list[str]) -> None:
    recipe = load_recipe("hand-clip", (f"stage_mode={mode}",))
    assert [stage.name for stage in recipe.stages] == stages


def test_the_hardest_images_are_learned_from(hands: str, tmp_path: Path) -> None:
    name = "finetune-losses/hardest"
    overrides = small(name, "stages.hardest.hardest=0.5", "stages.hardest.batch={size: 6}")
    run = train(
        TrainRequest(name, overrides, (hands,), tmp_path / "run", device="cpu"), progress=Silent()
    )
    with (run.path / "metrics.csv").open() as table:
        images = {row["stage"]: int(row["images"]) for row in csv.DictReader(table)}
    assert images["hardest"] < 0.75 * images["image"]
