"""How images are embedded and ranked, as a recipe or a command asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptreid.evaluation.reranking.expansion import Expansion
from promptreid.evaluation.reranking.rerank import Rerank

if TYPE_CHECKING:
    from promptreid.config.scoring import EvaluationConfig


@dataclass(frozen=True)
class RetrievalSettings:
    """How images are embedded and ranked: plainly, by the protocol's own rules, by default.

    Attributes:
        flip: Average each embedding with that of the mirrored image.
        expansion: Query expansion, applied first.
        rerank: k-reciprocal re-ranking, applied to what the expansion gives.
        sentences: Share of the recipe's sentences in the similarity; see
            `promptreid.inference.sentence_embed`. 0 for images alone.
        prompt: Kind of sentence of an image prompt, "composed" or "simplified", in place of the
            model's own choice; None for that, and for models without.
        same_camera: "exclude", "keep" or "auto" in place of the protocol's rule; None for that.
        multi_query: "identity" or "identity_camera" to join the queries of one identity, or of one
            identity and camera, into one; None for single queries.
    """

    flip: bool = False
    expansion: Expansion | None = None
    rerank: Rerank | None = None
    sentences: float = 0.0
    prompt: str | None = None
    same_camera: str | None = None
    multi_query: str | None = None

    @classmethod
    def of(
        cls,
        config: EvaluationConfig,
        *,
        flip: bool | None = None,
        query_expansion: int | None = None,
        expansion_power: float | None = None,
        rerank: bool | None = None,
        sentences: float | None = None,
        same_camera: str | None = None,
        multi_query: str | None = None,
    ) -> RetrievalSettings:
        """Take the settings of a recipe's `evaluation`; what is given here stands in their place.

        None stands for the recipe's value; `same_camera` and `multi_query`, which no recipe sets,
        are then the protocol's rule and single queries.

        Raises:
            EvaluationError: A number is out of range.
        """
        neighbours = config.query_expansion if query_expansion is None else query_expansion
        power = config.expansion_power if expansion_power is None else expansion_power
        wanted = config.rerank if rerank is None else rerank
        return cls(
            flip=config.flip if flip is None else flip,
            expansion=Expansion(neighbours, power) if neighbours else None,
            rerank=Rerank() if wanted else None,
            sentences=config.sentences if sentences is None else sentences,
            same_camera=same_camera,
            multi_query=multi_query,
        )


PLAIN = RetrievalSettings()
"""Images as they are, ranked by their cosines, by the protocol's own rules."""
