"""Image tower of OpenCLIP vision transformers."""

from __future__ import annotations

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from promptreid.errors import ModelError
from promptreid.models.towers.blocks import run_block, run_block_at
from promptreid.models.towers.image_tower import ImageFeatures, ImageTower
from promptreid.models.towers.position_embeddings import patch_grid, resize_positions
from promptreid.models.towers.products import patch_tokens
from promptreid.models.tuning.grouping_adapter import SemanticGroupingAdapter
from promptreid.models.tuning.visual_prompt import VisualPrompt


class ViTTower(ImageTower):
    """Vision transformer with the three class-token features of CLIP-ReID.

    Sub-modules keep OpenAI's names (`conv1`, `transformer.resblocks.0.attn.in_proj_weight`, ...).
    With average-pooled architectures the class token's place is taken by the mean of the patch
    tokens.

    Attributes:
        visual_prompt: Learned tokens that run along with those of the image, and that no feature
            is read from; None without.
        adapter: Changes the tokens that leave the last block, or those that enter it; None without.
    """

    visual_prompt: VisualPrompt | None
    adapter: SemanticGroupingAdapter | None

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
        self.visual_prompt = None
        self.adapter = None

        self.pool = source.pool_type
        self.norm_after_pool = source.final_ln_after_pool
        self.has_class_token = True
        self.patch = source.conv1.kernel_size[0]
        self.stride = self.patch
        self.image_size = tuple(source.image_size)
        self.grid = tuple(source.grid_size)
        width = source.conv1.out_channels
        self.widths = (width, width, self.proj.shape[1])

    def fit(self, image_size: tuple[int, int], stride: int | None) -> None:
        """Change input size and stride; see `ImageTower.fit`. By default patches do not overlap."""
        stride = stride or self.patch
        grid = patch_grid(image_size, patch=self.patch, stride=stride)
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
        adapter = self.adapter
        if adapter is not None and adapter.class_token == "before":
            x, adapter = adapter(x, leading=x.shape[1] - self.grid[0] * self.grid[1]), None
        short = self.pool == "tok" and not tokens
        first = run_block_at(last, x, 0) if short else None
        if first is not None and adapter is None:
            final = self.ln_post(first)
            return ImageFeatures(x[:, 0], final, final @ self.proj)
        after = run_block(last, x)
        if self.visual_prompt is not None:
            x, after = self.visual_prompt.leave(x), self.visual_prompt.leave(after)
        if adapter is not None:
            after = adapter(_with_first(after, first), leading=1)
        final = self.pool_tokens(after)
        projected = final @ self.proj
        if not tokens:
            return ImageFeatures(self._pool(x), final, projected)
        return ImageFeatures(self._pool(x), final, projected, tokens=after, before=x)

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
        """Put prompt tokens among those that enter a block, where there are any."""
        return x if self.visual_prompt is None else self.visual_prompt.enter(x, block)

    def _pool(self, tokens: Tensor) -> Tensor:
        return tokens[:, 0] if self.pool == "tok" else tokens[:, 1:].mean(dim=1)


def _with_first(tokens: Tensor, first: Tensor | None) -> Tensor:
    """Put another class token, (B, width), in the place of that of (B, N, width) tokens.

    The short cut for the class token rounds differently in the last bit. An adapter that has
    learned nothing is to leave the features as the short cut gives them.
    """
    return tokens if first is None else torch.cat([first.unsqueeze(1), tokens[:, 1:]], dim=1)
