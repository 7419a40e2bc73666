"""Softmax contrast: images against texts, and images against images."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from promptreid.config.losses import ClipOptions, SupConTextOptions
from promptreid.losses.distances import cosines, masked_mean, same_identity
from promptreid.losses.loss_inputs import Outputs


def supcon_cross_modal(
    anchors: Tensor,
    others: Tensor,
    anchor_labels: Tensor,
    other_labels: Tensor,
    *,
    temperature: float = 1.0,
    normalize: bool = False,
) -> Tensor:
    """Contrast two modalities by identity, with several positives an anchor.

    `L = -mean_i( mean_{j: y_j = y_i} log softmax_j(a_i . o_j / t) )`, as in stage 1 of CLIP-ReID
    (Li et al., AAAI 2023), which uses raw dot products and t = 1. The pair (i, i) is a true
    positive here, because the two sides come from different towers. Computed in float32 whatever
    the input type.

    Args:
        anchors: (N, D) features of one modality.
        others: (M, D) features of the other.
        anchor_labels: (N,) identity of each anchor; each must occur in `other_labels`.
        other_labels: (M,) identity of each other.
        temperature: Divides the similarities; above zero.
        normalize: Use cosines instead of raw dot products.

    Returns:
        The scalar loss.
    """
    with torch.autocast(anchors.device.type, enabled=False):
        a, o = anchors.float(), others.float()
        if normalize:
            a, o = F.normalize(a, dim=1), F.normalize(o, dim=1)
        log_p = F.log_softmax(a @ o.T / temperature, dim=1)
        positive = (anchor_labels[:, None] == other_labels[None, :]).to(log_p.dtype)
        return -((log_p * positive).sum(1) / positive.sum(1)).mean()


def clip_contrast(images: Tensor, texts: Tensor, *, temperature: float = 0.07) -> Tensor:
    """Contrast pairs of image and text (Radford et al., ICML 2021).

    The mean of the cross-entropies of each image among all texts and of each text among all images,
    over cosines divided by the temperature. Pair i is the only positive of row i: two images of one
    identity are negatives of each other, which `supcon_cross_modal` mends.

    Args:
        images: (N, D), any floating type; the loss is computed in float32.
        texts: (N, D), row i belonging to image i.
        temperature: Above zero.

    Returns:
        The scalar loss.
    """
    with torch.autocast(images.device.type, enabled=False):
        logits = cosines(images, texts) / temperature
        partners = torch.arange(len(logits), device=logits.device)
        return (F.cross_entropy(logits, partners) + F.cross_entropy(logits.T, partners)) / 2


def supcon(features: Tensor, labels: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Contrast images by identity (supervised contrast; Khosla et al., NeurIPS 2020).

    `L = -mean_i( mean_{p: y_p = y_i, p != i} log( e^(c_ip/t) / sum_{a != i} e^(c_ia/t) ) )` with
    cosines c. An image is left out of its own sums, and an image without a positive is no anchor.

    Args:
        features: (N, D), any floating type; the loss is computed in float32.
        labels: (N,) identities.
        temperature: t, above zero.

    Returns:
        The scalar loss; zero when no image has a positive.
    """
    with torch.autocast(features.device.type, enabled=False):
        positive, _ = same_identity(labels)
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        return contrast(cosines(features) / temperature, positive, ~itself)


def contrast(logits: Tensor, positive: Tensor, candidates: Tensor) -> Tensor:
    """Return the mean negative log-softmax of each anchor's positives.

    Args:
        logits: (N, M) similarities over the temperature.
        positive: (N, M) bool; a part of `candidates`.
        candidates: (N, M) bool, what the softmax runs over.

    Returns:
        The scalar mean over the anchors that have a positive; zero without any.
    """
    # A finite number in place of -inf: rows without candidates would be not-a-number.
    masked = logits.masked_fill(~candidates, torch.finfo(logits.dtype).min / 4)
    log_p = torch.where(positive, masked.log_softmax(1), 0.0)
    count = positive.sum(1)
    return masked_mean(-log_p.sum(1) / count.clamp(min=1), count > 0)


def images_to_texts_term(outputs: Outputs, options: SupConTextOptions) -> Tensor:
    """Contrast each image with the texts of the batch."""
    return _contrast_with_text(outputs, options, outputs.projected, outputs.text)


def texts_to_images_term(outputs: Outputs, options: SupConTextOptions) -> Tensor:
    """Contrast each text with the images of the batch."""
    return _contrast_with_text(outputs, options, outputs.text, outputs.projected)


def _contrast_with_text(
    outputs: Outputs, options: SupConTextOptions, anchors: Tensor, others: Tensor
) -> Tensor:
    loss = partial(supcon_cross_modal, temperature=options.temperature, normalize=options.normalize)
    return outputs.over_clean(loss, anchors, others, outputs.labels, outputs.labels)


def clip_term(outputs: Outputs, options: ClipOptions) -> Tensor:
    """Contrast each image with its own text, both ways."""
    loss = partial(clip_contrast, temperature=options.temperature)
    return outputs.over_clean(loss, outputs.projected, outputs.text)
