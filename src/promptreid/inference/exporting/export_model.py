"""Writing a model as a file for other programs, in one step and never unchecked over another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptreid.data.images.transforms import normalize
from promptreid.errors import ConfigError
from promptreid.files import replacing, write_json
from promptreid.inference.exporting.clip_reid_file import write_clip_reid
from promptreid.inference.exporting.export_check import (
    CheckImage,
    ExportCheck,
    check_images,
    compare_with_model,
    open_onnx,
    open_pt2,
    refuse_difference,
)
from promptreid.inference.exporting.export_options import (
    CLIP_REID,
    HUB_FOLDER,
    ONNX,
    ExportOptions,
    choose_format,
)
from promptreid.inference.exporting.retrieval_graph import RetrievalGraph, choose_vector
from promptreid.inference.exporting.side_choice import SideChoice, choose_sides
from promptreid.inference.exporting.traced_file import input_names, write_onnx, write_pt2
from promptreid.json_record import JsonRecord
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.models.weights.weight_hash import hash_weights
from promptreid.progress import Progress, Silent
from promptreid.version import __version__

_REGISTERED = ("osnet", "lmbn", "mlfn", "resnet", "mobilenet", "hacnn", "clip")
"""Networks that BoxMOT builds by itself when a file is named after them."""


@dataclass(frozen=True)
class ExportedModel(JsonRecord):
    """What was written.

    Attributes:
        path: The file.
        format: "onnx", "pt2" or "clip-reid".
        size: Its bytes.
        image_size: Height and width of images.
        pixels: What images hold, one of `PIXELS`; "" for weights without a graph.
        inputs: Names of what goes in.
        width: Length of a vector.
        notes: What its user has to know, in sentences.
        check: How it compares with the model; None without a check.
    """

    path: str
    format: str
    size: int
    image_size: tuple[int, int]
    pixels: str
    inputs: tuple[str, ...]
    width: int
    notes: tuple[str, ...] = ()
    check: ExportCheck | None = None


def export_model(
    model: ReIDModel,
    info: CheckpointInfo,
    path: Path,
    options: ExportOptions,
    *,
    to: str | None = None,
    images: Sequence[CheckImage] = (),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ExportedModel:
    """Write a model as a file for other programs.

    The file is compared with the model before it takes its name, so that a file of that name is
    whole and computes what the model does.

    Args:
        model: In float32 and eval mode.
        info: What its checkpoint says.
        path: Where; its folder is made.
        options: What for.
        to: Format; None for what the name ends in.
        images: Real images for the check; drawn ones without.
        overwrite: Replace a file that is there.
        progress: Where to report.

    Returns:
        What was written.

    Raises:
        ConfigError: Options do not fit the model, a file is there, or a package is missing.
        ModelError: The model cannot be written so, or the file does not compute what it does.
        UnreadableImage: An image for the check cannot be decoded.
    """
    kind = choose_format(path, to)
    if kind == HUB_FOLDER:
        raise ConfigError("A folder for the hub is written by save_pretrained(FOLDER).")
    notes = _check_name(path, options)
    for file in (path, *_beside(path, kind, options)):
        refuse_existing(file, overwrite=overwrite)
    progress = progress or Silent()
    if kind == CLIP_REID:
        written = _export_clip_reid(model, info, path, options, images, progress)
    else:
        written = _export_graph(model, info, path, options, kind, images, progress)
    for file in _beside(path, kind, options):
        write_json(file, _boxmot_record(path, info))
    more, check, inputs = written
    return ExportedModel(
        path=str(path),
        format=kind,
        size=path.stat().st_size,
        image_size=info.preprocess.image_size,
        pixels="" if kind == CLIP_REID else options.given_pixels,
        inputs=inputs,
        width=model.embedding_width,
        notes=(*notes, *more),
        check=check,
    )


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise `ConfigError` where something is that must not be replaced."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; give the name of a file.")
    if path.exists() and not overwrite:
        raise ConfigError(
            f"{path} exists already and is not overwritten. Give another name, or --overwrite."
        )


def describe_export(
    model: ReIDModel, info: CheckpointInfo, options: ExportOptions
) -> dict[str, Any]:
    """Return what an exported file says of the model, JSON-ready."""
    preprocess = info.preprocess
    return {
        "version": __version__,
        "backbone": model.backbone.name,
        "recipe": None if info.recipe is None else info.recipe.name,
        "size": list(preprocess.image_size),
        "mean": list(preprocess.mean),
        "std": list(preprocess.std),
        "interpolation": preprocess.test_interpolation,
        "input": options.given_pixels,
        "width": model.embedding_width,
        "features": list(model.embedding.features),
        "neck": model.embedding.neck,
        "camera": options.camera,
        "view": options.view,
        "cameras": list(info.sides.cameras),
        "views": list(info.sides.views),
        "half": options.half,
        "verification": info.verification,
        "weights_sha256": hash_weights(model),
    }


Written = tuple[tuple[str, ...], ExportCheck | None, tuple[str, ...]]
"""Notes, the check, and the names of what goes in."""


def _export_graph(
    model: ReIDModel,
    info: CheckpointInfo,
    path: Path,
    options: ExportOptions,
    kind: str,
    images: Sequence[CheckImage],
    progress: Progress,
) -> Written:
    preprocess, pixels = info.preprocess, options.given_pixels
    sides, chosen = choose_sides(model, info, options), choose_vector(model, options)
    graph = RetrievalGraph(chosen, preprocess, sides, pixels=pixels, half=options.half).cpu()
    metadata = describe_export(chosen, info, options)
    prepared = check_images(images, options.check, preprocess) if options.check else None
    check = None
    with replacing(path) as temporary:
        with progress.doing(f"writing {path}"):
            if kind == ONNX:
                write_onnx(graph, temporary, metadata, opset=options.opset)
            else:
                write_pt2(graph, temporary, metadata)
        if prepared is not None:
            with progress.doing("comparing the file with the model"):
                run = open_onnx(temporary, graph) if kind == ONNX else open_pt2(temporary)
                compared = compare_with_model(run, chosen, graph, sides, prepared, preprocess)
            refuse_difference(*compared, half=options.half, path=path)
            check = ExportCheck(len(prepared), *compared)
    return _graph_notes(model, sides, kind), check, tuple(input_names(graph))


def _export_clip_reid(
    model: ReIDModel,
    info: CheckpointInfo,
    path: Path,
    options: ExportOptions,
    images: Sequence[CheckImage],
    progress: Progress,
) -> Written:
    preprocess, prepared = info.preprocess, None
    if options.check:
        prepared = normalize(check_images(images, options.check, preprocess), preprocess)
    with progress.doing(f"writing {path}"):
        notes, check = write_clip_reid(model, info, path, options, prepared)
    return notes, check, ()


def _check_name(path: Path, options: ExportOptions) -> tuple[str, ...]:
    """Say where BoxMOT would take a file for a network of its own."""
    taken = [name for name in _REGISTERED if name in path.name.lower()]
    if options.consumer != "boxmot" or path.suffix.lower() != ".onnx" or not taken:
        return ()
    return (
        f"BoxMOT tells networks by the names of files, and {path.name} holds {taken[0]!r}; a name "
        "without it is safer.",
    )


def _beside(path: Path, kind: str, options: ExportOptions) -> tuple[Path, ...]:
    """Return the files that are written beside a file."""
    if kind == ONNX and options.consumer == "boxmot":
        return (path.with_name(f"{path.name}.metadata.json"),)
    return ()


def _boxmot_record(path: Path, info: CheckpointInfo) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "model_name": path.stem,
        "img_size": list(info.preprocess.image_size),
        "preprocess": "resize",
    }


def _graph_notes(model: ReIDModel, sides: SideChoice, kind: str) -> tuple[str, ...]:
    notes = []
    if sides.inputs:
        notes.append(f"{' and '.join(sides.inputs)}: int64 rows of the model's table, -1 unknown.")
    if model.reads_sentence and model.image_prompt and len(model.image_prompt.variants) > 1:
        notes.append(
            "The attributes of images are unknown to the file; all sentences are averaged."
        )
    if kind != ONNX:
        notes.append("A .pt2 file is read by the version of torch that wrote it.")
    return tuple(notes)
