"""What `promptreid evaluate` prints of several models and data sets, and where it finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptreid.runs.run_data import found_spec, trained_sources
from promptreid.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from promptreid.data.dataset import DataSet
    from promptreid.evaluation.tables.train_test_matrix import MatrixRow
    from promptreid.models.checkpoint_info import CheckpointInfo
    from promptreid.runs.run_records import DataRecord


def own_data(models: Sequence[Path]) -> tuple[str, ...]:
    """Return the data sets of runs that have something to test on, each once."""
    specs: dict[str, None] = {}
    for model in models:
        records = _records(model)
        if records is None:
            raise click.UsageError(
                f"Give --data NAME:ROOT, the data set to score on; {model} does not name one."
            )
        run = RunFolder.of(model)
        assert run is not None
        specs |= dict.fromkeys(found_spec(run, record) for record in records if record.protocol)
    if not specs:
        raise click.UsageError(
            "Give --data NAME:ROOT, the data set to score on; those that were trained on have "
            "nothing to test on."
        )
    return tuple(specs)


def _records(model: Path) -> tuple[DataRecord, ...] | None:
    """Return what a run, or the run of one of its checkpoints, says about its data."""
    run = RunFolder.of(model)
    return None if run is None else run.data()


def named(model: Path, kind: str | None) -> str:
    """Name a model, or a model with one kind of sentence."""
    return str(model) if kind is None else f"{model} ({kind})"


def matrix_row(model: Path, info: CheckpointInfo, kind: str | None = None) -> MatrixRow:
    """Say what a model was trained on, out of the run it belongs to."""
    from promptreid.evaluation.tables.train_test_matrix import MatrixRow

    name, records = named(model, kind), _records(model)
    if records is None:
        return MatrixRow(name, None)
    if info.recipe is None or info.recipe.stages:
        return MatrixRow(name, trained_sources(records))
    elsewhere = info.recipe.start.checkpoint is not None
    return MatrixRow(name, None if elsewhere else ())


def tell(result: Mapping[str, Any], model: str, *, alone: bool) -> None:
    """Print one result: whole when there is one model, else in short."""
    from promptreid.cli.output import score_text

    if alone:
        click.echo(score_text(dict(result), title=result["data"]))
        return
    scores = f"mAP {100 * result['mAP']:.2f}, Rank-1 {100 * result['cmc']['1']:.2f}"
    if "images_per_second" in result:
        scores += f", {result['images_per_second']:.1f} images a second"
    click.echo(f"{model} on {result['data']}: {scores}")


def tell_speeds(results: Sequence[Mapping[str, Any]]) -> None:
    """Print how much faster one model embeds with one kind of sentence than with another."""
    first, *others = results
    for other in others:
        ratio = other["images_per_second"] / first["images_per_second"]
        click.echo(
            f"{other['prompt']} embeds {ratio:.2f} times as many images a second as "
            f"{first['prompt']}"
        )


def summarise(
    rows: Sequence[MatrixRow],
    datasets: Sequence[DataSet],
    table: Sequence[tuple[dict[str, Any], ...]],
) -> dict[str, Any]:
    """Print what sets models and data sets side by side; return what goes into the file."""
    if len(rows) == len(datasets) == 1:
        return table[0][0]
    from promptreid.data.same_data import source_of
    from promptreid.evaluation.tables.retrieval_table import render_comparison
    from promptreid.evaluation.tables.train_test_matrix import ScoreMatrix, render_matrix

    columns = tuple(source_of(dataset.spec, dataset.manifest.name) for dataset in datasets)
    matrix = ScoreMatrix(tuple(rows), columns, tuple(table))
    if len(rows) > 1:
        for number, dataset in enumerate(datasets):
            results_by_model = {
                row.model: results[number] for row, results in zip(rows, table, strict=True)
            }
            click.echo(f"\n{render_comparison(results_by_model, dataset.spec)}")
    click.echo(f"\n{render_matrix(matrix)}")
    every = [result for results in table for result in results]
    return {"results": every, "matrix": matrix.to_dict()}
