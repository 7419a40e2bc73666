"""What every image tower gives: three features of an image."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from promptreid.config.base import TOWER_FEATURES
from promptreid.errors import ModelError
from promptreid.models.tuning.addition import TuningAddition
from promptreid.processes.process_group import ALONE, Processes
from promptreid.processes.row_shares import gather_rows


@dataclass(frozen=True)
class ImageFeatures:
    """Features of one image-tower forward pass, none of them normalised.

    Attributes:
        penultimate: (B, Dp) class token entering the last block (ViT), pooled layer3 (ResNet),
            pooled tokens or map entering the last block or stage (timm).
        final: (B, D) class token after the last block and its norm (ViT), pooled layer4 (ResNet).
        projected: (B, d) the feature in the space shared with text.
        tokens: (B, N, D) all tokens after the last block, before the final norm, class token first
            where there is one; only when asked for.
        before: What enters the last block, (B, N, D) tokens (ViT), or the last layer, a
            (B, C, rows, columns) map (ResNet); only when tokens are asked for, and None for towers
            of timm.
    """

    penultimate: Tensor
    final: Tensor
    projected: Tensor
    tokens: Tensor | None = None
    before: Tensor | None = None

    @classmethod
    def join(cls, parts: Sequence[ImageFeatures]) -> ImageFeatures:
        """Put the features of the parts of a batch together, row after row."""
        if len(parts) == 1:
            return parts[0]
        columns = {
            field.name: [getattr(part, field.name) for part in parts]
            for field in dataclasses.fields(cls)
        }
        return cls(
            **{name: torch.cat(rows) for name, rows in columns.items() if rows[0] is not None}
        )

    def gathered(self, rows: int, processes: Processes) -> ImageFeatures:
        """Put the features that each process computed of its share of some images together."""
        columns = {
            field.name: value
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) is not None
        }
        whole = gather_rows(list(columns.values()), rows, processes)
        return ImageFeatures(**dict(zip(columns, whole, strict=True)))

    def __getitem__(self, name: str) -> Tensor:
        """Return a feature by its name, one of `TOWER_FEATURES`."""
        if name not in TOWER_FEATURES:
            raise KeyError(name)
        return getattr(self, name)

    def by_name(self) -> dict[str, Tensor]:
        """Return the three features by their names."""
        return {name: self[name] for name in TOWER_FEATURES}


class ImageTower(nn.Module, ABC):
    """An image encoder fitted to one input size.

    Attributes:
        widths: Sizes of `penultimate`, `final` and `projected`.
        image_size: Height and width of the images it takes, in pixels.
        stride: Pixels from one patch, or one cell of the last map, to the next.
        grid: Rows and columns of patches or of the last map.
        patch: Side of a patch in pixels; 0 where there are no patches.
        block_count: Number of transformer blocks whose tokens additions can change; else 0.
        prefix_tokens: Number of tokens before those of the patches: class and register tokens.
        has_class_token: Whether a class token of CLIP's transformers leads its tokens.
        takes_sides: Whether side information can be added to its tokens.
        adaptable: Whether additions can change the tokens that leave its last block or layer.
        imagenet_pixels: Whether published CLIP-ReID gives it pixels normed with ImageNet's mean and
            deviation, not with one half.
        output_parameters: Names of parameters that act after the last block, although they stand
            before the first in the order of the tower's parameters.
        tuning: Small additions that can learn while the tower is frozen, by the name of their part.
        parts: In how many parts a batch is encoded while there are gradients; see `run_in_parts`.
        processes: Who shares the images of a batch out.
    """

    widths: tuple[int, int, int]
    image_size: tuple[int, int]
    stride: int
    grid: tuple[int, int]
    patch: int = 0
    block_count: int = 0
    prefix_tokens: int = 0
    has_class_token: bool = False
    takes_sides: bool = False
    adaptable: bool = False
    imagenet_pixels: bool = False
    output_parameters: frozenset[str] = frozenset()
    parts: int = 1
    processes: Processes = ALONE

    def __init__(self) -> None:
        super().__init__()
        self.tuning: dict[str, TuningAddition] = {}

    def put_addition(self, name: str, addition: TuningAddition) -> None:
        """Take an addition in, as the sub-module of its part's name."""
        self.add_module(name, addition)
        self.tuning[name] = addition

    def remove_addition(self, name: str) -> None:
        """Leave an addition out again."""
        delattr(self, name)
        del self.tuning[name]

    @abstractmethod
    def fit(self, image_size: tuple[int, int], stride: int | None) -> None:
        """Change input size and stride, resizing the position embedding bilinearly.

        Args:
            image_size: New height and width in pixels.
            stride: New stride; None for the tower's own default.

        Raises:
            ModelError: The architecture cannot take this size or stride.
        """

    @abstractmethod
    def forward(
        self, images: Tensor, *, sie: Tensor | None = None, tokens: bool = False
    ) -> ImageFeatures:
        """Encode images.

        Args:
            images: (B, 3, H, W) normalised pixels of size `image_size`.
            sie: (B, width) side information, added to the class token of CLIP's transformers and
                to all tokens of TransReID's; see `SideInformation`.
            tokens: Also return `tokens` and `before`.

        Raises:
            ModelError: The images have another size, or `sie` is given to a tower that takes none.
        """

    @abstractmethod
    def project_tokens(self, features: ImageFeatures) -> Tensor:
        """Put the tokens of images into the space shared with text.

        Args:
            features: What this tower gave with `tokens=True`.

        Returns:
            (B, 1 + rows*columns, d), not normalised: `projected` first, then the patches or cells
            in reading order.

        Raises:
            ModelError: The features hold no tokens, or the architecture cannot project them.
        """

    @abstractmethod
    def blocks(self) -> list[nn.Module]:
        """Return the blocks that can be compiled, or computed again, one by one.

        There are none where a tower does not say where its blocks are.
        """

    @abstractmethod
    def block_patterns(self) -> list[str]:
        """Return regular expressions whose groups are the index of a parameter's block, by name.

        A "block" is a block of a vision transformer, and a layer (stage) of a ResNet or another
        hierarchical encoder. There are none where a tower does not say where its blocks are.
        """

    def tokens_of(self, features: ImageFeatures) -> Tensor:
        """Return the tokens of features, or raise `ModelError` when they were not asked for."""
        if features.tokens is None:
            raise ModelError(
                "These image features hold no tokens. Call the image tower with tokens=True."
            )
        return features.tokens

    def check_images(self, images: Tensor) -> None:
        """Raise `ModelError` unless `images` is (B, 3, H, W) of this tower's size."""
        if images.ndim != 4 or images.shape[1] != 3 or tuple(images.shape[2:]) != self.image_size:
            raise ModelError(
                f"The image tower takes (batch, 3, {self.image_size[0]}, {self.image_size[1]}) "
                f"tensors, got {tuple(images.shape)}. Resize the images, or build the backbone "
                "with this image_size."
            )

    def refuse_side_information(self, sie: Tensor | None) -> None:
        """Raise `ModelError` when side information reaches a tower that cannot use it."""
        if sie is not None:
            raise ModelError(
                "Camera and view embeddings are added to the class token of a vision transformer; "
                f"{type(self).__name__} has none. Switch side information off for this backbone."
            )
