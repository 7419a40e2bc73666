"""`promptreid same`."""

from __future__ import annotations

from pathlib import Path

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import started
from promptreid.cli.pair_words import basis_text, pair_record, pair_text


@click.command()
@options.model
@click.argument("first", metavar="IMAGE", type=click.Path(path_type=Path))
@click.argument(
    "others", metavar="IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@json_option
@options.device
def same(
    model: Path, first: Path, others: tuple[Path, ...], json_out: JsonOut, device: str | None
) -> None:
    """Say whether two images show one identity; of several, each is compared with the first.

    The answer is the same from the model's threshold on. How rare such a score is among strangers
    is counted on the pairs that the threshold was chosen on. Exit code 0 is an answer, whichever it
    is; 2 is no answer.

    \b
    promptreid same runs/mine a.jpg b.jpg
    promptreid same runs/mine wanted.jpg 1.jpg 2.jpg --json answers.json
    """  # noqa: D301 - click reads the \b itself
    from promptreid.actions.searches.search_checks import check_is_file
    from promptreid.errors import WeightsError

    for image in (first, *others):
        check_is_file(image)
    with started(f"loading {model}"):
        from promptreid.evaluation.thresholds.stored_threshold import NO_THRESHOLD
        from promptreid.inference.load import load

        embedder = load(model, device=device)
    chosen = embedder.threshold
    if chosen is None:
        raise WeightsError(NO_THRESHOLD.replace("RUN", str(model), 1))
    vectors = embedder.embed([first, *others])
    answers = [chosen.compare(float(vectors[0] @ vector)) for vector in vectors[1:]]
    records = []
    for image, answer in zip(others, answers, strict=True):
        click.echo(pair_text(first, image, answer))
        records.append(pair_record(first, image, answer))
    click.echo(basis_text(chosen))
    json_out.give({"model": str(model), "answers": records})
