"""Cross-fitting: scores of strangers where all identities are learned from.

The training identities are shared out between two halves. The recipe is trained once more on each
half alone, and each of these two models embeds the images of the other half, which it has not
seen. So every pair within a half is a pair of strangers to the model that scores it, although all
images teach the model that is kept. Together the two trainings cost about as much as one on all
images, since each sees half of them.

Cosines of two trainings are not on one scale: the longer one may give all pairs higher ones. So a
score of a half's model is brought to the scale of the kept model by its rank among the pairs of
different identities that the model was trained on (`promptreid.evaluation.thresholds.pair_sets`).
What is measured is thus how much higher strangers score than people seen in training, and that is
what the kept model's scores of its own training images are corrected by.

How honest that is: the pairs are of true strangers, but to models that learned from half as many
identities as the kept one, and there are few: the stored interval says how few. That a model
of all identities favours its own people as much as models of half of them do is an assumption;
models of more identities tend to do so less, so that the threshold tends to be too high rather than
too low. Identities that were held out of the one training are better; this is for data too small
to spare any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from promptreid.config.schema import Recipe
from promptreid.data.dataset import DataSet
from promptreid.data.manifest.manifest import TrainingManifest
from promptreid.data.splits.validation import halves
from promptreid.evaluation.embeddings.embedding_files import read_embeddings, write_embeddings
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.thresholds.pair_sets import PairSet, RankScale, all_impostor_scores
from promptreid.inference.embed import embed_manifest
from promptreid.inference.embedder import Embedder
from promptreid.progress import Progress
from promptreid.progress.reporting import Passed
from promptreid.runs.run_folder import RunFolder
from promptreid.tracking.tracker_group import Trackers
from promptreid.training.run.run_inputs import started_model, training_rows
from promptreid.training.run.run_plan import RunPlan
from promptreid.training.run.run_start import checkpoint_info, load_last
from promptreid.training.run.training_data import TrainingData
from promptreid.training.stage.trainer import Trainer
from promptreid.training.stage.training_state import TrainingState
from promptreid.training.thresholds.threshold_samples import draw_images

HALVES = 2
_IMAGES = 2000


class Half(Passed):
    """Progress that says which half is trained; its epochs are no epochs of the run."""

    def __init__(self, progress: Progress, number: int) -> None:
        super().__init__(progress)
        self._name = f"half {number + 1}/{HALVES}"

    def message(self, text: str) -> None:
        """Say one thing."""
        super().message(f"{self._name}: {text}")

    def detail(self, text: str) -> None:
        """Say what only those want to read who follow each step."""
        super().detail(f"{self._name}: {text}")

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin a counted task."""
        super().start(f"{self._name}: {title}", total, unit)


def cross_fit(
    run: RunFolder,
    plan: RunPlan,
    datasets: Sequence[DataSet],
    embedder: Embedder,
    *,
    progress: Progress,
) -> list[tuple[PairSet, ...]]:
    """Train on each half of the identities and embed the other half.

    What is trained lies in the run's cache, so that a stopped run goes on where it was.

    Args:
        run: Where the two trainings lie while the run is not finished.
        plan: What was run on all images.
        datasets: Those that were trained on.
        embedder: The model that the threshold is for.
        progress: Where to report.

    Returns:
        For each data set, the embeddings of each half by the model that has not seen it, with what
        brings its scores to the scale of `embedder`.

    Raises:
        Interrupted: A signal asked for a stop; the state is saved.
        DataError: A half has too few identities to train on.
        RunError: A loss is not finite.
    """
    parts = [
        (dataset, rows, halves(rows, plan.seed))
        for dataset in datasets
        for rows in [dataset.manifest.training()]
    ]
    targets = [
        all_impostor_scores(embed_manifest(embedder, _draw(rows, plan.seed), progress=progress))
        for _, rows, _ in parts
    ]
    pair_sets: list[list[PairSet]] = [[] for _ in parts]
    for number in range(HALVES):
        learned = [_select(dataset, rows, sides[number]) for dataset, rows, sides in parts]
        unseen = [_draw(rows.select(sides[1 - number]), plan.seed) for _, rows, sides in parts]
        folder = run.cache / f"half-{number + 1}"
        embedded = _train_and_embed(folder, run, plan, learned, unseen, Half(progress, number))
        for place, (seen, strange) in enumerate(embedded):
            scores = all_impostor_scores(seen)
            if len(scores) and len(targets[place]):
                pair_sets[place].append(PairSet(strange, RankScale(scores, targets[place])))
    return [tuple(sets) for sets in pair_sets]


def _draw(rows: TrainingManifest, seed: int) -> TrainingManifest:
    """Draw from many images; two thousand make two million pairs."""
    return draw_images(rows, _IMAGES, seed=seed, purpose="cross-fit")


def _select(dataset: DataSet, rows: TrainingManifest, chosen: Sequence[int]) -> DataSet:
    """Return the data set with some of its training rows, and nothing to test on."""
    manifest = rows.select(chosen).with_splits(["train"] * len(chosen))
    return replace(dataset, manifest=manifest, protocol=None)


def _train_and_embed(
    folder: Path,
    run: RunFolder,
    plan: RunPlan,
    learned: Sequence[DataSet],
    unseen: Sequence[TrainingManifest],
    progress: Progress,
) -> list[tuple[Embeddings, Embeddings]]:
    """Train on some identities and embed them and others, unless a stopped run has done so."""
    seen = [_draw(dataset.manifest.training(), plan.seed) for dataset in learned]
    rows = [*seen, *unseen]
    files = [folder / f"embedded-{place}.safetensors" for place in range(len(rows))]
    if all(file.is_file() for file in files):
        embeddings = [read_embeddings(file) for file in files]
    else:
        recipe = fit_batches(plan.recipe, learned)
        data = training_rows(recipe, learned, seed=plan.seed)
        assert data is not None
        trainer = _build_trainer(run.part(folder.name), run, plan, recipe, data, progress)
        trainer.fit()
        embedder = Embedder(trainer.model, trainer.info, device=plan.device)
        embeddings = [embed_manifest(embedder, part, progress=progress) for part in rows]
        for part, file in zip(embeddings, files, strict=True) if run.writes else ():
            write_embeddings(part, file)
    return list(zip(embeddings[: len(seen)], embeddings[len(seen) :], strict=True))


def _build_trainer(
    half: RunFolder,
    run: RunFolder,
    plan: RunPlan,
    recipe: Recipe,
    data: TrainingData,
    progress: Progress,
) -> Trainer:
    """Put a training together, from where it was stopped if it was."""
    half.path.mkdir(parents=True, exist_ok=True)
    state, model, preprocess = load_last(half) or (
        TrainingState(),
        *started_model(recipe, data, seed=plan.seed, progress=progress),
    )
    return Trainer(
        half,
        recipe,
        model,
        data,
        state=state,
        info=checkpoint_info(run, plan, preprocess, data),
        trackers=Trackers(half.path, (), say=progress.message),
        context=plan.context(progress),
    )


def fit_batches(recipe: Recipe, learned: Sequence[DataSet]) -> Recipe:
    """Let batches ask for no more identities than a part of the data has; validate on nothing."""
    domains: dict[str, set[str]] = {}
    for dataset in learned:
        for domain, identity in dataset.manifest.identity_keys():
            domains.setdefault(f"{dataset.spec}/{domain}", set()).add(identity)
    fewest, total = min(map(len, domains.values())), sum(map(len, domains.values()))
    stages = []
    for stage in recipe.stages:
        most = total if stage.domains == "joint" else fewest
        asked = stage.batch.identities
        if asked is not None and asked > most:
            batch = stage.batch.model_copy(update={"identities": max(most, 2)})
            stage = stage.model_copy(update={"batch": batch})
        stages.append(stage)
    validation = recipe.validation.model_copy(update={"kind": "none"})
    return recipe.model_copy(update={"stages": tuple(stages), "validation": validation})
