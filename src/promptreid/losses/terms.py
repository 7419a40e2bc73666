"""Loss terms of a recipe: each a function of one forward pass and its options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, cast

import torch
from torch import Tensor

from promptreid.config import losses as config
from promptreid.errors import ConfigError
from promptreid.losses import margins
from promptreid.losses.batch_centers import compactness
from promptreid.losses.centers import CenterState
from promptreid.losses.circle import circle_pairs
from promptreid.losses.classification import (
    identity_cross_entropy,
    image_text_logits,
    mixed_cross_entropy,
)
from promptreid.losses.contrastive import clip_contrast, supcon, supcon_cross_modal
from promptreid.losses.loss_inputs import Outputs, feature, over_clean
from promptreid.losses.memory import MemoryState
from promptreid.losses.moco import MoCoState
from promptreid.losses.orthogonality import token_orthogonality
from promptreid.losses.pair_loss import pair_loss
from promptreid.losses.triplet import triplet_loss

__all__ = ["FUNCTIONS", "Outputs", "total_loss"]

# --- images against texts


def supcon_i2t(outputs: Outputs, term: config.SupConTextTerm) -> Tensor:
    """Contrast each image with the texts of the batch."""
    return _supcon_text(outputs, term, outputs.projected, outputs.text)


def supcon_t2i(outputs: Outputs, term: config.SupConTextTerm) -> Tensor:
    """Contrast each text with the images of the batch."""
    return _supcon_text(outputs, term, outputs.text, outputs.projected)


def _supcon_text(
    outputs: Outputs, term: config.SupConTextTerm, anchors: Tensor, others: Tensor
) -> Tensor:
    loss = partial(supcon_cross_modal, temperature=term.temperature, normalize=term.normalize)
    return over_clean(outputs, loss, anchors, others, outputs.labels, outputs.labels)


def clip(outputs: Outputs, term: config.ClipTerm) -> Tensor:
    """Contrast each image with its own text, both ways."""
    loss = partial(clip_contrast, temperature=term.temperature)
    return over_clean(outputs, loss, outputs.projected, outputs.text)


def image_to_text(outputs: Outputs, term: config.ImageToTextTerm) -> Tensor:
    """Classify each image among the texts of all identities."""
    logits = image_text_logits(
        outputs.projected,
        outputs.identity_texts,
        temperature=term.temperature,
        normalize=term.normalize,
    )
    loss = partial(identity_cross_entropy, smoothing=term.smoothing)
    return over_clean(outputs, loss, logits, outputs.labels)


def prompt_penalty(outputs: Outputs, term: config.PromptPenaltyTerm) -> Tensor:
    """Mean square of the learned prompt tokens."""
    return outputs.prompt_tokens.float().pow(2).mean()


def prompt_orthogonal(outputs: Outputs, term: config.PromptOrthogonalTerm) -> Tensor:
    """Squared cosines of the prompt's shared and domain tokens."""
    shared, domains = outputs.shared_tokens, outputs.domain_tokens
    if shared is None or domains is None:
        raise ConfigError(
            "The loss prompt_orthogonal keeps the shared tokens of a prompt apart from those of "
            "its domains, but this prompt has "
            + ("no shared ones" if shared is None else "none of domains")
            + ". Set prompt.shared_tokens and prompt.domain_tokens, or leave the loss out."
        )
    return token_orthogonality(shared, domains)


# --- classifiers of the head


def identity(outputs: Outputs, term: config.IdTerm) -> Tensor:
    """Sum the cross-entropy of every linear classifier."""
    return _classify(outputs, "linear", term.smoothing, lambda scores, _: scores)


def _angle(kind: str, logits: Callable[..., Tensor]) -> Callable[[Any, Any], Tensor]:
    def term_loss(outputs: Outputs, term: config.MarginTerm) -> Tensor:
        with_margin = partial(logits, margin=term.margin, scale=term.scale)
        return _classify(outputs, kind, term.smoothing, with_margin)

    return term_loss


def _classify(
    outputs: Outputs, kind: str, smoothing: float, logits: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    return _sum(
        mixed_cross_entropy(
            partial(logits, scores), outputs.labels, mix=outputs.mix, smoothing=smoothing
        )
        for scores in outputs.scores(kind)
    )


# --- images against images


def _each_feature(
    outputs: Outputs, names: Sequence[str], loss: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    return _sum(over_clean(outputs, loss, feature(outputs, n), outputs.labels) for n in names)


def triplet(outputs: Outputs, term: config.TripletTerm) -> Tensor:
    """Sum the triplet loss of every named image feature."""
    loss = partial(triplet_loss, margin=term.margin, mining=term.mining, distance=term.distance)
    return _each_feature(outputs, term.features, loss)


def circle(outputs: Outputs, term: config.CirclePairsTerm) -> Tensor:
    """Sum the circle loss over pairs of every named image feature."""
    loss = partial(circle_pairs, margin=term.margin, scale=term.scale)
    return _each_feature(outputs, term.features, loss)


def supcon_images(outputs: Outputs, term: config.SupConTerm) -> Tensor:
    """Sum the supervised contrast of every named image feature."""
    return _each_feature(outputs, term.features, partial(supcon, temperature=term.temperature))


def pair(outputs: Outputs, term: config.PairTerm) -> Tensor:
    """Sum the Siamese loss of every named image feature."""
    loss = partial(pair_loss, margin=term.margin, distance=term.distance)
    return _each_feature(outputs, term.features, loss)


def center(outputs: Outputs, term: config.CenterTerm) -> Tensor:
    """Sum the center loss of every named image feature."""
    state = cast(CenterState, outputs.states["center"])
    return _sum(
        over_clean(outputs, partial(state.loss, name), feature(outputs, name), outputs.labels)
        for name in term.features
    )


def compact(outputs: Outputs, term: config.CompactTerm) -> Tensor:
    """Sum the regularisation by the batch's centers of every named image feature."""
    return _each_feature(outputs, term.features, partial(compactness, margin=term.margin))


def memory(outputs: Outputs, term: config.MemoryTerm) -> Tensor:
    """Compare an image feature with those of earlier batches."""
    state = cast(MemoryState, outputs.states["memory"])
    loss = partial(
        state.loss,
        epoch=outputs.epoch,
        kind=term.kind,
        temperature=term.temperature,
        margin=term.margin,
    )
    return _each_feature(outputs, term.features, loss)


def moco(outputs: Outputs, term: config.MoCoTerm) -> Tensor:
    """Contrast two views of each image with keys of the momentum copy."""
    if outputs.images is None or outputs.views != 2:
        raise RuntimeError("Momentum contrast needs the images of two views.")
    state = cast(MoCoState, outputs.states["moco"])
    rows = [feature(outputs, term.features[0]), outputs.images, outputs.labels]
    if outputs.clean is not None:  # an image takes part when both of its views are clean
        both = outputs.clean.view(2, -1).all(0).repeat(2)
        rows = [tensor[both] for tensor in rows]
        if not len(rows[0]):
            return rows[0].float().sum()
    queries, images, labels = rows
    return state.loss(queries, images, labels, temperature=term.temperature)


def _sum(losses: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(losses)).sum()


FUNCTIONS: Mapping[str, Callable[[Any, Any], Tensor]] = MappingProxyType(
    {
        "supcon_i2t": supcon_i2t,
        "supcon_t2i": supcon_t2i,
        "clip": clip,
        "id": identity,
        "arcface": _angle("arcface", margins.arcface_logits),
        "cosface": _angle("cosface", margins.cosface_logits),
        "circle_id": _angle("circle", margins.circle_logits),
        "triplet": triplet,
        "circle": circle,
        "supcon": supcon_images,
        "pair": pair,
        "center": center,
        "compact": compact,
        "memory": memory,
        "moco": moco,
        "i2t": image_to_text,
        "prompt_orthogonal": prompt_orthogonal,
        "prompt_l2": prompt_penalty,
    }
)
"""Function of each term that `promptreid.config.losses.LossTerms` names."""


def total_loss(outputs: Outputs, terms: config.LossTerms) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted sum of the active terms, and each term without its weight.

    Args:
        outputs: One forward pass.
        terms: Names, weights and options.

    Returns:
        The scalar to differentiate, in float32, and the detached terms by name.

    Raises:
        ConfigError: A term's options do not fit what the pass gives.
    """
    active = terms.active()
    values = {name: FUNCTIONS[name](outputs, term) for name, term in active.items()}
    weighted = [active[name].weight_at(outputs.epoch) * value for name, value in values.items()]
    total = torch.stack(weighted).sum()
    return total, {name: value.detach() for name, value in values.items()}
