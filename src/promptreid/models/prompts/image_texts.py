"""Text features of an image prompt: with the image's own word, or without a word and kept."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import torch
from torch import Tensor

from promptreid.errors import ConfigError, unknown_name
from promptreid.models.prompts.prompt import PromptOfImages, average_texts
from promptreid.transfer import send

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
        self._constant: _ConstantTexts | None = None

    def __reduce__(self) -> tuple[type[ImageTexts], tuple[()]]:
        """Copy without the kept texts: a copied model has weights of its own."""
        return ImageTexts, ()

    def forget(self) -> None:
        """Drop the kept texts."""
        self._constant = None

    def encode(
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
            variants: (B,) which sentence each image goes with, on the CPU, so that nobody waits for
                a device; None averages over all of them by `average_texts`.
            kind: One of `SENTENCES`.
            words: What `prompt.words` gave, row for row, for composed sentences whose words
                are those of other images; None to compute them from `projected`.

        Returns:
            (B, embed_dim) text features, not normalised.
        """
        count, kinds = len(projected), len(prompt.variants)
        if kind == "simplified":
            texts = self._constant_texts(prompt)
            if variants is None:
                return average_texts(texts[None]).expand(count, -1)
            return texts[send(variants, texts.device)]
        words = prompt.words(projected) if words is None else words
        if variants is not None or kinds == 1:
            return prompt.encode(words, variants)
        each = words.repeat_interleave(kinds, dim=0)
        every = torch.arange(kinds).repeat(count)
        return average_texts(prompt.encode(each, every).unflatten(0, (count, kinds)))

    def _constant_texts(self, prompt: PromptOfImages) -> Tensor:
        """Return the (V, embed_dim) texts without a word."""
        if torch.is_grad_enabled():
            return _encode_constant(prompt)
        if self._constant is None or not self._constant.is_of(prompt):
            sources = [(weakref.ref(t), _read_state(t)) for t in prompt.constant_sources()]
            self._constant = _ConstantTexts(_encode_constant(prompt), sources)
        return self._constant.texts


def _encode_constant(prompt: PromptOfImages) -> Tensor:
    """Encode in the weights' own precision, whatever the caller computes in.

    Kept texts must not depend on who asked first, and tensors made in inference mode could never
    again take part in a pass with gradients.
    """
    place = next(prompt.constant_sources()).device.type
    with torch.inference_mode(False), torch.autocast(place, enabled=False):
        return prompt.constant()


@dataclass(frozen=True)
class _ConstantTexts:
    """Texts, and the tensors they were made of, which are not kept alive, each as it was then."""

    texts: Tensor
    sources: list[tuple[weakref.ref[Tensor], tuple[int, torch.device, torch.dtype]]]

    def is_of(self, prompt: PromptOfImages) -> bool:
        """Return whether the prompt's tensors are still the same, with the same content."""
        now = list(prompt.constant_sources())
        return len(now) == len(self.sources) and all(
            source() is tensor and state == _read_state(tensor)
            for (source, state), tensor in zip(self.sources, now, strict=True)
        )


def _read_state(tensor: Tensor) -> tuple[int, torch.device, torch.dtype]:
    """Return how often a tensor was written to (0 in inference mode), its device and type."""
    changes = 0 if tensor.is_inference() else tensor._version
    return changes, tensor.device, tensor.dtype
