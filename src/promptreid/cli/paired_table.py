"""What `promptreid evaluate --paired` prints: how much runs score above the first, and how sure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from promptreid.data.dataset import DataSet
    from promptreid.evaluation.embeddings.embeddings import Embeddings
    from promptreid.evaluation.ranking.scores import Scores
    from promptreid.evaluation.uncertainty.intervals import Evidence

_TOLD_ONCE = ("mAP_step", "mAP_trapezoid")  # mAP is one of them


class Pairing:
    """Keeps what differences are made of, for each model on each data set.

    Args:
        verification: Whether verification scores are compared as well.
    """

    def __init__(self, *, verification: bool) -> None:
        self._verification = verification
        self._kept: dict[str, dict[str, Evidence]] = {}

    def keep(
        self,
        model: Path,
        dataset: DataSet,
        kind: str | None,
        scores: Scores,
        embeddings: Embeddings,
    ) -> None:
        """Keep the outcome of one model on one data set.

        Args:
            model: Where it lies.
            dataset: What was scored.
            kind: Of its sentences, None for its own choice.
            scores: With the outcome of each query.
            embeddings: Of the rows that the data set's protocol uses, in order.
        """
        from promptreid.cli.score_table import named
        from promptreid.evaluation.uncertainty.intervals import Evidence
        from promptreid.evaluation.verification.accepted_pairs import accepted_protocol
        from promptreid.evaluation.verification.verification import verify_protocol

        evidence = Evidence(scores)
        if self._verification and dataset.protocol is not None:
            _, protocol = dataset.protocol.compact()
            verification = verify_protocol(
                embeddings,
                protocol,
                same_camera=scores.same_camera,
                multi_query=scores.multi_query,
            )
            accepted = accepted_protocol(embeddings, protocol, verification)
            evidence = Evidence(scores, verification, accepted)
        self._kept.setdefault(dataset.spec, {})[named(model, kind)] = evidence

    def records(self) -> list[dict[str, Any]]:
        """Give the differences of all models to the first, JSON-ready."""
        from promptreid.evaluation.uncertainty.intervals import LEVEL, RESAMPLES, paired_difference

        found = []
        for spec, models in self._kept.items():
            (baseline, first), *others = models.items()
            for model, evidence in others:
                differences = paired_difference(evidence, first)
                found.append(
                    {
                        "data": spec,
                        "model": model,
                        "baseline": baseline,
                        "level": LEVEL,
                        "resamples": RESAMPLES,
                        "identities": len(first.identities()),
                        "differences": {key: one.to_dict() for key, one in differences.items()},
                    }
                )
        return found


def paired_text(record: dict[str, Any]) -> str:
    """Lay out the differences of one model to the first, in points of percent."""
    from promptreid.text.tables import plain_table

    rows = [["score", "difference", "low", "high", "draws above"]]
    for name, found in record["differences"].items():
        if name in _TOLD_ONCE:
            continue
        points = [f"{100 * found[end]:+.2f}" for end in ("value", "low", "high")]
        rows.append([name, *points, f"{100 * found['above_zero']:.1f}"])
    head = (
        f"{record['model']} minus {record['baseline']} on {record['data']}, points of percent with "
        f"{100 * record['level']:g} % intervals: {record['resamples']:,} draws of "
        f"{record['identities']:,} identities, the same for both."
    )
    return "\n".join([head, *plain_table(rows, right=[False, True, True, True, True])])
