"""Image tower of SOLIDER's Swin transformers."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.errors import ModelError
from promptreid.models.image_only.solider_swin import (
    IMAGE_SIZE,
    PATCH,
    SEMANTIC_WEIGHT,
    WINDOW,
    SoliderSwin,
    SwinBlock,
    mask_windows,
    number_offsets,
    pad_map,
)
from promptreid.models.towers.image_tower import ImageFeatures, ImageTower

STRIDE = 32


class SoliderTower(ImageTower):
    """SOLIDER's Swin with the pooled map that enters the last stage, and the pooled last map.

    `final` and `projected` are both the mean of the last map after its norm, which SOLIDER
    compares. Sub-modules keep its names. Images of any size are taken; there are no positions.
    """

    patch_embed: nn.ModuleDict
    stages: Any  # of `SwinStage`
    norm3: nn.LayerNorm
    semantic_embed_w: nn.ModuleList
    semantic_embed_b: nn.ModuleList
    semantics: Tensor

    def __init__(self, source: SoliderSwin) -> None:
        """Take over the parts of a network, for images of 384x128."""
        super().__init__()
        for name, child in source.named_children():
            self.add_module(name, child)
        last = source.shape.width << (len(source.shape.depths) - 1)
        self.widths = (last, last, last)
        self.fit(IMAGE_SIZE, None)

    def fit(self, image_size: tuple[int, int], stride: int | None) -> None:
        """Change the input size; see `ImageTower.fit`. The stride is always 32."""
        if stride not in (None, STRIDE):
            raise ModelError(f"stride is {stride}; SOLIDER's Swin takes {STRIDE} only.")
        if min(image_size) < STRIDE:
            raise ModelError(
                f"image_size {image_size[0]}x{image_size[1]} leaves an empty feature map. Take "
                f"images of at least {STRIDE}x{STRIDE} pixels."
            )
        self.register_buffer("offsets", number_offsets(), persistent=False)
        semantics = torch.tensor([SEMANTIC_WEIGHT, 1 - SEMANTIC_WEIGHT])
        self.register_buffer("semantics", semantics, persistent=False)
        rows, columns = (math.ceil(size / PATCH) for size in image_size)
        for number in range(len(self.stages)):
            padded = (math.ceil(size / WINDOW) * WINDOW for size in (rows, columns))
            self.register_buffer(f"mask{number}", mask_windows(*padded), persistent=False)
            self.grid = rows, columns
            rows, columns = math.ceil(rows / 2), math.ceil(columns / 2)
        self.image_size, self.stride = image_size, STRIDE

    def forward(
        self, images: Tensor, *, sie: Tensor | None = None, tokens: bool = False
    ) -> ImageFeatures:
        """Encode images; see `ImageTower.forward`. `tokens` are the cells of the last map."""
        self.check_images(images)
        self.refuse_side_information(sie)
        x = pad_map(images.permute(0, 2, 3, 1), PATCH).permute(0, 3, 1, 2)
        x = self.patch_embed["norm"](self.patch_embed["projection"](x).permute(0, 2, 3, 1))
        entering = x
        for number, stage in enumerate(self.stages):
            entering = x
            for block in stage.blocks:
                x = block(x, self.offsets, getattr(self, f"mask{number}"))
            if stage.downsample is not None:
                x = self._control(stage.downsample(x), number)
        last = self.norm3(x)
        final = last.mean(dim=(1, 2))
        features = ImageFeatures(entering.mean(dim=(1, 2)), final, final)
        if not tokens:
            return features
        return ImageFeatures(
            features.penultimate, final, final, tokens=last.flatten(1, 2), before=entering
        )

    def project_tokens(self, features: ImageFeatures) -> Tensor:
        """Return the mean and the cells themselves; see `ImageTower.project_tokens`."""
        cells = self.tokens_of(features)
        return torch.cat([features.projected.unsqueeze(1), cells], dim=1)

    def blocks(self) -> list[nn.Module]:
        """Return the blocks of all stages; see `ImageTower.blocks`."""
        return [module for module in self.modules() if isinstance(module, SwinBlock)]

    def block_patterns(self) -> list[str]:
        """Name the stages; see `ImageTower.block_patterns`."""
        return [r"stages\.(\d+)\."]

    def _control(self, x: Tensor, number: int) -> Tensor:
        """Scale and move a map by how semantic it is to be (the semantic controller)."""
        weights = self.semantics.to(x.dtype)
        scale = F.softplus(self.semantic_embed_w[number](weights))
        return x * scale + self.semantic_embed_b[number](weights)
