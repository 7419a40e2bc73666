"""The threshold for the same identity that a finished run keeps with its best weights."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from promptreid.data.manifest.manifest import Manifest
from promptreid.data.splits.validation import halves
from promptreid.errors import DataError, EvaluationError
from promptreid.evaluation.thresholds.threshold import RATES, Threshold
from promptreid.evaluation.thresholds.threshold_choice import (
    choose_threshold,
    impostor_pairs,
    smallest_rate,
)
from promptreid.inference.embed import embed_manifest
from promptreid.inference.embedder import Embedder
from promptreid.models.checkpoint import save_model
from promptreid.progress import Progress
from promptreid.runs.run_folder import RunFolder
from promptreid.text.number_words import write_threshold
from promptreid.training.run.run_inputs import RunInputs
from promptreid.training.thresholds.cross_fit import cross_fit
from promptreid.training.thresholds.threshold_samples import (
    CROSSED,
    DOUBT,
    ThresholdSample,
    identity_names,
    needs_cross_fit,
    threshold_samples,
)


def keep_threshold(
    run: RunFolder, embedder: Embedder, inputs: RunInputs, *, progress: Progress
) -> None:
    """Choose the threshold of a run's best weights, loaded, and store it with them, in one step.

    Where there is nothing to choose it on, that is said and the weights stay as they are.

    Raises:
        RunError: The checkpoint cannot be written.
        UnreadableImage: An image cannot be decoded.
    """
    if embedder.threshold is not None:  # stopped after it was chosen
        return
    try:
        with progress.doing("choosing the threshold for the same identity"):
            if needs_cross_fit(inputs):
                chosen = _cross_fit(run, embedder, inputs, progress)
            else:
                samples = threshold_samples(inputs)
                chosen = strictest_threshold(embedder, samples, progress=progress)
    except (EvaluationError, DataError) as error:
        progress.message(
            f"no threshold for the same identity is kept: {error} Choose one with: "
            f"promptreid threshold {shlex.quote(str(run.path))} --data SPEC"
        )
        return
    if run.writes:
        save_model(run.best, embedder.model, embedder.with_threshold(chosen).info)
    caution = "; of strangers it accepts more" if chosen.people == "seen" else ""
    progress.detail(
        f"same identity from cosine {write_threshold(chosen.threshold)} on: "
        f"false accept rate {chosen.far:g} on "
        f"{chosen.pairs:,} pairs of {chosen.images:,} {chosen.source}{caution}"
    )


def _cross_fit(
    run: RunFolder, embedder: Embedder, inputs: RunInputs, progress: Progress
) -> Threshold:
    """Choose the threshold by cross-fitting: the highest of all data sets that carry the rate."""
    plan = inputs.plan
    rows = [dataset.manifest.training() for dataset in inputs.datasets]
    names = [
        [identity_names(manifest.select(side)) for side in halves(manifest, plan.seed)]
        for manifest in rows
    ]
    rate, able = _strictest_rate(names, CROSSED)
    progress.detail(
        "choosing the threshold by cross-fitting: two further trainings, each on half of the "
        "identities, score the other half (validation.kind=none leaves that out)"
    )
    pair_sets = cross_fit(run, plan, inputs.datasets, embedder, progress=progress)
    source = CROSSED + (DOUBT if plan.recipe.start.checkpoint is not None else "")
    chosen = [
        choose_threshold(
            parts, rate, source=_name_source(source, manifest, len(rows)), people="crossed"
        )
        for parts, manifest, carries in zip(pair_sets, rows, able, strict=True)
        if carries
    ]
    return max(chosen, key=lambda one: one.threshold)


def strictest_threshold(
    embedder: Embedder, samples: Sequence[ThresholdSample], *, progress: Progress
) -> Threshold:
    """Choose the threshold that keeps its rate on every data set: the highest of theirs.

    The rate is the first of `RATES` that any data set has pairs enough for; those with fewer pairs
    have no say.

    Raises:
        EvaluationError: There are too few pairs for any rate.
        UnreadableImage: An image cannot be decoded.
    """
    names = [[identity_names(sample.manifest)] for sample in samples]
    rate, able = _strictest_rate(names, samples[0].source)
    chosen = []
    for sample, carries in zip(samples, able, strict=True):
        if not carries:
            continue
        embeddings = embed_manifest(embedder, sample.manifest, progress=progress)
        chosen.append(
            choose_threshold(
                embeddings,
                rate,
                same_camera=sample.same_camera,
                source=_name_source(sample.source, sample.manifest, len(samples)),
                people=sample.people,
            )
        )
    return max(chosen, key=lambda one: one.threshold)


def _strictest_rate(
    names: Sequence[Sequence[Sequence[str]]], source: str
) -> tuple[float, list[bool]]:
    """Find the first rate that any data set carries, and say which of them carry it.

    `names` holds the identities of the images of each set of each data set.

    Raises:
        EvaluationError: There are too few pairs for any rate.
    """
    rates = [smallest_rate(*sets) for sets in names]
    able = [rate for rate in rates if rate is not None]
    if not able:
        most = max(sum(map(impostor_pairs, sets)) for sets in names)
        raise EvaluationError(
            f"{source} make {most:,} pairs of different identities, too few to measure "
            f"a false accept rate of {RATES[-1]:g}."
        )
    return min(able), [rate == min(able) for rate in rates]


def _name_source(source: str, manifest: Manifest, count: int) -> str:
    """Say what the images are, with their data set where there are several."""
    return source if count == 1 else f"{source} of {manifest.name}"
