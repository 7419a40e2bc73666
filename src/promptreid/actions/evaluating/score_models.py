"""All models that are to be scored, on all data sets, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptreid.actions.evaluating.assess_model import assess_model, check_model
from promptreid.actions.evaluating.attribute_scores import attribute_text, recipe_templates
from promptreid.actions.evaluating.evaluate_request import EvaluateRequest
from promptreid.actions.evaluating.paired_differences import Pairing, paired_text
from promptreid.actions.evaluating.result_texts import (
    call_model,
    comparison_texts,
    result_texts,
    speed_texts,
)
from promptreid.data.dataset import DataSet
from promptreid.data.images.readable import load_readable
from promptreid.data.same_data import source_of
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.evaluation.tables.train_test_matrix import MatrixRow, ScoreMatrix
from promptreid.evaluation.test_set import TestSet
from promptreid.inference.attributes import classify_attributes
from promptreid.inference.embedder import Embedder
from promptreid.inference.load import load
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.progress import Progress
from promptreid.runs.run_data import list_trained_sources
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.seen_identities import make_testable

Say = Callable[[str], None]
"""Hears a result in words, as soon as it is there."""


class ModelScoring:
    """Scores the models of a request one after the other; each data set is read once."""

    def __init__(
        self,
        request: EvaluateRequest,
        specs: Sequence[str],
        loaded: Mapping[Path, Embedder],
        *,
        say: Say,
        progress: Progress,
    ) -> None:
        """Take what is asked for.

        Args:
            request: Models and options.
            specs: Data sets.
            loaded: Those of the models that are loaded already.
            say: Hears the results in words.
            progress: Where to report.
        """
        self._request, self._specs, self._loaded = request, specs, loaded
        self._say, self._progress = say, progress
        self._datasets: dict[str, DataSet] = {}
        self._pairing = Pairing(verification=request.verification) if request.paired else None

    def run(self) -> dict[str, Any]:
        """Score everything; return what `promptreid evaluate --json` writes."""
        rows, table = [], []
        for model in self._request.models:
            embedder = self._load(model)
            check_model(self._request, model, embedder, self._progress)
            for kind in self._request.kinds:
                rows.append(_matrix_row(call_model(model, kind), model, embedder.info))
            table += self._score_model(model, embedder)
        datasets = [self._datasets[spec] for spec in self._specs]
        columns = tuple(source_of(one.spec, one.manifest.name) for one in datasets)
        matrix = ScoreMatrix(tuple(rows), columns, tuple(table))
        for text in comparison_texts(matrix, [one.spec for one in datasets]):
            self._say(text)
        content: dict[str, Any] = table[0][0]
        if len(rows) > 1 or len(columns) > 1:
            results = [result for results in table for result in results]
            content = {"results": results, "matrix": matrix.to_dict()}
        if self._pairing is not None:
            with self._progress.doing("comparing runs"):
                content["paired"] = self._pairing.records()
            for record in content["paired"]:
                self._say(f"\n{paired_text(record)}")
        return content

    def _load(self, model: Path) -> Embedder:
        if model in self._loaded:
            return self._loaded[model]
        request = self._request
        with self._progress.doing(f"loading {model}"):
            return load(
                model,
                device=request.device,
                image_size=request.image_size,
                views=request.views,
                precision=request.precision,
            )

    def _score_model(self, model: Path, embedder: Embedder) -> list[tuple[dict[str, Any], ...]]:
        """Score a model on all data sets; return a row of results for each kind of sentence."""
        settings = self._request.settings(embedder)
        asked = self._request.attributes
        templates = recipe_templates(model, embedder.info) if asked else {}
        columns = []
        for spec in self._specs:
            with self._progress.doing(f"reading {spec}"):
                test_set = TestSet.of(self._dataset(spec))
            results = self._score_kinds(model, embedder, test_set, settings)
            if templates:
                scores = classify_attributes(
                    embedder,
                    test_set.manifest,
                    templates,
                    batch_size=self._request.batch_size,
                    progress=self._progress,
                )
                self._say(attribute_text(scores))
                for result in results:
                    result["attributes"] = {name: one.to_dict() for name, one in scores.items()}
            columns.append([{**result, "model": str(model)} for result in results])
        return list(zip(*columns, strict=True))

    def _score_kinds(
        self, model: Path, embedder: Embedder, test_set: TestSet, settings: RetrievalSettings
    ) -> list[dict[str, Any]]:
        """Score a model on one data set by each kind of sentence, and say the results."""
        request, results = self._request, []
        with self._progress.doing(f"scoring {model}"):
            assessed = assess_model(request, embedder, test_set, settings, self._progress)
        alone = len(request.models) == len(request.kinds) == 1
        for kind, (assessment, more) in zip(request.kinds, assessed, strict=True):
            name = call_model(model, kind)
            if self._pairing is not None:
                self._pairing.keep(name, assessment)
            with self._progress.doing(f"measuring how sure the scores of {test_set.spec} are"):
                result = assessment.to_dict(**request.further)
            results.append({**result, "precision": embedder.precision, **more})
            for text in result_texts(results[-1], name, alone=alone):
                self._say(text)
        for text in speed_texts(results):
            self._say(text)
        return results

    def _dataset(self, spec: str) -> DataSet:
        if spec not in self._datasets:
            request, progress = self._request, self._progress
            with progress.doing(f"reading {spec}"):
                loaded = load_readable(spec, policy=request.unreadable, progress=progress)
                self._datasets[spec] = make_testable(request.models, loaded, say=progress.message)
        return self._datasets[spec]


def _matrix_row(name: str, model: Path, info: CheckpointInfo) -> MatrixRow:
    """Say what a model of a name was trained on, out of the run that its path belongs to."""
    run = RunFolder.of(model)
    if run is not None and (info.recipe is None or info.recipe.stages):
        return MatrixRow(name, list_trained_sources(run.data()))
    elsewhere = run is None or info.recipe is None or info.recipe.start.checkpoint is not None
    return MatrixRow(name, None if elsewhere else ())
