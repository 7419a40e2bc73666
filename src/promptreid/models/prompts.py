"""Prompts: what produces the text features an image is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.errors import ConfigError, unknown_name
from promptreid.models.placement import (
    TEMPLATE,
    Slot,
    Words,
    encode_sentences,
    place_context,
    place_sentences,
    starting_words,
)
from promptreid.models.sentences import SentenceFields, fill_init, fill_prompts
from promptreid.models.text import TextTower
from promptreid.models.tokenizers import Tokenizer

__all__ = [
    "TEMPLATE",
    "IdentityPrompt",
    "SentenceFields",
    "Slot",
    "encode_sentences",
    "place_context",
]

CONTEXTS = ("identity", "shared")
_INIT_STD = 0.02


class IdentityPrompt(nn.Module):
    """Sentences with learned tokens for each identity.

    "A photo of a X X X X person.": the Xs are `context_tokens` word embeddings per identity, drawn
    from N(0, 0.02) and learned; the other words stay as they are (CLIP-ReID, Li et al., AAAI 2023).
    All identities can share the tokens instead (CoOp, Zhou et al., IJCV 2022), and sentences can
    name attributes of the identity ("a {gender} person") or of the sample ("the {aspect} side");
    combinations of the latter are the sentence's variants. An ensemble has several prompts per
    identity, whose features are averaged. The text tower is used, not owned, so its weights are not
    part of this module's state.

    Attributes:
        tokens: Learned word embeddings, (C, context_tokens, width); of an ensemble or shared ones
            (C or 1, E, context_tokens, width).
        slots: Where they stand in each distinct sentence.
        templates: Sentences with fields; the prompts of an ensemble take them in turn.
        context: "identity" or "shared".
        dropout: Probability with which an entry of the tokens is dropped while they learn.
        init: Words the tokens started from.
        variants: V combinations of the fields that depend on the sample.
    """

    prefix: Tensor
    suffix: Tensor
    sentences: Tensor
    _places: Tensor
    _ends: Tensor

    def __init__(
        self,
        text: TextTower,
        tokenizer: Tokenizer,
        identities: int,
        *,
        templates: str | Sequence[str] = (TEMPLATE,),
        context_tokens: int = 4,
        context: str = "identity",
        ensemble: int = 1,
        init: str | None = None,
        dropout: float = 0.0,
        fields: SentenceFields | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        """Place the learned tokens in the sentences.

        Args:
            text: Tower that encodes the sentences.
            tokenizer: Its tokenizer.
            identities: Number of identities C, at least one.
            templates: Sentences with `{context}` once; any other field is filled from `fields`.
            context_tokens: Learned tokens of a prompt, at least one.
            context: "identity" for tokens of each identity's own, "shared" for one set for all.
            ensemble: Prompts per identity E, at least as many as templates.
            init: Words whose embeddings the first tokens start from, with fields that are constant
                within an identity; further tokens start random, and so do all with None. Prompts
                that take a template again start at a random distance from the words, since prompts
                that start alike stay alike.
            dropout: Probability with which an entry of the tokens is dropped (and the others scaled
                up) in training mode while they learn; never in `bank`.
            fields: What fills the templates; None when they name nothing but `{context}`.
            generator: Source of the random tokens; None for a generator with seed 0.

        Raises:
            ConfigError: An option cannot be used, a field is not given, a sentence is too long,
                `init` has more words than there are tokens, or shared tokens stand in sentences
                that are the same for all identities.
            WeightsError: The text tower came without word embeddings.
        """
        super().__init__()
        templates = (templates,) if isinstance(templates, str) else tuple(templates)
        fields = fields or SentenceFields()
        _check_counts(identities, context_tokens, ensemble, templates)
        _check_choices(context, dropout, identities, fields)
        sentences, found = fill_prompts(templates, fields, identities=identities, ensemble=ensemble)
        numbers = torch.tensor(found)
        if context == "shared" and identities > 1 and bool((numbers == numbers[:, :1]).all()):
            raise ConfigError(
                "With shared context tokens the sentence itself must tell identities apart, but "
                f"{templates[0]!r} reads the same for all {identities} of them, so they would have "
                "one text feature. Name attributes that are constant within an identity, or set "
                "prompt.context to identity."
            )
        words = place_sentences(text, tokenizer, sentences, context_tokens=context_tokens)
        generator = generator or torch.Generator().manual_seed(0)
        shape = (identities if context == "identity" else 1, ensemble, context_tokens, text.width)
        tokens = torch.randn(shape, generator=generator).mul_(_INIT_STD).to(words.prefix.device)
        if init is not None:
            starts = fill_init(init, fields, identities=identities, shared=context == "shared")
            found = starting_words(text, tokenizer, starts, context_tokens=context_tokens)
            _start_from(tokens, [found[start] for start in starts], fresh=len(templates))
        self._assemble(text, words, tokens, numbers.to(tokens.device), context)
        self.templates = templates
        self.dropout = dropout
        self.init = init
        self.variants = tuple(dict(variant) for variant in fields.variants)

    def _assemble(
        self, text: TextTower, words: Words, tokens: Tensor, numbers: Tensor, context: str
    ) -> None:
        """Register tokens (C or 1, E, n, width) and which sentence each prompt is, (V, C, E)."""
        self._text = (text,)  # in a tuple, so that the tower is not registered a second time
        self.context = context
        self.slots = words.slots
        several = len(words.slots) > 1
        self.register_buffer("prefix", words.prefix)
        self.register_buffer("suffix", words.suffix)
        # Published weights hold nothing but these two and three-dimensional tokens.
        self.register_buffer("sentences", numbers, persistent=several)
        stacked = tokens.shape[1] > 1 or context == "shared"
        self.tokens = nn.Parameter(tokens if stacked else tokens.squeeze(1))
        starts = torch.tensor([[slot.start] for slot in words.slots]) - len(words.prefix)
        places = starts + torch.arange(words.slots[0].length)
        self.register_buffer("_places", places.to(tokens.device), persistent=False)
        ends = torch.tensor([slot.eot for slot in words.slots])
        self.register_buffer("_ends", ends.to(tokens.device), persistent=False)

    @property
    def text(self) -> TextTower:
        """The text tower that encodes the sentences."""
        return self._text[0]

    @property
    def identities(self) -> int:
        """Number of identities."""
        return self.sentences.shape[1]

    @property
    def ensemble(self) -> int:
        """Number of prompts per identity."""
        return self.sentences.shape[2]

    def forward(self, labels: Tensor, variants: Tensor | None = None) -> Tensor:
        """Encode the sentences of some identities, each distinct sentence once.

        Args:
            labels: (B,) identity indices, repeats allowed.
            variants: (B,) indices of the sentence variants; may be None when there is one.

        Returns:
            (B, embed_dim) text features, not normalised; see `average_texts` for an ensemble.
        """
        distinct, where = self._keys(labels, variants).unique(return_inverse=True)
        context, sentences = self._prompts(distinct)
        if self.training and self.tokens.requires_grad:
            context = F.dropout(context, self.dropout) if self.dropout else context
        return average_texts(self.encode(context, sentences)[where])

    @torch.no_grad()
    def bank(self, *, chunk: int = 64) -> Tensor:
        """Encode all identities in all sentence variants, without gradients and dropout.

        Args:
            chunk: Sentences encoded at a time.

        Returns:
            (V, C, embed_dim) text features, not normalised.
        """
        variants, identities, _ = self.sentences.shape
        everyone = torch.arange(identities, device=self.tokens.device)
        kinds = torch.arange(variants, device=self.tokens.device)
        keys = self._keys(everyone.repeat(variants), kinds.repeat_interleave(identities))
        distinct, where = keys.unique(return_inverse=True)
        texts = torch.cat([self.encode(*self._prompts(part)) for part in distinct.split(chunk)])
        return average_texts(texts[where]).unflatten(0, (variants, identities))

    def encode(self, context: Tensor, sentences: Tensor | None = None) -> Tensor:
        """Encode sentences around given tokens.

        Args:
            context: (N, context_tokens, width) word embeddings in the place of the learned ones.
            sentences: (N,) indices into `slots`; may be None when there is one sentence.

        Returns:
            (N, embed_dim) text features, not normalised.
        """
        first = self.slots[0]
        if len(self.slots) == 1:
            end = first.eot + 1 if self.text.causal else first.total
            suffix = self.suffix[: end - first.start - first.length]
            rest = torch.cat([context, suffix.expand(context.shape[0], -1, -1)], dim=1)
            return self.text.encode_embeddings(rest, first.eot, shared=self.prefix)
        if sentences is None:
            raise ValueError("sentences must be given, since there are several")
        rest = self.suffix[sentences].to(context.dtype)
        rows = torch.arange(context.shape[0], device=context.device)[:, None]
        rest[rows, self._places[sentences]] = context
        alike = all(slot.eot == first.eot for slot in self.slots)
        eot = first.eot if alike else self._ends[sentences]
        return self.text.encode_embeddings(rest, eot, shared=self.prefix)

    def _keys(self, labels: Tensor, variants: Tensor | None) -> Tensor:
        """Number what is encoded: tokens and sentence of each prompt, (B, E)."""
        labels = labels.to(self.tokens.device)
        if variants is None:
            if len(self.sentences) > 1:
                raise ValueError("variants must be given, since sentences depend on the sample")
            variants = torch.zeros_like(labels)
        sentences = self.sentences[variants.to(labels.device), labels]
        rows = labels if self.context == "identity" else torch.zeros_like(labels)
        members = torch.arange(self.ensemble, device=labels.device)
        return (rows[:, None] * self.ensemble + members) * len(self.slots) + sentences

    def _prompts(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens (N, n, width) and sentence (N,) behind numbers of `_keys`."""
        tokens = self.tokens.flatten(0, 1) if self.tokens.ndim == 4 else self.tokens
        return tokens[keys // len(self.slots)], keys % len(self.slots)

    def describe(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON-ready."""
        return {
            "kind": "identity",
            "identities": self.identities,
            "templates": list(self.templates),
            "context": self.context,
            "ensemble": self.ensemble,
            "init": self.init,
            "dropout": self.dropout,
            "variants": [dict(variant) for variant in self.variants],
            "prefix": len(self.prefix),
            "slots": [[s.start, s.length, s.eot, s.total] for s in self.slots],
        }

    @classmethod
    def restore(cls, text: TextTower, description: Mapping[str, Any]) -> IdentityPrompt:
        """Build an empty prompt of a description, ready for its weights.

        Descriptions of a single sentence need only `identities`, `template` and `slot`.
        """
        slots = [Slot(*slot) for slot in description.get("slots") or [description["slot"]]]
        identities, ensemble = description["identities"], description.get("ensemble", 1)
        context = description.get("context", "identity")
        variants = description.get("variants") or [{}]
        prefix = description.get("prefix", slots[0].start)
        prompt = cls.__new__(cls)
        nn.Module.__init__(prompt)
        rows = identities if context == "identity" else 1
        prompt._assemble(
            text,
            Words.empty(slots, prefix=prefix, width=text.width),
            torch.zeros(rows, ensemble, slots[0].length, text.width),
            torch.zeros(len(variants), identities, ensemble, dtype=torch.long),
            context,
        )
        prompt.templates = tuple(description.get("templates") or [description["template"]])
        prompt.dropout = description.get("dropout", 0.0)
        prompt.init = description.get("init")
        prompt.variants = tuple(variants)
        return prompt


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


def _check_counts(
    identities: int, context_tokens: int, ensemble: int, templates: Sequence[str]
) -> None:
    if min(identities, context_tokens, ensemble) < 1:
        raise ConfigError(
            "An identity prompt needs at least one identity, context token and prompt, got "
            f"{identities} identities, {context_tokens} context tokens and an ensemble of "
            f"{ensemble}."
        )
    if not 1 <= len(templates) <= ensemble:
        raise ConfigError(
            f"There are {len(templates)} templates for an ensemble of {ensemble} prompts; each "
            f"prompt takes one. Set prompt.ensemble to {max(len(templates), 1)} or more, or give "
            "fewer templates (at least one)."
        )


def _check_choices(context: str, dropout: float, identities: int, fields: SentenceFields) -> None:
    if context not in CONTEXTS:
        raise ConfigError(unknown_name("kind of context", context, CONTEXTS))
    if not 0 <= dropout < 1:
        raise ConfigError(f"The prompt's dropout is {dropout}; it must be at least 0 and below 1.")
    for name, values in fields.identity.items():
        if len(values) != identities:
            raise ConfigError(
                f"The field {name!r} has {len(values)} values for {identities} identities."
            )


def _start_from(tokens: Tensor, words: Sequence[Tensor], *, fresh: int) -> None:
    """Put words into the first tokens of each row; members from `fresh` on keep their noise."""
    for row, found in zip(tokens, words, strict=True):
        row[:fresh, : len(found)] = found
        row[fresh:, : len(found)] += found
