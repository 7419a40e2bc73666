"""Image tower of TransReID's vision transformers."""

from __future__ import annotations

import torch
from torch import Tensor

from promptreid.errors import ModelError
from promptreid.models.image_only.transreid_vit import JIGSAW_GROUPS, TransReIDViT
from promptreid.models.towers.image_tower import ImageFeatures
from promptreid.models.towers.timm_tower import TimmTower


class TransReIDTower(TimmTower):
    """A vision transformer that reads cameras and views, and may have a jigsaw branch.

    `final` is the class token after the last norm. `projected` is the published feature: `final`,
    or where there is a jigsaw branch `final` and a quarter of the feature of each group of patches,
    side by side. Side information is added to all tokens (SIE, section 3.3 of the paper).
    """

    takes_sides = True

    def __init__(self, source: TransReIDViT) -> None:
        """Take over a transformer; `fit` must follow before it is used."""
        super().__init__(source)
        self.jigsaw = source.jigsaw

    def fit(self, image_size: tuple[int, int], stride: int | None) -> None:
        """Change input size and stride; see `TimmTower.fit`."""
        super().fit(image_size, stride)
        if self.jigsaw is not None and self.grid[0] * self.grid[1] < JIGSAW_GROUPS:
            raise ModelError(
                f"image_size {image_size[0]}x{image_size[1]} leaves fewer patches than the jigsaw "
                f"branch has groups ({JIGSAW_GROUPS}). Take larger images."
            )

    def forward(
        self, images: Tensor, *, sie: Tensor | None = None, tokens: bool = False
    ) -> ImageFeatures:
        """Encode images; see `ImageTower.forward`. `tokens` have passed the last norm."""
        self.check_images(images)
        trunk = self.trunk
        patches = trunk.patch_embed(images)
        first = trunk.cls_token.expand(patches.shape[0], -1, -1)
        before = torch.cat([first, patches], dim=1) + trunk.pos_embed
        if sie is not None:
            before = before + sie.to(before.dtype).unsqueeze(1)
        *blocks, last = trunk.blocks
        for block in blocks:
            before = block(before)
        after = trunk.norm(last(before))
        projected = final = after[:, 0]
        if self.jigsaw is not None:
            groups = self.jigsaw(before) / JIGSAW_GROUPS
            projected = torch.cat([final, groups.flatten(1)], dim=1)
        return ImageFeatures(before[:, 0], final, projected, tokens=after if tokens else None)

    def project_tokens(self, features: ImageFeatures) -> Tensor:
        """Return the class token and the patches; see `ImageTower.project_tokens`."""
        if self.jigsaw is not None:
            raise ModelError(
                "The feature of TransReID with a jigsaw branch is that of the image and of four "
                "groups of patches side by side, so single patches have none in its space. Take "
                "a file that was trained with MODEL.JPM False."
            )
        return self.tokens_of(features)
