"""Sentences with a word computed from each image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from promptreid.errors import ConfigError, DataError
from promptreid.models.prompts.identity_prompt import average_texts
from promptreid.models.prompts.inversion import InversionNetwork
from promptreid.models.prompts.sentences import SentenceFields, fill_prompts, template_fields
from promptreid.models.prompts.token_places import TEMPLATE, Slot, place_sentences
from promptreid.models.prompts.words_around import after_prefix, fields_of_images, place_plain
from promptreid.models.towers.text_tower import TextTower
from promptreid.models.weights.tokenizers import Tokenizer


class ImagePrompt(nn.Module):
    """A sentence for each image (PromptSG: Yang et al., CVPR 2024).

    "A photo of a s person.": s is a word embedding that the inversion network computes from the
    image's projected feature; the other words stay as they are. The sentence runs through the text
    tower with gradient, so the loss reaches the inversion network although the tower is frozen. In
    a causal tower no position after the one that is read is run, and the beginning that all
    sentences share is run once; both leave the result as it is.

    Sentences can name attributes of the image ("the {aspect} side"); combinations of their values
    are the variants. Several templates give one text feature by `average_texts`. The text tower is
    used, not owned, so its weights are not part of this module's state.

    Attributes:
        inversion: Network that computes the word.
        slots: Where the word stands in each distinct sentence.
        templates: Sentences with fields.
        variants: V combinations of field values.
    """

    prefix: Tensor
    suffix: Tensor
    plain: Tensor
    sentences: Tensor
    _places: Tensor
    _ends: Tensor
    _plain_ends: Tensor

    def __init__(
        self,
        text: TextTower,
        tokenizer: Tokenizer,
        *,
        inputs: int,
        templates: str | Sequence[str] = (TEMPLATE,),
        hidden: int = 512,
        fields: SentenceFields | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        """Place the word in the sentences.

        Args:
            text: Tower that encodes the sentences.
            tokenizer: Its tokenizer.
            inputs: Size of the image feature in the joint space.
            templates: Sentences with `{context}` once, where the word goes; any other field is
                filled from `fields`.
            hidden: Width of the inversion network's inner layers.
            fields: What fills the templates; None when they name nothing but `{context}`. A field
                given per identity must be the same for all, since an image is not known by its
                identity.
            generator: Source of the inversion network's weights; None for a generator with seed 0.

        Raises:
            ConfigError: There is no template, a field is not given or differs between identities, a
                sentence is too long, or nothing is left of it without the word.
            WeightsError: The text tower came without word embeddings.
        """
        super().__init__()
        templates = (templates,) if isinstance(templates, str) else tuple(templates)
        if not templates:
            raise ConfigError(f"An image prompt needs at least one template, such as {TEMPLATE!r}.")
        fields = fields_of_images(fields or SentenceFields(), templates)
        sentences, found = fill_prompts(templates, fields, identities=1, ensemble=len(templates))
        words = place_sentences(text, tokenizer, sentences, context_tokens=1)
        plain, ends = place_plain(text, tokenizer, sentences)
        device = words.prefix.device
        self.inversion = InversionNetwork(
            inputs, text.width, hidden=hidden, generator=generator
        ).to(device)
        numbers = torch.tensor(found, device=device)[:, 0]
        suffix, slots = after_prefix(text, words)
        self._assemble(text, words.prefix, suffix, slots, numbers)
        self._assemble_plain(plain, ends)
        self.templates = templates
        self.variants = tuple(dict(variant) for variant in fields.variants)

    def _assemble(
        self,
        text: TextTower,
        prefix: Tensor,
        suffix: Tensor,
        slots: Sequence[Slot],
        numbers: Tensor,
    ) -> None:
        """Register the words around the slot and which sentence each variant takes, (V, E)."""
        self._text = (text,)  # in a tuple, so that the tower is not registered a second time
        self.slots = tuple(slots)
        self.register_buffer("prefix", prefix)
        self.register_buffer("suffix", suffix)
        self.register_buffer("sentences", numbers)
        places = torch.tensor([slot.start - len(prefix) for slot in slots])
        self.register_buffer("_places", places.to(prefix.device), persistent=False)
        ends = torch.tensor([slot.eot for slot in slots])
        self.register_buffer("_ends", ends.to(prefix.device), persistent=False)

    def _assemble_plain(self, plain: Tensor, ends: Sequence[int]) -> None:
        """Register the sentences without the word, (S, L, width), and where they are read."""
        self.register_buffer("plain", plain)
        self.plain_ends = tuple(ends)
        where = torch.tensor(self.plain_ends).to(plain.device)
        self.register_buffer("_plain_ends", where, persistent=False)

    @property
    def text(self) -> TextTower:
        """The text tower that encodes the sentences."""
        return self._text[0]

    def forward(self, projected: Tensor, variants: Tensor | None = None) -> Tensor:
        """Encode the sentence of each image.

        Args:
            projected: (B, inputs) image features in the joint space, not normalised.
            variants: (B,) indices into `variants`; may be None when there is one.

        Returns:
            (B, embed_dim) text features, not normalised.
        """
        return self.encode(self.inversion(projected), variants)

    def encode(self, words: Tensor, variants: Tensor | None = None) -> Tensor:
        """Encode sentences around given words.

        Args:
            words: (B, width) word embeddings in the place of the computed ones.
            variants: (B,) indices into `variants`; may be None when there is one.

        Returns:
            (B, embed_dim) text features, not normalised.
        """
        numbers = self._numbers(variants, len(words))
        batch, members = numbers.shape
        numbers = numbers.flatten()
        rest = self.suffix[numbers]
        rows = torch.arange(len(rest), device=rest.device)
        rest[rows, self._places[numbers]] = words.to(rest.dtype).repeat_interleave(members, dim=0)
        eot = _reading(tuple(slot.eot for slot in self.slots), self._ends, numbers)
        texts = self.text.encode_embeddings(rest, eot, shared=self.prefix)
        return average_texts(texts.unflatten(0, (batch, members)))

    @torch.no_grad()
    def constant(self, variants: Tensor | None = None, *, count: int | None = None) -> Tensor:
        """Encode the sentences without the word, "A photo of a person.", without gradients.

        They depend on no image, so encode them once and keep them.

        Args:
            variants: (B,) indices into `variants`; None for each variant once.
            count: Without `variants`, how often the only sentence is repeated.

        Returns:
            (B, embed_dim), (count, embed_dim), or (V, embed_dim) text features, not normalised.
        """
        ends = _reading(self.plain_ends, self._plain_ends, torch.arange(len(self.plain)))
        texts = average_texts(self.text.encode_embeddings(self.plain, ends)[self.sentences])
        if variants is not None:
            return texts[variants.to(texts.device)]
        return texts if count is None else texts[self._only(count)]

    def variants_of(self, columns: Mapping[str, Sequence[str]], *, images: int) -> Tensor:
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
        names = template_fields(self.templates)
        missing = [name for name in names if name not in columns]
        if missing:
            raise DataError(
                f"The sentence {self.templates[0]!r} names {missing}, but the images have only the "
                f"attributes {sorted(columns)}. Read the data with these attributes."
            )
        known: dict[tuple[str, ...], int] = {}
        for number, variant in enumerate(self.variants):
            known.setdefault(tuple(variant[name] for name in names), number)
        if not names:
            return torch.zeros(images, dtype=torch.long)
        asked = list(zip(*(columns[name] for name in names), strict=True))
        new = sorted(set(asked) - set(known))
        if new:
            raise DataError(
                f"The prompt has no sentence with {dict(zip(names, new[0], strict=True))}; it was "
                f"built for {sorted(known)}. Train on data with these values, or leave the images "
                "out."
            )
        return torch.tensor([known[values] for values in asked], dtype=torch.long)

    def _numbers(self, variants: Tensor | None, batch: int) -> Tensor:
        """Return the sentences of each image, (B, E)."""
        chosen = self._only(batch) if variants is None else variants.to(self.sentences.device)
        return self.sentences[chosen]

    def _only(self, batch: int) -> Tensor:
        """Return the only variant, (B,) times."""
        if len(self.sentences) > 1:
            raise ValueError("variants must be given, since sentences depend on the image")
        return self.sentences.new_zeros(batch)

    def describe(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON-ready."""
        return {
            "kind": "image",
            "inputs": self.inversion.inputs,
            "hidden": self.inversion.hidden,
            "templates": list(self.templates),
            "variants": [dict(variant) for variant in self.variants],
            "prefix": len(self.prefix),
            "slots": [[s.start, s.length, s.eot, s.total] for s in self.slots],
            "plain": {"length": self.plain.shape[1], "ends": list(self.plain_ends)},
        }

    @classmethod
    def restore(cls, text: TextTower, description: Mapping[str, Any]) -> ImagePrompt:
        """Build an empty prompt of a description, ready for its weights."""
        prompt = cls.__new__(cls)
        nn.Module.__init__(prompt)
        slots = [Slot(*slot) for slot in description["slots"]]
        prefix, plain = description["prefix"], description["plain"]
        prompt.templates = tuple(description["templates"])
        prompt.variants = tuple(dict(variant) for variant in description["variants"])
        prompt.inversion = InversionNetwork(
            description["inputs"], text.width, hidden=description["hidden"]
        )
        prompt._assemble(
            text,
            torch.zeros(prefix, text.width),
            torch.zeros(len(slots), slots[0].total - prefix, text.width),
            slots,
            torch.zeros(len(prompt.variants), len(prompt.templates), dtype=torch.long),
        )
        prompt._assemble_plain(torch.zeros(len(slots), plain["length"], text.width), plain["ends"])
        return prompt


def _reading(ends: Sequence[int], stored: Tensor, numbers: Tensor) -> int | Tensor:
    """Return the position that is read: one for all where they agree, else by sentence."""
    return ends[0] if len(set(ends)) == 1 else stored[numbers.to(stored.device)]
