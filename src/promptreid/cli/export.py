"""`promptreid export`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from promptreid.cli import options
from promptreid.cli.json_out import JsonOut, json_option
from promptreid.cli.output import reporter, started
from promptreid.text.wrap import wrapped

if TYPE_CHECKING:
    from promptreid.inference.embedder import Embedder
    from promptreid.inference.exporting.export_model import ExportedModel

_FORMATS = ("onnx", "pt2", "clip-reid", "hub-folder")
_OF_CARDS = ("name", "license_name", "base_model", "scores", "with_identities")
_OF_BOTH = ("model", "out", "to", "overwrite", "json_out", "json_file")
_PIXELS = {
    "pixels": "RGB, 0 to 255",
    "unit": "RGB, 0 to 1",
    "imagenet": "RGB, 0 to 1, less ImageNet's mean and by its deviation",
    "normalized": "RGB, normed with the model's own mean and deviation",
}


@click.command()
@options.model
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(_FORMATS),
    help="What to write.  [default: what OUT ends in: .onnx, .pt2, .pth]",
)
@click.option(
    "--for",
    "consumer",
    type=click.Choice(["generic", "boxmot", "ultralytics", "roboflow"]),
    default="generic",
    show_default=True,
    help="Program that is to read the file; decides on --input.",
)
@click.option(
    "--input",
    "pixels",
    type=click.Choice(list(_PIXELS)),
    help="What images hold: 0...255, 0...1, ImageNet's norm, or the model's own.  "
    "[default: as the program of --for gives it; pixels]",
)
@click.option(
    "--camera",
    default="mean",
    show_default=True,
    metavar="mean|NAME|input",
    help="Camera of all images: unknown, or a camera that trained; input for one with each image.",
)
@click.option(
    "--view",
    default="mean",
    show_default=True,
    metavar="mean|NAME|input",
    help="View of all images, likewise.",
)
@click.option(
    "--neck",
    type=click.Choice(["before", "after"]),
    help="Take vectors before or after the batch-norm neck.  [default: as in the recipe]",
)
@click.option(
    "--prompt",
    type=click.Choice(["composed", "simplified"]),
    help="Sentence of a model that has one for each image.  [default: as in the recipe]",
)
@click.option("--half", is_flag=True, help="Weights and products of 16 bits; float32 in and out.")
@click.option(
    "--opset",
    type=click.IntRange(18),
    default=18,
    show_default=True,
    help="Version of ONNX's operators.",
)
@click.option(
    "--check",
    type=click.IntRange(0),
    default=8,
    show_default=True,
    metavar="N",
    help="Compare N images, and one of a single colour, with the model before the file takes its "
    "name; 0 for none.",
)
@click.option(
    "--images",
    metavar="SPEC",
    help="Data set, folder of pictures or one picture to compare on.  [default: drawn images]",
)
@click.option("--name", help="Of a hub-folder: what the model is called.  [default: OUT]")
@click.option(
    "--license", "license_name", metavar="ID", help="Of a hub-folder: licence, such as mit."
)
@click.option(
    "--base-model",
    metavar="OWNER/NAME",
    help="Of a hub-folder: weights it was started from.  [default: as far as known]",
)
@click.option(
    "--scores",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="Of a hub-folder: what `evaluate --intervals --json FILE` wrote.  [default: the run's]",
)
@click.option(
    "--with-identities",
    is_flag=True,
    help="Of a hub-folder: keep the names of the identities that were trained on.",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
@json_option
@click.pass_context
def export(
    ctx: click.Context, model: Path, out: Path, to: str | None, json_out: JsonOut, **chosen: Any
) -> None:
    """Write a model as a file for other programs, compared with the model.

    An .onnx file runs in onnxruntime, trackers and TensorRT; a .pt2 file in the same version of
    PyTorch; a .pth has the layout of published CLIP-ReID; a hub-folder holds what goes to the
    Hugging Face Hub. docs/export.md shows each.

    \b
    promptreid export runs/mine mine.onnx
    promptreid export runs/mine mine.onnx --for boxmot
    promptreid export runs/mine mine.onnx --camera input --images crops
    promptreid export runs/mine clip_mine.pth
    promptreid export runs/mine mine --to hub-folder --license mit
    """  # noqa: D301 - click reads the \b itself
    from promptreid.inference.exporting.export_options import HUB_FOLDER, choose_format

    to_hub = choose_format(out, to) == HUB_FOLDER
    _refuse_useless(ctx, to_hub=to_hub)
    with started(f"loading {model}"):
        from promptreid.inference.load import load

        embedder = load(model, device="cpu")
    card = {name: chosen.pop(name) for name in _OF_CARDS}
    if to_hub:
        _export_folder(embedder, out, json_out, overwrite=chosen["overwrite"], **card)
        return
    images = chosen.pop("images")
    found = () if images is None else _find_pictures(images, chosen["check"])
    written = embedder.export(out, to=to, images=found, progress=reporter(), **chosen)
    click.echo(wrapped(_text(written)))
    json_out.give(written.to_dict())


def _refuse_useless(ctx: click.Context, *, to_hub: bool) -> None:
    """Refuse options that say nothing of the format that is written."""
    for option in ctx.command.params:
        name = option.name or ""
        if name in _OF_BOTH or (name in _OF_CARDS) == to_hub:
            continue
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            kind = "a folder for the hub" if to_hub else "a file"
            raise click.UsageError(f"{option.opts[0]} says nothing of {kind}; leave it out.", ctx)


def _export_folder(
    embedder: Embedder,
    out: Path,
    json_out: JsonOut,
    *,
    scores: Path | None,
    license_name: str | None,
    **card: Any,
) -> None:
    from promptreid.errors import ConfigError, parsing

    given = None
    if scores is not None:
        with parsing(ConfigError, f"{scores} holds no scores"):
            given = json.loads(scores.read_text(encoding="utf-8"))
    embedder.save_pretrained(out, scores=given, license=license_name, **card)
    files = sorted(entry.name for entry in out.iterdir())
    click.echo(f"wrote {out}: {', '.join(files)}")
    if license_name is None:
        click.echo("  The card states no licence; say it by --license, or in README.md.")
    click.echo(f"  read README.md, then send it: hf upload OWNER/NAME {shlex.quote(str(out))}")
    json_out.give({"path": str(out), "format": "hub-folder", "files": files})


def _find_pictures(spec: str, count: int) -> list[Any]:
    """Return the first images of a data set or a folder, or the one picture."""
    from promptreid.data.packed.open_table import open_table

    return list(open_table(spec).manifest.images()[:count])


def _text(written: ExportedModel) -> str:
    height, width = written.image_size
    lines = [f"wrote {written.path}: {written.format}, {written.size / 1e6:.1f} MB"]
    if written.pixels:
        lines += [
            f"  in: images (batch, 3, {height}, {width}) float32, {_PIXELS[written.pixels]}",
            *(f"      {name} (batch) int64" for name in written.inputs[1:]),
            f"  out: embeddings (batch, {written.width}) float32, of length 1",
        ]
    if written.check is None:
        lines.append("  not compared with the model")
    else:
        lines.append(
            f"  compared on {written.check.images} images: lowest cosine "
            f"{written.check.cosine:.7f}, largest difference {written.check.difference:.1e}"
        )
    return "\n".join([*lines, *(f"  {note}" for note in written.notes)])
