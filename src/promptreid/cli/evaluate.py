"""`promptreid evaluate`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from promptreid.config.schema import EvaluationConfig
    from promptreid.data.dataset import DataSet
    from promptreid.embedder import Embedder
    from promptreid.evaluation.attributes import AttributeScores
    from promptreid.evaluation.settings import RetrievalSettings
    from promptreid.progress import Lines

Templates = Mapping[str, tuple[str, ...]]


@click.command()
@click.argument(
    "models",
    nargs=-1,
    required=True,
    metavar="RUN_OR_CHECKPOINT...",
    type=click.Path(path_type=Path),
)
@click.option(
    "--data",
    "specs",
    multiple=True,
    metavar="NAME:ROOT[?key=value&...]",
    help="Data set to score on; may be given several times.  [default: the runs' own]",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write scores here.",
)
@click.option(
    "--same-camera",
    type=click.Choice(["exclude", "keep", "auto"]),
    default=None,
    help="Whether gallery images of the query's identity and camera are ignored.  "
    "[default: the data set's rule]",
)
@click.option(
    "--flip/--no-flip",
    default=None,
    help="Average each embedding with that of the mirrored image.  [default: as in the recipe]",
)
@click.option(
    "--query-expansion",
    type=click.IntRange(0),
    default=None,
    metavar="N",
    help="Average each query, and each gallery image, with its N nearest gallery images; 0 for "
    "none.  [default: as in the recipe]",
)
@click.option(
    "--expansion-power",
    type=click.FloatRange(0),
    default=None,
    metavar="P",
    help="Neighbours weigh their similarity to the power P; 0 weighs them alike.  "
    "[default: as in the recipe]",
)
@click.option(
    "--rerank/--no-rerank",
    default=None,
    help="Re-rank by k-reciprocal neighbours (k1 20, k2 6, lambda 0.3).  "
    "[default: as in the recipe]",
)
@click.option(
    "--attributes",
    is_flag=True,
    help="Also read the recipe's attributes off the test images by sentences alone "
    "(zero_shot.attributes).",
)
@click.option(
    "--image-size",
    type=(int, int),
    default=None,
    metavar="H W",
    help="Image size of a published checkpoint, where the file alone does not tell.",
)
@click.option("--batch-size", type=click.IntRange(1), default=64, show_default=True)
@click.option("--device", help="cuda, mps or cpu.  [default: the best there is]")
@click.option(
    "--unreadable",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="What to do with images that cannot be decoded.",
)
def evaluate(
    models: tuple[Path, ...],
    specs: tuple[str, ...],
    json_file: Path | None,
    same_camera: str | None,
    flip: bool | None,
    query_expansion: int | None,
    expansion_power: float | None,
    rerank: bool | None,
    attributes: bool,
    image_size: tuple[int, int] | None,
    batch_size: int,
    device: str | None,
    unreadable: str,
) -> None:
    """Score runs, checkpoints or published CLIP-ReID .pth files by the data sets' protocols.

    With several of them, or several data sets, a table of what each was trained on by what it was
    tested on comes last.

    \b
    promptreid evaluate runs/my-run
    promptreid evaluate runs/my-run --flip --query-expansion 5 --rerank
    promptreid evaluate runs/my-run --data market1501:/data/Market-1501-v15.09.15
    promptreid evaluate runs/a runs/b --data market1501:/data/Market --data msmt17:/data/MSMT17_V1
    """  # noqa: D301 - click reads the \b itself
    from promptreid.cli.score_table import matrix_row, own_data, summarise, tell
    from promptreid.data.spec import parse_spec
    from promptreid.errors import RunError

    for model in models:
        if not model.exists():
            raise RunError(f"There is no run or checkpoint {model}.")
    specs = specs or own_data(models)
    for spec in specs:
        parse_spec(spec)
    from promptreid.embedder import load
    from promptreid.evaluation.settings import RetrievalSettings
    from promptreid.files import write_json
    from promptreid.progress import Lines

    progress = Lines()
    datasets: dict[str, DataSet] = {}
    rows, table = [], []
    for model in models:
        embedder = load(model, device=device, image_size=image_size)
        rows.append(matrix_row(model, embedder.metadata))
        settings = RetrievalSettings.of(
            _recipe_defaults(embedder.metadata),
            flip=flip,
            query_expansion=query_expansion,
            expansion_power=expansion_power,
            rerank=rerank,
        )
        if expansion_power is not None and settings.expansion is None:
            raise click.UsageError(
                "--expansion-power needs --query-expansion N, which is 0 or absent."
            )
        templates = _templates(model, embedder.metadata) if attributes else {}
        results = []
        for spec in specs:
            if spec not in datasets:
                datasets[spec] = _load_data(spec, unreadable, progress)
            result = _score(embedder, datasets[spec], settings, same_camera, batch_size, progress)
            tell(result, model, alone=len(models) == 1)
            if templates:
                found = _read_attributes(embedder, datasets[spec], templates, batch_size, progress)
                result["attributes"] = {name: scores.to_dict() for name, scores in found.items()}
                click.echo(_attribute_text(found))
            results.append({**result, "model": str(model)})
        table.append(tuple(results))
    content = summarise(rows, [datasets[spec] for spec in specs], table)
    if json_file is not None:
        write_json(json_file, content)
        click.echo(f"wrote {json_file}")


def _load_data(spec: str, unreadable: str, progress: Lines) -> DataSet:
    from promptreid.data.dataset import load_data
    from promptreid.data.readable import only_readable

    dataset = load_data(spec)
    for note in dataset.notes:
        progress.message(f"{dataset.manifest.name}: {note}")
    return only_readable(dataset, policy=unreadable, progress=progress)


def _recipe_defaults(metadata: Mapping[str, Any]) -> EvaluationConfig:
    """Return what the recipe of the weights asks for; published weights come without one."""
    from promptreid.config.schema import EvaluationConfig

    return EvaluationConfig.model_validate(metadata.get("recipe", {}).get("evaluation", {}))


def _templates(model: Path, metadata: Mapping[str, Any]) -> Templates:
    from promptreid.config.schema import ZeroShotConfig
    from promptreid.errors import ConfigError

    recipe = metadata.get("recipe", {})
    found = ZeroShotConfig.model_validate(recipe.get("zero_shot", {})).attributes
    if not found:
        raise ConfigError(
            f"--attributes reads the sentences of zero_shot.attributes, but the recipe of {model} "
            "has none. Make a run with some, such as: promptreid train zero-shot --data SPEC "
            "'zero_shot.attributes={aspect: \"a photo of a {aspect} hand\"}'"
        )
    return found


def _score(
    embedder: Embedder,
    dataset: DataSet,
    settings: RetrievalSettings,
    same_camera: str | None,
    batch_size: int,
    progress: Lines,
) -> dict[str, Any]:
    from promptreid.evaluation.score_data import score_data

    scores, _ = score_data(
        embedder.model,
        dataset,
        embedder.preprocess,
        metadata=embedder.metadata,
        device=embedder.device,
        same_camera=same_camera,
        flip=settings.flip,
        expansion=settings.expansion,
        rerank=settings.rerank,
        batch_size=batch_size,
        progress=progress,
    )
    return {**scores.to_dict(), "data": dataset.spec}


def _read_attributes(
    embedder: Embedder,
    dataset: DataSet,
    templates: Templates,
    batch_size: int,
    progress: Lines,
) -> dict[str, AttributeScores]:
    from promptreid.evaluation.attributes import classify_attributes
    from promptreid.evaluation.score_data import tested_rows

    return classify_attributes(
        embedder.model,
        tested_rows(dataset),
        embedder.preprocess,
        templates,
        metadata=embedder.metadata,
        device=embedder.device,
        batch_size=batch_size,
        progress=progress,
    )


def _attribute_text(found: Mapping[str, AttributeScores]) -> str:
    """Lay out attribute scores in percent, the recall of each value below."""
    from promptreid.tables import plain_table

    rows = [["attribute", "images", "accuracy", "balanced", "chance", "recall of each value"]]
    for name, scores in found.items():
        numbers = (scores.accuracy, scores.balanced_accuracy, scores.chance)
        recalls = zip(scores.values, scores.recalls, strict=True)
        told = ", ".join(f"{value} {100 * recall:.1f}" for value, recall in recalls)
        rows.append([name, str(sum(scores.counts)), *(f"{100 * n:.2f}" for n in numbers), told])
    lines = ["Attributes read by sentences alone, percent of the test images that have one:"]
    lines += plain_table(rows, right=[False, True, True, True, True, False])
    lines += [
        f"{name}: {scores.missing} images without a value are left out."
        for name, scores in found.items()
        if scores.missing
    ]
    return "\n".join(lines)
