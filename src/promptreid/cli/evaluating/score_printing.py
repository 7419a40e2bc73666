"""What `promptreid evaluate` prints of models and data sets."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from promptreid.cli.output import score_text
from promptreid.data.dataset import DataSet
from promptreid.data.same_data import source_of
from promptreid.evaluation.tables.retrieval_table import render_comparison
from promptreid.evaluation.tables.train_test_matrix import MatrixRow, ScoreMatrix, render_matrix
from promptreid.evaluation.tables.verification_tables import render_further
from promptreid.inference.text_controls.word_control import WordControl
from promptreid.inference.text_controls.word_tables import render_words
from promptreid.text.wrap import wrapped


def call_model(model: Path, kind: str | None) -> str:
    """Name a model, or a model with one kind of sentence."""
    return str(model) if kind is None else f"{model} ({kind})"


def print_result(result: Mapping[str, Any], model: str, *, alone: bool) -> None:
    """Print one result, whole when there is one model and else in short, and what belongs to it."""
    if alone:
        click.echo(score_text(dict(result), title=result["data"]))
    else:
        scores = f"mAP {100 * result['mAP']:.2f}, Rank-1 {100 * result['cmc']['1']:.2f}"
        if "images_per_second" in result:
            scores += f", {result['images_per_second']:.1f} images a second"
        click.echo(f"{model} on {result['data']}: {scores}")
    if further := render_further(result):
        click.echo(f"\n{wrapped(further)}")
    if "word_control" in result:
        click.echo(f"\n{render_words(WordControl.from_dict(result['word_control']))}")


def print_speeds(results: Sequence[Mapping[str, Any]]) -> None:
    """Print how much faster one model embeds with one kind of sentence than with another."""
    first, *others = results
    for other in others:
        ratio = other["images_per_second"] / first["images_per_second"]
        click.echo(
            f"{other['prompt']} embeds {ratio:.2f} times as many images a second as "
            f"{first['prompt']}"
        )


def print_side_by_side(
    rows: Sequence[MatrixRow],
    datasets: Sequence[DataSet],
    table: Sequence[tuple[dict[str, Any], ...]],
) -> dict[str, Any]:
    """Print what sets models and data sets side by side; return what goes into the file."""
    if len(rows) == len(datasets) == 1:
        return table[0][0]
    columns = tuple(source_of(dataset.spec, dataset.manifest.name) for dataset in datasets)
    matrix = ScoreMatrix(tuple(rows), columns, tuple(table))
    if len(rows) > 1:
        for number, dataset in enumerate(datasets):
            names = [row.model for row in rows]
            column = dict(zip(names, (results[number] for results in table), strict=True))
            click.echo(f"\n{render_comparison(column, dataset.spec)}")
    click.echo(f"\n{render_matrix(matrix)}")
    return {"results": list(itertools.chain(*table)), "matrix": matrix.to_dict()}
