"""Image tower of encoders that come from timm (SigLIP, EVA, ... in OpenCLIP)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import torch
from open_clip.timm_model import TimmModel
from timm.layers import PatchEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from promptreid.config.base import TOWER_FEATURES
from promptreid.errors import ModelError
from promptreid.models.image_only.transreid_vit import TransReIDViT
from promptreid.models.towers.image_tower import ImageFeatures, ImageTower
from promptreid.models.towers.position_embeddings import count_patches, resize_positions

_STAGE_STRIDE = 32


class TimmTower(ImageTower):
    """A timm encoder with features in the manner of CLIP-ReID.

    `penultimate` is what enters the last block (or stage), `final` what leaves it after the last
    norm: the class token where the encoder retrieves with one, else the mean of the tokens or
    cells. `projected` is the encoder's own pooled and projected output, for SigLIP the
    attention-pooled one.
    """

    trunk: Any  # timm's models share methods, not a type
    head: nn.Sequential

    def __init__(self, source: TimmModel | TransReIDViT) -> None:
        """Take over an encoder of timm; `fit` must follow before it is used."""
        super().__init__()
        self.trunk = source.trunk
        self.head = source.head
        patch = getattr(getattr(self.trunk, "patch_embed", None), "patch_size", None)
        self.patch = patch[0] if isinstance(patch, tuple) else 0
        self.stride = self.patch or _STAGE_STRIDE
        self.prefix_tokens = getattr(self.trunk, "num_prefix_tokens", 0)

    def fit(self, image_size: tuple[int, int], stride: int | None) -> None:
        """Change input size and stride; see `ImageTower.fit`.

        Patches may overlap in plain vision transformers with position embeddings (SigLIP); other
        architectures keep their own stride.
        """
        stride = stride or self.patch or _STAGE_STRIDE
        if stride != self.stride and not self._is_plain():
            raise ModelError(
                f"stride {stride} is not possible: only plain vision transformers can overlap "
                f"their patches. This encoder has stride {self.stride}; leave `stride` out."
            )
        try:
            if self._is_plain():
                self._refit_patches(image_size, stride)
            elif hasattr(self.trunk, "set_input_size"):
                self._refit_trunk(image_size)
            self.image_size, self.stride = image_size, stride
            self._measure()
        except (RuntimeError, AssertionError, ValueError, TypeError, AttributeError) as error:
            raise ModelError(
                f"This encoder does not take {image_size[0]}x{image_size[1]} images: {error}. Take "
                "its own square size, or another backbone."
            ) from error

    def forward(
        self, images: Tensor, *, sie: Tensor | None = None, tokens: bool = False
    ) -> ImageFeatures:
        """Encode images; see `ImageTower.forward`. `tokens` have passed the last norm."""
        self.check_images(images)
        self.refuse_side_information(sie)
        before, last = self._run(images)
        features = ImageFeatures(
            self._pool(before), self._pool(last), self.head(self.trunk.forward_head(last))
        )
        if not tokens:
            return features
        in_order = last.flatten(2).transpose(1, 2) if last.ndim == 4 else last
        return replace(features, tokens=in_order)

    def blocks(self) -> list[nn.Module]:
        """Return what `block_patterns` names; see `ImageTower.blocks`."""
        patterns = self.block_patterns()
        return [
            module
            for name, module in self.named_modules()
            if any(re.fullmatch(pattern, name) for pattern in patterns)
        ]

    def block_patterns(self) -> list[str]:
        """Return timm's own patterns of blocks or stages; see `ImageTower.block_patterns`."""
        matcher = getattr(self.trunk, "group_matcher", dict)
        blocks: Any = matcher(coarse=True).get("blocks", ())
        entries = [blocks] if isinstance(blocks, str) else [pattern for pattern, _ in blocks]
        return [r"trunk\." + entry.removeprefix("^") for entry in entries]

    def project_tokens(self, features: ImageFeatures) -> Tensor:
        """Project each patch or cell as if it were all of its image.

        See `ImageTower.project_tokens`. Pooling over one token is the token itself, and attention
        pooling (SigLIP) its value, so every architecture's own norms and projections apply.
        """
        if "pool" in dict(self.head.named_children()):
            raise ModelError(
                "This encoder pools its map with an attention layer of fixed size, so its cells "
                "have no features of their own in the space shared with text. Choose a vision "
                "transformer, a ConvNeXt or a CLIP ResNet."
            )
        tokens = self.tokens_of(features)
        prefix = 0 if self._gives_maps() else self.prefix_tokens
        alone = tokens[:, prefix:].flatten(0, 1)
        if self._gives_maps():
            alone = alone[:, :, None, None]
        else:  # in the class token's place too, wherever the encoder reads
            alone = alone.unsqueeze(1).expand(-1, prefix + 1, -1)
        patches = self.head(self.trunk.forward_head(alone)).unflatten(0, (tokens.shape[0], -1))
        return torch.cat([features.projected.unsqueeze(1), patches], dim=1)

    def _gives_maps(self) -> bool:
        return getattr(self.trunk, "blocks", None) is None

    def _run(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return what enters the last block or stage, and what leaves it after the last norm."""
        if self._gives_maps():
            last, (before, _) = self.trunk.forward_intermediates(images, indices=2)
            return before, last
        last, (before,) = self.trunk.forward_intermediates(
            images,
            indices=[len(self.trunk.blocks) - 2],
            output_fmt="NLC",
            return_prefix_tokens=True,
        )
        if isinstance(before, tuple):
            before = torch.cat([before[1], before[0]], dim=1)
        return before, last

    def _pool(self, x: Tensor) -> Tensor:
        if x.ndim == 4:
            return x.mean(dim=(2, 3))
        if getattr(self.trunk, "global_pool", "") == "token":
            return x[:, 0]
        return x[:, self.prefix_tokens :].mean(dim=1)

    def _is_plain(self) -> bool:
        trunk = self.trunk
        return (
            type(trunk) is VisionTransformer
            and type(trunk.patch_embed) is PatchEmbed
            and trunk.pos_embed is not None
            and not trunk.dynamic_img_size
        )

    def _refit_patches(self, image_size: tuple[int, int], stride: int) -> None:
        patches = self.trunk.patch_embed
        old_grid = patches.grid_size
        grid = count_patches(image_size, patch=patches.patch_size[0], stride=stride)
        patches.img_size, patches.grid_size = image_size, grid
        patches.num_patches = grid[0] * grid[1]
        patches.proj.stride = (stride, stride)
        self._resize(self.trunk.pos_embed, old_grid, grid)

    def _refit_trunk(self, image_size: tuple[int, int]) -> None:
        patches: Any = getattr(self.trunk, "patch_embed", None)
        old_grid = getattr(patches, "grid_size", None)
        positions = getattr(self.trunk, "pos_embed", None)
        self.trunk.set_input_size(img_size=image_size)
        if isinstance(positions, nn.Parameter) and old_grid is not None:
            self._resize(positions, old_grid, patches.grid_size)

    def _resize(self, positions: Tensor, old_grid: tuple[int, int], grid: tuple[int, int]) -> None:
        prefix = positions.shape[1] - old_grid[0] * old_grid[1]
        with torch.no_grad():
            resized = resize_positions(positions[0], grid, old_grid=old_grid, prefix=prefix)
        self.trunk.pos_embed = nn.Parameter(
            resized.clone().unsqueeze(0), requires_grad=positions.requires_grad
        )

    @torch.no_grad()
    def _measure(self) -> None:
        """Set widths and grid from one forward pass, which also proves the size possible."""
        training = self.training
        self.eval()
        parameter = next(self.parameters())
        images = parameter.new_zeros(1, 3, *self.image_size)
        features = self.forward(images, tokens=True)
        self.train(training)
        penultimate, final, projected = (features[name].shape[1] for name in TOWER_FEATURES)
        self.widths = (penultimate, final, projected)
        patches = getattr(self.trunk, "patch_embed", None)
        grid = getattr(patches, "grid_size", None)
        self.grid = grid or (self.image_size[0] // self.stride, self.image_size[1] // self.stride)
