"""`promptreid evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter, started
from promptreid.text.lists import listed


@click.command()
@options.models
@options.data("Data set to score on; may be given several times.  [default: the runs' own]")
@json_option
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
    "--sentences",
    type=click.FloatRange(0, 1, max_open=True),
    default=None,
    metavar="SHARE",
    help="Share of the recipe's sentences (zero_shot.attributes) in the similarity of two images; "
    "0 for images alone.  [default: as in the recipe]",
)
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    type=click.Choice(["composed", "simplified"]),
    help="Sentence of a model that has one for each image: with the image's own word, or without a "
    "word.  Give both to see scores and embedding speed side by side.  [default: as in the recipe]",
)
@click.option(
    "--words",
    is_flag=True,
    help="Also score a model that reads a word of each image with the words of other images, and "
    "with none, to see whether the words matter.",
)
@click.option(
    "--multi-query",
    type=click.Choice(["identity", "identity_camera"]),
    default=None,
    help="Join the queries of one identity, or of one identity and camera, into one.",
)
@click.option(
    "--verification",
    is_flag=True,
    help="Also verify: TAR at FAR with thresholds, EER, AUC, and open-set identification.",
)
@click.option("--intervals", is_flag=True, help="Also give 95 % intervals of all scores.")
@click.option(
    "--paired",
    is_flag=True,
    help="Also give the differences of all runs to the first, on the same draws of identities.",
)
@click.option(
    "--by",
    multiple=True,
    metavar="ATTRIBUTE",
    help="Also score the queries of each value of an attribute, of camera, view or domain, or of "
    "each pair of values of query and gallery (camera-pair); may be given several times.",
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
@click.option(
    "--views",
    type=click.IntRange(min=0),
    default=0,
    help="Number of views in the table of cameras and views of a published checkpoint, such as 8 "
    "of VeRi-776; the file does not tell.  [default: 0, cameras alone]",
)
@options.batch_size
@options.precision(
    "Number type of the towers' matrices; auto takes 16 bits where device and backbone are made "
    "for them. mAP then moves by less than 0.1.",
    default="fp32",
)
@options.device
@options.unreadable
def evaluate(
    models: tuple[Path, ...], specs: tuple[str, ...], json_out: JsonOut, **how: Any
) -> None:
    """Score runs, checkpoints or published .pth files by the data sets' protocols.

    Published files are those of CLIP-ReID, TransReID and SOLIDER. With several models or data sets,
    a table of what each was trained on by what it was tested on comes last.

    \b
    promptreid evaluate runs/my-run
    promptreid evaluate runs/my-run --flip --query-expansion 5 --rerank
    promptreid evaluate runs/my-run --verification --intervals \\
        --by gender --by camera-pair
    promptreid evaluate runs/my-sg --prompt composed --prompt simplified
    promptreid evaluate runs/my-prompt-sg-run --words
    promptreid evaluate runs/my-run --data market1501:/data/Market-1501-v15.09.15
    promptreid evaluate runs/a runs/b \\
        --data market1501:/data/Market --data msmt17:/data/MSMT17_V1
    promptreid evaluate runs/a runs/b --paired --data market1501:/data/Market
    """  # noqa: D301 - click reads the \b itself
    from promptreid.actions.evaluating.evaluate_request import EvaluateRequest
    from promptreid.actions.run_data_specs import find_run_data

    EvaluateRequest(models, specs, **how).check()
    specs = specs or find_run_data(models)
    with started(f"reading {listed([str(model) for model in models])}"):
        from promptreid.actions import evaluate_models

    found = evaluate_models.evaluate(
        *models, data=specs, say=click.echo, progress=reporter(), **how
    )
    json_out.give(found.to_dict())
