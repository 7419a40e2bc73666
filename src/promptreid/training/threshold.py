"""The threshold for the same identity that a finished run keeps with its best weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptreid.data.dataset import DataSet
from promptreid.data.draws import generator, pick
from promptreid.data.manifest import TRAINING_SPLITS, TrainingManifest
from promptreid.data.unseen import check_unseen
from promptreid.data.validation import Validation
from promptreid.embedder import Embedder
from promptreid.errors import DataError, EvaluationError
from promptreid.evaluation.embed import embed_manifest
from promptreid.evaluation.threshold import RATES, Threshold
from promptreid.evaluation.threshold_choice import (
    choose_threshold,
    impostor_pairs,
    smallest_rate,
)
from promptreid.models.checkpoint import save_model
from promptreid.progress import Progress
from promptreid.runs.folder import RunFolder
from promptreid.training.data import TrainingData
from promptreid.training.plan import Plan

_IMAGES = 2000  # of a data set that was not learned from: two million pairs

NEW = "images of identities held out of training"
SEEN = "held-out images of identities seen in training"
UNTRAINED = "training images, of which nothing was learned"


@dataclass(frozen=True)
class Sample:
    """Images of one data set that a threshold may be chosen on.

    Attributes:
        manifest: The images; never a test image, by type.
        same_camera: Rule for pairs of one identity, as in `choose_threshold`.
        source: What they are, in words.
    """

    manifest: TrainingManifest
    same_camera: str
    source: str


def keep_threshold(
    run: RunFolder,
    embedder: Embedder,
    plan: Plan,
    data: TrainingData | None,
    datasets: Sequence[DataSet],
    tests: Sequence[DataSet],
    *,
    progress: Progress,
) -> None:
    """Choose the threshold of the best weights and store it with them, in one step.

    Where there is nothing to choose it on, that is said and the weights stay as they are.

    Args:
        run: Its best checkpoint is written anew.
        embedder: That checkpoint; its metadata get the threshold, too.
        plan: What was run.
        data: What was learned from; None where nothing was.
        datasets: Those that were trained on, or would have been.
        tests: Those that are only scored.
        progress: Where to report.

    Raises:
        RunError: The checkpoint cannot be written.
        UnreadableImage: An image cannot be decoded.
    """
    if "verification" in embedder.metadata:  # stopped after it was chosen
        return
    try:
        samples = threshold_samples(plan, data, datasets, tests)
        chosen = strictest_threshold(embedder, samples, progress=progress)
    except EvaluationError as error:
        progress.message(f"no threshold for the same identity is kept: {error}")
        return
    embedder.metadata["verification"] = chosen.to_dict()
    save_model(run.best, embedder.model, embedder.metadata)
    caution = "; of strangers it accepts more" if SEEN in chosen.source else ""
    progress.message(
        f"same identity from cosine {chosen.threshold:.4f} on: false accept rate {chosen.far:g} on "
        f"{chosen.pairs:,} pairs of {chosen.images:,} {chosen.source}{caution}"
    )


def threshold_samples(
    plan: Plan,
    data: TrainingData | None,
    datasets: Sequence[DataSet],
    tests: Sequence[DataSet],
) -> tuple[Sample, ...]:
    """Find the images that a threshold may be chosen on, by data set.

    Where the embedding was trained these are the validation images alone: of held-out images of
    training identities only pairs among themselves, since the images they are validated against
    were learned from. Where it was not, and the weights come from no other run, training images do
    as well: up to 2000 of each data set, drawn by the run's seed.

    Args:
        plan: What was run.
        data: What was learned from; None where nothing was.
        datasets: Those that were trained on, or would have been.
        tests: Those that are only scored.

    Raises:
        EvaluationError: There are none; the sentence says why.
    """
    recipe = plan.recipe
    learned = any(stage.moves_embedding for stage in recipe.stages)
    begun = recipe.start.checkpoint is not None
    if not learned and not begun:
        return _untrained(datasets, tests, plan.seed)
    held = data.validations if data is not None else ()
    samples = tuple(_held_out(validation) for validation in held)
    if samples and begun:
        doubt = "; the weights that the run started from may have learned from them"
        samples = tuple(replace(sample, source=sample.source + doubt) for sample in samples)
    if not samples and not learned:
        raise EvaluationError(
            "The run learned nothing itself, and the weights that it started from may have learned "
            "from its training images."
        )
    if not samples:
        raise EvaluationError(
            "There are no validation images. validation.kind=images spares an image of each "
            "identity for it, validation.kind=identities some identities."
        )
    return samples


def strictest_threshold(
    embedder: Embedder, samples: Sequence[Sample], *, progress: Progress
) -> Threshold:
    """Choose the threshold that keeps its rate on every data set: the highest of theirs.

    The rate is the first of `RATES` that any data set has pairs enough for; those with fewer pairs
    have no say.

    Args:
        embedder: The model.
        samples: Images of each data set.
        progress: Where to report.

    Raises:
        EvaluationError: There are too few pairs for any rate.
        UnreadableImage: An image cannot be decoded.
    """
    identities = [
        [f"{domain}/{name}" for domain, name in sample.manifest.identity_keys()]
        for sample in samples
    ]
    rates = [smallest_rate(names) for names in identities]
    able = [rate for rate in rates if rate is not None]
    if not able:
        most = max(impostor_pairs(names) for names in identities)
        raise EvaluationError(
            f"{samples[0].source} make {most:,} pairs of different identities, too few to measure "
            f"a false accept rate of {RATES[-1]:g}."
        )
    rate, chosen = min(able), []
    for sample, smallest in zip(samples, rates, strict=True):
        if smallest != rate:
            continue
        embeddings = embed_manifest(
            embedder.model,
            sample.manifest,
            embedder.preprocess,
            metadata=embedder.metadata,
            device=embedder.device,
            progress=progress,
        )
        chosen.append(
            choose_threshold(
                embeddings,
                rate,
                same_camera=sample.same_camera,
                source=_of(sample, len(samples)),
            )
        )
    return max(chosen, key=lambda one: one.threshold)


def _of(sample: Sample, count: int) -> str:
    """Name the data set among several."""
    return sample.source if count == 1 else f"{sample.source} of {sample.manifest.name}"


def _untrained(
    datasets: Sequence[DataSet], tests: Sequence[DataSet], seed: int
) -> tuple[Sample, ...]:
    try:
        check_unseen(datasets, tests)
    except DataError as error:
        raise EvaluationError(f"Its images would be among those tested on. {error}") from error
    samples = []
    for dataset in datasets:
        if not dataset.manifest.indices(*TRAINING_SPLITS).size:
            continue
        rows = dataset.manifest.training()
        ordered = sorted(range(len(rows)), key=rows.paths.__getitem__)
        drawn = pick(ordered, _IMAGES, generator(seed, rows.name, "threshold images"))
        samples.append(Sample(rows.select(sorted(drawn)), "auto", UNTRAINED))
    if not samples:
        raise EvaluationError("There are no training images, and test images must not choose it.")
    return tuple(samples)


def _held_out(validation: Validation) -> Sample:
    """Take the held-out rows; with validation images the rest are what was learned from."""
    rows = validation.manifest
    held = rows.select(rows.indices("val"))
    known = {rows.identity_keys()[row] for row in rows.indices("train")}
    seen = not known.isdisjoint(held.identity_keys())
    return Sample(held, validation.protocol.same_camera, SEEN if seen else NEW)
