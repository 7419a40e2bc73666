"""Small models of many kinds, to be exported: two blocks, images of 32 x 16 pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from small_heads import small_head
from small_models import RESNET, TEXT, VIT, small_backbone
from small_prompts import image_prompt

from promptreid.config.model import (
    EmbeddingConfig,
    InteractionConfig,
    LoraConfig,
    PartsConfig,
    VisualPromptConfig,
)
from promptreid.data.images.preprocess import Preprocess
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.interaction import Interaction
from promptreid.models.prompts.image_texts import Sentences
from promptreid.models.reid import ReIDModel, tower_widths
from promptreid.models.sie import SideInformation
from promptreid.models.tuning.tuning import attach_tuning

SIZE = (32, 16)
PREPROCESS = Preprocess(SIZE, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


def small_tower(vision: dict = VIT):
    """Return a backbone of two blocks, fitted to the size."""
    smaller = {"layers": 2, "width": 64} if vision is VIT else {"layers": [1, 1, 1, 1]}
    backbone = small_backbone(vision | smaller, text=TEXT | {"width": 64, "heads": 1, "layers": 1})
    backbone.image.fit(SIZE, None if vision is RESNET else 8)
    return backbone


def with_head(vision: dict = VIT, *, neck: str = "before", **options) -> ReIDModel:
    """A model with necks that have seen images, and classifiers of seven identities."""
    backbone = small_tower(vision)
    features = options.get("features", ("final", "projected"))
    head = small_head(tower_widths(backbone, None, None), 7, tower=backbone.image, **options)
    generator = torch.Generator().manual_seed(5)
    for norm in head.necks.values():
        norm.running_mean.normal_(generator=generator)
        norm.running_var.uniform_(0.5, 2, generator=generator)
    embedding = EmbeddingConfig(features=features, neck=neck)
    return ReIDModel(backbone, head=head, embedding=embedding).eval()


def with_sides(cameras: int = 3, views: int = 0, coefficient: float = 3.0) -> ReIDModel:
    """A model with embeddings of cameras and views that matter."""
    backbone = small_tower()
    width = backbone.image.widths[1]
    sie = SideInformation(cameras=cameras, views=views, width=width, coefficient=coefficient)
    with torch.no_grad():
        sie.embed.mul_(10)
    return ReIDModel(backbone, sie=sie).eval()


def with_additions() -> ReIDModel:
    """A model with low-rank updates and prompt tokens that have learned something."""
    backbone = small_tower()
    attach_tuning(backbone.image, lora=LoraConfig(), visual_prompt=VisualPromptConfig(tokens=2))
    generator = torch.Generator().manual_seed(6)
    with torch.no_grad():
        for name, parameter in backbone.image.named_parameters():
            if "lora" in name or "original" in name or "visual_prompt" in name:
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return ReIDModel(backbone).eval()


def with_sentence(kind: str = "simplified") -> ReIDModel:
    """A model whose vector is fused with a sentence of each image."""
    backbone = small_tower()
    prompt = image_prompt(backbone)
    options = InteractionConfig(mode="single", blocks=1, residual=True)
    interaction = Interaction(options, backbone.text.embed_dim)
    embedding = EmbeddingConfig(features=("fused", "final"))
    return ReIDModel(
        backbone,
        prompt=prompt,
        interaction=interaction,
        sentences=Sentences(retrieval=kind),
        embedding=embedding,
    ).eval()


MODELS: dict[str, Callable[[], ReIDModel]] = {
    "features before the neck": with_head,
    "features after the neck": lambda: with_head(neck="after"),
    "one feature": lambda: with_head(features=("projected",)),
    "stripes": lambda: with_head(
        features=("final", "part1"), parts=PartsConfig(stripes=2, width=16)
    ),
    "resnet": lambda: with_head(RESNET),
    "cameras": with_sides,
    "cameras and views": lambda: with_sides(3, 2),
    "low-rank updates and prompt tokens": with_additions,
    "sentence": with_sentence,
}


def info_of(model: ReIDModel, **more) -> CheckpointInfo:
    """What a checkpoint says of such a model."""
    table = model.sie
    return CheckpointInfo(
        preprocess=PREPROCESS,
        camera_values=tuple(f"c{n}" for n in range(table.cameras)) if table else (),
        view_values=tuple(f"v{n}" for n in range(table.views)) if table else (),
        **more,
    )
