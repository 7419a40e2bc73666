"""Names in files of TransReID and of its pre-training, in those of `TransReIDViT`."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from promptreid.errors import WeightsError
from promptreid.models.image_only.transreid_vit import BLOCKS, IMAGE_SIZE, PATCH
from promptreid.models.towers.position_embeddings import count_patches

SIDES = "base.sie_embed"
"""What a file calls the rows of cameras and views."""
COEFFICIENT = 3.0
"""Factor on these rows in all published configurations (`SIE_COE`); no file holds it."""
_BASE, _DINO, _JIGSAW = "base.", "backbone.", ("b1.", "b2.")
_GROUPS = "jigsaw."  # of our own names, what sees groups of patches
_NO_PART = ("head.", "fc.", "pre_logits.")  # classifiers, and DINO's projection
_PARTS_AFTER = ("classifier", "bottleneck")
_SIZES = (IMAGE_SIZE, (384, 128), (256, 256), (224, 224))
_SMALLEST_STRIDE = 8


def is_transreid(names: Mapping[str, Tensor]) -> bool:
    """Tell whether weights bear the names of a model that TransReID trained."""
    return f"{_BASE}cls_token" in names


def has_jigsaw(names: Mapping[str, Tensor]) -> bool:
    """Tell whether weights were trained with the branch of shuffled patches."""
    return any(name.startswith(_JIGSAW) for name in names)


def name_for_trunk(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors of the transformer the names of `TransReIDViT`, to train on from them.

    Taken are files of TransReID (`base.`), of DINO (`backbone.`) and bare ones. Classifiers and
    batch-norm necks are left out: a head of our own takes their place. Of a model with a jigsaw
    branch the global half is taken, which is a whole transformer; the half that sees groups of
    patches is left out. Rows of cameras and views belong to the cameras of the file, so that their
    mean, which stands for an unknown one, is added to the position embeddings: both are added to
    all tokens.

    Raises:
        WeightsError: The file has a part that TransReID does not have.
    """
    if is_transreid(tensors):
        named = name_published(tensors)
        if SIDES in tensors:
            mean = COEFFICIENT * tensors[SIDES].float().mean(dim=0)
            named["trunk.pos_embed"] = named["trunk.pos_embed"].float() + mean
        return {name: t for name, t in named.items() if not name.startswith(_GROUPS)}
    inside = {name.removeprefix(_DINO): t for name, t in tensors.items() if name.startswith(_DINO)}
    left_out = (*_NO_PART, *_PARTS_AFTER)
    return {
        f"trunk.{name}": tensor
        for name, tensor in (inside or tensors).items()
        if not name.startswith(left_out)
    }


def name_published(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors of a file of TransReID the names of `TransReIDViT`, but for side rows.

    Where there is a jigsaw branch, its global half (`b1`) is the last block and norm: those of
    `base` are copies from before training that nothing reads.

    Raises:
        WeightsError: The file has a part that TransReID does not have.
    """
    places = {_BASE: "trunk."}
    if has_jigsaw(tensors):
        last = f"{_BASE}blocks.{BLOCKS - 1}."
        tensors = {n: t for n, t in tensors.items() if not n.startswith((last, f"{_BASE}norm."))}
        places |= {"b1.0.": f"trunk.blocks.{BLOCKS - 1}.", "b1.1.": "trunk.norm."}
        places |= {"b2.0.": f"{_GROUPS}block.", "b2.1.": f"{_GROUPS}norm."}
    _refuse_others(tensors, *places)
    left_out = (*_PARTS_AFTER, *(_BASE + part for part in _NO_PART), SIDES)
    return {
        place + name.removeprefix(prefix): tensor
        for prefix, place in places.items()
        for name, tensor in tensors.items()
        if name.startswith(prefix) and not name.startswith(left_out)
    }


def _refuse_others(tensors: Mapping[str, Tensor], *prefixes: str) -> None:
    outside = [name for name in tensors if not name.startswith((*prefixes, *_PARTS_AFTER))]
    if outside:
        raise WeightsError(f"The file holds {outside[0]}, which is no part of TransReID.")


def find_input(
    positions: Tensor, image_size: tuple[int, int] | None = None
) -> tuple[tuple[int, int], int]:
    """Return image size and stride of position embeddings (1, 1 + patches, width).

    Args:
        positions: The embeddings.
        image_size: Height and width of the images; None to find it among the published ones.

    Raises:
        WeightsError: No image of these sizes has so many patches at a usual stride.
    """
    count = positions.shape[1] - 1
    sizes = _SIZES if image_size is None else (image_size,)
    for size in sizes:
        for stride in range(PATCH, _SMALLEST_STRIDE - 1, -1):
            rows, columns = count_patches(size, patch=PATCH, stride=stride)
            if rows * columns == count:
                return size, stride
    raise WeightsError(
        f"The file has position embeddings of {count} patches, which no image of "
        f"{', '.join(f'{rows}x{columns}' for rows, columns in sizes)} has at a stride from "
        f"{_SMALLEST_STRIDE} to {PATCH}. Give the image_size (height, width) it was trained with."
    )
