"""The one object that answers every question about embeddings on a test set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.embeddings.sentence_share import SentenceShare
from promptreid.evaluation.ranking.multi_query import select_repeats
from promptreid.evaluation.ranking.scores import Scores
from promptreid.evaluation.ranking.scoring import evaluate_protocol
from promptreid.evaluation.ranking.scoring_rules import protocol_rule
from promptreid.evaluation.retrieval_settings import PLAIN, RetrievalSettings
from promptreid.evaluation.test_set import TestSet
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.evaluation.thresholds.threshold_rates import ThresholdRates, threshold_rates
from promptreid.evaluation.uncertainty.breakdown import Breakdown, summarise_groups
from promptreid.evaluation.uncertainty.intervals import Evidence, Intervals, intervals
from promptreid.evaluation.uncertainty.query_groups import (
    PAIR,
    column_values,
    measured_rate,
    pair_outcomes,
    query_outcomes,
)
from promptreid.evaluation.uncertainty.resampling import BOOTSTRAP, Bootstrap
from promptreid.evaluation.verification.accepted_pairs import AcceptedPairs, accepted_protocol
from promptreid.evaluation.verification.identification import (
    Identification,
    identify,
    join_identifications,
)
from promptreid.evaluation.verification.verification import FARS, Verification, verify_protocol
from promptreid.progress import Progress, Silent


@dataclass(frozen=True, eq=False)
class Assessment:
    """All that can be said about embeddings on a test set; each thing is computed once, when asked.

    Verification, identification and breakdowns by pairs of values compare the embeddings as they
    are: query expansion and re-ranking change rankings alone.

    Attributes:
        test_set: The images and the protocol.
        embeddings: One row for each image of the test set, in its order.
        settings: How the images were embedded and how they are ranked.
        sentences: What sentences have to say in the embeddings; None for images alone.
        threshold: The threshold that came with the model; None where it has none.
        note: What a reader of the scores should know of the embeddings; may be empty.
        fars: False accept rates of the verification.
        bootstrap: How intervals are made.
        progress: Where to report.

    Raises:
        EvaluationError: There are not as many embeddings as images.
    """

    test_set: TestSet
    embeddings: Embeddings
    settings: RetrievalSettings = PLAIN
    sentences: SentenceShare | None = None
    threshold: Threshold | None = None
    note: str = ""
    fars: Sequence[float] = FARS
    bootstrap: Bootstrap = BOOTSTRAP
    progress: Progress = field(default_factory=Silent)

    def __post_init__(self) -> None:
        if len(self.embeddings) != len(self.test_set):
            raise EvaluationError(
                f"The test set has {len(self.test_set)} rows, the embeddings "
                f"{len(self.embeddings)}; both must be of the images that the protocol numbers."
            )

    def first_repeat(self) -> Assessment:
        """Assess the first repeat of the protocol alone."""
        if len(self.test_set.protocol.repeats) == 1:
            return self
        return replace(self, test_set=self.test_set.first_repeat())

    @cached_property
    def scores(self) -> Scores:
        """CMC, mAP and mINP by the protocol.

        Raises:
            EvaluationError: No query has a match, or an option is unknown.
        """
        verb = "ranking" if self.settings.rerank is None else "re-ranking"
        with self.progress.doing(f"{verb} {self.test_set.name}"):
            scores = evaluate_protocol(self.embeddings, self.test_set.protocol, self.settings)
        note = " ".join(filter(None, (scores.note, self.note)))
        return replace(scores, sentences=self.sentences, note=note)

    @cached_property
    def camera_rule(self) -> str:
        """What is done with images of the query's identity and camera, "exclude" or "keep"."""
        return protocol_rule(self.embeddings, self.test_set.protocol, self.settings.same_camera)[0]

    @property
    def verification(self) -> Verification:
        """TAR at FAR, EER and AUC over all pairs of query and gallery.

        Raises:
            EvaluationError: Nothing can be verified, see `why_unverified`.
        """
        if isinstance(self._verification, EvaluationError):
            raise self._verification
        return self._verification

    @property
    def why_unverified(self) -> str:
        """Why nothing can be verified, such as images of a single identity; empty where it can."""
        return str(self._verification) if isinstance(self._verification, EvaluationError) else ""

    @cached_property
    def identification(self) -> tuple[Identification, ...]:
        """Open-set identification in each repeat.

        Raises:
            EvaluationError: No query has a match, or one has no image of another identity.
        """
        searches = select_repeats(
            self.embeddings, self.test_set.protocol, self.settings.multi_query
        )
        return tuple(
            identify(query, gallery, same_camera=self.camera_rule) for query, gallery in searches
        )

    @cached_property
    def stored_threshold(self) -> ThresholdRates | None:
        """What the model's own threshold accepts among the test pairs; None without one."""
        if self.threshold is None:
            return None
        return threshold_rates(
            self.embeddings,
            self.test_set.protocol,
            self.threshold,
            same_camera=self.camera_rule,
            multi_query=self.settings.multi_query,
            note=self._unlike_stored(),
        )

    @cached_property
    def evidence(self) -> Evidence:
        """What intervals are made of: of scores, and of verification where that can be."""
        if self.why_unverified:
            return Evidence(self.scores)
        accepted = accepted_protocol(self.embeddings, self.test_set.protocol, self.verification)
        return Evidence(self.scores, self.verification, accepted)

    @cached_property
    def intervals(self) -> Intervals:
        """Where each score lies when identities are drawn anew."""
        return intervals(self.evidence, self.bootstrap)

    def breakdown(self, attribute: str, *, far: float = 1e-3) -> Breakdown:
        """Score the queries of each value of an attribute.

        Args:
            attribute: "camera", "view", "domain" or an attribute of the images; with "-pair" behind
                it, each value of the query against each value of the gallery ("camera-pair").
            far: Rate for the threshold of TAR and FAR; the next larger one that can be measured if
                this cannot.

        Raises:
            EvaluationError: There is no such attribute, no rate can be measured, or queries were
                joined.
        """
        manifest, protocol = self.test_set.manifest, self.test_set.protocol
        rate = measured_rate(self.verification, far)
        if attribute.endswith(PAIR) and attribute not in manifest.attributes:
            outcomes = pair_outcomes(
                column_values(manifest, attribute.removesuffix(PAIR)),
                self.embeddings,
                protocol,
                self.verification,
                ap=self.scores.ap,
                far=rate,
            )
        else:
            values = column_values(manifest, attribute)
            outcomes = query_outcomes(
                values, protocol, self.scores, self.verification, self._accepted_by_query, rate
            )
        return summarise_groups(attribute, outcomes, rate, self.bootstrap)

    def to_dict(
        self, *, verification: bool = False, intervals: bool = False, by: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Give what a file of scores holds, JSON-ready.

        Args:
            verification: Also give verification and identification.
            intervals: Also give the interval of each score.
            by: Attributes to break scores down by, see `breakdown`.

        Raises:
            EvaluationError: As for what is asked for.
        """
        values = {**self.scores.to_dict(), "data": self.test_set.spec}
        if verification:
            values["verification"] = self.verification.to_dict()
            if self.stored_threshold is not None:
                values["verification"]["stored_threshold"] = self.stored_threshold.to_dict()
            values["identification"] = join_identifications(self.identification)
        if intervals:
            values["intervals"] = self.intervals.to_dict()
        if by:
            values["breakdowns"] = [self.breakdown(name).to_dict() for name in by]
        return values

    @cached_property
    def _verification(self) -> Verification | EvaluationError:
        """The verification, or why there is none."""
        try:
            return verify_protocol(
                self.embeddings,
                self.test_set.protocol,
                same_camera=self.camera_rule,
                fars=self.fars,
                multi_query=self.settings.multi_query,
            )
        except EvaluationError as error:
            return error

    @cached_property
    def _accepted_by_query(self) -> tuple[AcceptedPairs, ...]:
        """Pairs that each query accepts, counted once for all attributes."""
        return accepted_protocol(
            self.embeddings, self.test_set.protocol, self.verification, by="query"
        )

    def _unlike_stored(self) -> str:
        """Say how embeddings differ from the single, plain ones that thresholds are chosen on."""
        prompt = self.settings.prompt
        ways = (
            ("averaged with those of mirrored images", self.settings.flip),
            ("joined with what sentences say", self.sentences is not None),
            ("joined over several queries", self.settings.multi_query is not None),
            (f"made with the {prompt} sentence", prompt is not None),
        )
        words = " and ".join(text for text, true in ways if true)
        return f"It was chosen on embeddings as they are; these are {words}." if words else ""
