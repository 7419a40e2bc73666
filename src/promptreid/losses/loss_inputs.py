"""What loss terms may read of a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from torch import Tensor

from promptreid.errors import ConfigError
from promptreid.losses.loss_state import LossState


class MixedLabels(Protocol):
    """Images that were mixed with others of the batch."""

    @property
    def partner(self) -> Tensor:
        """Label of the other image, (B,)."""
        ...

    @property
    def weight(self) -> Tensor:
        """Share of the own label, (B,), 1 where the image is not mixed."""
        ...


class Outputs(Protocol):
    """One forward pass; see `promptreid.training.stage.step_outputs.StepOutputs`."""

    @property
    def labels(self) -> Tensor:
        """Class indices, (B,)."""
        ...

    @property
    def epoch(self) -> int:
        """Epoch of the stage, from 1."""
        ...

    @property
    def views(self) -> int:
        """Copies of each image; with 2, rows are view one of all images, then view two of all."""
        ...

    @property
    def images(self) -> Tensor | None:
        """The augmented images, (B, 3, H, W); None when features come from a cache."""
        ...

    @property
    def features(self) -> Mapping[str, Tensor] | None:
        """Image features by name, (B, D) each; None when they come from a cache."""
        ...

    @property
    def projected(self) -> Tensor:
        """Image features in the joint space, (B, d)."""
        ...

    @property
    def clean(self) -> Tensor | None:
        """Which images are not mixed, (B,) bool; None when none is mixed."""
        ...

    @property
    def mix(self) -> MixedLabels | None:
        """How images are mixed; None when none is."""
        ...

    @property
    def text(self) -> Tensor:
        """Prompt feature of each image's identity, (B, d)."""
        ...

    @property
    def identity_texts(self) -> Tensor:
        """Prompt features of all identities, (C, d), or (B, C, d) where each image has its own."""
        ...

    @property
    def prompt_tokens(self) -> Tensor:
        """The learned tokens."""
        ...

    @property
    def shared_tokens(self) -> Tensor | None:
        """Learned tokens that all identities share, (Ms, width); None when there are none."""
        ...

    @property
    def domain_tokens(self) -> Tensor | None:
        """Learned tokens of K domains, (K, Md, width); None when there are none."""
        ...

    @property
    def states(self) -> Mapping[str, LossState]:
        """What the terms remember, by term name."""
        ...

    def scores(self, kind: str) -> list[Tensor]:
        """Scores of the classifiers of a kind, (B, C) per classified feature."""
        ...


def feature(outputs: Outputs, name: str) -> Tensor:
    """Return an image feature by its name, (B, D).

    Raises:
        ConfigError: The stage reads cached features, which hold only `projected`.
    """
    if outputs.features is not None:
        return outputs.features[name]
    if name == "projected":
        return outputs.projected
    raise ConfigError(
        f"A loss reads the image feature {name!r}, but cached images give only 'projected'. "
        "Set images: augmented in this stage, or change the loss's features."
    )


def over_clean(outputs: Outputs, loss: Callable[..., Tensor], *rows: Tensor) -> Tensor:
    """Apply a loss to the rows of images that are not mixed.

    A mixed image has no one identity, so it is neither an anchor nor anyone's positive or negative.

    Args:
        outputs: Says which images are clean.
        loss: Takes the rows of the clean images.
        rows: Tensors with one row per image.

    Returns:
        The loss; zero when every image is mixed.
    """
    if outputs.clean is not None:
        rows = tuple(tensor[outputs.clean] for tensor in rows)
        if not len(rows[0]):
            return rows[0].float().sum()  # zero that still leads back to the features
    return loss(*rows)
