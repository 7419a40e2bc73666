"""Cross-entropy over identities, computed in float32."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from promptreid.config.losses import ClassifierOptions, IdOptions, ImageToTextOptions
from promptreid.data.augment.mix import Mix
from promptreid.losses.loss_inputs import Outputs, add


def identity_cross_entropy(logits: Tensor, labels: Tensor, *, smoothing: float = 0.1) -> Tensor:
    """Compute the cross-entropy with label smoothing (Szegedy et al., CVPR 2016).

    The target of the true class is `1 - s + s / C`, of each other class `s / C`.

    Args:
        logits: (N, C), any floating type; the loss is computed in float32.
        labels: (N,) class indices.
        smoothing: s, in [0, 1).

    Returns:
        The scalar mean over the batch.
    """
    with torch.autocast(logits.device.type, enabled=False):
        return F.cross_entropy(logits.float(), labels, label_smoothing=smoothing)


def mixed_cross_entropy(
    logits_for: Callable[[Tensor], Tensor],
    labels: Tensor,
    *,
    mix: Mix | None,
    smoothing: float = 0.1,
) -> Tensor:
    """Compute the cross-entropy of images that may be mixed from two.

    `mean_i( w_i L(x_i, y_i) + (1 - w_i) L(x_i, y'_i) )` (Zhang et al., ICLR 2018). Logits with a
    margin depend on the label they are trained for, so they are made once for each of the two.

    Args:
        logits_for: Gives the (N, C) logits for (N,) labels.
        labels: (N,) class indices.
        mix: The other images' labels and the weights of the first ones; None when nothing is mixed.
        smoothing: Share of the target that all classes have alike; see `identity_cross_entropy`.

    Returns:
        The scalar mean over the batch.
    """
    logits = logits_for(labels)
    if mix is None:
        return identity_cross_entropy(logits, labels, smoothing=smoothing)

    def entropies(logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits.float(), labels, label_smoothing=smoothing, reduction="none")

    with torch.autocast(logits.device.type, enabled=False):
        weight = mix.weight.float()
        partner = entropies(logits_for(mix.partner), mix.partner)
        return (weight * entropies(logits, labels) + (1 - weight) * partner).mean()


def image_text_logits(
    images: Tensor, texts: Tensor, *, temperature: float = 1.0, normalize: bool = False
) -> Tensor:
    """Compute the similarities of images and the texts of all identities, in float32.

    Args:
        images: (N, D) image features.
        texts: (C, D) text features; (N, C, D) where each image has its own.
        temperature: Divides the similarities; above zero.
        normalize: Use cosines instead of raw dot products.

    Returns:
        (N, C) logits.
    """
    with torch.autocast(images.device.type, enabled=False):
        images, texts = images.float(), texts.float()
        if normalize:
            images, texts = F.normalize(images, dim=-1), F.normalize(texts, dim=-1)
        if texts.ndim == 2:
            return images @ texts.T / temperature
        return torch.einsum("nd,ncd->nc", images, texts) / temperature


def classifier_term(
    outputs: Outputs,
    options: ClassifierOptions,
    *,
    logits: Callable[[Tensor, Tensor], Tensor],
    smoothing: float,
) -> Tensor:
    """Sum the cross-entropy of every classifier of the kind that the options name.

    Args:
        outputs: One forward pass.
        options: Name the kind.
        logits: Gives (N, C) logits for (N, C) scores of a classifier and (N,) labels.
        smoothing: See `identity_cross_entropy`.
    """
    return add(
        mixed_cross_entropy(
            partial(logits, scores), outputs.labels, mix=outputs.batch.mix, smoothing=smoothing
        )
        for scores in outputs.scores(options.classifier)
    )


def id_term(outputs: Outputs, options: IdOptions) -> Tensor:
    """Sum the cross-entropy of every linear classifier."""
    return classifier_term(
        outputs, options, logits=lambda scores, _: scores, smoothing=options.smoothing
    )


def image_to_text_term(outputs: Outputs, options: ImageToTextOptions) -> Tensor:
    """Classify each image among the texts of all identities."""
    logits = image_text_logits(
        outputs.projected,
        outputs.identity_texts,
        temperature=options.temperature,
        normalize=options.normalize,
    )
    loss = partial(identity_cross_entropy, smoothing=options.smoothing)
    return outputs.over_clean(loss, logits, outputs.labels)


def classifier_scores(outputs: Outputs, options: ClassifierOptions) -> Tensor:
    """Return the scores of the first classifier that the term trains, (B, C)."""
    return outputs.scores(options.classifier)[0]


def text_scores(outputs: Outputs, options: ImageToTextOptions) -> Tensor:
    """Return the similarities of each image and the texts of all identities, (B, C)."""
    return image_text_logits(outputs.projected, outputs.identity_texts, normalize=options.normalize)
