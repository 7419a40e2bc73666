"""A model without what only the machine and the people of its training are called."""

from __future__ import annotations

from copy import copy
from pathlib import PurePath

from promptreid.config.schema import Recipe
from promptreid.data.side_information import Side
from promptreid.hub.hub_address import is_hub_address
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel


def make_public(
    model: ReIDModel, info: CheckpointInfo, *, with_identities: bool = False
) -> tuple[ReIDModel, CheckpointInfo]:
    """Leave folders out, and put numbers in the place of the names of identities.

    Weights and vectors stay what they are. Cameras and views keep their names, by which a user
    names them, but not the folders that told their data sets apart.

    Args:
        model: Not changed; its weights are shared.
        info: Not changed.
        with_identities: Keep the names of the identities that were trained on.
    """
    public = copy(model)
    public._modules = dict(model._modules)  # a copy shares the table of parts with the original
    backbone = copy(model.backbone)
    backbone.pretrained = name_place(model.backbone.pretrained)
    public.backbone = backbone
    classes = info.classes
    if not with_identities:
        classes = tuple(str(number) for number in range(len(classes)))
    cameras = _without_folders(info.sides.cameras)
    recipe = None if info.recipe is None else _public_recipe(info.recipe)
    return public, info.with_cameras(cameras).updated(classes=classes, recipe=recipe)


def name_place(place: str) -> str:
    """Return the last part of a path; tags and addresses of the hub stay as they are."""
    if is_hub_address(place) or not any(mark in place for mark in ("/", "\\")):
        return place
    return PurePath(place.replace("\\", "/")).name


def _is_file(recipe: str) -> bool:
    """Tell the path of a recipe from the name of one of the package, such as `clip-reid/tiny`."""
    return recipe.startswith("/") or recipe.endswith((".yaml", ".yml"))


def _public_recipe(recipe: Recipe) -> Recipe:
    backbone, start = recipe.backbone, recipe.start
    tokenizer, checkpoint = backbone.tokenizer, start.checkpoint
    return recipe.model_copy(
        update={
            "name": name_place(recipe.name) if _is_file(recipe.name) else recipe.name,
            "backbone": backbone.model_copy(
                update={
                    "pretrained": name_place(backbone.pretrained),
                    "tokenizer": None if tokenizer is None else name_place(str(tokenizer)),
                }
            ),
            "start": start.model_copy(
                update={"checkpoint": None if checkpoint is None else name_place(checkpoint)}
            ),
        }
    )


def _without_folders(cameras: tuple[Side, ...]) -> tuple[Side, ...]:
    """Shorten the labels of data sets to name and last folder, or number those that agree then."""
    labels = list(dict.fromkeys(side[0] for side in cameras if isinstance(side, tuple)))
    short = {}
    for number, label in enumerate(labels):
        name, colon, folder = label.partition(":")
        shown = f"{name}:{name_place(folder)}" if colon else name
        short[label] = f"{name}:{number + 1}" if shown in short.values() else shown
    return tuple((short[side[0]], side[1]) if isinstance(side, tuple) else side for side in cameras)
