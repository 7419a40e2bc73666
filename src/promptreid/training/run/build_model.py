"""Build a model and its preprocessing from a recipe."""

from __future__ import annotations

import torch

from promptreid.config.model import NormalizeConfig
from promptreid.config.schema import Recipe
from promptreid.data.images.preprocess import HALF, IMAGENET_MEAN, IMAGENET_STD, Preprocess
from promptreid.errors import ConfigError
from promptreid.models.heads.head import Head, HeadShape
from promptreid.models.interaction import Interaction
from promptreid.models.prompts.image_texts import Sentences
from promptreid.models.prompts.prompt import PromptData
from promptreid.models.prompts.prompt_kinds import PROMPTS
from promptreid.models.reid import ReIDModel, tower_widths
from promptreid.models.sie import SideInformation
from promptreid.models.towers.backbone import Backbone, build_backbone
from promptreid.models.tuning.tuning import attach_tuning
from promptreid.seeds import derive_seed
from promptreid.training.run.training_data import TrainingData


def build_model(
    recipe: Recipe, data: TrainingData | None, *, seed: int
) -> tuple[ReIDModel, Preprocess]:
    """Build the model a recipe names, with pretrained weights and fresh trained parts.

    Args:
        recipe: Resolved recipe.
        data: Gives the number of identities, cameras and views; None for a recipe without stages.
        seed: Seed of the fresh parts.

    Raises:
        ModelError: The backbone is unknown, or does not take the image size or stride.
        WeightsError: The pretrained weights cannot be had or do not fit.
        ConfigError: The recipe asks for side information that the data does not have.
    """
    config = recipe.backbone
    backbone = build_backbone(
        config.name,
        pretrained=config.pretrained,
        image_size=config.image_size,
        stride=config.stride,
        tokenizer=config.tokenizer,
    )
    generator = torch.Generator().manual_seed(derive_seed(seed, 0))
    classes = len(data.classes) if data is not None else 0
    prompt = interaction = head = sie = None
    if data is not None and recipe.prompt.kind != "none":
        prompt_data = PromptData(classes, data.fields, data.class_domains.tolist())
        prompt = PROMPTS[recipe.prompt.kind].build(
            backbone, recipe.prompt, prompt_data, generator=generator
        )
    if data is not None and recipe.interaction.mode != "none":
        interaction = Interaction(recipe.interaction, backbone.text.embed_dim, generator=generator)
    if data is not None and recipe.head.kind != "none":
        head = Head(
            recipe.head,
            HeadShape(
                identities=classes if recipe.classifiers else 0,
                classifiers=recipe.classifiers,
                domains=data.class_domains.tolist() if recipe.head.necks == "domain" else None,
            ),
            tower_widths(backbone, prompt, interaction),
            tower=backbone.image,
            generator=generator,
        )
    if data is not None and (recipe.sie.camera or recipe.sie.view or recipe.sie.attribute):
        sie = _side_information(recipe, data, backbone, generator)
    if data is not None:
        attach_tuning(backbone.image, **dict(recipe.tuning), generator=generator)
    model = ReIDModel(
        backbone,
        prompt=prompt,
        interaction=interaction,
        sentences=Sentences(recipe.interaction.training, recipe.interaction.inference),
        head=head,
        sie=sie,
        embedding=recipe.embedding,
    )
    return model, preprocess_of(recipe, backbone)


def preprocess_of(recipe: Recipe, backbone: Backbone) -> Preprocess:
    """Return size, pixel statistics and filters; see `PreprocessConfig.normalize`."""
    choice = recipe.preprocess.normalize
    if isinstance(choice, NormalizeConfig):
        mean, std = choice.mean, choice.std
    elif choice == "native":
        mean, std = backbone.native.mean, backbone.native.std
    elif choice == "imagenet" or (choice == "clip-reid" and backbone.image.imagenet_pixels):
        mean, std = IMAGENET_MEAN, IMAGENET_STD
    else:
        mean, std = HALF, HALF
    return Preprocess(
        image_size=recipe.backbone.image_size,
        mean=mean,
        std=std,
        train_interpolation=recipe.preprocess.train_interpolation,
        test_interpolation=recipe.preprocess.test_interpolation,
    )


def _side_information(
    recipe: Recipe, data: TrainingData, backbone: Backbone, generator: torch.Generator
) -> SideInformation:
    for wanted, values, word in (
        (recipe.sie.camera, data.camera_values, "camera"),
        (recipe.sie.view or recipe.sie.attribute is not None, data.view_values, "view"),
    ):
        if wanted and not values:
            raise ConfigError(
                f"The recipe embeds the {word} (sie.{word}: true), but no training image has a "
                f"{word}. Set sie.{word}=false, or give {word}s in the data."
            )
    return SideInformation(
        cameras=len(data.camera_values) if recipe.sie.camera else 0,
        views=len(data.view_values) if recipe.sie.view or recipe.sie.attribute else 0,
        width=backbone.image.widths[1],
        coefficient=recipe.sie.coefficient,
        generator=generator,
    )
