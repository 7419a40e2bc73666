"""What is known of runs without looking at a test image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from promptreid.errors import RunError
from promptreid.figures.curves import curves_alt, curves_figure
from promptreid.figures.drawn import Drawn
from promptreid.inference.embedder import Embedder
from promptreid.models.weights.weight_hash import hash_weights
from promptreid.pages.collect_words import read_domain_texts
from promptreid.pages.content import RunFacts
from promptreid.pages.recipe_changes import recipe_changes
from promptreid.runs.metrics_table import Training
from promptreid.runs.run_folder import RunFolder

_HASH_LETTERS = 12


def run_facts(name: str, path: Path, embedder: Embedder) -> RunFacts:
    """Gather what a run's folder and weights say about it.

    A checkpoint inside a run folder belongs to that run.

    Raises:
        RunError: A file of the run is missing or damaged.
    """
    model = embedder.model
    run = RunFolder.of(path)
    recipe = embedder.info.recipe
    parent, changes = ("", ()) if recipe is None else recipe_changes(recipe)
    return RunFacts(
        name=name,
        path=str(path),
        recipe="" if recipe is None else recipe.name,
        source="" if recipe is None else recipe.source,
        parent=parent,
        changes=changes,
        backbone=_backbone_text(embedder),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        weights=hash_weights(model)[:_HASH_LETTERS],
        environment=None if run is None else run.environment(),
        data=() if run is None else run.data(),
        status=None if run is None else run.status(),
        threshold=embedder.threshold,
        domain_texts=read_domain_texts(run),
        note="" if run is None else run.note(),
    )


def learning_curves(
    names: Sequence[str], paths: Sequence[Path]
) -> tuple[Drawn | None, tuple[str, ...]]:
    """Draw the learning curves of those runs that have some.

    Returns:
        The figure, None where no run has curves; and why each of the others has none.

    Raises:
        ConfigError: Matplotlib is missing, or there are too many runs.
    """
    trainings: dict[str, Training] = {}
    remarks = []
    for name, path in zip(names, paths, strict=True):
        run = RunFolder.of(path)
        if run is None:
            remarks.append(f"{name} is a checkpoint without its run folder; it has no curves.")
            continue
        if not run.has_metrics and run.status().complete:
            remarks.append(f"{name} learned nothing, so it has no learning curves.")
            continue
        try:
            trainings[name] = run.training()
        except RunError as error:
            remarks.append(f"{name}: {error}")
    if not trainings:
        return None, tuple(remarks)
    return Drawn(curves_figure(trainings), curves_alt(trainings)), tuple(remarks)


def _backbone_text(embedder: Embedder) -> str:
    backbone = embedder.model.backbone
    height, width = embedder.preprocess.image_size
    return f"{backbone.name}, pretrained: {backbone.pretrained}, {height} × {width} pixels"
