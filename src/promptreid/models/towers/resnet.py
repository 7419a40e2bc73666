"""Image tower of CLIP's ResNets."""

from __future__ import annotations

from typing import cast

import torch
from open_clip.modified_resnet import AttentionPool2d, Bottleneck, ModifiedResNet
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.errors import ModelError
from promptreid.models.towers.image_tower import ImageFeatures, ImageTower
from promptreid.models.towers.position_embeddings import resize_positions

STRIDES = (16, 32)


class ResNetTower(ImageTower):
    """CLIP ResNet with pooled layer3, pooled layer4 and the attention-pooled feature.

    Sub-modules keep OpenAI's names. The default stride is 16: layer4 does not halve the map, as in
    CLIP-ReID; 32 gives the network that CLIP was trained with.
    """

    adaptable = True
    imagenet_pixels = True

    conv1: nn.Conv2d
    bn1: nn.BatchNorm2d
    act1: nn.ReLU
    conv2: nn.Conv2d
    bn2: nn.BatchNorm2d
    act2: nn.ReLU
    conv3: nn.Conv2d
    bn3: nn.BatchNorm2d
    act3: nn.ReLU
    avgpool: nn.AvgPool2d
    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential
    attnpool: AttentionPool2d

    def __init__(self, source: ModifiedResNet) -> None:
        """Take over the parts of an OpenCLIP ResNet, at its own size and stride 32."""
        super().__init__()
        for name, child in source.named_children():
            self.add_module(name, child)
        self.stride = 32
        side = source.image_size
        self.image_size = (side, side) if isinstance(side, int) else (side[0], side[1])
        self.grid = measure_map(self.image_size, self.stride)
        channels = self.attnpool.c_proj.in_features  # each layer doubles them
        self.widths = (channels // 2, channels, self.attnpool.c_proj.out_features)

    def fit(self, image_size: tuple[int, int], stride: int | None) -> None:
        """Change input size and stride; see `ImageTower.fit`. The default stride is 16."""
        stride = stride or STRIDES[0]
        if stride not in STRIDES:
            raise ModelError(f"stride is {stride}; CLIP ResNets take 16 or 32.")
        grid = measure_map(image_size, stride)
        if min(grid) < 1:
            raise ModelError(
                f"image_size {image_size[0]}x{image_size[1]} leaves an empty feature map at stride "
                f"{stride}. Take images of at least {stride}x{stride} pixels."
            )
        pool = self.attnpool
        with torch.no_grad():
            resized = resize_positions(pool.positional_embedding, grid, old_grid=self.grid)
        pool.positional_embedding = nn.Parameter(
            resized.detach().clone(), requires_grad=pool.positional_embedding.requires_grad
        )
        first = cast(Bottleneck, self.layer4[0])
        step = stride // 16
        first.avgpool = nn.AvgPool2d(step)
        cast(nn.Sequential, first.downsample)[0] = nn.AvgPool2d(step)
        self.image_size, self.stride, self.grid = image_size, stride, grid

    def forward(
        self, images: Tensor, *, sie: Tensor | None = None, tokens: bool = False
    ) -> ImageFeatures:
        """Encode images; see `ImageTower.forward`.

        `tokens` are the cells of the last map in reading order, (B, rows*columns, channels), as an
        adapter leaves them.
        """
        self.check_images(images)
        self.refuse_side_information(sie)
        x = self.act1(self.bn1(self.conv1(images)))
        x = self.act2(self.bn2(self.conv2(x)))
        x = self.act3(self.bn3(self.conv3(x)))
        x3 = self.layer3(self.layer2(self.layer1(self.avgpool(x))))
        x4 = self.layer4(x3)
        cells = x4.flatten(2).transpose(1, 2)
        for addition in self.tuning.values():
            cells = addition.adapt(cells, leading=0)
        final = cells.mean(dim=1)
        penultimate, projected = x3.mean(dim=(2, 3)), _pool_mean(self.attnpool, cells)
        if not tokens:
            return ImageFeatures(penultimate, final, projected)
        return ImageFeatures(penultimate, final, projected, tokens=cells, before=x3)

    def blocks(self) -> list[nn.Module]:
        """Return the bottlenecks of all layers; see `ImageTower.blocks`."""
        layers = (self.layer1, self.layer2, self.layer3, self.layer4)
        return [block for layer in layers for block in layer]

    def block_patterns(self) -> list[str]:
        """Name the four layers; see `ImageTower.block_patterns`."""
        return [r"layer(\d)\."]

    def project_tokens(self, features: ImageFeatures) -> Tensor:
        """Attention-pool with each cell as the query; see `ImageTower.project_tokens`.

        The first query, the mean of all cells, gives `projected`.
        """
        cells = _pool_tokens(self.attnpool, self.tokens_of(features), queries=slice(1, None))
        return torch.cat([features.projected.unsqueeze(1), cells], dim=1)


def measure_map(image_size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Return rows and columns of the last map, at stride 16 or 32."""
    rows, columns = ((size + 1) // 2 // 2 // 2 // 2 // (stride // 16) for size in image_size)
    return rows, columns


def _pool_mean(pool: AttentionPool2d, cells: Tensor) -> Tensor:
    """Attention-pool (B, N, C) cells with the mean as the only query that is read."""
    # In steps of a whole sequence, for the reason given in `run_block_at`.
    mean_alone = slice(None, None, 1 + cells.shape[1])
    return _pool_tokens(pool, cells, queries=mean_alone).squeeze(1)


def _pool_tokens(pool: AttentionPool2d, cells: Tensor, *, queries: slice) -> Tensor:
    """Attention-pool (B, N, C) cells with some of the 1 + N tokens, the mean first, as queries."""
    x = torch.cat([cells.mean(dim=1, keepdim=True), cells], dim=1)
    x = x + pool.positional_embedding.to(x.dtype)
    q, k, v = pool.q_proj(x[:, queries]), pool.k_proj(x), pool.v_proj(x)
    q, k, v = (part.unflatten(-1, (pool.num_heads, -1)).transpose(1, 2) for part in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    return pool.c_proj(out)
