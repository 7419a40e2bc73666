"""Images whose pairs are scored, on the scale of the model that a threshold is for.

Scores of two models are not comparable: one that was trained for longer may give all pairs higher
cosines. What can be compared is where a score stands among pairs of which both models know the
same. A cross-fit knows such pairs: those of different identities that each model was trained on.
So a score of one model is brought to the scale of another by its rank among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.verification.pairs import PairBlock, Pairs


class RankScale:
    """Bring scores of one model to the scale of another, by rank among pairs of reference.

    A score that r of the n reference pairs of the first model reach becomes the score that the same
    share of the reference pairs of the second model reach; straight lines lie between, and beyond
    the outermost pairs up to 1 and down to -1, which stay what they are.

    Args:
        scores: (N,) reference scores of the first model, N at least 1.
        targets: (M,) reference scores of the second, M at least 1.
    """

    def __init__(self, scores: Tensor, targets: Tensor) -> None:
        ordered = np.sort(scores.double().numpy())
        shares = (np.arange(len(ordered)) + 0.5) / len(ordered)
        reached = np.quantile(targets.double().numpy(), shares, method="hazen")
        inside = (ordered > -1) & (ordered < 1)
        self._scores = np.concatenate([[-1.0], ordered[inside], [1.0]])
        self._targets = np.concatenate([[-1.0], reached[inside].clip(-1, 1), [1.0]])

    def __call__(self, scores: Tensor) -> Tensor:
        """Bring scores of any shape to the other scale; minus infinity stays."""
        values = scores.cpu().double().numpy()
        moved = np.interp(values.ravel(), self._scores, self._targets).reshape(values.shape)
        moved = torch.from_numpy(moved).float()
        return moved.masked_fill(scores.cpu() == -torch.inf, -torch.inf)


@dataclass(frozen=True, eq=False)
class PairSet:
    """Images that are paired with one another.

    Attributes:
        embeddings: The embeddings of the images.
        scale: Brings their scores to those of the model that the threshold is for; None where that
            is the model that embedded them.
    """

    embeddings: Embeddings
    scale: RankScale | None = None

    def blocks(self, *, exclude_camera: bool) -> Iterator[PairBlock]:
        """Give each unordered pair once, its scores on the other scale, on the CPU.

        Pairs of one identity and one camera may be left out.
        """
        part, scale = self.embeddings, self.scale or Tensor.cpu
        for block in Pairs(part, part, exclude_camera=exclude_camera, once=True):
            yield PairBlock(
                block.queries, scale(block.genuine), block.owner.cpu(), scale(block.impostors)
            )


def pair_sets(
    embeddings: Embeddings | PairSet | Sequence[Embeddings | PairSet],
) -> tuple[PairSet, ...]:
    """Take one or several sets, with or without a scale."""
    several = [embeddings] if isinstance(embeddings, Embeddings | PairSet) else embeddings
    return tuple(one if isinstance(one, PairSet) else PairSet(one) for one in several)


def impostor_scores(sets: Iterable[PairSet]) -> Iterator[Tensor]:
    """Give the scores of different identities within each set, block by block.

    They are flat float32 tensors on the CPU, minus infinity where there is no such pair.
    """
    for part in sets:
        for block in part.blocks(exclude_camera=False):
            yield block.impostors.reshape(-1)


def all_impostor_scores(embeddings: Embeddings) -> Tensor:
    """Give the scores of all pairs of different identities at once, (P,) on the CPU."""
    parts = [part[part > -torch.inf] for part in impostor_scores([PairSet(embeddings)])]
    return torch.cat(parts) if parts else torch.empty(0)
