"""The kinds of activation maps: what each reads off a model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from promptreid.errors import ConfigError, ModelError, unknown_name
from promptreid.figures.activation.relevance_maps import (
    channel_energy,
    head_mean,
    patches_only,
    strongest_groups,
)
from promptreid.figures.activation.rollout import attends_like_clip, recorded_attention, rollout
from promptreid.models.image_only.solider_tower import SoliderTower
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.image_tower import ImageFeatures
from promptreid.models.towers.timm_tower import TimmTower
from promptreid.models.towers.vit import ViTTower

AUTO = "auto"
_GROUPS_SHOWN = 3


@dataclass(frozen=True)
class ModelInput:
    """A batch as the model sees it.

    Attributes:
        images: (B, 3, H, W) normalised.
        cameras: (B,) rows of the camera table, or None.
        views: (B,) rows of the view table, or None.
        variants: (B,) sentences of an image prompt, as in `ReIDModel.derived`, or None.
    """

    images: Tensor
    cameras: Tensor | None = None
    views: Tensor | None = None
    variants: Tensor | None = None


@dataclass(frozen=True)
class Kind:
    """One way of making maps.

    Attributes:
        name: Name on the command line.
        description: What the map shows, one line.
        compute: Gives maps by title: (B, rows * columns) values of at least 0 each.
    """

    name: str
    description: str
    compute: Callable[[ReIDModel, ModelInput], Mapping[str, Tensor]]


def find_kind(name: str) -> Kind:
    """Return a kind by name.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in KINDS:
        raise ConfigError(unknown_name("kind of activation map", name, (AUTO, *KINDS)))
    return KINDS[name]


def natural_kind(model: ReIDModel) -> str:
    """Name the kind that says most about a model.

    That is what a sentence looks at where one is read, rollout for CLIP's vision transformers, and
    energy for all others.
    """
    tower = model.backbone.image
    if model.interaction is not None:
        return "text"
    if isinstance(tower, ViTTower) and attends_like_clip(tower.transformer.resblocks):
        return "rollout"
    return "energy"


def _rollout(model: ReIDModel, batch: ModelInput) -> dict[str, Tensor]:
    """Share of each patch in the token, or the mean of tokens, that features are read from."""
    tower = model.backbone.image
    if not isinstance(tower, ViTTower):
        raise ModelError(
            f"Attention rollout needs one of CLIP's vision transformers; backbone "
            f"{model.backbone.name} has none. Take the kind 'energy'."
        )
    additions = tower.tuning.values()
    fresh = next((addition.fresh for addition in additions if addition.fresh is not None), None)
    with recorded_attention(list(tower.transformer.resblocks)) as attentions:
        _tower_output(model, batch)
    shares = rollout(attentions, fresh=fresh)
    read = shares[:, 0] if tower.pool == "tok" else patches_only(shares, tower.grid).mean(dim=1)
    return {"attention rollout": patches_only(read, tower.grid)}


def _energy(model: ReIDModel, batch: ModelInput) -> dict[str, Tensor]:
    """Mean square of what each patch or cell holds after the last block or layer."""
    tower = model.backbone.image
    blocks = None
    if isinstance(tower, TimmTower):
        blocks = getattr(tower.trunk, "blocks", None)
    elif isinstance(tower, SoliderTower):
        blocks = tower.stages[-1].blocks
    if blocks is None:
        tokens = tower.tokens_of(_tower_output(model, batch))
    else:  # the norm that follows makes all tokens equally strong
        with _recorded_calls(blocks[-1]) as calls:
            _tower_output(model, batch)
        tokens = calls[-1].output
    if isinstance(tower, SoliderTower):
        tokens = tokens.flatten(1, 2)
    if tokens.ndim != 3:
        raise ModelError(f"Backbone {model.backbone.name} does not give the tokens of its patches.")
    return {"channel energy": channel_energy(patches_only(tokens, tower.grid))}


def _adapter(model: ReIDModel, batch: ModelInput) -> dict[str, Tensor]:
    """Length of what the adapter adds to each patch, by all groups and by the strongest few."""
    tower = model.backbone.image
    adapter = next((part for part in tower.tuning.values() if part.draws_maps), None)
    if adapter is None:
        raise ModelError(
            "The kind 'adapter' shows what a Semantic Grouping Adapter adds, and this model has "
            "none (tuning.adapter). Take the kind 'rollout' or 'energy'."
        )
    with _recorded_calls(adapter) as calls:
        _tower_output(model, batch)
    call = calls[-1]
    groups = patches_only(adapter.maps(*call.inputs, **call.options), tower.grid)
    maps = {"adapter, all groups": groups.square().sum(dim=2).sqrt()}
    for number in strongest_groups(groups, _GROUPS_SHOWN):
        maps[f"adapter, group {number}"] = groups[:, :, number]
    return maps


def _text(model: ReIDModel, batch: ModelInput) -> dict[str, Tensor]:
    """How much the sentence attends to each patch, averaged over heads."""
    if model.interaction is None:
        raise ModelError(
            "The kind 'text' shows what a sentence attends to, and in this model none does "
            "(interaction). Take the kind 'rollout' or 'energy'."
        )
    with _recorded_calls(model.interaction) as calls:
        features = model.features(batch.images, batch.cameras, batch.views)
        model.derived(features, batch.variants)
    attention = head_mean(calls[-1].output.attention)
    return {"text to patches": patches_only(attention, model.backbone.image.grid)}


def _tower_output(model: ReIDModel, batch: ModelInput) -> ImageFeatures:
    """Run the image tower with all that the model feeds it, and keep the tokens."""
    side = None
    if model.sie is not None:
        side = model.sie(len(batch.images), batch.cameras, batch.views)
    return model.backbone.image(batch.images, sie=side, tokens=True)


@dataclass(frozen=True)
class _Call:
    inputs: tuple[Any, ...]
    options: dict[str, Any]
    output: Any


@contextlib.contextmanager
def _recorded_calls(module: nn.Module) -> Generator[list[_Call]]:
    """Record what goes into a module and what comes out, while a model runs."""
    calls: list[_Call] = []
    handle = module.register_forward_hook(
        lambda _, inputs, options, output: calls.append(_Call(inputs, options, output)),
        with_kwargs=True,
    )
    try:
        yield calls
    finally:
        handle.remove()


_KINDS = (
    Kind("rollout", "the patches that a transformer's features are made of", _rollout),
    Kind("energy", "how strong each cell of the last map, or token, is", _energy),
    Kind("adapter", "where the adapter changes patches, and its strongest groups", _adapter),
    Kind("text", "which patches the sentence attends to", _text),
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""Name to kind, in the order in which they are listed; cannot be changed."""
