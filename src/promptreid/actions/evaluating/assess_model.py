"""One model on one test set: each kind of sentence, or words exchanged between images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from promptreid.actions.evaluating.evaluate_request import EvaluateRequest
from promptreid.errors import ConfigError, EvaluationError
from promptreid.evaluation.assessment import Assessment
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.evaluation.test_set import TestSet
from promptreid.inference.assess import assess
from promptreid.inference.embed import find_sentence_rows, open_images
from promptreid.inference.embedder import Embedder
from promptreid.inference.speed import measure_speed
from promptreid.inference.text_controls.word_control import assess_words
from promptreid.inference.text_controls.word_embed import check_words
from promptreid.progress import Progress


def check_model(
    request: EvaluateRequest, model: Path, embedder: Embedder, progress: Progress
) -> None:
    """Refuse --prompt and --words for a model without a sentence or a word of each image.

    Where --prompt changes nothing, that is said.

    Raises:
        ConfigError: With what to leave out.
    """
    if request.prompts and embedder.model.image_prompt is None:
        raise ConfigError(
            f"--prompt chooses between the sentences of an image prompt (prompt.kind: image), and "
            f"{model} has none. Leave --prompt out, or give runs of PromptSG alone."
        )
    if request.prompts and not embedder.model.reads_sentence:
        features = ", ".join(embedder.model.embedding.features)
        progress.message(
            f"{model} retrieves with {features}, which read no sentence: all kinds score alike."
        )
    if request.words:
        try:
            check_words(embedder.model)
        except EvaluationError as error:
            raise ConfigError(
                f"--words exchanges the words that a model reads at retrieval, and {model} reads "
                f"none. {error} Leave --words out, or give runs of PromptSG alone."
            ) from None


def assess_model(
    request: EvaluateRequest,
    embedder: Embedder,
    test_set: TestSet,
    settings: RetrievalSettings,
    progress: Progress,
) -> Iterator[tuple[Assessment, dict[str, Any]]]:
    """Assess a model once for each kind of sentence that is asked for.

    Images are decoded once where memory allows.

    Yields:
        An assessment, and what else its record holds.
    """
    shared: dict[str, Any] = {"batch_size": request.batch_size, "progress": progress}
    if request.words:
        assessment, control = assess_words(embedder, test_set, settings, **shared)
        yield assessment, {"word_control": control.to_dict()}
        return
    if not request.prompts:
        yield assess(embedder, test_set, settings, **shared), {}
        return
    store = open_images(test_set.manifest, embedder.preprocess)
    kinds = tuple(dict.fromkeys(request.prompts))
    speeds = measure_speed(
        embedder,
        store,
        prompts=kinds,
        variants=find_sentence_rows(embedder.model, test_set.manifest),
        batch_size=request.batch_size,
        flip=settings.flip,
    )
    for kind in kinds:
        speed = speeds[kind]
        rate = {"images_per_second": speed.images_per_second, "speed": speed.to_dict()}
        assessed = assess(embedder, test_set, replace(settings, prompt=kind), store=store, **shared)
        yield assessed, {"prompt": kind, **rate}
