"""Image tower of OpenCLIP vision transformers."""

from __future__ import annotations

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from promptreid.errors import ModelError
from promptreid.models.towers.blocks import run_block, run_block_at
from promptreid.models.towers.image_tower import ImageFeatures, ImageTower
from promptreid.models.towers.position_embeddings import count_patches, resize_positions
from promptreid.models.towers.products import patch_tokens


class ViTTower(ImageTower):
    """Vision transformer with the three class-token features of CLIP-ReID.

    Sub-modules keep OpenAI's names (`conv1`, `transformer.resblocks.0.attn.in_proj_weight`, ...).
    With average-pooled architectures the class token's place is taken by the mean of the patch
    tokens.
    """

    has_class_token = takes_sides = True
    prefix_tokens = 1
    adaptable = True
    output_parameters = frozenset({"proj"})

    def __init__(self, source: VisionTransformer) -> None:
        """Take over the parts of an OpenCLIP vision transformer.

        Raises:
            ModelError: The architecture pools with attention (CoCa), which re-ID features do not
                know.
        """
        super().__init__()
        if (
            source.proj is None
            or source.attn_pool is not None
            or source.pool_type not in ("tok", "avg")
        ):
            raise ModelError(
                "This vision transformer pools with a separate attention layer (CoCa), so it has "
                "no class feature to retrieve with. Choose a CLIP, EVA or SigLIP backbone."
            )
        self.conv1 = source.conv1
        self.class_embedding = source.class_embedding
        self.positional_embedding = source.positional_embedding
        self.ln_pre = source.ln_pre
        self.transformer = source.transformer
        self.ln_post = source.ln_post
        self.proj: nn.Parameter = source.proj

        self.pool = source.pool_type
        self.norm_after_pool = source.final_ln_after_pool
        self.patch = source.conv1.kernel_size[0]
        self.stride = self.patch
        self.block_count = len(source.transformer.resblocks)
        self.image_size = tuple(source.image_size)
        self.grid = tuple(source.grid_size)
        width = source.conv1.out_channels
        self.widths = (width, width, self.proj.shape[1])

    def fit(self, image_size: tuple[int, int], stride: int | None) -> None:
        """Change input size and stride; see `ImageTower.fit`. By default patches do not overlap."""
        stride = stride or self.patch
        grid = count_patches(image_size, patch=self.patch, stride=stride)
        with torch.no_grad():
            resized = resize_positions(self.positional_embedding, grid, old_grid=self.grid)
        self.positional_embedding = nn.Parameter(
            resized.detach().clone(), requires_grad=self.positional_embedding.requires_grad
        )
        self.conv1.stride = (stride, stride)
        self.image_size, self.stride, self.grid = image_size, stride, grid

    def forward(
        self, images: Tensor, *, sie: Tensor | None = None, tokens: bool = False
    ) -> ImageFeatures:
        """Encode images; see `ImageTower.forward`.

        Unless `tokens` are wanted, the last block, the final norm and the projection are computed
        for the class token alone where nothing reads the patches after that block: same values,
        less work. `tokens` and `before` are without the tokens of a visual prompt, and as an
        adapter leaves them.
        """
        self.check_images(images)
        *blocks, last = self.transformer.resblocks
        x = self._enter(self.embed(images, sie), 0)
        for number, block in enumerate(blocks, start=1):
            x = self._enter(run_block(block, x), number)
        adapted = any(addition.adapts for addition in self.tuning.values())
        short = self.pool == "tok" and not tokens
        first = run_block_at(last, x, 0) if short else None
        if first is not None and not adapted:
            final = self.ln_post(first)
            return ImageFeatures(x[:, 0], final, final @ self.proj)
        after = run_block(last, x)
        for addition in self.tuning.values():
            x, after = addition.leave(x), addition.leave(after)
        if first is not None:
            # The short cut rounds differently in the last bit. An adapter that has learned nothing
            # is to leave the features as the short cut gives them.
            after = torch.cat([first.unsqueeze(1), after[:, 1:]], dim=1)
        for addition in self.tuning.values():
            after = addition.adapt(after, leading=1)
        final = self.pool_tokens(after)
        projected = final @ self.proj
        if not tokens:
            return ImageFeatures(self._pool(x), final, projected)
        return ImageFeatures(self._pool(x), final, projected, tokens=after, before=x)

    def blocks(self) -> list[nn.Module]:
        """Return the residual blocks; see `ImageTower.blocks`."""
        return list(self.transformer.resblocks)

    def block_patterns(self) -> list[str]:
        """Name the residual blocks; see `ImageTower.block_patterns`."""
        return [r"transformer\.resblocks\.(\d+)\."]

    def embed(self, images: Tensor, sie: Tensor | None = None) -> Tensor:
        """Turn images into the tokens that enter the first block.

        Args:
            images: (B, 3, H, W).
            sie: (B, width), added to the class token before positions and norm.

        Returns:
            (B, 1 + rows*columns, width).
        """
        patches = patch_tokens(self.conv1, images)
        first = self.class_embedding.to(patches.dtype).expand(patches.shape[0], 1, -1)
        if sie is not None:
            first = first + sie.to(patches.dtype).unsqueeze(1)
        x = torch.cat([first, patches], dim=1)
        return self.ln_pre(x + self.positional_embedding.to(x.dtype))

    def pool_tokens(self, tokens: Tensor) -> Tensor:
        """Turn (B, N, width) tokens after the last block into the (B, width) `final` feature."""
        if self.norm_after_pool:
            return self.ln_post(self._pool(tokens))
        return (
            self._pool(self.ln_post(tokens)) if self.pool == "avg" else self.ln_post(tokens[:, 0])
        )

    def project_tokens(self, features: ImageFeatures) -> Tensor:
        """Project all tokens as the class token is; see `ImageTower.project_tokens`.

        Every patch passes the final norm and the projection. Of average-pooled architectures the
        unused class token is left out.
        """
        patches = self.ln_post(self.tokens_of(features)[:, 1:]) @ self.proj
        return torch.cat([features.projected.unsqueeze(1), patches], dim=1)

    def _enter(self, x: Tensor, block: int) -> Tensor:
        """Let additions change the tokens that enter a block."""
        cells = self.grid[0] * self.grid[1]
        for addition in self.tuning.values():
            x = addition.enter(x, block, blocks=self.block_count, cells=cells)
        return x

    def _pool(self, tokens: Tensor) -> Tensor:
        return tokens[:, 0] if self.pool == "tok" else tokens[:, 1:].mean(dim=1)
