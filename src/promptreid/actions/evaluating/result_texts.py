"""What is said of the scores of models on data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from promptreid.evaluation.tables.retrieval_table import render_comparison, render_scores
from promptreid.evaluation.tables.train_test_matrix import ScoreMatrix, render_matrix
from promptreid.evaluation.tables.verification_tables import render_further
from promptreid.inference.text_controls.word_control import WordControl
from promptreid.inference.text_controls.word_tables import render_words
from promptreid.text.wrap import wrapped


def call_model(model: Path, kind: str | None) -> str:
    """Name a model, or a model with one kind of sentence."""
    return str(model) if kind is None else f"{model} ({kind})"


def result_texts(result: Mapping[str, Any], model: str, *, alone: bool) -> list[str]:
    """Say one result, whole when there is one model and else in short, and what belongs to it."""
    if alone:
        texts = [wrapped(render_scores(dict(result), result["data"]))]
    else:
        scores = f"mAP {100 * result['mAP']:.2f}, Rank-1 {100 * result['cmc']['1']:.2f}"
        if "images_per_second" in result:
            scores += f", {result['images_per_second']:.1f} images a second"
        texts = [f"{model} on {result['data']}: {scores}"]
    if further := render_further(result):
        texts.append(f"\n{wrapped(further)}")
    if "word_control" in result:
        texts.append(f"\n{render_words(WordControl.from_dict(result['word_control']))}")
    return texts


def speed_texts(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say how much faster one model embeds with one kind of sentence than with another."""
    first, *others = results
    return [
        f"{other['prompt']} embeds "
        f"{other['images_per_second'] / first['images_per_second']:.2f} times as many images a "
        f"second as {first['prompt']}"
        for other in others
    ]


def comparison_texts(matrix: ScoreMatrix, specs: Sequence[str]) -> list[str]:
    """Say what sets several models or data sets side by side; nothing for one of each.

    Args:
        matrix: Models by data sets.
        specs: The data sets, in the order of its columns.
    """
    rows = matrix.rows
    if len(rows) == len(specs) == 1:
        return []
    texts = []
    for number, spec in enumerate(specs if len(rows) > 1 else ()):
        names = [row.model for row in rows]
        column = dict(zip(names, (results[number] for results in matrix.results), strict=True))
        texts.append(f"\n{render_comparison(column, spec)}")
    return [*texts, f"\n{render_matrix(matrix)}"]
