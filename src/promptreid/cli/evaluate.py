"""`promptreid evaluate`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("model", metavar="RUN_OR_CHECKPOINT", type=click.Path(path_type=Path))
@click.option(
    "--data",
    "specs",
    multiple=True,
    metavar="NAME:ROOT[?key=value&...]",
    help="Data set to score on; may be given several times.  [default: the run's own]",
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
    "--rerank", is_flag=True, help="Re-rank by k-reciprocal neighbours (k1 20, k2 6, lambda 0.3)."
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
    model: Path,
    specs: tuple[str, ...],
    json_file: Path | None,
    same_camera: str | None,
    rerank: bool,
    image_size: tuple[int, int] | None,
    batch_size: int,
    device: str | None,
    unreadable: str,
) -> None:
    """Score a run, a checkpoint or a published CLIP-ReID .pth by the data set's protocol."""
    from promptreid.data.spec import parse_spec
    from promptreid.errors import RunError

    if not model.exists():
        raise RunError(f"There is no run or checkpoint {model}.")
    specs = specs or _own_data(model)
    for spec in specs:
        parse_spec(spec)
    from promptreid.cli.output import score_text
    from promptreid.data.dataset import load_data
    from promptreid.data.readable import only_readable
    from promptreid.embedder import load
    from promptreid.evaluation.rerank import Rerank
    from promptreid.evaluation.score_data import score_data
    from promptreid.files import write_json
    from promptreid.progress import Lines
    from promptreid.training.device import pick_device

    progress = Lines()
    where = pick_device(device)
    embedder = load(model, device=where, image_size=image_size)
    results = []
    for spec in specs:
        dataset = load_data(spec)
        for note in dataset.notes:
            progress.message(f"{dataset.manifest.name}: {note}")
        dataset = only_readable(dataset, policy=unreadable, progress=progress)
        scores, _ = score_data(
            embedder.model,
            dataset,
            embedder.preprocess,
            metadata=embedder.metadata,
            device=where,
            same_camera=same_camera,
            rerank=Rerank() if rerank else None,
            batch_size=batch_size,
            progress=progress,
        )
        result = {**scores.to_dict(), "data": spec}
        results.append(result)
        click.echo(score_text(result, title=spec))
    if json_file is not None:
        write_json(json_file, results[0] if len(results) == 1 else {"results": results})
        click.echo(f"wrote {json_file}")


def _own_data(model: Path) -> tuple[str, ...]:
    """Return the data sets a run was trained on."""
    if not (model / "data.json").is_file():
        raise click.UsageError("Give --data NAME:ROOT, the data set to score on.")
    import json

    return tuple(record["spec"] for record in json.loads((model / "data.json").read_text()))
