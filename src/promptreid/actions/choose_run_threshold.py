"""A threshold for a run on images that are brought, as the command and Python choose it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from promptreid.actions.gallery_models import ModelPlace, load_for
from promptreid.actions.run_data_specs import existing_models
from promptreid.actions.train_settings import list_specs
from promptreid.data.images.readable import load_readable
from promptreid.errors import ConfigError, WeightsError
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.inference.embedder import Embedder
from promptreid.progress import Lines, Progress
from promptreid.runs.run_folder import RunFolder
from promptreid.training.thresholds.own_threshold import (
    MOST_IMAGES,
    brought_images,
    choose_on,
    store_threshold,
)

if TYPE_CHECKING:
    from promptreid.data.dataset import DataSet


def threshold(
    model: ModelPlace,
    data: str | DataSet,
    *,
    far: float | None = None,
    images: int = MOST_IMAGES,
    out: str | os.PathLike[str] | None = None,
    device: str | None = None,
    unreadable: str = "stop",
    progress: Progress | None = None,
) -> Threshold:
    """Choose from which score on two images show one identity, and keep that with the run.

    All pairs of images of different identities are scored; the threshold is the lowest score that
    accepts no larger share of them than `far`.

    Args:
        model: A run or checkpoint, whose file gets the threshold; or a model loaded from one.
        data: Images of known identities; those that the run was trained on are left out.
        far: Share of pairs of strangers that may be accepted; None for the first of 0.001, 0.01 and
            0.1 that the pairs can measure.
        images: Images to use at most; of more, so many are drawn by chance.
        out: Checkpoint to write in place of that of the run.
        device: Where the model computes, where it is loaded; None for the best there is.
        unreadable: "stop" at images that cannot be decoded, or "skip" them.
        progress: Where to report; None for lines on standard error.

    Returns:
        The threshold and what it rests on; `print` it. Load the model again to use it, or take
        `model.with_threshold(...)`.

    Raises:
        EvaluationError: All identities were trained on, or there are too few pairs.
        DataError: The data or an image cannot be read.
        ConfigError: There are several data sets.
        WeightsError: There is no model, or its file cannot hold a threshold.
        RunError: A training holds the run, or the file cannot be written.

    Example:
        >>> chosen = promptreid.threshold("runs/mine", "folder:photos", far=0.01, device="cpu")
        >>> chosen.identities, chosen.far
        (12, 0.01)
    """
    specs = list_specs(data)
    if len(specs) != 1:
        raise ConfigError(
            f"A threshold is chosen on one data set; got {len(specs)}. Choose it on the one that "
            "is most like the pictures it is meant for."
        )
    (spec,) = specs
    checkpoint = None if out is None else Path(out)
    if checkpoint is not None and checkpoint.suffix != ".safetensors":
        raise WeightsError(
            f"--out {checkpoint} is to be a checkpoint; end its name with .safetensors."
        )
    source = _find_source(model)
    progress = progress or Lines()
    with progress.doing("choosing the threshold"):
        dataset = load_readable(spec, policy=unreadable, progress=progress)
        embedder = load_for(model, device=device)
        brought = brought_images(source, embedder, dataset, most=images)
        for note in brought.notes:
            progress.message(note)
        chosen = choose_on(embedder, brought, far=far, progress=progress)
        store_threshold(source, embedder, chosen, out=checkpoint)
    return chosen


def _find_source(model: ModelPlace) -> Path:
    """Return the file that a model was loaded from."""
    if not isinstance(model, Embedder):
        return existing_models([model])[0]
    if model.source is None or model.precision != "fp32":
        raise ConfigError(
            "A threshold is kept with the weights of a run or checkpoint. Give its path, such as "
            "threshold('runs/mine', data)."
        )
    run = RunFolder.of(model.source)
    return model.source if run is None else run.path
