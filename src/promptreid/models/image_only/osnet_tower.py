"""Image tower of OSNet."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from promptreid.errors import ModelError
from promptreid.models.image_only.osnet import FEATURES, OSBlock, OSNet
from promptreid.models.towers.image_tower import ImageFeatures, ImageTower

STRIDE = 16


class OSNetTower(ImageTower):
    """OSNet with pooled conv3, pooled conv5 and the feature that torchreid compares.

    Sub-modules keep torchreid's names. Images of any size are taken; there are no positions.
    """

    imagenet_pixels = True

    conv1: nn.Module
    maxpool: nn.Module
    conv2: nn.Sequential
    conv3: nn.Sequential
    conv4: nn.Sequential
    conv5: nn.Module
    fc: nn.Sequential

    def __init__(self, source: OSNet) -> None:
        """Take over the parts of a network, for images of 256x128."""
        super().__init__()
        for name, child in source.named_children():
            self.add_module(name, child)
        self.widths = (*source.channels[2:], FEATURES)
        self.fit((256, 128), None)

    def fit(self, image_size: tuple[int, int], stride: int | None) -> None:
        """Change the input size; see `ImageTower.fit`. The stride is always 16."""
        if stride not in (None, STRIDE):
            raise ModelError(f"stride is {stride}; OSNet takes {STRIDE} only.")
        rows, columns = (_halve(_halve(size)) // 4 for size in image_size)
        if min(rows, columns) < 1:
            raise ModelError(
                f"image_size {image_size[0]}x{image_size[1]} leaves an empty feature map. Take "
                f"images of at least {STRIDE}x{STRIDE} pixels."
            )
        self.image_size, self.stride, self.grid = image_size, STRIDE, (rows, columns)

    def forward(
        self, images: Tensor, *, sie: Tensor | None = None, tokens: bool = False
    ) -> ImageFeatures:
        """Encode images; see `ImageTower.forward`. `tokens` are the cells of the last map."""
        self.check_images(images)
        self.refuse_side_information(sie)
        x3 = self.conv3(self.conv2(self.maxpool(self.conv1(images))))
        last = self.conv5(self.conv4(x3))
        final = last.mean(dim=(2, 3))
        features = ImageFeatures(x3.mean(dim=(2, 3)), final, self.fc(final))
        if not tokens:
            return features
        cells = last.flatten(2).transpose(1, 2)
        return ImageFeatures(
            features.penultimate, final, features.projected, tokens=cells, before=x3
        )

    def project_tokens(self, features: ImageFeatures) -> Tensor:
        """Map each cell as the mean of all; see `ImageTower.project_tokens`."""
        cells = self.tokens_of(features)
        projected = self.fc(cells.flatten(0, 1)).unflatten(0, cells.shape[:2])
        return torch.cat([features.projected.unsqueeze(1), projected], dim=1)

    def blocks(self) -> list[nn.Module]:
        """Return the blocks of four streams; see `ImageTower.blocks`."""
        return [module for module in self.modules() if isinstance(module, OSBlock)]

    def block_patterns(self) -> list[str]:
        """Name conv2 to conv5; see `ImageTower.block_patterns`."""
        return [r"conv([2-5])\."]


def _halve(size: int) -> int:
    return (size + 1) // 2
