"""Prompts: what produces the text features an image is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from promptreid.errors import ConfigError
from promptreid.models.text import TextTower
from promptreid.models.tokenizers import Tokenizer, tokenize

CONTEXT = "{context}"
TEMPLATE = "A photo of a {context} person."
_INIT_STD = 0.02
_FILLERS = ("X", "Y")


@dataclass(frozen=True)
class Slot:
    """Where learned tokens stand in a tokenized sentence.

    Attributes:
        start: Position of the first learned token.
        length: Number of learned tokens.
        eot: Position that the text tower reads.
        total: Positions in all.
    """

    start: int
    length: int
    eot: int
    total: int


class IdentityPrompt(nn.Module):
    """A sentence with learned tokens of its own for each identity (CLIP-ReID).

    "A photo of a X X X X person.": the Xs are `context_tokens` word embeddings per identity, drawn
    from N(0, 0.02) and learned; the other words stay as they are. The text tower is used, not
    owned, so its weights are not part of this module's state.

    Attributes:
        tokens: (identities, context_tokens, width) learned word embeddings.
        slot: Where they stand.
    """

    prefix: Tensor
    suffix: Tensor

    def __init__(
        self,
        text: TextTower,
        tokenizer: Tokenizer | None,
        identities: int,
        *,
        template: str = TEMPLATE,
        context_tokens: int = 4,
        generator: torch.Generator | None = None,
        slot: Slot | None = None,
    ) -> None:
        """Place the learned tokens in the template.

        Args:
            text: Tower that encodes the sentences.
            tokenizer: Its tokenizer; may be None when `slot` is given.
            identities: Number of identities, at least one.
            template: Sentence with `{context}` once.
            context_tokens: Learned tokens per identity, at least one.
            generator: Source of the initial tokens; None for a generator with seed 0.
            slot: Where the tokens stand, when a checkpoint says so. The fixed words are then left
                at zero for its weights to fill.

        Raises:
            ConfigError: The template or a count cannot be used, or the sentence is too long.
            WeightsError: The text tower came without word embeddings and `slot` is not given.
        """
        super().__init__()
        if identities < 1 or context_tokens < 1:
            raise ConfigError(
                "An identity prompt needs at least one identity and one context token, got "
                f"{identities} identities and {context_tokens} context tokens."
            )
        self._text = (text,)  # in a tuple, so that the tower is not registered a second time
        self.template = template
        if slot is None:
            if tokenizer is None:
                raise ValueError("a tokenizer is needed to place the learned tokens")
            tokens, slot = place_context(text, tokenizer, template, context_tokens=context_tokens)
            with torch.no_grad():
                words = text.embed_tokens(tokens)[0]
        else:
            words = torch.zeros(slot.total, text.width)
        self.slot = slot
        self.register_buffer("prefix", words[: slot.start].detach().clone())
        self.register_buffer("suffix", words[slot.start + slot.length :].detach().clone())
        generator = generator or torch.Generator().manual_seed(0)
        initial = torch.randn(identities, slot.length, text.width, generator=generator)
        self.tokens = nn.Parameter(initial.mul_(_INIT_STD).to(words.device))

    @property
    def text(self) -> TextTower:
        """The text tower that encodes the sentences."""
        return self._text[0]

    @property
    def identities(self) -> int:
        """Number of identities."""
        return self.tokens.shape[0]

    def forward(self, labels: Tensor) -> Tensor:
        """Encode the sentences of some identities, each distinct identity once.

        Args:
            labels: (B,) identity indices, repeats allowed.

        Returns:
            (B, embed_dim) text features, not normalised.
        """
        distinct, where = labels.unique(return_inverse=True)
        return self.encode(self.tokens[distinct])[where]

    def encode(self, context: Tensor) -> Tensor:
        """Encode the template around given tokens: (B, context_tokens, width) to (B, embed_dim)."""
        suffix = self.suffix
        if self.text.causal:
            suffix = suffix[: self.slot.eot + 1 - self.slot.start - self.slot.length]
        rest = torch.cat([context, suffix.expand(context.shape[0], -1, -1)], dim=1)
        return self.text.encode_embeddings(rest, self.slot.eot, shared=self.prefix)

    @torch.no_grad()
    def bank(self, *, chunk: int = 64) -> Tensor:
        """Encode all identities, without gradients.

        Args:
            chunk: Sentences encoded at a time.

        Returns:
            (identities, embed_dim) text features, not normalised.
        """
        return torch.cat([self.encode(part) for part in self.tokens.split(chunk)])

    def describe(self) -> dict[str, Any]:
        """Return what `restore` needs, JSON-ready."""
        slot = self.slot
        return {
            "kind": "identity",
            "identities": self.identities,
            "template": self.template,
            "slot": [slot.start, slot.length, slot.eot, slot.total],
        }

    @classmethod
    def restore(cls, text: TextTower, description: dict[str, Any]) -> IdentityPrompt:
        """Build an empty prompt of a description, ready for its weights."""
        slot = Slot(*description["slot"])
        return cls(
            text,
            None,
            description["identities"],
            template=description["template"],
            context_tokens=slot.length,
            slot=slot,
        )


def place_context(
    text: TextTower, tokenizer: Tokenizer, template: str, *, context_tokens: int
) -> tuple[Tensor, Slot]:
    """Tokenize a template and find where its learned tokens stand.

    The sentence is tokenized with two different one-token fillers; the positions that differ are
    the slot. This holds for every tokenizer and wherever the template puts `{context}`, unless it
    is glued to a word.

    Returns:
        (1, context_length) token ids with the filler in the slot, and the slot.

    Raises:
        ConfigError: The template lacks `{context}`, repeats it, or is too long.
    """
    if template.count(CONTEXT) != 1:
        raise ConfigError(
            f"The prompt template {template!r} must contain {CONTEXT} exactly once, for example "
            f"{TEMPLATE!r}."
        )
    fillers = (" ".join([word] * context_tokens) for word in _FILLERS)
    rows = tokenize(tokenizer, [template.replace(CONTEXT, filler) for filler in fillers])
    differing = (rows[0] != rows[1]).nonzero().flatten().tolist()
    start = differing[0] if differing else 0
    expected = [token for filler in _FILLERS for token in tokenizer.encode(filler) * context_tokens]
    if differing != list(range(start, start + context_tokens)) or (
        rows[:, differing].flatten().tolist() != expected
    ):
        raise ConfigError(
            f"In {template!r} the tokenizer does not keep {CONTEXT} apart from the words around "
            "it. Put spaces around it."
        )
    tokens = rows[:1].to(text.positional_embedding.device)
    eot = int(text.read_position(tokens))
    return tokens, Slot(start, context_tokens, eot, tokens.shape[1])


@torch.no_grad()
def encode_sentences(
    text: TextTower, tokenizer: Tokenizer, sentences: list[str], *, chunk: int = 256
) -> Tensor:
    """Encode plain sentences, without gradients.

    Args:
        text: Text tower.
        tokenizer: Its tokenizer.
        sentences: Any number of sentences.
        chunk: Sentences encoded at a time.

    Returns:
        (N, embed_dim) text features, not normalised.

    Raises:
        ConfigError: A sentence does not fit into the context.
        WeightsError: The weights came without word embeddings.
    """
    text.vocabulary()
    if not sentences:
        return text.positional_embedding.new_zeros(0, text.embed_dim)
    tokens = tokenize(tokenizer, sentences).to(text.positional_embedding.device)
    return torch.cat([text.encode_tokens(part) for part in tokens.split(chunk)])
