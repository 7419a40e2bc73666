"""Searching pictures by sentences: what of a model compares with texts, and how far to trust it.

A retrieval vector need not lie in the space that images and texts share: CLIP-ReID joins two
features, one before the projection. What compares with a sentence is the projected feature alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from promptreid.data.images.image_store import ImageStore
from promptreid.errors import ConfigError, WeightsError
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_loop import BATCH_SIZE, SideRows, split_batch
from promptreid.models.prompts.sentences import fill_template, template_fields
from promptreid.models.reid import ReIDModel

SENTENCE = "text"
"""Field of a template where the sentence that is searched for stands."""


def find_text_width(embedder: Embedder) -> int | None:
    """Return the length of a vector that compares with sentences; None where no text side is."""
    return None if explain_no_text(embedder) else embedder.model.backbone.text.embed_dim


def compares_directly(model: ReIDModel) -> bool:
    """Tell whether the retrieval vector itself is the projected feature."""
    return list(model.embedding.features) == ["projected"] and model.embedding.neck == "before"


def explain_no_text(embedder: Embedder) -> str:
    """Say why a model cannot be searched by sentences; empty where it can."""
    backbone = embedder.model.backbone
    try:
        backbone.text.vocabulary()
    except WeightsError:
        return (
            "This model has no text side that takes sentences: its weights came without word "
            "embeddings. Search by pictures, or use a checkpoint trained with promptreid."
        )
    if backbone.pretrained == "none" and not _learned(embedder, "text"):
        return (
            "The text side of this model has random weights that never learned (its backbone was "
            "built with pretrained: none), so sentences mean nothing to it. Search by pictures."
        )
    return ""


def describe_tuning(embedder: Embedder) -> str:
    """Say how far sentences can be trusted; empty where the text side was tuned."""
    if _learned(embedder, "text"):
        return ""
    note = "The text side of this model was never tuned: it is as it was pretrained"
    if embedder.model.backbone.name == "tiny":
        note += ", on captions of rendered pictures"
    recipe = embedder.info.recipe
    if recipe is not None and any(stage.moves_embedding for stage in recipe.stages):
        note += ", while its image side has moved on in training"
    return f"{note}. Take the order as a hint."


def encode_queries(
    embedder: Embedder, sentences: Sequence[str], templates: Sequence[str] = ()
) -> Tensor:
    """Turn sentences to search for into vectors that compare with projected features.

    With templates such as "a photo of {text}." a vector is normalise(mean_e normalise(T(e))) over
    the filled templates e (Radford et al., ICML 2021).

    Returns:
        (N, d) float32 rows of length 1, on the CPU.

    Raises:
        WeightsError: The model has no text side that could.
        ConfigError: A sentence is empty or too long, or a template lacks `{text}`.
    """
    reason = explain_no_text(embedder)
    if reason:
        raise WeightsError(reason)
    for template in templates:
        if template_fields([template]) != (SENTENCE,):
            raise ConfigError(
                f"The template {template!r} must name {{{SENTENCE}}} and nothing else, such as "
                f"'a photo of {{{SENTENCE}}}.'."
            )
    if not all(sentence.strip() for sentence in sentences):
        raise ConfigError("The sentence to search for is empty. Write what the picture shows.")
    filled = [
        fill_template(template, {SENTENCE: sentence})
        for sentence in sentences
        for template in templates or ("{text}",)
    ]
    vectors = embedder.embed_text(filled).reshape(len(sentences), len(templates) or 1, -1)
    return F.normalize(vectors.mean(1), dim=1)


@torch.no_grad()
def embed_for_both(
    embedder: Embedder, source: ImageStore, rows: SideRows, *, batch_size: int = BATCH_SIZE
) -> tuple[Tensor, Tensor]:
    """Embed images once, for pictures and for sentences to be compared with.

    Args:
        embedder: The model.
        source: N images, resized with the test filter.
        rows: Rows of the model's tables that go with them.
        batch_size: Images per forward pass.

    Returns:
        (N, width) retrieval vectors and (N, d) projected features, rows of length 1, on the CPU.

    Raises:
        UnreadableImage: An image cannot be decoded.
    """
    model = embedder.model
    vectors = torch.empty(len(source), embedder.width)
    projected = torch.empty(len(source), model.backbone.text.embed_dim)
    for numbers, images in embedder.batches(
        source, title="embedding images", batch_size=batch_size
    ):
        cameras, views, variants = rows.at(numbers, embedder.device)
        for part in split_batch(images):
            sides = [None if side is None else side[part] for side in (cameras, views)]
            features = model.features(images[part], *sides)
            chosen = None if variants is None else variants[part]
            vectors[numbers[part]] = model.embed_features(features, chosen).float().cpu()
            projected[numbers[part]] = F.normalize(features.projected.float(), dim=1).cpu()
    return vectors, projected


def _learned(embedder: Embedder, part: str) -> bool:
    recipe = embedder.info.recipe
    return recipe is not None and any(part in stage.learns for stage in recipe.stages)
