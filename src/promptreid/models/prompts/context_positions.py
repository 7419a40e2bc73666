"""Positions of the learned context tokens in tokenized sentences, and the words around them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from promptreid.errors import ConfigError
from promptreid.models.towers.text_tower import TextTower
from promptreid.models.weights.tokenizers import Tokenizer, tokenize

CONTEXT_FIELD = "{context}"
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


@dataclass(frozen=True)
class Words:
    """Fixed words of S sentences around their learned tokens.

    Attributes:
        prefix: (P, width) words that all sentences begin with, before any learned token.
        suffix: What follows them; of a single sentence the words after its learned tokens,
            (total - P - length, width); of several (S, total - P, width) with zeros where the
            learned tokens go.
        slots: Where the learned tokens stand in each sentence.
    """

    prefix: Tensor
    suffix: Tensor
    slots: tuple[Slot, ...]

    @classmethod
    def empty(cls, slots: Sequence[Slot], *, prefix: int, width: int) -> Words:
        """Return zeros in the shapes that sentences with these slots and beginning have."""
        rest = slots[0].total - prefix
        shape = (rest - slots[0].length,) if len(slots) == 1 else (len(slots), rest)
        return cls(torch.zeros(prefix, width), torch.zeros(*shape, width), tuple(slots))


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
    if template.count(CONTEXT_FIELD) != 1:
        raise ConfigError(
            f"The prompt template {template!r} must contain {CONTEXT_FIELD} exactly once, for "
            f"example 'A photo of a {CONTEXT_FIELD} person.'."
        )
    fillers = (" ".join([word] * context_tokens) for word in _FILLERS)
    rows = tokenize(tokenizer, [template.replace(CONTEXT_FIELD, filler) for filler in fillers])
    differing = (rows[0] != rows[1]).nonzero().flatten().tolist()
    start = differing[0] if differing else 0
    expected = [token for filler in _FILLERS for token in tokenizer.encode(filler) * context_tokens]
    if differing != list(range(start, start + context_tokens)) or (
        rows[:, differing].flatten().tolist() != expected
    ):
        raise ConfigError(
            f"In {template!r} the tokenizer does not keep {CONTEXT_FIELD} apart from the words "
            "around it. Put spaces around it."
        )
    tokens = rows[:1].to(text.positional_embedding.device)
    eot = int(text.read_position(tokens))
    return tokens, Slot(start, context_tokens, eot, tokens.shape[1])


@torch.no_grad()
def place_sentences(
    text: TextTower, tokenizer: Tokenizer, sentences: Sequence[str], *, context_tokens: int
) -> Words:
    """Embed the fixed words of distinct sentences that contain `{context}`.

    Of several sentences, positions that a causal tower never looks at are left out. There is at
    least one, with all other fields filled.

    Raises:
        ConfigError: A sentence lacks `{context}`, repeats it, or is too long.
        WeightsError: The text tower came without word embeddings.
    """
    placed = [place_context(text, tokenizer, s, context_tokens=context_tokens) for s in sentences]
    ids = torch.cat([tokens for tokens, _ in placed])
    slots = [slot for _, slot in placed]
    first = min(slot.start for slot in slots)
    if len(slots) == 1:
        words = text.embed_tokens(ids)[0]
        return Words(words[:first].clone(), words[first + context_tokens :].clone(), tuple(slots))
    differs = (ids != ids[:1]).any(dim=0)
    prefix = min(first, int(differs.int().argmax()))
    if text.causal:
        ids = ids[:, : max(slot.eot for slot in slots) + 1]
    words = text.embed_tokens(ids).clone()
    for row, slot in zip(words, slots, strict=True):
        row[slot.start : slot.start + slot.length] = 0
    shortened = (replace(slot, total=ids.shape[1]) for slot in slots)
    return Words(words[0, :prefix].clone(), words[:, prefix:].clone(), tuple(shortened))


@torch.no_grad()
def embed_starting_words(
    text: TextTower,
    tokenizer: Tokenizer,
    sentences: Iterable[str],
    *,
    context_tokens: int,
    keys: tuple[str, str] = ("init", "context_tokens"),
) -> dict[str, Tensor]:
    """Embed the words that learned tokens start from, given as sentences with all fields filled.

    The keys name these words and the number of learned tokens in a recipe, for messages.

    Returns:
        Sentence to the (K, width) embeddings of its K tokens.

    Raises:
        ConfigError: A sentence has no words, or more tokens than are learned.
        WeightsError: The text tower came without word embeddings.
    """
    embeddings = {}
    for sentence in dict.fromkeys(sentences):
        ids = tokenizer.encode(sentence)
        if not 1 <= len(ids) <= context_tokens:
            raise ConfigError(
                f"The learned tokens are to start from {sentence!r} (prompt.{keys[0]}), which "
                f"takes {len(ids)} tokens; there are {context_tokens} learned ones. "
                + (
                    f"Set prompt.{keys[1]} to {len(ids)}, or shorten it."
                    if ids
                    else "Give it words, or leave it out for random tokens."
                )
            )
        tokens = torch.tensor([ids], device=text.positional_embedding.device)
        embeddings[sentence] = text.embed_tokens(tokens)[0]
    return embeddings


@torch.no_grad()
def encode_sentences(
    text: TextTower, tokenizer: Tokenizer, sentences: list[str], *, chunk: int = 256
) -> Tensor:
    """Encode N plain sentences, `chunk` at a time, without gradients.

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
