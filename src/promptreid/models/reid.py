"""The model that a run trains and a checkpoint holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.errors import ConfigError, ModelError, unknown_name
from promptreid.models.backbone import Backbone
from promptreid.models.heads import Head
from promptreid.models.prompts import IdentityPrompt
from promptreid.models.sie import SideInformation
from promptreid.models.tower import FEATURES, ImageFeatures
from promptreid.models.tuning import part_of as tuning_part

NECKS = ("before", "after")
PARTS = (
    "image", "visual_prompt", "lora", "text", "logit_scale", "prompt", "head", "sie"
)


@dataclass(frozen=True)
class EmbeddingSpec:
    """Which features make the retrieval vector.

    Attributes:
        features: Names of image features, the tower's or those the head makes, concatenated in this
            order. Published CLIP-ReID retrieves with ("final", "projected"); zero-shot CLIP with
            ("projected",).
        neck: "before" takes them as they leave the tower, "after" as they leave the head's batch
            norm.
    """

    features: tuple[str, ...] = ("final", "projected")
    neck: str = "before"

    def __post_init__(self) -> None:
        if not self.features or len(set(self.features)) != len(self.features):
            raise ConfigError(f"The embedding needs distinct features, got {list(self.features)}.")
        if self.neck not in NECKS:
            raise ConfigError(unknown_name("neck position", self.neck, NECKS))


class ReIDModel(nn.Module):
    """A backbone with what re-identification adds to it.

    Cameras and views are plain integers, -1 where unknown; their names stay with the data.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        prompt: IdentityPrompt | None = None,
        head: Head | None = None,
        sie: SideInformation | None = None,
        embedding: EmbeddingSpec | None = None,
    ) -> None:
        """Compose the parts.

        Raises:
            ModelError: Side information does not fit the image tower.
            ConfigError: The embedding is to be taken after a neck that is not there.
        """
        super().__init__()
        self.backbone = backbone
        self.prompt = prompt
        self.head = head
        self.sie = sie
        self.embedding = embedding or EmbeddingSpec()
        image = backbone.image
        if sie is not None and not (image.has_class_token and sie.width == image.widths[1]):
            raise ModelError(
                f"Camera and view embeddings of width {sie.width} need a vision transformer with a "
                f"class token of that width; backbone {backbone.name} has "
                + (f"width {image.widths[1]}." if image.has_class_token else "none.")
            )
        for name in self.embedding.features:
            if name not in self.widths:
                raise ConfigError(unknown_name("image feature", name, list(self.widths)))
        if self.embedding.neck == "after":
            necks = head.features if head is not None else ()
            missing = [name for name in self.embedding.features if name not in necks]
            if missing:
                raise ConfigError(
                    "The embedding is to be taken after the neck, but there is no neck for "
                    f"{missing}. Take it 'before' the neck, or add a head with these features."
                )
        self._fixed = frozenset(n for n, p in self.named_parameters() if not p.requires_grad)

    @property
    def embedding_width(self) -> int:
        """Length of the retrieval vector."""
        return sum(self.widths[name] for name in self.embedding.features)

    @property
    def widths(self) -> dict[str, int]:
        """Sizes of all named image features: the tower's three and those the head makes."""
        if self.head is not None:
            return dict(self.head.widths)
        return dict(zip(FEATURES, self.backbone.image.widths, strict=True))

    def features(
        self,
        images: Tensor,
        cameras: Tensor | None = None,
        views: Tensor | None = None,
        *,
        use_sie: bool = True,
    ) -> ImageFeatures:
        """Encode images.

        Args:
            images: (B, 3, H, W) normalised pixels.
            cameras: (B,) camera numbers, -1 where unknown; None when all are.
            views: (B,) view numbers, -1 where unknown; None when all are.
            use_sie: Whether side information is added; the cached features of CLIP-ReID's first
                stage are taken without.

        Returns:
            The three image features, not normalised.
        """
        side = None
        if self.sie is not None and use_sie:
            side = self.sie(images.shape[0], cameras, views)
        tokens = self.head is not None and self.head.needs_tokens
        return self.backbone.image(images, sie=side, tokens=tokens)

    def derived(self, features: ImageFeatures) -> dict[str, Tensor]:
        """Return all named features, (B, width) each: the tower's and those the head makes."""
        if self.head is not None:
            return self.head.derive(features)
        return {name: features[name] for name in FEATURES}

    def embed(
        self, images: Tensor, cameras: Tensor | None = None, views: Tensor | None = None
    ) -> Tensor:
        """Encode images for retrieval; arguments as in `features`.

        The features are concatenated and normalised once, not each on its own, as in CLIP-ReID.

        Returns:
            (B, embedding_width) float32 rows of length 1.
        """
        found = self.derived(self.features(images, cameras, views))
        if self.embedding.neck == "after" and self.head is not None:
            found = self.head.neck(found)
        parts = [found[name].float() for name in self.embedding.features]
        return F.normalize(torch.cat(parts, dim=1), dim=1)

    def part_parameters(self, part: str) -> dict[str, nn.Parameter]:
        """Return the parameters of a part by full name, without those that never learn.

        Args:
            part: One of `PARTS`. A part this model lacks has no parameters.

        Raises:
            ConfigError: There is no such part.
        """
        if part not in PARTS:
            raise ConfigError(unknown_name("part of the model", part, PARTS))
        return {
            name: parameter
            for name, parameter in self.named_parameters()
            if name not in self._fixed and part_of(name) == part
        }

    def learn(self, parts: Iterable[str]) -> dict[str, nn.Parameter]:
        """Let some parts learn and freeze all others.

        Args:
            parts: Names out of `PARTS`.

        Returns:
            The parameters that learn, by full name.

        Raises:
            ConfigError: A part is unknown.
        """
        learning: dict[str, nn.Parameter] = {}
        for part in parts:
            learning |= self.part_parameters(part)
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name in learning)
        return learning

    def describe(self) -> dict[str, Any]:
        """Return all that is needed to rebuild the model without its weights, JSON-ready."""
        return {
            "backbone": self.backbone.describe(),
            "tuning": dict(self.backbone.image.tuning),
            "prompt": None if self.prompt is None else self.prompt.describe(),
            "head": None if self.head is None else self.head.describe(),
            "sie": None if self.sie is None else self.sie.describe(),
            "embedding": {
                "features": list(self.embedding.features),
                "neck": self.embedding.neck,
            },
        }


_IMAGE = "backbone.image."


def part_of(name: str) -> str:
    """Return the part, one of `PARTS`, that a parameter of a model belongs to, by its full name."""
    if name.startswith(_IMAGE):
        return tuning_part(name.removeprefix(_IMAGE))
    if name.startswith("backbone.text."):
        return "text"
    return "logit_scale" if name.startswith("backbone.logit_") else name.partition(".")[0]
