"""Zero-shot attributes: which sentence does an image lie closest to?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from promptreid.data.manifest.manifest import Manifest
from promptreid.data.side_information import table_rows, table_values
from promptreid.errors import ConfigError, DataError, unknown_name
from promptreid.inference.embed import open_images
from promptreid.inference.embedder import Embedder
from promptreid.inference.embedding_loop import BATCH_SIZE, SideRows
from promptreid.json_record import JsonRecord
from promptreid.models.prompts.context_positions import encode_sentences
from promptreid.models.prompts.sentences import CONTEXT, fill_template, template_fields
from promptreid.models.towers.backbone import Backbone
from promptreid.progress import Progress


@dataclass(frozen=True)
class AttributeScores(JsonRecord):
    """Scores that say how well the values of one attribute are read off images.

    Attributes:
        attribute: Its name.
        templates: The sentences whose text features were averaged.
        values: The V values told apart, in ascending order.
        counts: Images of each value, (V,).
        recalls: Share of each value's images that were read right, (V,).
        accuracy: Share of all images that were read right.
        balanced_accuracy: Mean of the recalls.
        chance: 1 / V, what guessing at random gets of both accuracies.
        majority: Accuracy of always guessing the most frequent value.
        missing: Images without a value, which count nowhere.
    """

    attribute: str
    templates: tuple[str, ...]
    values: tuple[str, ...]
    counts: tuple[int, ...]
    recalls: tuple[float, ...]
    accuracy: float
    balanced_accuracy: float
    chance: float
    majority: float
    missing: int


def classify_attributes(
    embedder: Embedder,
    manifest: Manifest,
    templates: Mapping[str, Sequence[str]],
    *,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
) -> dict[str, AttributeScores]:
    """Read attributes off images by sentences alone, as CLIP classifies zero-shot.

    Each image gets the value whose text feature has the largest cosine with the image's projected
    feature. Each image is encoded once, whatever the number of attributes. An attribute never
    enters the image tower as side information, since it may be the one that is asked for.

    Args:
        embedder: The model.
        manifest: Images to read; their values are the ones to choose from.
        templates: Attribute to sentences with its name as a field. Further fields are attributes
            too; the texts are then averaged over all their combinations in the data.
        batch_size: Images per forward pass.
        progress: Where to report; None for silence.

    Returns:
        Scores of each attribute, in the order of `templates`.

    Raises:
        ConfigError: A sentence lacks its attribute, holds `{context}`, or is too long.
        DataError: The data lack an attribute, or it has a single value.
        WeightsError: The weights came without word embeddings.
        UnreadableImage: An image cannot be decoded.
    """
    if not templates:
        return {}
    texts = {
        name: encode_values(embedder.model.backbone, manifest, name, tuple(sentences)).cpu()
        for name, sentences in templates.items()
    }
    images = project_images(embedder, manifest, batch_size=batch_size, progress=progress)
    return {
        name: score_guesses(
            manifest.attributes[name],
            (images @ texts[name].T).argmax(dim=1),
            values=_values(manifest, name),
            attribute=name,
            templates=sentences,
        )
        for name, sentences in templates.items()
    }


def encode_attribute(
    backbone: Backbone,
    attribute: str,
    templates: Sequence[str],
    values: Sequence[str],
    *,
    others: Sequence[Mapping[str, str]] = ({},),
) -> Tensor:
    """Build one text feature per value of an attribute from several sentences (prompt ensemble).

    t_v = normalise(mean_e normalise(T(sentence_e(v)))) (Radford et al., ICML 2021).

    Args:
        backbone: Text tower and tokenizer.
        attribute: Its name, a field of each template.
        templates: At least one sentence.
        values: V values, underscores of which become spaces.
        others: Combinations of the templates' further fields. The mean runs over all distinct
            sentences, each counted once.

    Returns:
        (V, d) rows of length 1.

    Raises:
        ConfigError: A sentence lacks its attribute, holds `{context}`, is too long, or has a field
            that `others` do not give.
        DataError: Two values read alike.
        WeightsError: The weights came without word embeddings.
    """
    if not templates:
        raise ConfigError(f"There is no sentence for the attribute {attribute!r}; give one.")
    for template in templates:
        if attribute not in template_fields([template]) or "{" + CONTEXT + "}" in template:
            raise ConfigError(
                f"{template!r} cannot tell values of {attribute!r} apart: it must hold "
                f"{{{attribute}}}, and no {{{CONTEXT}}}."
            )
    rows = [
        list(
            dict.fromkeys(
                fill_template(template, {**other, attribute: value})
                for template in templates
                for other in others
            )
        )
        for value in values
    ]
    if len({tuple(row) for row in rows}) < len(rows):
        raise DataError(f"Two values of {attribute!r} read alike: {', '.join(map(repr, values))}.")
    sentences = [sentence for row in rows for sentence in row]
    texts = encode_sentences(backbone.text, backbone.tokenizer, sentences).float()
    parts = F.normalize(texts, dim=1).split([len(row) for row in rows])
    return F.normalize(torch.stack([part.mean(dim=0) for part in parts]), dim=1)


def score_guesses(
    truth: Sequence[str],
    guesses: Tensor,
    *,
    values: Sequence[str],
    attribute: str,
    templates: Sequence[str],
) -> AttributeScores:
    """Compare guessed values of an attribute, asked for by these sentences, with the true ones.

    Args:
        truth: True value of each image, empty where missing, (N,).
        guesses: (N,) index into `values`.
        values: The values to choose from, each true for at least one image.
        attribute: Its name.
        templates: The sentences.
    """
    rows = torch.from_numpy(table_rows(truth, values))
    known = rows >= 0
    rows, guesses = rows[known], guesses.cpu()[known]
    counts = torch.bincount(rows, minlength=len(values))
    right = torch.bincount(rows[guesses == rows], minlength=len(values))
    recalls = right.double() / counts
    return AttributeScores(
        attribute=attribute,
        templates=tuple(templates),
        values=tuple(values),
        counts=tuple(counts.tolist()),
        recalls=tuple(recalls.tolist()),
        accuracy=int(right.sum()) / len(rows),
        balanced_accuracy=float(recalls.mean()),
        chance=1 / len(values),
        majority=int(counts.max()) / len(rows),
        missing=int((~known).sum()),
    )


def _values(manifest: Manifest, attribute: str) -> tuple[str, ...]:
    """Return the values to choose from."""
    _check_known(manifest, [attribute])
    values = tuple(str(value) for value in table_values(manifest.attributes[attribute]))
    if len(values) < 2:
        only = f"only {values[0]!r}" if values else "no values"
        raise DataError(
            f"The attribute {attribute!r} of {manifest.name} has {only}, so there is nothing to "
            "tell apart. Leave it out, or score data in which it differs."
        )
    return values


def encode_values(
    backbone: Backbone, manifest: Manifest, attribute: str, templates: tuple[str, ...]
) -> Tensor:
    """Return the text feature of each value of an attribute in the data, in ascending order.

    They are averaged over the values in the data of what else the sentences name.

    Returns:
        (V, d) rows of length 1.

    Raises:
        ConfigError: As `encode_attribute`.
        DataError: The data lack an attribute, it has a single value, or two values read alike.
        WeightsError: The weights came without word embeddings.
    """
    names = [name for name in template_fields(templates) if name not in (attribute, CONTEXT)]
    _check_known(manifest, names)
    rows = zip(*(manifest.attributes[name] for name in names), strict=True)
    distinct = sorted({row for row in rows if all(row)})
    if names and not distinct:
        raise DataError(f"No image of {manifest.name} has a value for {', '.join(names)}.")
    others = [dict(zip(names, row, strict=True)) for row in distinct] or [{}]
    return encode_attribute(
        backbone, attribute, templates, _values(manifest, attribute), others=others
    )


def _check_known(manifest: Manifest, names: Sequence[str]) -> None:
    known = manifest.attributes
    for name in names:
        if name not in known:
            raise DataError(unknown_name(f"attribute of {manifest.name}", name, known))


@torch.no_grad()
def project_images(
    embedder: Embedder, manifest: Manifest, *, batch_size: int, progress: Progress | None
) -> Tensor:
    """Encode all images in the space shared with text; an attribute never enters the image tower.

    Returns:
        (N, d) rows of length 1, on the CPU.

    Raises:
        UnreadableImage: An image cannot be decoded.
    """
    sides = embedder.info.sides
    rows = SideRows.of(sides.camera_rows(manifest), sides.view_rows(manifest, attributes=False))
    store = open_images(manifest, embedder.preprocess, cache=False)
    parts, title = [], f"reading attributes of {manifest.name}"
    for numbers, images in embedder.batches(
        store, title=title, batch_size=batch_size, progress=progress
    ):
        cameras, views, _ = rows.at(numbers, embedder.device)
        projected = embedder.model.features(images, cameras, views).projected
        parts.append(F.normalize(projected.float(), dim=1).cpu())
    return torch.cat(parts)
