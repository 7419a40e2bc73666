"""Every shipped recipe at small size: painted people, the tiny backbone, two batches a stage."""

from __future__ import annotations

import csv
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from promptreid.config.recipes import load_recipe
from promptreid.config.schema import Recipe
from promptreid.data.dataset import DataSet
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.load_data import load_data
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.backbone import Backbone, build_backbone
from promptreid.training.run import build_model as build
from promptreid.training.run.build_model import build_model
from promptreid.training.run.run_inputs import prompt_fields
from promptreid.training.run.training_data import TrainingData, training_data

ASPECTS, SKINS = ("left", "right"), ("light", "dark")


def paint(path: Path, identity: int, number: int) -> None:
    """Paint an image of an identity: its own pattern, and the noise of the number."""
    rng = np.random.default_rng([3, identity])
    pattern = rng.integers(0, 255, (4, 4, 3)).repeat(8, 0).repeat(8, 1)
    noise = np.random.default_rng([4, identity, number]).normal(0, 40, pattern.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pattern + noise, 0, 255).astype(np.uint8)).save(path)


def two_domains(root: Path) -> DataSet:
    """Paint two domains of four people to train on, and four people to test on.

    All columns of their table are filled.

    Args:
        root: Where the pictures and their table go.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / "set.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            ["path", "identity", "split", "domain", "camera", "view", "aspect", "skin", "gender"]
        )
        for identity in range(12):
            for number in range(4):
                path = f"images/{identity}_{number}.png"
                paint(root / path, identity, number)
                split = "train" if identity < 8 else "query" if number == 0 else "gallery"
                side = [number % 3, number % 2, ASPECTS[number % 2], SKINS[identity % 2]]
                table.writerow([path, identity, split, "ab"[identity % 2], *side, "any"])
    return load_data(f"csv:{root / 'set.csv'}")


def small_overrides(name: str) -> list[str]:
    """Overrides with which a recipe's stages are two batches each on the tiny backbone."""
    recipe = load_recipe(name)
    sizes = {"finetune-losses/pcb": [96, 32], "finetune-losses/mgn": [48, 32]}
    size = sizes.get(name, 64 if name.endswith("cnn") else 32)
    changes = [
        "backbone.name=tiny",
        "backbone.pretrained=none",
        f"backbone.image_size={size}",
    ]
    changes += ["hardware.precision=fp32", "validation.kind=none"]
    for stage in recipe.stages:
        key, balanced = f"stages.{stage.name}", stage.batch.identities is not None
        share = 1 if stage.domains == "joint" else 2  # a batch is of every domain
        batch = (
            f"{{identities: {8 // share}, images: 2}}" if balanced else f"{{size: {16 // share}}}"
        )
        if stage.hardest is not None:
            changes.append(f"{key}.hardest=0.9")
            batch = "{size: 16}"
        changes += [f"{key}.batch={batch}", f"{key}.epochs=1", f"{key}.augment.pad=2"]
        changes += [f"{key}.blocks={min(stage.blocks, 2)}"] if stage.blocks else []
        if stage.losses.memory is not None:
            changes.append(f"{key}.losses.memory.start_epoch=1")
    return changes


def training_rows(recipe: Recipe, data: DataSet) -> TrainingData:
    return training_data(
        [data],
        validation=recipe.validation.kind,
        fraction=recipe.validation.fraction,
        seed=0,
        fields=prompt_fields(recipe),
        per_image=recipe.prompt.kind == "image",
        side_attribute=recipe.sie.attribute,
    )


@cache
def tiny(image_size: tuple[int, int], stride: int | None) -> Backbone:
    return build_backbone("tiny", pretrained="none", image_size=image_size, stride=stride)


def tiny_copy(
    name: str, *, image_size: tuple[int, int], stride: int | None, **_: object
) -> Backbone:
    assert name == "tiny"
    return deepcopy(tiny(image_size, stride))


def small_training(
    name: str,
    data: DataSet,
    *more: str,
    make_backbone: Callable[..., Backbone] = tiny_copy,
) -> tuple[Recipe, TrainingData, ReIDModel, Preprocess]:
    """Resolve a recipe at small size, and build what it trains.

    Args:
        name: Of the recipe.
        data: What it learns from.
        more: Further overrides.
        make_backbone: Gives the backbone for the arguments of `build_backbone`.
    """
    recipe = load_recipe(name, [*small_overrides(name), *more])
    rows = training_rows(recipe, data)
    with mock.patch.object(build, "build_backbone", make_backbone):
        model, preprocess = build_model(recipe, rows, seed=0)
    return recipe, rows, model, preprocess
