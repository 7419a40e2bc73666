"""What every kind of prompt answers: whose texts it gives, and how they are taken over."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.config.model import PromptConfig
from promptreid.models.model_part import ModelPart, PartShape
from promptreid.models.prompts.sentences import SentenceFields
from promptreid.models.towers.backbone import Backbone


@dataclass(frozen=True)
class PromptData:
    """What training data says to a prompt.

    Attributes:
        identities: Number of identities C.
        fields: What fills the fields of templates besides `{context}`.
        domains: Number of the domain of each identity, (C,), from 0; None where there are none.
    """

    identities: int
    fields: SentenceFields = field(default_factory=SentenceFields)
    domains: Sequence[int] | Tensor | None = None


class Prompt(ModelPart, ABC):
    """Sentences that the text tower reads, in part learned or computed.

    A kind of prompt derives from `PromptOfIdentities` or `PromptOfImages`, by what its texts stand
    for. The text tower is used, not owned, so its weights are not part of a prompt's state.

    Attributes:
        fixed: Names of tensors that belong to the recipe and its data, such as the fixed words; a
            prompt that starts from an earlier one keeps its own.
        on_host: Names of buffers that stay on the CPU wherever the model goes: small tables that
            say what is to be encoded, which nobody is to wait for.
        per_identity: Names of tensors with a row for each identity, which are taken over identity
            by identity.
        variants: V combinations of the fields that depend on the sample.
    """

    Options = PromptConfig
    options: PromptConfig
    fixed: ClassVar[tuple[str, ...]] = ()
    on_host: ClassVar[tuple[str, ...]] = ()
    per_identity: ClassVar[tuple[str, ...]] = ()
    variants: tuple[Mapping[str, str], ...] = ({},)

    @abstractmethod
    def __init__(self, backbone: Backbone, options: PromptConfig, shape: PartShape) -> None:
        """Make room for all tensors, ready for the weights of a checkpoint."""
        super().__init__(options, shape)

    @classmethod
    @abstractmethod
    def build(
        cls,
        backbone: Backbone,
        options: PromptConfig,
        data: PromptData,
        *,
        generator: torch.Generator | None = None,
    ) -> Self:
        """Build a fresh prompt.

        Args:
            backbone: Its text tower encodes the sentences, its tokenizer splits them.
            options: What a recipe says of the prompt.
            data: Identities, fields and domains.
            generator: Source of the initial values; None for a generator with seed 0.

        Raises:
            ConfigError: The options and the data do not go together, or a sentence is too long.
            WeightsError: The text tower came without word embeddings.
        """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move everything but the tables of the host."""
        order = list(self._buffers)
        tables = {name: self._buffers.pop(name) for name in self.on_host if name in order}
        super()._apply(fn, recurse)
        moved = self._buffers | tables
        self._buffers.clear()
        self._buffers.update((name, moved[name]) for name in order)
        return self


class PromptOfIdentities(Prompt):
    """A prompt whose texts stand for the identities of the training set.

    Attributes:
        identities: Number of identities C.
        tokens: Learned word embeddings, which regularising losses read.
        shared: Learned word embeddings of all identities, (Ms, width); None without.
        domain: Learned word embeddings of K domains, (K, Md, width); None without.
        domains: Domain of each identity, (C,), on the CPU; None without domain tokens.
    """

    identities: int
    tokens: nn.Parameter
    shared: nn.Parameter | None
    domain: nn.Parameter | None
    domains: Tensor | None

    def __init__(self, backbone: Backbone, options: PromptConfig, shape: PartShape) -> None:
        super().__init__(backbone, options, shape)
        self.shared = self.domain = None
        self.register_buffer("domains", None)

    @abstractmethod
    def forward(self, labels: Tensor, variants: Tensor | None = None) -> Tensor:
        """Encode the sentences of some identities.

        Args:
            labels: (B,) identity indices, repeats allowed; on the CPU, so that nobody waits for a
                device to learn which sentences there are.
            variants: (B,) indices of the sentence variants, likewise; may be None when there is
                one.

        Returns:
            (B, embed_dim) text features, not normalised.
        """

    @abstractmethod
    def bank(self, *, chunk: int = 64) -> Tensor:
        """Encode all identities in all variants, `chunk` at a time, without gradients and dropout.

        Returns:
            (V, C, embed_dim) text features, not normalised.
        """

    def neutral(self, *, chunk: int = 64) -> Tensor:
        """Encode all identities as they read in no domain in particular.

        What a text says of an identity wherever it is seen: for diagnostics, and to compare with
        images of a domain that has no tokens. Without domain tokens it is the plain text. Variants
        of the sentence are averaged as the prompts of an ensemble are. `chunk` as in `bank`.

        Returns:
            (C, embed_dim) text features, not normalised, without gradients.
        """
        return average_texts(self.bank(chunk=chunk).transpose(0, 1))

    def swapped(self, shift: int, *, chunk: int = 64) -> Tensor:
        """Encode all identities as if each were of another domain.

        Whether texts say something of their domain: for diagnostics. Without domain tokens it is
        the plain text.

        Args:
            shift: An identity of domain k reads as one of domain (k + shift) modulo their number.
            chunk: As in `bank`.

        Returns:
            (V, C, embed_dim) text features, not normalised, without gradients.
        """
        return self.bank(chunk=chunk)


class PromptOfImages(Prompt):
    """A prompt that computes a word from each image and puts it into a sentence."""

    @abstractmethod
    def words(self, projected: Tensor) -> Tensor:
        """Compute the word of each image.

        Args:
            projected: (B, inputs) image features in the joint space, not normalised.

        Returns:
            (B, width) word embeddings, positions not added.
        """

    @abstractmethod
    def encode(self, words: Tensor, variants: Tensor | None = None) -> Tensor:
        """Encode sentences around given words.

        Args:
            words: (B, width) word embeddings.
            variants: (B,) indices into `variants`, on the CPU; may be None when there is one.

        Returns:
            (B, embed_dim) text features, not normalised.
        """

    @abstractmethod
    def constant(self) -> Tensor:
        """Encode the sentence of each variant without the word, (V, embed_dim), no gradients."""

    @abstractmethod
    def constant_sources(self) -> Iterator[Tensor]:
        """Yield all tensors that `constant` is made of, so that what is kept of it can go stale."""

    @abstractmethod
    def find_variants(self, columns: Mapping[str, Sequence[str]], *, images: int) -> Tensor:
        """Find which variant of the sentence each image goes with.

        Args:
            columns: Field to its value for each of N images; fields that no template names are
                passed over.
            images: Their number N.

        Returns:
            (N,) int64 indices into `variants`.

        Raises:
            DataError: A field that a template names is missing, or a combination of values was not
                there when the prompt was built.
        """


def average_texts(texts: Tensor) -> Tensor:
    """Average the features of each identity's prompts.

    The direction is that of the mean of the unit vectors (Radford et al., ICML 2021), the length
    the mean length: mean_e |T_e| * normalise(mean_e normalise(T_e)). One feature stays as it is.

    Args:
        texts: (B, E, d).

    Returns:
        (B, d), in float32 for E above 1.
    """
    if texts.shape[1] == 1:
        return texts[:, 0]
    with torch.autocast(texts.device.type, enabled=False):
        texts = texts.float()
        length = texts.norm(dim=2).mean(dim=1, keepdim=True)
        return length * F.normalize(F.normalize(texts, dim=2).mean(dim=1), dim=1)
