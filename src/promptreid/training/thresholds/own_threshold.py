"""A threshold on images that someone brings, for a run that is already trained."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from promptreid.data.dataset import DataSet
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.sample_columns import TEST_SPLITS
from promptreid.data.same_data import source_of
from promptreid.errors import EvaluationError, RunError, WeightsError
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.evaluation.thresholds.threshold_choice import (
    choose_threshold,
    impostor_pairs,
    smallest_rate,
)
from promptreid.evaluation.verification.roc import allowed_accepts
from promptreid.inference.embed import embed_manifest
from promptreid.inference.embedder import Embedder
from promptreid.inference.exporting.hub_folder import is_described
from promptreid.models.checkpoint import SavedTraining, load_training, save_model
from promptreid.progress import Progress
from promptreid.runs.run_data import list_trained_sources
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_place import is_run
from promptreid.text.names import name_cached_model
from promptreid.training.thresholds.threshold_samples import draw_images, identity_names

MOST_IMAGES = 5000  # twelve million pairs


@dataclass(frozen=True)
class BroughtImages:
    """Images that a threshold may be chosen on.

    Attributes:
        manifest: Their rows.
        people: What the model knows of their identities; see `Threshold`.
        source: What they are, in words.
        notes: Sentences on what was left out and what to beware of.
    """

    manifest: Manifest
    people: str
    source: str
    notes: tuple[str, ...]


def brought_images(
    model: Path, embedder: Embedder, dataset: DataSet, *, most: int = MOST_IMAGES
) -> BroughtImages:
    """Take the images of a data set whose identities a model was not trained on.

    Of the data that the run was trained on, training identities are left out, by name. Elsewhere
    nobody can tell whether the same people are there; names that training had as well are said.
    Distractors and background are left out, since two of them may show one identity.

    Args:
        model: The run or checkpoint.
        embedder: What was loaded from it.
        dataset: All its splits count.
        most: Images to use at most; more are drawn from by chance, always the same.

    Raises:
        EvaluationError: All identities were trained on, or there are fewer than two.
    """
    rows = dataset.manifest
    learned_here = _learned_from(model, embedder, dataset)
    named = _named_as_classes(rows, frozenset(embedder.info.classes))
    left_out = named if learned_here else [False] * len(rows)
    strangers = rows.select(_distinct_images(dataset, left_out))
    identities = set(strangers.identity_keys())
    trained = len({rows.identity_keys()[row] for row in np.flatnonzero(left_out)})
    if len(identities) < 2:
        raise EvaluationError(_explain_too_few(model, dataset, len(identities), trained))
    notes = []
    if trained:
        notes.append(
            f"{trained:,} identities of {dataset.spec} are left out: the model was trained on "
            "them, so their scores say little about strangers."
        )
    known = {rows.identity_keys()[row] for row in np.flatnonzero(named)}
    shared = len(known & identities)
    if shared:
        notes.append(
            f"{shared:,} of {len(identities):,} identities have names that training had as well. "
            "If they are the same people, strangers are accepted more often than said here."
        )
    tested = set(strangers.splits) & set(TEST_SPLITS) and dataset.protocol is not None
    if tested:
        notes.append(
            "Test images are among those that choose it, so what `evaluate --verification` says of "
            f"this threshold on {dataset.spec} is no independent measure."
        )
    if len(strangers) > most:
        notes.append(f"{most:,} of {len(strangers):,} images are used, drawn by chance.")
        strangers = draw_images(strangers, most, seed=0, purpose="threshold images")
    people = "" if shared else "unseen"
    kind = "images that were brought" if shared else "images of identities not trained on"
    source = f"{kind} ({rows.name}{', test images among them' if tested else ''})"
    return BroughtImages(strangers, people, source, tuple(notes))


def _distinct_images(dataset: DataSet, left_out: Sequence[bool]) -> list[int]:
    """Return the rows to choose on: no distractor or background, and each image once."""
    rows = dataset.manifest
    row_by_image: dict[tuple[str, tuple[int, ...]], int] = {}
    for row, image in enumerate(rows.image_keys()):
        background = rows.identities[row] in dataset.background
        if not (left_out[row] or background or rows.splits[row] == "distractor"):
            row_by_image.setdefault(image, row)
    return list(row_by_image.values())


def choose_on(
    embedder: Embedder, images: BroughtImages, *, far: float | None, progress: Progress
) -> Threshold:
    """Embed what `brought_images` gave and choose the threshold on all pairs.

    Without a false accept rate it is chosen at the first of `RATES` that the pairs can carry.

    Raises:
        EvaluationError: There are too few pairs; the sentence says what to do.
        UnreadableImage: An image cannot be decoded.
    """
    names = identity_names(images.manifest)
    pairs, able = impostor_pairs(names), smallest_rate(names)
    if (far is None and able is None) or (far is not None and not allowed_accepts(far, pairs)):
        wanted = 0.1 if far is None else far
        way = "" if able is None else f"Take --far {able:g}, or b"
        raise EvaluationError(
            f"{len(names):,} images of {len(set(names)):,} identities make {pairs:,} pairs of "
            f"different identities, too few for a false accept rate of {wanted:g}, which needs "
            f"{-(-1 // wanted):,.0f}. {way or 'B'}ring images of more identities with --data."
        )
    embeddings = embed_manifest(embedder, images.manifest, progress=progress)
    rate = far if far is not None else able
    assert rate is not None
    with progress.doing(f"scoring {pairs:,} pairs"):
        return choose_threshold(embeddings, rate, source=images.source, people=images.people)


def store_threshold(
    model: Path, embedder: Embedder, chosen: Threshold, *, out: Path | None = None
) -> Path:
    """Write the threshold into a checkpoint in one step, and return its path.

    Args:
        model: The run or checkpoint that `embedder` was loaded from, in float32.
        embedder: The model.
        chosen: The threshold.
        out: Checkpoint to write in place of that one.

    Raises:
        RunError: A training holds the run, or the file cannot be written.
        WeightsError: A published `.pth` cannot hold a threshold, nor can a model for the hub or of
            its cache, and no `out` is given.
    """
    path = RunFolder.checkpoint_of(model)
    fixed = name_cached_model(path) or is_described(path)
    if out is None and (path.suffix != ".safetensors" or fixed):
        raise WeightsError(
            f"{name_cached_model(path) or path} has no place for a threshold. Give --out "
            "FILE.safetensors, which then holds the model with its threshold; a model for the hub "
            "gets one in its run, before it is exported."
        )
    info = embedder.with_threshold(chosen).info
    inside = is_run(model) and out is None
    with RunFolder(model).locked() if inside else contextlib.nullcontext():
        training = _saved_training(path) if out is None else None
        save_model(out or path, embedder.model, info, training=training)
    return out or path


def _saved_training(path: Path) -> SavedTraining | None:
    """Return what a stopped run needs to go on; None where the file holds none of it."""
    try:
        return load_training(path)
    except RunError:
        return None


def _learned_from(model: Path, embedder: Embedder, dataset: DataSet) -> bool:
    """Say whether the run was trained on this data set, whatever its options were."""
    if dataset.manifest.fingerprint() in embedder.info.data:
        return True
    run = RunFolder.of(model)
    if run is None:
        return False
    places = {source.place for source in list_trained_sources(run.data())}
    return source_of(dataset.spec, dataset.manifest.name).place in places


def _named_as_classes(rows: Manifest, classes: Collection[str]) -> list[bool]:
    """Say of each row whether training had a class of its identity's name.

    The name counts alone, and with its domain or data set.
    """
    named = []
    for domain, identity in rows.identity_keys():
        names = (identity, f"{domain}/{identity}")
        named.append(any(n in classes or f"{rows.name}/{n}" in classes for n in names))
    return named


def _explain_too_few(model: Path, dataset: DataSet, left: int, trained: int) -> str:
    if trained:
        return (
            f"{model} was trained on {trained} of the identities of {dataset.spec}, which leaves "
            f"{left or 'none'} to choose a threshold on; two are needed. Bring images of other "
            "identities, or train again with validation.kind=identities or validation.kind=folds, "
            "which choose one."
        )
    return (
        f"{dataset.spec} shows {left or 'no'} identities to choose a threshold on, beside "
        "distractors; two are needed. Bring images of more."
    )
