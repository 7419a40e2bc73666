"""Writing a model as published CLIP-ReID code saves its own, for that code and for BoxMOT."""

from __future__ import annotations

from copy import copy, deepcopy
from pathlib import Path

import torch
from torch import Tensor

from promptreid.errors import ModelError
from promptreid.files import replacing
from promptreid.inference.embedding_loop import embed_images
from promptreid.inference.exporting.clip_reid_layout import check_boxmot, check_layout
from promptreid.inference.exporting.export_check import ExportCheck
from promptreid.inference.exporting.export_options import MEAN, ExportOptions
from promptreid.inference.exporting.retrieval_graph import choose_vector
from promptreid.inference.exporting.side_choice import SideChoice, choose_sides
from promptreid.inference.published.published_file import read_published
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.models.tuning.tuning import fold_tuning

_BEGINNINGS = {
    "backbone.image.": "image_encoder.",
    "head.classifiers.linear.final.": "classifier.",
    "head.classifiers.linear.projected.": "classifier_proj.",
    "head.necks.final.": "bottleneck.",
    "head.necks.projected.": "bottleneck_proj.",
}
_WHOLE = {
    "sie.embed": "cv_embed",
    "prompt.tokens": "prompt_learner.cls_ctx",
    "prompt.prefix": "prompt_learner.token_prefix",
    "prompt.suffix": "prompt_learner.token_suffix",
}
_TEXT = "backbone.text."
_TEXT_PARTS = ("positional_embedding", "transformer.", "ln_final.", "text_projection")
_NECKS = {"bottleneck": "final", "bottleneck_proj": "projected"}
_NORM_EPS = 1e-5


def write_clip_reid(
    model: ReIDModel,
    info: CheckpointInfo,
    path: Path,
    options: ExportOptions,
    images: Tensor | None,
) -> tuple[tuple[str, ...], ExportCheck | None]:
    """Write a state dict with the keys of published CLIP-ReID, and read it back.

    The published loader copies every key of the file, so there is none beside its own. For BoxMOT,
    which knows no cameras and takes vectors after the neck, the camera is folded into the class
    token, and necks are written that change nothing, unless the model retrieves after its own.

    Args:
        model: In float32.
        info: What its checkpoint says.
        path: Where.
        options: The consumer, the camera and the neck.
        images: (N, 3, H, W) normalised, to compare what is read back; None for no check.

    Returns:
        What the reader of the file has to set, in sentences; and how it compares.

    Raises:
        ModelError: The layout cannot hold the model; says why.
        ConfigError: There is no such camera, neck or sentence.
    """
    model = choose_vector(model, options)
    boxmot = options.consumer == "boxmot"
    check_layout(model, info.preprocess, options)
    sides = choose_sides(model, info, options) if boxmot else SideChoice()
    if boxmot:
        check_boxmot(model, info.preprocess, path.name)
    elif options.camera != MEAN or options.view != MEAN:
        raise ModelError(
            "A published file holds the whole table of cameras and views, and its reader chooses. "
            "Leave --camera and --view out."
        )
    if sides.inputs:
        raise ModelError("BoxMOT gives no camera with an image; name one camera, or mean.")
    folded = deepcopy(model).cpu()
    fold_tuning(folded.backbone.image)
    tensors = _boxmot_tensors(folded, sides) if boxmot else _published_tensors(folded)
    with replacing(path) as temporary:
        torch.save(tensors, temporary)
        check = None
        if images is not None:
            check = _compare(temporary, folded, info, sides, images)
    return _notes(model, info, boxmot=boxmot), check


def published_name(name: str) -> str | None:
    """Translate a name of `ReIDModel` to the published one; None for what such files leave out."""
    if name in _WHOLE:
        return _WHOLE[name]
    for ours, theirs in _BEGINNINGS.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    rest = name.removeprefix(_TEXT)
    is_text = name.startswith(_TEXT) and rest.startswith(_TEXT_PARTS)
    return f"text_encoder.{rest}" if is_text else None


def _published_tensors(model: ReIDModel) -> dict[str, Tensor]:
    tensors = {}
    for name, tensor in model.state_dict().items():
        published = published_name(name)
        if published is None:
            continue
        if name in ("prompt.prefix", "prompt.suffix"):
            tensor = tensor[None]
        tensors[published] = tensor.detach().cpu().clone()
    return tensors


def _boxmot_tensors(model: ReIDModel, sides: SideChoice) -> dict[str, Tensor]:
    published = _published_tensors(model)
    tensors = {name: t for name, t in published.items() if name.startswith("image_encoder.")}
    if model.sie is not None:
        assert sides.camera is not None
        assert sides.view is not None
        row = model.sie.table_with_means()[sides.camera, sides.view].detach().cpu()
        tensors["image_encoder.class_embedding"] += model.sie.shape.coefficient * row
    after = model.embedding.neck == "after"
    for neck, feature in _NECKS.items():
        if after:
            tensors |= {n: t for n, t in published.items() if n.startswith(f"{neck}.")}
            continue
        width = model.widths[feature]
        tensors |= {
            f"{neck}.weight": torch.ones(width),
            f"{neck}.bias": torch.zeros(width),
            f"{neck}.running_mean": torch.zeros(width),
            f"{neck}.running_var": torch.full((width,), 1 - _NORM_EPS),
            f"{neck}.num_batches_tracked": torch.tensor(0),
        }
    return tensors


@torch.no_grad()
def _compare(
    written: Path, model: ReIDModel, info: CheckpointInfo, sides: SideChoice, images: Tensor
) -> ExportCheck:
    """Read a file back and compare its vectors before the neck with the model's, to the bit."""
    sie = model.sie
    views = 0 if sie is None else sie.views
    coefficient = 1.0 if sie is None else sie.shape.coefficient
    again, _ = read_published(
        written, image_size=info.preprocess.image_size, views=views, coefficient=coefficient
    )
    before = copy(model)
    before.embedding = model.embedding.model_copy(update={"neck": "before"})
    fixed = [None if row is None else torch.full((len(images),), row)
             for row in (sides.camera, sides.view)]  # fmt: skip
    expected, found = embed_images(before, images, *fixed), embed_images(again, images)
    cosine = torch.nn.functional.cosine_similarity(expected, found).min()
    check = ExportCheck(len(images), float(cosine), float((expected - found).abs().max()))
    if check.difference:
        raise ModelError(
            f"What is read back from the file differs from the model by {check.difference:.1e}, so "
            "the file was not kept."
        )
    return check


def _notes(model: ReIDModel, info: CheckpointInfo, *, boxmot: bool) -> tuple[str, ...]:
    height, width = info.preprocess.image_size
    if boxmot:
        return (
            "Written for BoxMOT up to version 21, which downloads OpenAI's weights even so; later "
            "versions read ONNX.",
        )
    stride = model.backbone.image.stride
    notes = [f"Set INPUT.SIZE_TRAIN and SIZE_TEST to [{height}, {width}], TEST.NECK_FEAT to "
             f"'before', MODEL.STRIDE_SIZE to [{stride}, {stride}]."]  # fmt: skip
    if model.sie is not None:
        notes.append(
            f"Set MODEL.SIE_COE to {model.sie.shape.coefficient:g}, and give as many cameras "
            f"({model.sie.cameras}) and views ({model.sie.views}) as the table has."
        )
    if model.prompt is not None:
        notes.append(f"The sentence of its prompts is {model.prompt.options.template[0]!r}.")
    return tuple(notes)
