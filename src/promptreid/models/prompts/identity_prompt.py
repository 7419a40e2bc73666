"""Prompts with learned tokens for each identity."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from promptreid.config.model import PromptConfig
from promptreid.models.model_part import PartShape
from promptreid.models.prompts.context_init import (
    domain_numbers,
    draw_tokens,
    start_from_words,
    start_shared,
)
from promptreid.models.prompts.context_positions import Slot, Words, place_sentences
from promptreid.models.prompts.prompt import PromptData, PromptOfIdentities, average_texts
from promptreid.models.prompts.prompt_checks import check_data, check_told_apart
from promptreid.models.prompts.sentence_frame import SentenceFrame
from promptreid.models.prompts.sentences import fill_prompts
from promptreid.models.towers.backbone import Backbone
from promptreid.transfer import send


class IdentityPromptShape(PartShape):
    """What data and tokenizer decided about an identity prompt.

    Attributes:
        identities: Number of identities C.
        domains: Number of domains with tokens of their own, K; 0 for none.
        variants: V combinations of the fields that depend on the sample.
        prefix: Words that all sentences begin with.
        slots: Where the learned tokens stand in each distinct sentence.
    """

    identities: int
    domains: int = 0
    variants: tuple[dict[str, str], ...] = ({},)
    prefix: int
    slots: tuple[Slot, ...]


class IdentityPrompt(SentenceFrame, PromptOfIdentities):
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
        sentences: Number of the sentence that each prompt takes, (V, C, E), on the CPU.
        ensemble: Prompts per identity E.
    """

    Shape = IdentityPromptShape
    shape: IdentityPromptShape
    fixed = ("prefix", "suffix", "sentences", "domains")
    on_host = ("sentences", "domains")
    per_identity = ("tokens",)
    sentences: Tensor

    def __init__(
        self, backbone: Backbone, options: PromptConfig, shape: IdentityPromptShape
    ) -> None:
        """Make room for all tensors, ready for the weights of a checkpoint."""
        super().__init__(backbone, options, shape)
        identities, ensemble = shape.identities, options.ensemble
        width, slots = backbone.text.width, shape.slots
        self.identities, self.ensemble = identities, ensemble
        self.variants = shape.variants
        self.frame(backbone.text, Words.empty(slots, prefix=shape.prefix, width=width))
        numbers = torch.zeros(len(shape.variants), identities, ensemble, dtype=torch.long)
        # Published weights hold nothing but the fixed words and three-dimensional tokens.
        self.register_buffer("sentences", numbers, persistent=len(slots) > 1)
        stacked = (ensemble,) if ensemble > 1 or options.context == "shared" else ()
        rows = identities if options.context == "identity" else 1
        context_tokens = slots[0].length - options.shared_tokens - options.domain_tokens
        self.tokens = nn.Parameter(torch.zeros(rows, *stacked, context_tokens, width))
        if options.shared_tokens:
            self.shared = nn.Parameter(torch.zeros(options.shared_tokens, width))
        if options.domain_tokens:
            self.domain = nn.Parameter(torch.zeros(shape.domains, options.domain_tokens, width))
            self.domains = torch.zeros(identities, dtype=torch.long)

    @classmethod
    @torch.no_grad()
    def build(
        cls,
        backbone: Backbone,
        options: PromptConfig,
        data: PromptData,
        *,
        generator: torch.Generator | None = None,
    ) -> IdentityPrompt:
        """Place the learned tokens in the sentences; see `Prompt.build`.

        The tokens of identities are drawn first, then the shared ones, then those of domains. The
        words of `options.init` stand in the first tokens; prompts of an ensemble that take a
        template again start at a random distance from the words, since prompts that start alike
        stay alike.

        Raises:
            ConfigError: A field is not given, a sentence is too long, `init` or `shared_init` has
                more words than there are tokens, shared context tokens stand in sentences that are
                the same for all identities, or domains do not fit.
            WeightsError: The text tower came without word embeddings.
        """
        text, tokenizer = backbone.text, backbone.tokenizer
        identities, ensemble, fields = data.identities, options.ensemble, data.fields
        check_data(options, data)
        sentences, numbers = fill_prompts(
            options.template, fields, identities=identities, ensemble=ensemble
        )
        if options.context == "shared":
            check_told_apart(numbers, options.template[0])
        length = options.shared_tokens + options.domain_tokens + options.context_tokens
        words = place_sentences(text, tokenizer, sentences, context_tokens=length)
        generator = generator or torch.Generator().manual_seed(0)
        device = words.prefix.device
        rows = identities if options.context == "identity" else 1
        shape = (rows, ensemble, options.context_tokens, text.width)
        tokens = draw_tokens(*shape, generator=generator, device=device)
        start_from_words(tokens, text, tokenizer, options, data)
        shared = domain = domains = None
        if options.shared_tokens:
            shared = draw_tokens(
                options.shared_tokens, text.width, generator=generator, device=device
            )
            start_shared(shared, text, tokenizer, options.shared_init)
        if options.domain_tokens:
            domains = domain_numbers(data.domains, identities=identities)
            shape = (int(domains.max()) + 1, options.domain_tokens, text.width)
            domain = draw_tokens(*shape, generator=generator, device=device)
        prompt = cls(
            backbone,
            options,
            IdentityPromptShape(
                identities=identities,
                domains=0 if domain is None else len(domain),
                variants=tuple(dict(variant) for variant in fields.variants),
                prefix=len(words.prefix),
                slots=words.slots,
            ),
        ).to(device)
        prompt.prefix, prompt.suffix = words.prefix, words.suffix
        prompt.sentences = torch.tensor(numbers)
        prompt.tokens = nn.Parameter(tokens.view_as(prompt.tokens))
        prompt.shared = None if shared is None else nn.Parameter(shared)
        prompt.domain = None if domain is None else nn.Parameter(domain)
        prompt.domains = domains
        return prompt

    def forward(self, labels: Tensor, variants: Tensor | None = None) -> Tensor:
        """Encode the sentences of some identities, each distinct sentence once.

        See `PromptOfIdentities.forward`, and `average_texts` for an ensemble.
        """
        distinct, where = self._keys(labels, variants).unique(return_inverse=True)
        learning = self.training and self.tokens.requires_grad
        texts = self._encode(distinct, learning=learning)
        return average_texts(texts[send(where, texts.device)])

    @torch.no_grad()
    def bank(self, *, chunk: int = 64) -> Tensor:
        """Encode all identities without dropout; see `PromptOfIdentities.bank`."""
        return self._encode_all(chunk)

    @torch.no_grad()
    def neutral(self, *, chunk: int = 64) -> Tensor:
        """Encode all identities with the mean of all domains' tokens in place of their own's.

        See `PromptOfIdentities.neutral`.
        """
        return average_texts(self._encode_all(chunk, neutral=True).transpose(0, 1))

    @torch.no_grad()
    def swapped(self, shift: int, *, chunk: int = 64) -> Tensor:
        """Encode all identities with the tokens of another domain in place of their own's.

        See `PromptOfIdentities.swapped`.
        """
        return self._encode_all(chunk, shift=shift)

    def _encode_all(self, chunk: int, *, neutral: bool = False, shift: int = 0) -> Tensor:
        variants, identities, _ = self.sentences.shape
        everyone, kinds = torch.arange(identities), torch.arange(variants)
        keys = self._keys(everyone.repeat(variants), kinds.repeat_interleave(identities))
        distinct, where = keys.unique(return_inverse=True)
        texts = torch.cat(
            [self._encode(part, neutral=neutral, shift=shift) for part in distinct.split(chunk)]
        )
        return average_texts(texts[send(where, texts.device)]).unflatten(0, (variants, identities))

    def _encode(
        self, keys: Tensor, *, learning: bool = False, neutral: bool = False, shift: int = 0
    ) -> Tensor:
        """Encode prompts by numbers of `_keys`, (N,) to (N, embed_dim)."""
        context, sentences = self._prompts(keys, self._choose_mean_domain(learning, neutral), shift)
        if learning and self.options.dropout:
            return self.encode_context(F.dropout(context, self.options.dropout), sentences)
        if self.shared is None or len(self.slots) > 1:
            return self.encode_context(context, sentences)
        beginning = torch.cat([self.prefix, self.shared])  # encoded once for all
        return self.encode_after(beginning, context[:, len(self.shared) :])

    def _keys(self, labels: Tensor, variants: Tensor | None) -> Tensor:
        """Number what is encoded: tokens and sentence of each prompt, (B, E) on the CPU."""
        labels = labels.cpu()
        if variants is None:
            if len(self.sentences) > 1:
                raise ValueError("variants must be given, since sentences depend on the sample")
            variants = torch.zeros_like(labels)
        sentences = self.sentences[variants.cpu(), labels]
        rows = labels if self.options.context == "identity" else torch.zeros_like(labels)
        if self.domains is not None and self.options.context == "shared":
            rows = self.domains[labels]
        members = torch.arange(self.ensemble)
        return (rows[:, None] * self.ensemble + members) * len(self.slots) + sentences

    def _prompts(
        self, keys: Tensor, mean_domain: Tensor | None, shift: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Return tokens (N, n, width) and, on the CPU, sentence (N,) behind numbers of `_keys`.

        Tokens are those of the domain `shift` further, or the mean of all in rows of `mean_domain`.
        """
        prompts, sentences = keys // len(self.slots), keys % len(self.slots)
        device = self.tokens.device
        tokens = self.tokens.flatten(0, 1) if self.tokens.ndim == 4 else self.tokens
        own = prompts if self.options.context == "identity" else prompts % self.ensemble
        parts = [tokens[send(own, device)]]
        if self.domain is not None and self.domains is not None:
            rows = prompts // self.ensemble
            numbers = self.domains[rows] if self.options.context == "identity" else rows
            domain = self.domain[send((numbers + shift) % len(self.domain), device)]
            if mean_domain is not None:
                chosen = mean_domain[send(rows, device), None, None]
                domain = torch.where(chosen, self.domain.mean(dim=0), domain)
            parts.insert(0, domain)
        if self.shared is not None:
            parts.insert(0, self.shared.expand(len(keys), -1, -1))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1), sentences

    def _choose_mean_domain(self, learning: bool, neutral: bool) -> Tensor | None:
        """Choose which rows of `_keys` read the mean of the domains; None for none."""
        dropout = self.options.domain_dropout
        if self.domain is None or not (neutral or (learning and dropout)):
            return None
        rows = self.identities if self.options.context == "identity" else len(self.domain)
        if neutral:
            return torch.ones(rows, dtype=torch.bool, device=self.tokens.device)
        return torch.rand(rows, device=self.tokens.device) < dropout
