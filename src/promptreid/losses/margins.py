"""Logits of classifiers by angle while they learn: cosines with a margin for the true class.

Each function takes (N, C) cosines of any floating type and (N,) labels, and returns (N, C) float32
logits for a cross-entropy. Cosines a little outside [-1, 1], as rounding makes them, are fine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from promptreid.config.losses import MarginOptions
from promptreid.errors import ConfigError
from promptreid.losses.classification import classifier_term
from promptreid.losses.loss_inputs import Outputs


def arcface_logits(
    cosines: Tensor, labels: Tensor, *, margin: float = 0.5, scale: float = 30.0
) -> Tensor:
    """Add an angular margin (ArcFace; Deng et al., CVPR 2019).

    The true class has `s cos(theta + m)`, the others `s cos(theta)`. Where `theta > pi - m`, beyond
    which the cosine would rise again, it is `s (cos(theta) - m sin(m))`. The angle
    itself is never computed: `cos(theta + m)` is `cos(theta) cos(m) - sin(theta) sin(m)`, whose
    gradient is finite at theta = 0 too.

    Args:
        cosines: (N, C).
        labels: (N,) class indices.
        margin: m, in radians, from 0 and below pi.
        scale: s.

    Raises:
        ConfigError: The margin is not such an angle.
    """
    if not 0 <= margin < math.pi:
        raise ConfigError(
            f"The margin of ArcFace is an angle in radians, from 0 and below pi, got {margin}. "
            f"If you meant degrees, set it to {math.radians(margin):.3g}."
        )
    with torch.autocast(cosines.device.type, enabled=False):
        cosines = cosines.float()
        cosine = cosines.gather(1, labels[:, None])
        squared_sine = (1 - cosine) * (1 + cosine)
        # The root has no gradient at zero; the inner `where` keeps it out of the backward pass.
        inside = squared_sine > 0
        sine = torch.where(inside, torch.where(inside, squared_sine, 1.0).sqrt(), 0.0)
        with_margin = cosine * math.cos(margin) - sine * math.sin(margin)
        beyond = cosine < -math.cos(margin)
        target = torch.where(beyond, cosine - margin * math.sin(margin), with_margin)
        return scale * cosines.scatter(1, labels[:, None], target)


def cosface_logits(
    cosines: Tensor, labels: Tensor, *, margin: float = 0.35, scale: float = 30.0
) -> Tensor:
    """Subtract a margin from the cosine of the true class (CosFace; Wang et al., CVPR 2018).

    The true class has `s (cos(theta) - m)`, the others `s cos(theta)`.
    """
    with torch.autocast(cosines.device.type, enabled=False):
        true_class = F.one_hot(labels, cosines.shape[1])
        return scale * (cosines.float() - margin * true_class)


def circle_logits(
    cosines: Tensor, labels: Tensor, *, margin: float = 0.25, scale: float = 128.0
) -> Tensor:
    """Weigh cosines by how far they are from their optimum (circle loss; Sun et al., CVPR 2020).

    `s [1 + m - c]+ (c - 1 + m)` for the true class and `s [c + m]+ (c - m)` for the others; the
    factors in brackets are weights and get no gradient. The cross-entropy of these logits is the
    paper's loss with one positive.
    """
    with torch.autocast(cosines.device.type, enabled=False):
        cosines = cosines.float()
        true_class = F.one_hot(labels, cosines.shape[1]).bool()
        return torch.where(
            true_class,
            scale * circle_positive(cosines, margin),
            scale * circle_negative(cosines, margin),
        )


def circle_positive(similarities: Tensor, margin: float) -> Tensor:
    """Return `[1 + m - s]+ (s - (1 - m))`, to be made large; the bracket has no gradient."""
    return F.relu(1 + margin - similarities.detach()) * (similarities - (1 - margin))


def circle_negative(similarities: Tensor, margin: float) -> Tensor:
    """Return `[s + m]+ (s - m)`, to be made small; the bracket has no gradient."""
    return F.relu(similarities.detach() + margin) * (similarities - margin)


def _with_margin(outputs: Outputs, options: MarginOptions, logits: Callable[..., Tensor]) -> Tensor:
    return classifier_term(
        outputs,
        options,
        logits=partial(logits, margin=options.margin, scale=options.scale),
        smoothing=options.smoothing,
    )


arcface_term = partial(_with_margin, logits=arcface_logits)
cosface_term = partial(_with_margin, logits=cosface_logits)
circle_id_term = partial(_with_margin, logits=circle_logits)
