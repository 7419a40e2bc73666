"""One model on one test set: each kind of sentence, or words exchanged between images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptreid.cli.evaluating.evaluate_request import EvaluateRequest

if TYPE_CHECKING:
    from promptreid.data.images.image_store import ImageStore
    from promptreid.evaluation.assessment import Assessment
    from promptreid.evaluation.retrieval_settings import RetrievalSettings
    from promptreid.evaluation.test_set import TestSet
    from promptreid.inference.embedder import Embedder
    from promptreid.progress import Lines

Assessed = tuple["Assessment", dict[str, Any]]
"""An assessment, and what else its record holds."""


def check_model(request: EvaluateRequest, model: Path, embedder: Embedder, lines: Lines) -> None:
    """Refuse --prompt and --words for a model without a sentence or a word of each image."""
    if request.prompts:
        _check_sentences(embedder, model, lines)
    if request.words:
        _check_words(embedder, model)


def assess_model(
    request: EvaluateRequest,
    embedder: Embedder,
    test_set: TestSet,
    settings: RetrievalSettings,
    progress: Lines,
) -> Iterator[Assessed]:
    """Assess a model once for each kind of sentence that is asked for."""
    if request.words:
        from promptreid.inference.text_controls.word_control import assess_words

        assessment, control = assess_words(
            embedder, test_set, settings, batch_size=request.batch_size, progress=progress
        )
        yield assessment, {"word_control": control.to_dict()}
    else:
        yield from _assess_kinds(request, embedder, test_set, settings, progress)


def _assess_kinds(
    request: EvaluateRequest,
    embedder: Embedder,
    test_set: TestSet,
    settings: RetrievalSettings,
    progress: Lines,
) -> Iterator[Assessed]:
    """Assess each kind of sentence, on images that are decoded once where memory allows."""
    from promptreid.inference.assess import assess
    from promptreid.inference.embed import open_images

    store, speeds = None, {}
    named = [kind for kind in request.kinds if kind is not None]
    if named:
        store = open_images(test_set.manifest, embedder.preprocess)
        speeds = _measure_speeds(
            embedder, test_set, store, named, settings.flip, request.batch_size
        )
    for kind in request.kinds:
        assessment = assess(
            embedder,
            test_set,
            replace(settings, prompt=kind),
            store=store,
            batch_size=request.batch_size,
            progress=progress,
        )
        yield assessment, speeds.get(kind, {})


def _measure_speeds(
    embedder: Embedder,
    test_set: TestSet,
    store: ImageStore,
    kinds: Sequence[str],
    flip: bool,
    batch_size: int,
) -> dict[str | None, dict[str, Any]]:
    """Measure how fast the test images are embedded by kind of sentence."""
    from promptreid.inference.embed import sentence_rows
    from promptreid.inference.speed import measure_speed

    speeds = measure_speed(
        embedder.model,
        store,
        embedder.preprocess,
        prompts=kinds,
        variants=sentence_rows(embedder.model, test_set.manifest),
        device=embedder.device,
        batch_size=batch_size,
        flip=flip,
    )
    return {
        kind: {
            "prompt": kind,
            "images_per_second": speed.images_per_second,
            "speed": speed.to_dict(),
        }
        for kind, speed in speeds.items()
    }


def _check_sentences(embedder: Embedder, model: Path, progress: Lines) -> None:
    """Refuse --prompt for a model without a sentence per image; say when it changes nothing."""
    from promptreid.models.prompts.image_prompt import ImagePrompt

    if not isinstance(embedder.model.prompt, ImagePrompt):
        raise click.UsageError(
            f"--prompt chooses between the sentences of an image prompt (prompt.kind: image), and "
            f"{model} has none. Leave --prompt out, or give runs of PromptSG alone."
        )
    if not embedder.model.reads_sentence:
        features = ", ".join(embedder.model.embedding.features)
        progress.message(
            f"{model} retrieves with {features}, which read no sentence: all kinds score alike."
        )


def _check_words(embedder: Embedder, model: Path) -> None:
    """Refuse --words for a model that reads no word of an image."""
    from promptreid.errors import EvaluationError
    from promptreid.inference.text_controls.word_embed import check_words

    try:
        check_words(embedder.model)
    except EvaluationError as error:
        raise click.UsageError(
            f"--words exchanges the words that a model reads at retrieval, and {model} reads none. "
            f"{error} Leave --words out, or give runs of PromptSG alone."
        ) from None
