"""Maps of embeddings: the same test images under every run, with sentences where there are some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from promptreid.errors import EvaluationError
from promptreid.figures.layouts.identity_spread import class_spread
from promptreid.figures.layouts.layouts import layout, turned_towards
from promptreid.figures.selection import Selection
from promptreid.pages.collect_data import Pictures
from promptreid.pages.collect_options import ReportOptions
from promptreid.pages.collect_texts import Texts
from promptreid.pages.content import EmbeddingMap, MapPoint, MapSection

_LONGEST_SIDE = 48
GAP = (
    "CLIP keeps sentences and images in separate parts of its space (the modality gap), so "
    "sentences lie apart from all images on the map; which images are nearer to one sentence than "
    "to another tells more than how near they are."
)


def map_section(
    selection: Selection,
    vectors: Mapping[str, Tensor],
    texts: Sequence[Texts],
    options: ReportOptions,
    pictures: Pictures,
) -> tuple[MapSection | None, tuple[str, ...]]:
    """Lay the same images out in the plane under every run.

    Args:
        selection: The images, rows of the embeddings.
        vectors: (N, D) embeddings of the test images by each run.
        texts: Sentences of each run, in the same order.
        options: Gives method and seed.
        pictures: Reads the images.

    Returns:
        The maps, None where there are too few images; and what a reader should know of them.

    Raises:
        ConfigError: A package that the method needs is missing.
        UnreadableImage: An image cannot be decoded.
    """
    maps: list[EmbeddingMap] = []
    for (name, embedded), sentences in zip(vectors.items(), texts, strict=True):
        shown = embedded[list(selection.rows)]
        try:
            maps.append(_map(name, shown, sentences, selection, options, maps[:1]))
        except EvaluationError as error:
            return None, (f"There is no map of embeddings: {error}",)
    remarks = [sentences.remark for sentences in texts if sentences.remark]
    if any(sentences.sentences for sentences in texts):
        remarks.append(GAP)
    points = tuple(
        MapPoint(role, group, _label(selection, place), place)
        for place, (role, group) in enumerate(zip(selection.roles, selection.groups, strict=True))
    )
    section = MapSection(
        maps=tuple(maps),
        points=points,
        identities=selection.identities,
        pictures=tuple(pictures.read(row, _LONGEST_SIDE) for row in selection.rows),
    )
    return section, tuple(dict.fromkeys(remarks))


def _map(
    name: str,
    vectors: Tensor,
    texts: Texts,
    selection: Selection,
    options: ReportOptions,
    before: Sequence[EmbeddingMap],
) -> EmbeddingMap:
    """Lay out the images of one run and its sentences, turned like the first run's map."""
    spread = class_spread(vectors, selection.groups)
    both = torch.cat([vectors, texts.vectors]) if texts.sentences else vectors
    laid_out = layout(both, options.method, seed=options.seed)
    points = laid_out.points - laid_out.points[: len(vectors)].mean(axis=0)
    if before:
        # Rows of zeros have no say in how the images turn, and turn with them.
        reference = np.zeros_like(points)
        reference[: len(vectors)] = before[0].points
        points = turned_towards(points, reference)
    return EmbeddingMap(
        name=name,
        method=laid_out.method,
        points=points[: len(vectors)],
        ratio=spread.ratio,
        explained=laid_out.explained,
        texts=points[len(vectors) :],
        text_points=tuple(
            MapPoint("text", group, sentence, -1)
            for group, sentence in zip(texts.groups, texts.sentences, strict=True)
        ),
    )


def _label(selection: Selection, place: int) -> str:
    """Say what an image is: identity, camera and file."""
    manifest = selection.manifest
    camera = manifest.cameras[place]
    camera_text = "" if camera is None else f", camera {camera}"
    identity = selection.identities[selection.groups[place]]
    return f"{identity}{camera_text}, {manifest.image_name(place)}"
