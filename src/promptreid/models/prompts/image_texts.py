"""Text features of an image prompt: with the image's own word, or without a word and kept."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field

import torch
from torch import Tensor

from promptreid.errors import ConfigError, unknown_name
from promptreid.models.prompts.prompt import PromptOfImages, average_texts

SENTENCES = ("composed", "simplified")
"""Kinds of sentences: with a word computed from the image, and without one (PromptSG)."""


@dataclass(frozen=True)
class Sentences:
    """Which sentence of an image prompt is read: with the image's own word, or without a word.

    Attributes:
        training: "composed" or "simplified".
        retrieval: Likewise.
    """

    training: str = "composed"
    retrieval: str = "composed"

    def __post_init__(self) -> None:
        for kind in (self.training, self.retrieval):
            check_kind(kind)


def check_kind(kind: str) -> None:
    """Raise `ConfigError` unless a kind of sentence is one of `SENTENCES`."""
    if kind not in SENTENCES:
        raise ConfigError(unknown_name("kind of sentence", kind, SENTENCES))


class ImageTexts:
    """Gives the text feature of each image.

    Texts without a word depend on no image. They are kept, but only in passes without gradients,
    and only as long as the weights they were made of are the same tensors with the same content. A
    tensor's own count of changes tells; writing through `.data` and fused optimizers escape it, so
    `forget` has to be called after those.
    """

    def __init__(self) -> None:
        self._kept: _Kept | None = None

    def __reduce__(self) -> tuple[type[ImageTexts], tuple[()]]:
        """Copy without what is kept: a copied model has weights of its own."""
        return ImageTexts, ()

    def forget(self) -> None:
        """Drop what is kept."""
        self._kept = None

    def of(
        self,
        prompt: PromptOfImages,
        projected: Tensor,
        variants: Tensor | None,
        kind: str,
        *,
        words: Tensor | None = None,
    ) -> Tensor:
        """Encode the sentence of each image.

        Args:
            prompt: The sentences.
            projected: (B, inputs) image features in the joint space, not normalised.
            variants: (B,) which sentence each image goes with; None averages over all of them by
                `average_texts`.
            kind: One of `SENTENCES`.
            words: What `prompt.words` gave, row for row, for composed sentences whose words
                are those of other images; None to compute them from `projected`.

        Returns:
            (B, embed_dim) text features, not normalised.
        """
        count, kinds = len(projected), len(prompt.variants)
        if kind == "simplified":
            texts = self._plain(prompt)
            if variants is None:
                return average_texts(texts[None]).expand(count, -1)
            return texts[variants.to(texts.device)]
        words = prompt.words(projected) if words is None else words
        if variants is not None or kinds == 1:
            return prompt.encode(words, variants)
        each = words.repeat_interleave(kinds, dim=0)
        every = torch.arange(kinds, device=projected.device).repeat(count)
        return average_texts(prompt.encode(each, every).unflatten(0, (count, kinds)))

    def _plain(self, prompt: PromptOfImages) -> Tensor:
        """Return the (V, embed_dim) texts without a word."""
        if torch.is_grad_enabled():
            return _encode(prompt)
        if self._kept is None or not self._kept.is_of(prompt):
            states = [_State.of(tensor) for tensor in prompt.constant_sources()]
            self._kept = _Kept(_encode(prompt), states)
        return self._kept.texts


def _encode(prompt: PromptOfImages) -> Tensor:
    """Encode in the weights' own precision, whatever the caller computes in.

    What is kept must not depend on who asked first, and tensors made in inference mode could never
    again take part in a pass with gradients.
    """
    place = next(prompt.constant_sources()).device.type
    with torch.inference_mode(False), torch.autocast(place, enabled=False):
        return prompt.constant()


@dataclass(frozen=True)
class _State:
    """A tensor as it was; it is not kept alive."""

    tensor: weakref.ref[Tensor]
    changes: int
    device: torch.device
    dtype: torch.dtype

    @classmethod
    def of(cls, tensor: Tensor) -> _State:
        return cls(weakref.ref(tensor), _changes(tensor), tensor.device, tensor.dtype)

    def is_now(self, tensor: Tensor) -> bool:
        return (
            self.tensor() is tensor
            and self.changes == _changes(tensor)
            and self.device == tensor.device
            and self.dtype == tensor.dtype
        )


@dataclass(frozen=True)
class _Kept:
    """Texts, and what they were made of."""

    texts: Tensor
    states: list[_State] = field(repr=False)

    def is_of(self, prompt: PromptOfImages) -> bool:
        now = list(prompt.constant_sources())
        return len(now) == len(self.states) and all(
            state.is_now(tensor) for state, tensor in zip(self.states, now, strict=True)
        )


def _changes(tensor: Tensor) -> int:
    """Return how often a tensor was written to; those made in inference mode do not count."""
    return 0 if tensor.is_inference() else tensor._version
