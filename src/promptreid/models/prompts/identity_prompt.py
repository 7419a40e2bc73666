"""Prompts: what produces the text features an image is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.models.prompts.prompt_checks import (
    check_choices,
    check_counts,
    check_general,
    check_told_apart,
)
from promptreid.models.prompts.prompt_tokens import (
    domain_numbers,
    draw_tokens,
    start_from,
    start_shared,
)
from promptreid.models.prompts.sentence_frame import SentenceFrame
from promptreid.models.prompts.sentences import SentenceFields, fill_init, fill_prompts
from promptreid.models.prompts.token_places import (
    TEMPLATE,
    Slot,
    Words,
    encode_sentences,
    place_context,
    place_sentences,
    starting_words,
)
from promptreid.models.towers.text_tower import TextTower
from promptreid.models.weights.tokenizers import Tokenizer

__all__ = [
    "TEMPLATE",
    "IdentityPrompt",
    "SentenceFields",
    "Slot",
    "average_texts",
    "encode_sentences",
    "place_context",
]


class IdentityPrompt(SentenceFrame):
    """Sentences with learned tokens for each identity.

    "A photo of a X X X X person.": the Xs are `context_tokens` word embeddings per identity, drawn
    from N(0, 0.02) and learned; the other words stay as they are (CLIP-ReID, Li et al., AAAI 2023).
    All identities can share the tokens instead (CoOp, Zhou et al., IJCV 2022), and sentences can
    name attributes of the identity ("a {gender} person") or of the sample ("the {aspect} side");
    combinations of the latter are the sentence's variants. An ensemble has several prompts per
    identity, whose features are averaged.

    Before the tokens of an identity can stand some that all identities share and some of its domain
    (MTA-CLIP): `[shared][domain][identity]`, so that in a causal tower the specific ones see the
    general ones. What is said of all domains can then be learned apart from what is said of one.
    MTA-CLIP names the first two only; without the third, a domain's identities would all have one
    text, so they stay. The members of an ensemble have the first two in common.

    Attributes:
        tokens: Learned word embeddings, (C, context_tokens, width); of an ensemble or shared ones
            (C or 1, E, context_tokens, width).
        shared: Those of all identities, (shared_tokens, width); None without.
        domain: Those of K domains, (K, domain_tokens, width); None without.
        domains: Domain of each identity, (C,); None without domain tokens.
        slots: Where all of them stand in each distinct sentence.
        templates: Sentences with fields; the prompts of an ensemble take them in turn.
        context: "identity" or "shared".
        dropout: Probability with which an entry of the tokens is dropped while they learn.
        init: Words the tokens started from.
        domain_dropout: Probability with which an identity reads the mean of all domains' tokens
            instead of its own domain's while they learn.
        shared_init: Words the shared tokens started from.
        variants: V combinations of the fields that depend on the sample.
    """

    sentences: Tensor
    shared: nn.Parameter | None
    domain: nn.Parameter | None
    domains: Tensor | None

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
        shared_tokens: int = 0,
        domain_tokens: int = 0,
        domains: Sequence[int] | Tensor | None = None,
        domain_dropout: float = 0.0,
        shared_init: str | None = None,
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
            shared_tokens: Learned tokens Ms of all identities, before the others.
            domain_tokens: Learned tokens Md of each domain, after the shared ones.
            domains: Domain of each identity, numbered from 0; needed with domain tokens.
            domain_dropout: Probability with which an identity reads the mean of all domains' tokens
                in training mode while they learn; drawn once for each forward pass and identity
                (each domain, where all identities share their tokens).
            shared_init: Plain words whose embeddings the first shared tokens start from; further
                ones start random, and so do all with None.
            generator: Source of the random tokens, those of identities first; None for a generator
                with seed 0.

        Raises:
            ConfigError: An option cannot be used, a field is not given, a sentence is too long,
                `init` or `shared_init` has more words than there are tokens, shared context tokens
                stand in sentences that are the same for all identities, or domains do not fit.
            WeightsError: The text tower came without word embeddings.
        """
        super().__init__()
        templates = (templates,) if isinstance(templates, str) else tuple(templates)
        fields = fields or SentenceFields()
        check_counts(identities, context_tokens, ensemble, templates)
        check_general(shared_tokens, domain_tokens, domain_dropout)
        check_choices(context, dropout, identities, fields)
        sentences, found = fill_prompts(templates, fields, identities=identities, ensemble=ensemble)
        numbers = torch.tensor(found)
        if context == "shared":
            check_told_apart(found, templates[0])
        length = shared_tokens + domain_tokens + context_tokens
        words = place_sentences(text, tokenizer, sentences, context_tokens=length)
        generator = generator or torch.Generator().manual_seed(0)
        device = words.prefix.device
        shape = (identities if context == "identity" else 1, ensemble, context_tokens, text.width)
        tokens = draw_tokens(*shape, generator=generator, device=device)
        if init is not None:
            starts = fill_init(init, fields, identities=identities, shared=context == "shared")
            known = starting_words(text, tokenizer, starts, context_tokens=context_tokens)
            start_from(tokens, [known[start] for start in starts], fresh=len(templates))
        shared = domain = numbered = None
        if shared_tokens:
            shared = draw_tokens(shared_tokens, text.width, generator=generator, device=device)
            start_shared(shared, text, tokenizer, shared_init)
        if domain_tokens:
            numbered = domain_numbers(domains, identities=identities).to(device)
            shape = (int(numbered.max()) + 1, domain_tokens, text.width)
            domain = draw_tokens(*shape, generator=generator, device=device)
        self._assemble(text, words, tokens, numbers.to(device), context)
        self._add_general(shared, domain, numbered)
        self.templates = templates
        self.dropout = dropout
        self.init = init
        self.domain_dropout = domain_dropout
        self.shared_init = shared_init
        self.variants = tuple(dict(variant) for variant in fields.variants)

    def _assemble(
        self, text: TextTower, words: Words, tokens: Tensor, numbers: Tensor, context: str
    ) -> None:
        """Register tokens (C or 1, E, n, width) and which sentence each prompt is, (V, C, E)."""
        self.frame(text, words)
        self.context = context
        # Published weights hold nothing but the fixed words and three-dimensional tokens.
        self.register_buffer("sentences", numbers, persistent=len(words.slots) > 1)
        stacked = tokens.shape[1] > 1 or context == "shared"
        self.tokens = nn.Parameter(tokens if stacked else tokens.squeeze(1))

    def _add_general(
        self, shared: Tensor | None, domain: Tensor | None, domains: Tensor | None
    ) -> None:
        """Register shared tokens (Ms, width), domain tokens (K, Md, width) and domains (C,)."""
        self.shared = None if shared is None else nn.Parameter(shared)
        self.domain = None if domain is None else nn.Parameter(domain)
        self.register_buffer("domains", domains)

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
        learning = self.training and self.tokens.requires_grad
        return average_texts(self._encode(distinct, learning=learning)[where])

    @torch.no_grad()
    def bank(self, *, chunk: int = 64) -> Tensor:
        """Encode all identities in all sentence variants, without gradients and dropout.

        Args:
            chunk: Sentences encoded at a time.

        Returns:
            (V, C, embed_dim) text features, not normalised.
        """
        return self._bank(chunk)

    @torch.no_grad()
    def neutral(self, *, chunk: int = 64) -> Tensor:
        """Encode all identities with the mean of all domains' tokens in the place of their own's.

        What a text says of an identity wherever it is seen: for diagnostics, and to compare with
        images of a domain that has no tokens. Without domain tokens it is the plain text. Variants
        of the sentence are averaged as the prompts of an ensemble are.

        Args:
            chunk: Sentences encoded at a time.

        Returns:
            (C, embed_dim) text features, not normalised, without gradients.
        """
        return average_texts(self._bank(chunk, neutral=True).transpose(0, 1))

    @torch.no_grad()
    def swapped(self, shift: int, *, chunk: int = 64) -> Tensor:
        """Encode all identities with the tokens of another domain in the place of their own's.

        Whether they say something of their domain: for diagnostics. Without domain tokens it is the
        plain text.

        Args:
            shift: An identity of domain k reads the tokens of domain (k + shift) modulo their
                number.
            chunk: Sentences encoded at a time.

        Returns:
            (V, C, embed_dim) text features, not normalised, without gradients.
        """
        return self._bank(chunk, shift=shift)

    def _bank(self, chunk: int, *, neutral: bool = False, shift: int = 0) -> Tensor:
        variants, identities, _ = self.sentences.shape
        everyone = torch.arange(identities, device=self.tokens.device)
        kinds = torch.arange(variants, device=self.tokens.device)
        keys = self._keys(everyone.repeat(variants), kinds.repeat_interleave(identities))
        distinct, where = keys.unique(return_inverse=True)
        parts = distinct.split(chunk)
        texts = torch.cat([self._encode(part, neutral=neutral, shift=shift) for part in parts])
        return average_texts(texts[where]).unflatten(0, (variants, identities))

    def _encode(
        self, keys: Tensor, *, learning: bool = False, neutral: bool = False, shift: int = 0
    ) -> Tensor:
        """Encode prompts by numbers of `_keys`, (N,) to (N, embed_dim)."""
        context, sentences = self._prompts(keys, self._away(learning, neutral), shift)
        if learning and self.dropout:
            return self.encode(F.dropout(context, self.dropout), sentences)
        if self.shared is None or len(self.slots) > 1:
            return self.encode(context, sentences)
        beginning = torch.cat([self.prefix, self.shared])  # encoded once for all
        return self.encode_after(beginning, context[:, len(self.shared) :])

    def _keys(self, labels: Tensor, variants: Tensor | None) -> Tensor:
        """Number what is encoded: tokens and sentence of each prompt, (B, E)."""
        labels = labels.to(self.tokens.device)
        if variants is None:
            if len(self.sentences) > 1:
                raise ValueError("variants must be given, since sentences depend on the sample")
            variants = torch.zeros_like(labels)
        sentences = self.sentences[variants.to(labels.device), labels]
        rows = labels if self.context == "identity" else torch.zeros_like(labels)
        if self.domains is not None and self.context == "shared":
            rows = self.domains[labels]
        members = torch.arange(self.ensemble, device=labels.device)
        return (rows[:, None] * self.ensemble + members) * len(self.slots) + sentences

    def _prompts(self, keys: Tensor, away: Tensor | None, shift: int = 0) -> tuple[Tensor, Tensor]:
        """Return tokens (N, n, width) and sentence (N,) behind numbers of `_keys`.

        Args:
            keys: (N,) numbers.
            away: Which rows of `_keys` read the mean of the domains; None for none.
            shift: How many domains further the tokens are taken from.
        """
        prompts, sentences = keys // len(self.slots), keys % len(self.slots)
        tokens = self.tokens.flatten(0, 1) if self.tokens.ndim == 4 else self.tokens
        found = [tokens[prompts if self.context == "identity" else prompts % self.ensemble]]
        if self.domain is not None and self.domains is not None:
            rows = prompts // self.ensemble
            numbers = self.domains[rows] if self.context == "identity" else rows
            domain = self.domain[(numbers + shift) % len(self.domain)]
            if away is not None:
                domain = torch.where(away[rows, None, None], self.domain.mean(dim=0), domain)
            found.insert(0, domain)
        if self.shared is not None:
            found.insert(0, self.shared.expand(len(keys), -1, -1))
        return found[0] if len(found) == 1 else torch.cat(found, dim=1), sentences

    def _away(self, learning: bool, neutral: bool) -> Tensor | None:
        """Choose which rows of `_keys` read the mean of the domains; None for none."""
        dropped = learning and self.domain_dropout > 0
        if self.domain is None or not (neutral or dropped):
            return None
        rows = self.identities if self.context == "identity" else len(self.domain)
        drawn = (
            torch.rand(rows, device=self.tokens.device) if dropped else self.tokens.new_zeros(rows)
        )
        return drawn < (1.0 if neutral else self.domain_dropout)

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
            "shared_tokens": 0 if self.shared is None else len(self.shared),
            "domain_tokens": 0 if self.domain is None else self.domain.shape[1],
            "domains": 0 if self.domain is None else len(self.domain),
            "domain_dropout": self.domain_dropout,
            "shared_init": self.shared_init,
            "variants": [dict(variant) for variant in self.variants],
            "prefix": len(self.prefix),
            "slots": [[s.start, s.length, s.eot, s.total] for s in self.slots],
        }

    @classmethod
    def restore(cls, text: TextTower, description: Mapping[str, Any]) -> IdentityPrompt:
        """Build an empty prompt of a description, ready for its weights.

        Descriptions of a single sentence need only `identities`, `template` and `slot`; no tokens
        but those of identities are there unless it names them.
        """
        slots = [Slot(*slot) for slot in description.get("slots") or [description["slot"]]]
        identities, ensemble = description["identities"], description.get("ensemble", 1)
        context = description.get("context", "identity")
        variants = description.get("variants") or [{}]
        prefix = description.get("prefix", slots[0].start)
        prompt = cls.__new__(cls)
        nn.Module.__init__(prompt)
        rows = identities if context == "identity" else 1
        names = ("shared_tokens", "domain_tokens", "domains")
        shared, own, domains = (description.get(name, 0) for name in names)
        prompt._assemble(
            text,
            Words.empty(slots, prefix=prefix, width=text.width),
            torch.zeros(rows, ensemble, slots[0].length - shared - own, text.width),
            torch.zeros(len(variants), identities, ensemble, dtype=torch.long),
            context,
        )
        prompt._add_general(
            torch.zeros(shared, text.width) if shared else None,
            torch.zeros(domains, own, text.width) if own else None,
            torch.zeros(identities, dtype=torch.long) if own else None,
        )
        prompt.templates = tuple(description.get("templates") or [description["template"]])
        prompt.dropout = description.get("dropout", 0.0)
        prompt.init = description.get("init")
        prompt.domain_dropout = description.get("domain_dropout", 0.0)
        prompt.shared_init = description.get("shared_init")
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
