"""Sentences that lie in the same space as the images of a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import torch
from torch import Tensor
from torch.nn import functional as F

from promptreid.errors import ConfigError, DataError, WeightsError
from promptreid.figures.activation.draw_activation import model_input
from promptreid.figures.selection import Selection
from promptreid.inference.embedder import Embedder
from promptreid.models.prompts.sentences import fill_template, template_fields
from promptreid.text.lists import listed

_MOST = 24  # sentences; more would hide each other
_COMPARABLE = ("projected",)


@dataclass(frozen=True, eq=False)
class Texts:
    """Sentences of a run, and where they lie.

    Attributes:
        vectors: (M, D) rows of length 1, in the space of the embeddings; (0, 0) for none.
        sentences: M sentences.
        groups: Number of the identity of each, -1 for a sentence that is of no identity.
        remark: Why there are none, or which are left out; may be empty.
    """

    vectors: Tensor
    sentences: tuple[str, ...] = ()
    groups: tuple[int, ...] = ()
    remark: str = ""


def map_texts(name: str, embedder: Embedder, selection: Selection) -> Texts:
    """Encode the sentences of a run that can be compared with its embeddings of test images.

    Text and images meet in one feature, "projected". Where the embedding is that feature alone, as
    in zero-shot runs, those sentences are shown which say something of test images: what the recipe
    reads attributes by, filled with the values of the images shown; and those that the model makes
    of an image itself, for one image of each identity. Learned prompts stand for identities of the
    training set, none of which is tested, and are never shown.

    Returns:
        The sentences, or in words why there are none.

    Raises:
        UnreadableImage: An image cannot be decoded.
    """
    model = embedder.model
    features = model.embedding.features
    if features != _COMPARABLE or model.embedding.neck == "after":
        return _no_texts(
            f"The embedding of {name} is made of {listed(features)}"
            f"{' behind the neck' if model.embedding.neck == 'after' else ''}, which no sentence "
            "compares with, so its map shows images alone."
        )
    if model.image_prompt is not None:
        return _composed(embedder, model.image_prompt.options.template[0], selection)
    templates = embedder.info.templates
    if not templates:
        if model.identity_prompt is not None:
            reason = (
                f"The prompts that {name} has learned stand for identities of the training set, "
                "none of which is tested"
            )
        else:
            reason = f"The recipe of {name} has no sentences (zero_shot.attributes)"
        return _no_texts(f"{reason}, so its map shows images alone.")
    sentences = attribute_sentences(templates, selection.manifest.attributes)
    if not sentences:
        return _no_texts(
            f"The sentences of {name} name {', '.join(templates)}, which is not known of these "
            "images, so its map shows images alone."
        )
    shown = sentences[:_MOST]
    try:
        vectors = embedder.embed_text(shown)
    except (ConfigError, WeightsError) as error:
        return _no_texts(f"The map of {name} shows images alone: {error}")
    left = f"The map of {name} shows {_MOST} of {len(sentences)} sentences."
    remark = left if len(sentences) > _MOST else ""
    return Texts(vectors, tuple(shown), (-1,) * len(shown), remark)


def attribute_sentences(
    templates: Mapping[str, Sequence[str]], columns: Mapping[str, Sequence[str]]
) -> list[str]:
    """Fill the sentences of each attribute with the values that images have in columns.

    Returns:
        Distinct sentences, the first template of every attribute first. Those that name an
        attribute which is not there are left out.
    """
    sentences: dict[str, None] = {}
    for template in filter(None, chain.from_iterable(zip_longest(*templates.values()))):
        names = template_fields([template])
        if all(name in columns for name in names):
            rows = zip(*(columns[name] for name in names), strict=True)
            for row in sorted({row for row in rows if all(row)}):
                values = dict(zip(names, row, strict=True))
                sentences[fill_template(template, values)] = None
    return list(sentences)


def _composed(embedder: Embedder, template: str, selection: Selection) -> Texts:
    """Encode the sentence that the model makes of one image of each identity."""
    places = _one_of_each(selection)
    manifest = selection.manifest.select(places)
    try:
        batch = model_input(embedder, manifest)
    except DataError as error:  # an attribute that the sentences name is not known
        return _no_texts(str(error))
    with torch.no_grad():
        features = embedder.model.features(batch.images, batch.cameras, batch.views)
        texts = embedder.model.derived(features, batch.variants)["text"]
    sentences = tuple(template.replace("{context}", f"[word of {path}]") for path in manifest.paths)
    groups = tuple(selection.groups[place] for place in places)
    return Texts(F.normalize(texts.float(), dim=1).cpu(), sentences, groups)


def _one_of_each(selection: Selection) -> list[int]:
    """Give the first query of each identity, or its first image where it is no query."""
    places: dict[int, int] = {}
    for place, group in enumerate(selection.groups):
        known = places.get(group)
        if known is None or selection.roles[place] == "query" != selection.roles[known]:
            places[group] = place
    return [places[group] for group in sorted(places)]


def _no_texts(remark: str) -> Texts:
    return Texts(torch.zeros(0, 0), remark=remark)
