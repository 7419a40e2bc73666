"""Dual encoders of OpenCLIP's kinds, small enough for unit tests."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from typing import Any

from promptreid.config.base import TOWER_FEATURES
from promptreid.data.images.preprocess import Preprocess
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.towers.backbone import Backbone
from promptreid.models.towers.image_tower import ImageTower
from promptreid.models.weights.architecture import Architecture
from promptreid.models.weights.tokenizers import find_tokenizer

INFO = CheckpointInfo(preprocess=Preprocess(image_size=(64, 64)))
"""What a checkpoint has to say at least."""

VIT = {"layers": 3, "width": 128, "head_width": 64, "patch_size": 16, "image_size": 64}
RESNET = {"layers": [1, 2, 1, 2], "width": 16, "head_width": 64, "image_size": 64}
TEXT = {"width": 128, "heads": 2, "layers": 3}


def small_architecture(vision: dict[str, Any] = VIT, **options: Any) -> Architecture:
    """Return an architecture; `text_cfg` entries go into `text`, the rest is CLIP's own."""
    text = TEXT | options.pop("text", {})
    config = {"embed_dim": 64, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}
    return Architecture("small", config | options)


def take_over(architecture: Architecture, model: Any) -> Backbone:
    """Wrap an OpenCLIP model of an architecture, at its own size."""
    return Backbone(
        model,
        architecture=architecture,
        tokenizer=find_tokenizer(architecture),
        native=Preprocess(image_size=(64, 64)),
    ).eval()


def small_backbone(vision: dict[str, Any] = VIT, **options: Any) -> Backbone:
    """Return a small backbone with random weights, the same every time."""
    return deepcopy(_small_backbone(json.dumps([vision, options])))


@cache
def _small_backbone(kind: str) -> Backbone:
    """Build it once: drawing its weights takes longer than copying them."""
    vision, options = json.loads(kind)
    architecture = small_architecture(vision, **options)
    return take_over(architecture, architecture.build(seed=1))


def tower_widths(tower: ImageTower) -> dict[str, int]:
    """Return the sizes of a tower's three features by name."""
    return dict(zip(TOWER_FEATURES, tower.widths, strict=True))
