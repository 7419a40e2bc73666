"""The model that a run trains and a checkpoint holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.config.base import TOWER_FEATURES
from promptreid.config.model import EmbeddingConfig
from promptreid.errors import ConfigError, unknown_name
from promptreid.models.heads.head import Head
from promptreid.models.interaction import Interaction
from promptreid.models.part_checks import check_embedding, check_interaction, check_side_information
from promptreid.models.part_names import find_part, part_names
from promptreid.models.prompts.image_texts import ImageTexts, Sentences, check_kind
from promptreid.models.prompts.prompt import Prompt, PromptOfIdentities, PromptOfImages
from promptreid.models.sie import SideInformation
from promptreid.models.towers.backbone import Backbone
from promptreid.models.towers.image_tower import ImageFeatures
from promptreid.models.towers.recomputing import run_in_parts
from promptreid.models.tuning.tuning import describe_tuning
from promptreid.processes.row_shares import are_shared, own_random_numbers


def tower_widths(
    backbone: Backbone, prompt: Prompt | None, interaction: Interaction | None
) -> dict[str, int]:
    """Return the sizes of the features before the head, by name."""
    widths = dict(zip(TOWER_FEATURES, backbone.image.widths, strict=True))
    if isinstance(prompt, PromptOfImages):
        widths["text"] = backbone.text.embed_dim
    if interaction is not None:
        widths["fused"] = interaction.width
    return widths


class ReIDModel(nn.Module):
    """A backbone with what re-identification adds to it.

    Cameras and views are rows of the side-information table, -1 where unknown; their names stay
    with the data.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        prompt: Prompt | None = None,
        interaction: Interaction | None = None,
        sentences: Sentences | None = None,
        head: Head | None = None,
        sie: SideInformation | None = None,
        embedding: EmbeddingConfig | None = None,
    ) -> None:
        """Compose the parts.

        Raises:
            ModelError: Side information does not fit the image tower.
            ConfigError: The embedding is to be taken after a neck that is not there.
        """
        super().__init__()
        self._texts = ImageTexts()
        self.backbone = backbone
        self.prompt = prompt
        self.interaction = interaction
        self.sentences = sentences or Sentences()
        self.head = head
        self.sie = sie
        self.embedding = embedding or EmbeddingConfig()
        check_interaction(interaction, prompt)
        if sie is not None:
            check_side_information(sie, backbone)
        check_embedding(self.embedding, self.widths, head)
        self._fixed = frozenset(n for n, p in self.named_parameters() if not p.requires_grad)

    @property
    def identity_prompt(self) -> PromptOfIdentities | None:
        """The prompt where its texts stand for identities, else None."""
        return self.prompt if isinstance(self.prompt, PromptOfIdentities) else None

    @property
    def image_prompt(self) -> PromptOfImages | None:
        """The prompt where it gives each image a text of its own, else None."""
        return self.prompt if isinstance(self.prompt, PromptOfImages) else None

    @property
    def embedding_width(self) -> int:
        """Length of the retrieval vector."""
        return sum(self.widths[name] for name in self.embedding.features)

    @property
    def widths(self) -> dict[str, int]:
        """Sizes of all named image features: the tower's three and those the head makes."""
        if self.head is not None:
            return dict(self.head.widths)
        return tower_widths(self.backbone, self.prompt, self.interaction)

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
            cameras: (B,) rows of the camera table, -1 where unknown; None when all are.
            views: (B,) rows of the view table, -1 where unknown; None when all are.
            use_sie: Whether side information is added; the cached features of CLIP-ReID's first
                stage are taken without.

        Returns:
            The three image features, not normalised.
        """
        side = None
        if self.sie is not None and use_sie:
            side = self.sie(images.shape[0], cameras, views)
        tokens = self.interaction is not None or (self.head is not None and self.head.needs_tokens)
        tower = self.backbone.image

        def encode(some: Tensor, sides: Tensor | None) -> ImageFeatures:
            def run(images: Tensor, sie: Tensor | None) -> ImageFeatures:
                return tower(images, sie=sie, tokens=tokens)

            return ImageFeatures.join(run_in_parts(run, some, sides, parts=tower.parts))

        rows, processes = len(images), tower.processes
        if not are_shared(rows, processes):
            return encode(images, side)
        own = processes.share(rows)
        with own_random_numbers(processes, images.device):
            encoded = encode(images[own], None if side is None else side[own])
        return encoded.gathered(rows, processes)

    def derived(
        self,
        features: ImageFeatures,
        variants: Tensor | None = None,
        *,
        training: bool = False,
        prompt: str | None = None,
        words: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return all named features: the tower's, those of image prompts, those the head makes.

        Args:
            features: What `features` returned.
            variants: (B,) which sentence of an image prompt each image goes with, on the CPU, so
                that nobody waits for a device; None where there is one, or where it is not known:
                then their texts are averaged.
            training: Take the sentences of training, not those of retrieval.
            prompt: "composed" or "simplified" sentences; None for what `sentences` says.
            words: What the inversion network gave for other images, row for row, to stand in
                composed sentences; None for each image's own.

        Returns:
            (B, width) by name.

        Raises:
            ConfigError: A kind of sentence is asked for that is not known, or of a model without an
                image prompt.
        """
        kind = self._choose_kind(prompt, training=training)
        others: dict[str, Tensor] = {}
        if self.image_prompt is not None:
            others["text"] = self._texts.encode(
                self.image_prompt, features.projected, variants, kind, words=words
            )
            if self.interaction is not None:
                tokens = self.backbone.image.project_tokens(features)
                others["fused"] = self.interaction(tokens, others["text"]).feature
        return self._with_head(features, others)

    def _choose_kind(self, prompt: str | None, *, training: bool) -> str:
        if prompt is None:
            return self.sentences.training if training else self.sentences.retrieval
        check_kind(prompt)
        if self.image_prompt is None:
            raise ConfigError(
                f"{prompt.capitalize()} sentences are those of an image prompt (prompt.kind: "
                "image), which this model does not have. Leave the kind of sentence out."
            )
        return prompt

    def _with_head(self, features: ImageFeatures, others: dict[str, Tensor]) -> dict[str, Tensor]:
        if self.head is None:
            return features.by_name() | others
        return self.head.derive(features, others)

    @property
    def reads_sentence(self) -> bool:
        """Whether the retrieval vector is computed with the sentence of an image prompt."""
        read = set(self.embedding.features)
        if self.head is not None:
            read.update(self.head.features if self.embedding.neck == "after" else ())
            read.update(name for maker in self.head.makers.values() for name in maker.reads)
        return bool(read & {"text", "fused"})

    @property
    def reads_words(self) -> bool:
        """Whether the retrieval vector is computed with a word of each image, as it is set up."""
        return self.reads_sentence and self.sentences.retrieval == "composed"

    def train(self, mode: bool = True) -> Self:
        """Set the mode; texts that were kept are forgotten, since the text tower may have moved."""
        self._texts.forget()
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._texts.forget()  # a new number type changes weights behind their count of changes
        return super()._apply(fn, recurse)

    def embed(
        self,
        images: Tensor,
        cameras: Tensor | None = None,
        views: Tensor | None = None,
        variants: Tensor | None = None,
        *,
        prompt: str | None = None,
    ) -> Tensor:
        """Encode images for retrieval; see `features` and `embed_features`."""
        return self.embed_features(self.features(images, cameras, views), variants, prompt=prompt)

    def embed_features(
        self,
        features: ImageFeatures,
        variants: Tensor | None = None,
        *,
        prompt: str | None = None,
        words: Tensor | None = None,
    ) -> Tensor:
        """Make retrieval vectors of what the image tower gave; see `derived` for the arguments.

        The features are concatenated and normalised once, not each on its own, as in CLIP-ReID.
        Sentences that no feature of the embedding reads are not encoded.

        Returns:
            (B, embedding_width) float32 rows of length 1.
        """
        if self.reads_sentence:
            derived = self.derived(features, variants, prompt=prompt, words=words)
        else:
            self._choose_kind(prompt, training=False)
            derived = self._with_head(features, {})
        if self.embedding.neck == "after" and self.head is not None:
            derived = self.head.neck(derived)
        parts = [derived[name].float() for name in self.embedding.features]
        return F.normalize(torch.cat(parts, dim=1), dim=1)

    def part_parameters(self, part: str) -> dict[str, nn.Parameter]:
        """Return the parameters of a part by full name, without those that never learn.

        A part that this model lacks has none.

        Raises:
            ConfigError: There is no such part.
        """
        if part not in part_names():
            raise ConfigError(unknown_name("part of the model", part, part_names()))
        return {
            name: parameter
            for name, parameter in self.named_parameters()
            if name not in self._fixed and find_part(name) == part
        }

    def learn(self, parts: Iterable[str]) -> dict[str, nn.Parameter]:
        """Let some parts, out of `part_names()`, learn and freeze all others.

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
            "tuning": describe_tuning(self.backbone.image),
            "prompt": None if self.prompt is None else self.prompt.describe(),
            "interaction": None if self.interaction is None else self.interaction.describe(),
            "sentences": asdict(self.sentences),
            "head": None if self.head is None else self.head.describe(),
            "sie": None if self.sie is None else self.sie.shape.model_dump(),
            "embedding": self.embedding.model_dump(mode="json"),
        }
