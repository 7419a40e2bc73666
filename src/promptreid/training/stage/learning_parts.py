"""Let the parts a stage names learn, with train and eval modes to match."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from promptreid.errors import ConfigError
from promptreid.models.part_names import find_part
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.depth import find_depths
from promptreid.models.towers.image_tower import ImageTower

_IMAGE = "backbone.image."
_VOCABULARY = "backbone.text.token_embedding."


def set_learning(
    model: ReIDModel, parts: Iterable[str], *, blocks: int | None = None
) -> list[tuple[str, nn.Parameter]]:
    """Let the named parts learn, freeze everything else, and set modes; see `set_modes`.

    The side-information table learns whenever something in the image tower does, whose input it is
    part of: it starts random, so frozen it would only be noise. The vocabulary of the text tower
    never learns: prompts hold the embedded words of their sentences since they were built.

    Args:
        model: Changed in place.
        parts: "prompt", "image", "text", "interaction", "head", or additions to the image tower
            ("visual_prompt", "lora", "adapter").
        blocks: How many of the last blocks (ViT) or layers (ResNet and other hierarchical encoders)
            of "image" learn, with the norm, pooling and projection after them; None for the whole
            tower.

    Returns:
        Names and parameters that learn now.

    Raises:
        ConfigError: A part is unknown, the tower has fewer blocks, or "image" does not learn at
            all.
        ModelError: `blocks` is given and the tower's blocks are not known.
    """
    wanted = list(parts)
    frozen = _frozen_depth(model.backbone.image, wanted, blocks)
    in_tower = {"image", *model.backbone.image.tuning} & set(wanted)
    learning = model.learn([*wanted, "sie"] if in_tower else wanted)
    frozen_names = [name for name in learning if name.startswith(_VOCABULARY)]
    if frozen >= 0:
        for name, depth in find_depths(model.backbone.image).of.items():
            full = _IMAGE + name
            if depth <= frozen and find_part(full) == "image" and full in learning:
                frozen_names.append(full)
    for name in frozen_names:
        learning.pop(name).requires_grad_(False)
    set_modes(model, wanted, blocks=blocks)
    return list(learning.items())


def set_modes(model: ReIDModel, parts: Iterable[str], *, blocks: int | None = None) -> None:
    """Put the learning parts in train mode and everything else in eval mode.

    A tower that learns uses and updates the batch statistics of its batch norms, as published;
    blocks that `blocks` freezes keep theirs, and so does the whole tower when only additions to it
    learn. Dropout acts on what learns.

    Args:
        model: Changed in place.
        parts: The parts that learn; see `set_learning`.
        blocks: How many blocks of the image tower learn; see `set_learning`.

    Raises:
        ConfigError: The tower has fewer blocks, or "image" does not learn at all.
        ModelError: `blocks` is given and the tower's blocks are not known.
    """
    wanted = set(parts)
    tower = model.backbone.image
    frozen = _frozen_depth(tower, wanted, blocks)
    model.eval()
    if "image" in wanted:
        _train_above(tower, frozen)
    for part, addition in tower.tuning.items():
        addition.train(part in wanted)
    for part in ("head", "prompt", "interaction"):
        module = getattr(model, part)
        if part in wanted and module is not None:
            module.train()
    model.backbone.text.train("text" in wanted)


def _frozen_depth(tower: ImageTower, parts: Iterable[str], blocks: int | None) -> int:
    """Return the greatest depth of the tower's own parameters that is frozen; -1 for none."""
    if blocks is None:
        return -1
    if "image" not in parts:
        raise ConfigError(
            f"blocks is {blocks}, which says how much of the image tower learns, but learns does "
            "not name `image`. Add it, or leave blocks out."
        )
    count = find_depths(tower).blocks
    if not 1 <= blocks <= count:
        raise ConfigError(
            f"blocks is {blocks}, but this image tower has {count} blocks or layers. Take 1 to "
            f"{count}, or leave blocks out to let the whole tower learn."
        )
    return count - blocks


def _train_above(tower: ImageTower, frozen: int) -> None:
    """Put modules whose parameters all lie deeper than `frozen` in train mode."""
    if frozen < 0:
        tower.train()
        return
    depth_by_name = find_depths(tower).of
    learns: dict[str, bool] = {}
    for path, module in tower.named_modules():
        prefix = f"{path}." if path else ""
        inside = [depth for name, depth in depth_by_name.items() if name.startswith(prefix)]
        # A module without parameters, such as dropout, goes with what encloses it.
        parent = learns.get(path.rpartition(".")[0], False)
        learns[path] = min(inside) > frozen if inside else parent
        module.train(learns[path])
