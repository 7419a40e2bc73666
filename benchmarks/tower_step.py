"""A step that trains an image tower as CLIP-ReID's second stage does, without texts."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from promptreid.config.model import HeadConfig
from promptreid.config.stage import StageConfig
from promptreid.inference.run_context import RunContext
from promptreid.losses.loss_inputs import BatchFeatures
from promptreid.models.heads.head import Head, HeadShape
from promptreid.models.reid import ReIDModel, tower_widths
from promptreid.models.towers.backbone import Backbone
from promptreid.training.batches.stage_batches import DrawnBatch
from promptreid.training.stage.learning_parts import set_learning
from promptreid.training.stage.optimizer import build_optimizer
from promptreid.training.step.training_step import StepReport, TrainingStep

_EACH = 4  # images of an identity


def build_tower_step(
    backbone: Backbone, context: RunContext, pixels: Tensor, say: Callable[[str], None]
) -> Callable[[], StepReport]:
    """Return what takes a step.

    Args:
        backbone: Its image tower learns; its blocks run as the context's hardware says.
        context: Where and how to compute.
        pixels: The batch (B, 3, H, W) of every step, four images of each identity.
        say: Told in a sentence when blocks cannot be compiled.
    """
    people = len(pixels) // _EACH
    config = StageConfig.model_validate(
        {
            "name": "image",
            "learns": ["image", "head"],
            "losses": {"id": 0.25, "triplet": 1},
            "batch": {"identities": people, "images": _EACH},
            "optimizer": {"name": "adam", "lr": 5e-6},
        }
    )
    head = Head(HeadConfig(), HeadShape(identities=751), tower_widths(backbone, None, None))
    model = ReIDModel(backbone, head=head).to(context.device)
    hardware = context.hardware
    backbone.run_blocks(compiled=hardware.compile, checkpointed=hardware.checkpointing, say=say)
    named = set_learning(model, config.learns)
    step = TrainingStep(
        config,
        model,
        [parameter for _, parameter in named],
        optimizer=build_optimizer(named, config.optimizer, scaled=context.scales_losses),
        states=nn.ModuleDict(),
        average=None,
        domains=None,
        context=context,
    )
    labels = torch.arange(people).repeat_interleave(_EACH)
    there = labels.to(context.device)

    def features() -> BatchFeatures:
        with context.forward():
            tower = model.features(pixels)
            derived = model.derived(tower, training=True)
        return BatchFeatures(
            labels=there,
            host_labels=labels,
            projected=tower.projected,
            features=derived,
            host_variants=torch.zeros_like(labels),
            images=pixels,
        )

    batch = DrawnBatch(len(pixels), features)
    return lambda: step.take(1, range(1), lambda: batch, bank=None)
