"""Score a finished run on its test images, and show its trackers how it ranks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptreid.errors import DataError, PromptReIDError
from promptreid.evaluation.assessment import Assessment
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.evaluation.test_set import TestSet
from promptreid.evaluation.uncertainty.training_gain import training_worth
from promptreid.figures.draw_scores import draw_ranks
from promptreid.inference.assess import assess
from promptreid.inference.attributes import classify_attributes
from promptreid.inference.embedder import Embedder
from promptreid.inference.text_controls.word_control import assess_words
from promptreid.inference.text_controls.word_tables import word_verdict
from promptreid.progress import Progress
from promptreid.runs.run_folder import RunFolder
from promptreid.tracking.tracker_group import Trackers
from promptreid.tracking.values import name_test_sets
from promptreid.training.run.domain_control import score_domain_texts
from promptreid.training.run.run_inputs import RunInputs
from promptreid.training.run.untrained import Untrained


def score_run(
    run: RunFolder,
    embedder: Embedder,
    inputs: RunInputs,
    trackers: Trackers,
    *,
    epochs: int,
    untrained: Untrained | None,
    progress: Progress,
) -> None:
    """Score the best checkpoint on every data set that has something to test on.

    Where the model reads a word of each image, or learned tokens of several domains, it is measured
    whether these matter.

    Args:
        run: Gets `scores.json`.
        embedder: The best checkpoint.
        inputs: What was run, on which data.
        trackers: Get the scores, and rank lists of the worst queries.
        epochs: Epochs that were trained, over all stages.
        untrained: What the model scored before training, to say what it gained; None for nothing.
        progress: Where to report.

    Raises:
        UnreadableImage: An image cannot be decoded.
        EvaluationError: No query has a match.
    """
    plan = inputs.plan
    testable = [dataset for dataset in inputs.all_datasets if dataset.protocol is not None]
    if not testable:
        progress.message("no query and gallery images, so there is nothing to score")
        return
    settings = RetrievalSettings.of(plan.recipe.evaluation)
    templates = plan.recipe.zero_shot.attributes
    results, shown = [], []
    for dataset in testable:
        test_set = TestSet.of(dataset)
        assessment, words = _assess(embedder, test_set, settings, progress)
        result = {**assessment.to_dict(), **words}
        if untrained is not None:
            before = untrained.scores[dataset.spec]
            with progress.doing("comparing with the untrained model"):
                worth = training_worth(before, assessment.scores, untrained=untrained.name)
            result["worth"] = worth.to_dict()
        if templates:
            result["attributes"] = _read_attributes(embedder, test_set, templates, progress)
        results.append(result)
        if trackers and plan.track_pictures != "none":
            shown.append(assessment)
    domain_texts = score_domain_texts(embedder, inputs.data, seed=plan.seed, progress=progress)
    for domain in domain_texts:
        progress.message(domain.verdict())
    more = {"domain_texts": [d.to_dict() for d in domain_texts]} if domain_texts else {}
    run.write_scores(results, **more)
    trackers.summary(results)
    pixelate = plan.track_pictures == "pixelated"
    for name, assessment in zip(name_test_sets(results), shown, strict=False):
        _show_ranks(trackers, run.name, assessment, name, epochs, progress, pixelate=pixelate)


def _assess(
    embedder: Embedder, test_set: TestSet, settings: RetrievalSettings, progress: Progress
) -> tuple[Assessment, dict[str, Any]]:
    """Assess a test set; where words are read at retrieval, with those of other images as well."""
    if not embedder.model.reads_words:
        return assess(embedder, test_set, settings, progress=progress), {}
    assessment, control = assess_words(embedder, test_set, settings, progress=progress)
    progress.message(f"{test_set.spec}: {word_verdict(control)}")
    return assessment, {"word_control": control.to_dict()}


def _show_ranks(
    trackers: Trackers,
    run: str,
    assessment: Assessment,
    name: str,
    epochs: int,
    progress: Progress,
    *,
    pixelate: bool,
) -> None:
    """Pass a picture of the worst queries on; a run does not fail for want of a picture."""
    try:
        drawn = draw_ranks({run: assessment}, which="worst", pixelate=pixelate)
    except PromptReIDError as error:
        spec = assessment.test_set.spec
        progress.message(f"trackers get no rank lists of {spec}: {error}")
        return
    trackers.image("/".join(filter(None, ("ranks", name, "worst"))), drawn.figure, epochs)


def _read_attributes(
    embedder: Embedder, test_set: TestSet, templates: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Read each attribute off the test images; one that cannot be told apart is said, not fatal."""
    records: dict[str, Any] = {}
    for name, sentences in templates.items():
        try:
            asked = {name: sentences}
            scores = classify_attributes(embedder, test_set.manifest, asked, progress=progress)
        except DataError as error:
            progress.message(f"the attribute {name} is not read: {error}")
            continue
        records[name] = scores[name].to_dict()
        progress.message(
            f"{name} read by sentences alone: balanced accuracy "
            f"{scores[name].balanced_accuracy:.1%}, chance {scores[name].chance:.1%}"
        )
    return records
