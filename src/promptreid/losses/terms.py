"""The table of loss terms, and the weighted sum of those that a stage names.

A new loss is a file with its function (and state, where it keeps one), its options class and field
in `promptreid.config.losses`, and its line in `TERMS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from promptreid.config.losses import LossTerms
from promptreid.losses import (
    batch_centers,
    centers,
    circle,
    classification,
    contrastive,
    margins,
    memory,
    moco,
    pair_loss,
    prompt_penalties,
    triplet,
)
from promptreid.losses.loss_inputs import Outputs, over_features
from promptreid.losses.loss_state import LossState, StateSetting


@dataclass(frozen=True)
class LossTerm:
    """How a term is computed; what it needs are facts of its options.

    Attributes:
        compute: Gives the scalar loss of a forward pass and the term's options.
        state: What the term keeps between steps; None for nothing.
        class_scores: Gives (B, C) scores of which the largest names the identity, from a pass and
            the options; None where the term does not classify.
    """

    compute: Callable[[Outputs, Any], Tensor]
    state: type[LossState] | None = None
    class_scores: Callable[[Outputs, Any], Tensor] | None = None


TERMS: Mapping[str, LossTerm] = MappingProxyType(
    {
        "supcon_i2t": LossTerm(contrastive.images_to_texts_term),
        "supcon_t2i": LossTerm(contrastive.texts_to_images_term),
        "clip": LossTerm(contrastive.clip_term),
        "i2t": LossTerm(classification.image_to_text_term, class_scores=classification.text_scores),
        "id": LossTerm(classification.id_term, class_scores=classification.classifier_scores),
        "arcface": LossTerm(margins.arcface_term, class_scores=classification.classifier_scores),
        "cosface": LossTerm(margins.cosface_term, class_scores=classification.classifier_scores),
        "circle_id": LossTerm(
            margins.circle_id_term, class_scores=classification.classifier_scores
        ),
        "triplet": LossTerm(triplet.triplet_term),
        "circle": LossTerm(over_features(circle.circle_pairs, "margin", "scale")),
        "supcon": LossTerm(over_features(contrastive.supcon, "temperature")),
        "pair": LossTerm(over_features(pair_loss.pair_loss, "margin", "distance")),
        "center": LossTerm(centers.center_term, state=centers.CenterState),
        "compact": LossTerm(batch_centers.compactness_term),
        "memory": LossTerm(memory.memory_term, state=memory.MemoryState),
        "moco": LossTerm(moco.moco_term, state=moco.MoCoState),
        "prompt_orthogonal": LossTerm(prompt_penalties.prompt_orthogonal_term),
        "prompt_l2": LossTerm(prompt_penalties.prompt_size_term),
    }
)
"""Each term that `promptreid.config.losses.LossTerms` names, in the order in which they are asked
for class scores."""


def total_loss(outputs: Outputs, terms: LossTerms) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted sum of the active terms, and each term without its weight.

    The sum is the scalar to differentiate, in float32; the terms by name are detached.

    Raises:
        ConfigError: A term's options do not fit what the pass gives.
    """
    active = terms.active()
    values = {name: TERMS[name].compute(outputs, options) for name, options in active.items()}
    weighted = [active[name].weight_at(outputs.epoch) * value for name, value in values.items()]
    total = torch.stack(weighted).sum()
    return total, {name: value.detach() for name, value in values.items()}


def class_scores(outputs: Outputs, terms: LossTerms) -> Tensor | None:
    """Return the scores of the first active term of `TERMS` that classifies, (B, C), or None."""
    active = terms.active()
    for name, term in TERMS.items():
        if term.class_scores is not None and name in active:
            return term.class_scores(outputs, active[name])
    return None


def build_states(terms: LossTerms, setting: StateSetting) -> nn.ModuleDict:
    """Build the `LossState` of each active term that keeps one, on the device of the model."""
    states: dict[str, nn.Module] = {}
    for name, options in terms.active().items():
        state = TERMS[name].state
        if state is not None:
            states[name] = state(options, setting)
    return nn.ModuleDict(states).to(next(setting.model.parameters()).device)
