"""Sentences of an image prompt: fixed words around the computed one, and without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from promptreid.errors import ConfigError
from promptreid.models.prompts.context_positions import CONTEXT_FIELD, Slot, Words
from promptreid.models.prompts.sentences import SentenceFields, template_fields
from promptreid.models.towers.text_tower import TextTower
from promptreid.models.weights.tokenizers import Tokenizer, tokenize


def fields_of_images(fields: SentenceFields, templates: Sequence[str]) -> SentenceFields:
    """Turn fields that all identities share, and a template names, into fields of every variant.

    Raises:
        ConfigError: A field that a template names differs between identities.
    """
    fixed = {}
    for name in template_fields(templates):
        values = fields.identity.get(name)
        if values is None:
            continue
        if len(set(values)) > 1:
            raise ConfigError(
                f"The sentence of an image cannot name {name!r} (prompt.template), which is given "
                "per identity: the identity of an image is what retrieval asks for. Give it per "
                "image, or leave it out."
            )
        fixed[name] = values[0]
    return SentenceFields(variants=tuple({**fixed, **variant} for variant in fields.variants))


def after_prefix(text: TextTower, words: Words) -> tuple[Tensor, tuple[Slot, ...]]:
    """Bring what follows the prefix into one shape, however many sentences there are.

    Returns:
        (S, L, width) words with zeros where the learned one goes, of a causal tower no further than
        is read, and the slots in sequences of that length.
    """
    if len(words.slots) > 1:
        return words.suffix, words.slots
    slot = words.slots[0]
    after = words.suffix[: slot.eot - slot.start] if text.causal else words.suffix
    suffix = torch.cat([after.new_zeros(1, text.width), after])[None]
    return suffix, (replace(slot, total=slot.start + suffix.shape[1]),)


@torch.no_grad()
def place_plain(
    text: TextTower, tokenizer: Tokenizer, sentences: Sequence[str]
) -> tuple[Tensor, list[int]]:
    """Embed sentences, all fields but `{context}` filled, without their word.

    Returns:
        (S, L, width) word embeddings, and the position that each is read at.

    Raises:
        ConfigError: Nothing is left of a sentence.
        WeightsError: The text tower came without word embeddings.
    """
    plain = [remove_word(sentence) for sentence in sentences]
    tokens = tokenize(tokenizer, plain).to(text.positional_embedding.device)
    ends = text.read_position(tokens).tolist()
    if text.causal:
        tokens = tokens[:, : max(ends) + 1]
    return text.embed_tokens(tokens).clone(), ends


def remove_word(sentence: str) -> str:
    """Leave `{context}` out of a sentence, and the space it leaves before a sign.

    Raises:
        ConfigError: No word is left.
    """
    words = " ".join(sentence.replace(CONTEXT_FIELD, " ").split())
    for sign in ".,;:!?":
        words = words.replace(f" {sign}", sign)
    if not any(letter.isalnum() for letter in words):
        raise ConfigError(
            f"Nothing is left of the sentence {sentence!r} without its word (prompt.template). Put "
            f"words around {CONTEXT_FIELD}, as in 'A photo of a {CONTEXT_FIELD} person.'."
        )
    return words
