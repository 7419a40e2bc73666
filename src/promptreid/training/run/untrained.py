"""Score a model before it is trained, so that the end of a run can say what training gained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from promptreid.config.model import BackboneConfig
from promptreid.config.recipes import load_recipe
from promptreid.data.dataset import DataSet
from promptreid.evaluation.ranking.scores import Scores
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.evaluation.test_set import TestSet
from promptreid.inference.assess import assess
from promptreid.inference.embedder import Embedder
from promptreid.inference.load import load
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.progress import Progress
from promptreid.training.run.build_model import build_model
from promptreid.training.run.run_plan import RunPlan


@dataclass(frozen=True)
class Untrained:
    """What the model scored before training.

    Attributes:
        name: What was scored, in words.
        scores: Scores by the spec of each data set that has something to test on.
    """

    name: str
    scores: dict[str, Scores]


def score_untrained(
    plan: RunPlan, datasets: Sequence[DataSet], *, cache: Path | None, progress: Progress
) -> Untrained | None:
    """Score the backbone as it is, by the same protocols and retrieval settings as the run's end.

    That is what the recipe `zero-shot` does with the recipe's backbone and image size: the
    pretrained image embedding, with the pixel statistics that the weights were made for. A run that
    starts from another run's weights is compared with that run.

    Args:
        plan: What is run.
        datasets: All of the run, trained on or not.
        cache: Folder where embeddings are kept for the next run on the same data; None for none.
            Processes that share images out keep none.
        progress: Where to report.

    Returns:
        The scores; None where the run trains no embedding, has nothing to test on, or was asked not
        to.

    Raises:
        UnreadableImage: An image cannot be decoded.
        EvaluationError: No query has a match.
    """
    testable = [dataset for dataset in datasets if dataset.protocol is not None]
    learned = any(stage.moves_embedding for stage in plan.recipe.stages)
    if not (plan.before and learned and testable):
        return None
    with progress.doing(f"building {plan.recipe.backbone.name}"):
        embedder, name = _load_untrained(plan)
    embedder.model.backbone.share_rows(plan.processes)
    if plan.processes.grouped:  # one process may find what another has not seen yet
        cache = None
    progress.detail(f"scoring {name} first, to see what training gains")
    # The untrained model is compared by its images alone: its recipe has no sentences.
    settings = replace(RetrievalSettings.of(plan.recipe.evaluation), sentences=0.0)
    scores = {}
    for dataset in testable:
        test_set = TestSet.of(dataset)
        assessment = assess(embedder, test_set, settings, cache=cache, progress=progress)
        scores[dataset.spec] = assessment.scores
    return Untrained(name, scores)


def _load_untrained(plan: RunPlan) -> tuple[Embedder, str]:
    start = plan.recipe.start.checkpoint
    if start is not None:
        return load(start, device=str(plan.device)), f"{start}, which it starts from"
    backbone = plan.recipe.backbone
    embedder = build_untrained(backbone, seed=plan.seed, device=plan.device)
    return embedder, f"{backbone.name} untrained"


def build_untrained(
    backbone: BackboneConfig, *, seed: int = 0, device: str | torch.device = "cpu"
) -> Embedder:
    """Build the embedder of a backbone as it is, which is what the recipe `zero-shot` scores.

    Args:
        backbone: Architecture, weights and image size.
        seed: Seed of random weights, for a backbone that has no others.
        device: Where it computes.

    Raises:
        ModelError: The backbone is unknown, or does not take the image size.
        WeightsError: The pretrained weights cannot be had or do not fit.
    """
    recipe = load_recipe("zero-shot").model_copy(update={"backbone": backbone})
    model, preprocess = build_model(recipe, None, seed=seed)
    return Embedder(model, CheckpointInfo(preprocess=preprocess, recipe=recipe), device=device)
