"""All models of `promptreid evaluate` on all data sets, printed as they come."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from promptreid.cli.evaluating.assess_model import assess_model, check_model
from promptreid.cli.evaluating.attribute_scores import attribute_text, recipe_templates
from promptreid.cli.evaluating.evaluate_request import EvaluateRequest
from promptreid.cli.evaluating.known_data import matrix_row
from promptreid.cli.evaluating.paired_differences import Pairing, paired_text
from promptreid.cli.evaluating.score_printing import (
    call_model,
    print_result,
    print_side_by_side,
    print_speeds,
)
from promptreid.data.dataset import DataSet
from promptreid.data.images.readable import load_readable
from promptreid.evaluation.retrieval_settings import RetrievalSettings
from promptreid.evaluation.test_set import TestSet
from promptreid.inference.attributes import classify_attributes
from promptreid.inference.embedder import Embedder
from promptreid.inference.load import load
from promptreid.progress import Lines
from promptreid.runs.seen_identities import make_testable


class ModelScoring:
    """Scores the models of a request one after the other; each data set is read once."""

    def __init__(self, request: EvaluateRequest, specs: Sequence[str], progress: Lines) -> None:
        self._request, self._specs, self._progress = request, specs, progress
        self._datasets: dict[str, DataSet] = {}
        self._pairing = Pairing(verification=request.verification) if request.paired else None

    def run(self) -> dict[str, Any]:
        """Score and print everything; return what goes into the file."""
        rows, table = [], []
        for model in self._request.models:
            with self._progress.doing(f"loading {model}"):
                embedder = load(
                    model,
                    device=self._request.device,
                    image_size=self._request.image_size,
                    precision=self._request.precision,
                )
            check_model(self._request, model, embedder, self._progress)
            for kind in self._request.kinds:
                rows.append(matrix_row(call_model(model, kind), model, embedder.info))
            table += self._score_model(model, embedder)
        content = print_side_by_side(rows, [self._datasets[spec] for spec in self._specs], table)
        if self._pairing is not None:
            with self._progress.doing("comparing runs"):
                content["paired"] = self._pairing.records()
            for record in content["paired"]:
                click.echo(f"\n{paired_text(record)}")
        return content

    def _score_model(self, model: Path, embedder: Embedder) -> list[tuple[dict[str, Any], ...]]:
        """Score a model on all data sets; return a row of results for each kind of sentence."""
        settings = self._request.settings(embedder)
        asked = self._request.attributes
        templates = recipe_templates(model, embedder.info) if asked else {}
        columns = []
        for spec in self._specs:
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
                click.echo(attribute_text(scores))
                for result in results:
                    result["attributes"] = {name: one.to_dict() for name, one in scores.items()}
            columns.append([{**result, "model": str(model)} for result in results])
        return list(zip(*columns, strict=True))

    def _score_kinds(
        self, model: Path, embedder: Embedder, test_set: TestSet, settings: RetrievalSettings
    ) -> list[dict[str, Any]]:
        """Score a model on one data set by each kind of sentence, and print the results."""
        request, results = self._request, []
        assessed = assess_model(request, embedder, test_set, settings, self._progress)
        for kind, (assessment, more) in zip(request.kinds, assessed, strict=True):
            name = call_model(model, kind)
            if self._pairing is not None:
                self._pairing.keep(name, assessment)
            with self._progress.doing(f"measuring how sure the scores of {test_set.spec} are"):
                result = assessment.to_dict(**request.further)
            results.append({**result, "precision": embedder.precision, **more})
            print_result(results[-1], name, alone=len(request.models) == len(request.kinds) == 1)
        print_speeds(results)
        return results

    def _dataset(self, spec: str) -> DataSet:
        if spec not in self._datasets:
            loaded = load_readable(spec, policy=self._request.unreadable, progress=self._progress)
            self._datasets[spec] = make_testable(
                self._request.models, loaded, say=self._progress.message
            )
        return self._datasets[spec]
