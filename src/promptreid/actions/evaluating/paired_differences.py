"""How much runs score above the first one, and how sure that is."""

from __future__ import annotations

from typing import Any

from promptreid.evaluation.assessment import Assessment
from promptreid.evaluation.metrics import METRICS, score_kind
from promptreid.evaluation.uncertainty.intervals import Evidence, paired_difference
from promptreid.evaluation.uncertainty.resampling import BOOTSTRAP
from promptreid.text.tables import plain_table


class Pairing:
    """Keeps what differences are made of, for each model on each data set."""

    def __init__(self, *, verification: bool) -> None:
        self._verification = verification
        self._evidence: dict[str, dict[str, Evidence]] = {}

    def keep(self, name: str, assessment: Assessment) -> None:
        """Keep what differences of a model are made of, and let its embeddings go."""
        evidence = assessment.evidence if self._verification else Evidence(assessment.scores)
        self._evidence.setdefault(assessment.test_set.spec, {})[name] = evidence

    def records(self) -> list[dict[str, Any]]:
        """Give the differences of all models to the first, JSON-ready."""
        records = []
        for spec, models in self._evidence.items():
            (baseline, first), *others = models.items()
            for model, evidence in others:
                differences = paired_difference(evidence, first)
                records.append(
                    {
                        "data": spec,
                        "model": model,
                        "baseline": baseline,
                        "level": BOOTSTRAP.level,
                        "resamples": BOOTSTRAP.resamples,
                        "identities": len(first.identities()),
                        "differences": {key: one.to_dict() for key, one in differences.items()},
                    }
                )
        return records


def paired_text(record: dict[str, Any]) -> str:
    """Lay out the differences of one model to the first, in points of percent."""
    rows = [["score", "difference", "low", "high", "draws above"]]
    for name, difference in record["differences"].items():
        if name in METRICS and METRICS[name].definition_of:
            continue
        kind = score_kind(name)
        ends = [kind.text(difference[end], sign=True) for end in ("value", "low", "high")]
        rows.append([name, *ends, f"{100 * difference['above_zero']:.1f}"])
    head = (
        f"{record['model']} minus {record['baseline']} on {record['data']}, points of percent with "
        f"{100 * record['level']:g} % intervals: {record['resamples']:,} draws of "
        f"{record['identities']:,} identities, the same for both."
    )
    return "\n".join([head, *plain_table(rows, right=[False, True, True, True, True])])
