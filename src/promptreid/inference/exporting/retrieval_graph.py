"""The part of a model that turns pixels into the retrieval vector, as a module of its own."""

from __future__ import annotations

from copy import copy, deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.data.images.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from promptreid.errors import ConfigError, ModelError
from promptreid.inference.exporting.export_options import ExportOptions
from promptreid.inference.exporting.side_choice import SideChoice
from promptreid.models.heads.head import Head
from promptreid.models.part_checks import check_embedding
from promptreid.models.prompts.image_texts import ImageTexts, Sentences
from promptreid.models.reid import ReIDModel
from promptreid.models.sie import SideInformation
from promptreid.models.towers.reduced import can_reduce, reduce_tower
from promptreid.models.tuning.tuning import fold_tuning

_OF_SENTENCES = {"text", "fused"}


def choose_vector(model: ReIDModel, options: ExportOptions) -> ReIDModel:
    """Give a model that shares all weights and gives the vector that is asked for.

    Raises:
        ConfigError: There is no neck to take the vector after, or a kind of sentence is asked for
            of a model without an image prompt.
    """
    chosen = copy(model)
    if options.neck is not None:
        chosen.embedding = model.embedding.model_copy(update={"neck": options.neck})
        check_embedding(chosen.embedding, chosen.widths, chosen.head)
    if options.prompt is not None:
        if model.image_prompt is None:
            raise ConfigError(
                f"This model has no sentence for each image, so there is no kind of sentence to "
                f"choose ({options.prompt}). Leave --prompt out."
            )
        chosen.sentences = Sentences(model.sentences.training, options.prompt)
    return chosen


class RetrievalGraph(nn.Module):
    """Pixels in, retrieval vectors out, with nothing that only training or texts need.

    Low-rank updates are folded in. Sentences without a word are encoded once. The table of cameras
    and views is laid out with its means, so that looking one up is a single operation.

    Attributes:
        side_inputs: Names of the numbers that go in beside images, "cameras" and "views".
        image_size: Height and width of images.
        width: Length of a vector.
    """

    text: Tensor | None
    side_table: Tensor | None
    pixel_mean: Tensor
    pixel_std: Tensor
    given_mean: Tensor
    given_std: Tensor

    def __init__(
        self,
        model: ReIDModel,
        preprocess: Preprocess,
        sides: SideChoice,
        *,
        pixels: str,
        half: bool = False,
    ) -> None:
        """Copy what is needed; see `ExportOptions` for `pixels` and `half`.

        Raises:
            ConfigError: The vector depends on a sentence with a word of each image.
            ModelError: The architecture does not compute in 16 bits, or its vector depends on the
                domain of an image.
        """
        super().__init__()
        self.side_inputs = sides.inputs
        self.image_size, self.width = preprocess.image_size, model.embedding_width
        self.pixels = pixels
        self._put_statistics(preprocess)
        self.tower = deepcopy(model.backbone.image)
        fold_tuning(self.tower)
        if half:
            _check_half(model)
            reduce_tower(self.tower, torch.float16)
        self.features = tuple(model.embedding.features)
        self.after_neck = model.embedding.neck == "after" and model.head is not None
        self.head = _trim_head(model.head, self.features, after_neck=self.after_neck)
        read = set(self.features)
        if self.head is not None:
            read.update(name for maker in self.head.makers.values() for name in maker.reads)
        self.interaction = deepcopy(model.interaction) if "fused" in read else None
        self._keep("text", _constant_text(model) if read & _OF_SENTENCES else None)
        self._keep("side_table", None if model.sie is None else _side_table(model.sie, sides))
        self.requires_grad_(False).eval()

    def example(self, images: int) -> tuple[Tensor, ...]:
        """Return inputs of a number of images, for tracing: pixels, then sides, all zero."""
        pixels = torch.zeros(images, 3, *self.image_size)
        return (pixels, *(torch.zeros(images, dtype=torch.long) for _ in self.side_inputs))

    def forward(
        self, images: Tensor, first: Tensor | None = None, second: Tensor | None = None
    ) -> Tensor:
        """Embed images.

        Args:
            images: (B, 3, H, W) float32, RGB, as `pixels` says.
            first: (B,) int64, the first of `side_inputs`; numbers outside the table, such as -1,
                are unknown. None where there is none.
            second: Likewise, the second.

        Returns:
            (B, width) float32 rows of length 1.
        """
        batch = images.shape[0]
        tokens = self.interaction is not None or (self.head is not None and self.head.needs_tokens)
        sides = [side for side in (first, second) if side is not None]
        sie = self._look_up(batch, sides)
        features = self.tower(self._normalize(images), sie=sie, tokens=tokens)
        derived = features.by_name()
        if self.text is not None:
            derived["text"] = self.text.expand(batch, -1)
            if self.interaction is not None:
                projected = self.tower.project_tokens(features)
                derived["fused"] = self.interaction(projected, derived["text"]).feature
        if self.head is not None:
            derived = self.head.derive(features, derived)
            derived = self.head.neck(derived) if self.after_neck else derived
        parts = [derived[name].float() for name in self.features]
        return F.normalize(torch.cat(parts, dim=1), dim=1)

    def _keep(self, name: str, tensor: Tensor | None) -> None:
        """Keep a tensor that may be missing; torch's tracing miscounts buffers that are None."""
        if tensor is None:
            setattr(self, name, None)
        else:
            self.register_buffer(name, tensor)

    def _put_statistics(self, preprocess: Preprocess) -> None:
        # Not "mean": the converter gives that name to what it folds of the side table.
        own = torch.tensor([preprocess.mean, preprocess.std])[:, :, None, None]
        self.register_buffer("pixel_mean", own[0])
        self.register_buffer("pixel_std", own[1])
        if self.pixels == "imagenet":
            given = torch.tensor([IMAGENET_MEAN, IMAGENET_STD])[:, :, None, None]
            self.register_buffer("given_mean", given[0])
            self.register_buffer("given_std", given[1])

    def _normalize(self, images: Tensor) -> Tensor:
        if self.pixels == "normalized":
            return images
        if self.pixels == "imagenet":
            images = images * self.given_std + self.given_mean
        elif self.pixels == "pixels":
            images = images / 255
        return (images - self.pixel_mean) / self.pixel_std

    def _look_up(self, batch: int, sides: list[Tensor]) -> Tensor | None:
        if self.side_table is None:
            return None
        if not sides:
            return self.side_table.expand(batch, -1)
        rows = []
        for numbers, size in zip(sides, self.side_table.shape[:-1], strict=True):
            known = (numbers >= 0) & (numbers < size - 1)
            rows.append(torch.where(known, numbers, size - 1))
        return self.side_table[tuple(rows)]


def _side_table(sie: SideInformation, sides: SideChoice) -> Tensor:
    """Return the vectors that are left to choose from: (C + 1, V + 1, width) without fixed sides.

    The last row of each is that of an unknown one, which number -1 names.
    """
    table = sie.shape.coefficient * sie.table_with_means().detach()
    if sides.view is not None:
        table = table[:, sides.view]
    return table.clone() if sides.camera is None else table[sides.camera].clone()


def _trim_head(head: Head | None, features: tuple[str, ...], *, after_neck: bool) -> Head | None:
    """Copy what of a head makes some features; None where none of it does."""
    if head is None:
        return None
    trimmed = deepcopy(head)
    trimmed.classifiers = nn.ModuleDict()
    for name, maker in list(trimmed.makers.items()):
        if not set(maker.widths) & set(features):
            delattr(trimmed, name)
            del trimmed.makers[name]
    trimmed.features = features
    for name in list(trimmed.necks):
        if not (after_neck and name in features):
            del trimmed.necks[name]
    return trimmed if trimmed.makers or trimmed.necks else None


@torch.no_grad()
def _constant_text(model: ReIDModel) -> Tensor:
    """Encode the sentences that hold no word of an image, averaged over attributes: (1, d)."""
    prompt = model.image_prompt
    if prompt is None or model.sentences.retrieval != "simplified":
        raise ConfigError(
            "The embedding of this model is computed with a sentence that holds a word of each "
            "image, whose text tower is not exported. Export it with sentences without a word "
            "(--prompt simplified) and evaluate it so first: promptreid evaluate RUN --prompt "
            "simplified."
        )
    place = next(model.parameters()).device
    nothing = torch.zeros(1, model.backbone.text.embed_dim, device=place)
    return ImageTexts().encode(prompt, nothing, None, "simplified").detach().clone()


def _check_half(model: ReIDModel) -> None:
    if not can_reduce(model.backbone.image):
        raise ModelError(
            f"16 bits are known for CLIP's vision transformers; backbone {model.backbone.name} is "
            "none. Leave --half out; TensorRT makes such files smaller by itself (--fp16)."
        )
