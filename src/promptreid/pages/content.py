"""What a report says: plain facts, pictures and figures, gathered before any page is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptreid.evaluation.ranking.scores import Scores
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.evaluation.thresholds.threshold_rates import ThresholdRates
from promptreid.evaluation.uncertainty.breakdown import Breakdown
from promptreid.evaluation.uncertainty.intervals import Difference, Intervals
from promptreid.evaluation.uncertainty.training_gain import Worth
from promptreid.evaluation.verification.identification import Identification
from promptreid.evaluation.verification.verification import Verification
from promptreid.figures.drawn import Drawn
from promptreid.figures.layouts.layouts import Points
from promptreid.figures.photographs import Picture
from promptreid.figures.shown_queries import ShownQuery
from promptreid.inference.text_controls.domain_texts import DomainTexts
from promptreid.inference.text_controls.word_control import WordControl
from promptreid.runs.run_records import DataRecord, EnvironmentRecord, StatusRecord


@dataclass(frozen=True)
class SettingChange:
    """A setting in which a run differs from the recipe it was made from.

    Attributes:
        key: Dotted, as on the command line.
        before: Value in the recipe it extends; None where that has no such key.
        now: Value in the run; None where it was taken away.
    """

    key: str
    before: Any
    now: Any


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run without looking at a test image.

    Attributes:
        name: What the report calls it.
        path: The run folder or checkpoint as it was given.
        recipe: Name of the recipe; "" for weights that came without one.
        source: Where the recipe comes from; may be empty.
        parent: Name of the packaged recipe that the run is set against, "" if none is known: the
            one it names, or the one which that extends where the run takes it as it is.
        changes: Settings in which the run differs from that recipe.
        backbone: Architecture, pretrained tag and image size in words.
        parameters: Number of parameters of the model.
        weights: First 12 letters of a hash of the weights.
        environment: Machine and versions it was made with; None for a bare checkpoint.
        data: Its data sets, those trained on and those only tested on.
        status: How far it is; None for a bare checkpoint.
        threshold: Score from which two images count as one identity, chosen on validation images;
            None where the weights have none.
        domain_texts: What the domain tokens of its prompts say; none where it has none.
        note: What the run is for, in its user's words; "" without a note.
    """

    name: str
    path: str
    recipe: str
    source: str
    parent: str
    changes: tuple[SettingChange, ...]
    backbone: str
    parameters: int
    weights: str
    environment: EnvironmentRecord | None
    data: tuple[DataRecord, ...]
    status: StatusRecord | None
    threshold: Threshold | None
    domain_texts: tuple[DomainTexts, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Unmatched:
    """Queries that no gallery image can answer.

    Attributes:
        reason: One of `promptreid.evaluation.ranking.matching.REASONS`.
        count: How many, over all repeats.
        examples: Paths of the first few, relative to the root of the data set.
    """

    reason: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TestedRun:
    """What one run does on one data set.

    Attributes:
        name: Name of the run.
        scores: Scores by the data set's protocol, as `promptreid evaluate` gives them.
        intervals: Intervals of all scores.
        verification: Scores of all pairs of query and gallery; None where all show one identity,
            so that there is nothing to verify.
        breakdowns: Scores of groups, for each attribute asked for.
        identification: Open-set identification of each repeat; empty where it cannot be computed.
        stored: What the threshold that came with the model does on these pairs; None where it has
            none, or there is nothing to verify.
        words: What exchanged words do, as the run's folder says; None where that was not measured,
            and for models that read none.
        worth: What training gained, as the run's folder says; None where that was not measured.
    """

    name: str
    scores: Scores
    intervals: Intervals
    verification: Verification | None
    breakdowns: tuple[Breakdown, ...]
    identification: tuple[Identification, ...] = ()
    stored: ThresholdRates | None = None
    words: WordControl | None = None
    worth: Worth | None = None


@dataclass(frozen=True)
class PairedRuns:
    """How much a run scores above the first, on the same queries."""

    name: str
    baseline: str
    differences: Mapping[str, Difference]


@dataclass(frozen=True, eq=False)
class RankSection:
    """Rank lists of some queries under all runs.

    Attributes:
        which: "worst", "median" or "best".
        queries: The queries that are shown.
        gallery: Pictures by gallery row: of all hits and of all first matches.
        cameras: Names of the cameras of the same rows, empty where unknown.
        top: Length of the lists.
    """

    which: str
    queries: tuple[ShownQuery, ...]
    gallery: Mapping[int, Picture]
    cameras: Mapping[int, str]
    top: int


@dataclass(frozen=True, eq=False)
class MapPoint:
    """A point of a map of embeddings.

    Attributes:
        kind: "query", "gallery" or "text".
        group: Number of the identity; -1 for a sentence that is of no identity.
        label: What is said of it: identity, camera, file name, or the sentence of a text.
        picture: Number of its picture, -1 for a text.
    """

    kind: str
    group: int
    label: str
    picture: int


@dataclass(frozen=True, eq=False)
class EmbeddingMap:
    """The same images under one run, laid out in the plane.

    Attributes:
        name: Name of the run.
        method: "t-SNE", "UMAP" or "PCA".
        points: (N, 2), centred.
        ratio: Mean distance within identities over that between them, in the embedding itself.
        texts: (M, 2) the sentences of the run, laid out with its images; none where it has none.
        text_points: What the rows of `texts` are.
        explained: Share of the variance that the plane holds; None unless the method is PCA.
    """

    name: str
    method: str
    points: Points
    ratio: float
    texts: Points
    text_points: tuple[MapPoint, ...]
    explained: float | None = None


@dataclass(frozen=True, eq=False)
class MapSection:
    """Maps of the same images under all runs.

    Attributes:
        maps: One a run.
        points: What the rows of every map's `points` are.
        identities: Names by group.
        pictures: Small pictures by number.
    """

    maps: tuple[EmbeddingMap, ...]
    points: tuple[MapPoint, ...]
    identities: tuple[str, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, eq=False)
class Test:
    """Everything on one data set.

    Attributes:
        spec: The data set as given on the command line.
        name: Name of the data set.
        fingerprint: Fingerprint of its manifest.
        counts: Images and identities of each split.
        notes: What its reader says of it.
        protocol: Name of the protocol.
        repeats: How many query and gallery draws it has.
        queries: Number of queries in the first repeat.
        gallery: Number of gallery images in the first repeat.
        unmatched: Queries that no gallery image can answer.
        runs: Results of each run, in the order of the report.
        pairs: Every run after the first, against the first.
        figures: Figures by name: "cmc", "roc", "det", "histogram", "activation"; what could not be
            drawn is missing.
        ranks: Rank lists of the worst, median and best queries.
        map: Maps of some identities; None where there are too few images.
        remarks: What is missing from this section and why, in sentences.
    """

    spec: str
    name: str
    fingerprint: str
    counts: Mapping[str, Mapping[str, int]]
    notes: tuple[str, ...]
    protocol: str
    repeats: int
    queries: int
    gallery: int
    unmatched: tuple[Unmatched, ...]
    runs: tuple[TestedRun, ...]
    pairs: tuple[PairedRuns, ...]
    figures: Mapping[str, Drawn]
    ranks: tuple[RankSection, ...]
    map: MapSection | None
    remarks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Content:
    """All that a report says.

    Attributes:
        title: Title of the page.
        made: Date, ISO 8601, to the day.
        version: Version of promptreid.
        command: Command that makes the report again.
        runs: Facts on each run, in order.
        curves: Learning curves; None where no run has them.
        tests: One a data set.
        pixelated: Whether pictures are shown as mosaics.
        remarks: What cannot be said of the runs and why, in sentences.
    """

    title: str
    made: str
    version: str
    command: str
    runs: tuple[RunFacts, ...]
    curves: Drawn | None
    tests: tuple[Test, ...]
    pixelated: bool
    remarks: tuple[str, ...] = ()
