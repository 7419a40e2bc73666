"""Initial values of learned context tokens: random or from words; and domains of identities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from promptreid.config.model import PromptConfig
from promptreid.errors import ConfigError
from promptreid.models.prompts.context_positions import embed_starting_words
from promptreid.models.prompts.prompt import PromptData
from promptreid.models.prompts.sentences import fill_init
from promptreid.models.towers.text_tower import TextTower
from promptreid.models.weights.tokenizers import Tokenizer

_INIT_STD = 0.02


def draw_tokens(*shape: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Draw word embeddings of a shape from N(0, 0.02)."""
    return torch.randn(shape, generator=generator).mul_(_INIT_STD).to(device)


def start_from_words(
    tokens: Tensor,
    text: TextTower,
    tokenizer: Tokenizer,
    options: PromptConfig,
    data: PromptData,
) -> None:
    """Put the words of `options.init` into the first tokens of each row; nothing without words.

    The (C or 1, E, n, width) tokens are changed in place. Members of an ensemble that take a
    template again keep their noise on top of the words.

    Raises:
        ConfigError: A field cannot be filled, or there are more words than tokens.
        WeightsError: The text tower came without word embeddings.
    """
    if options.init is None:
        return
    shared = options.context == "shared"
    starts = fill_init(options.init, data.fields, identities=data.identities, shared=shared)
    words = embed_starting_words(text, tokenizer, starts, context_tokens=tokens.shape[2])
    fresh = len(options.template)
    for row, start in zip(tokens, starts, strict=True):
        word = words[start]
        row[:fresh, : len(word)] = word
        row[fresh:, : len(word)] += word


@torch.no_grad()
def start_shared(shared: Tensor, text: TextTower, tokenizer: Tokenizer, words: str | None) -> None:
    """Put plain words, if any, into the first of the (Ms, width) tokens that all identities share.

    Raises:
        ConfigError: They have fields or more tokens than there are, or are none.
        WeightsError: The text tower came without word embeddings.
    """
    if words is None:
        return
    if "{" in words or "}" in words:
        raise ConfigError(
            f"The shared tokens cannot start from {words!r} (prompt.shared_init): all identities "
            "share them, so they start from plain words without fields."
        )
    keys = ("shared_init", "shared_tokens")
    starts = embed_starting_words(text, tokenizer, [words], context_tokens=len(shared), keys=keys)
    shared[: len(starts[words])] = starts[words]


def domain_numbers(domains: Sequence[int] | Tensor | None, *, identities: int) -> Tensor:
    """Check which domain each identity belongs to.

    Args:
        domains: Numbers from 0 to K - 1, each at least once.
        identities: Number of identities C.

    Returns:
        (C,) int64.

    Raises:
        ConfigError: They are missing, are not one per identity, or leave numbers out.
    """
    if domains is None:
        raise ConfigError(
            "Domain tokens (prompt.domain_tokens) need the domain of each identity, and none is "
            "given. Give `domains`, or set prompt.domain_tokens to 0."
        )
    numbers = torch.as_tensor(domains)
    if numbers.dtype == torch.bool or numbers.is_floating_point():
        raise ConfigError(f"Domains of identities are whole numbers, got {numbers.dtype}.")
    if numbers.shape != (identities,):
        raise ConfigError(
            f"There are {identities} identities, but domains for {tuple(numbers.shape)}; give one "
            "number per identity."
        )
    distinct = numbers.unique().tolist()
    if distinct != list(range(len(distinct))):
        raise ConfigError(
            f"Domains are numbered from 0 without gaps, got the numbers {distinct}. A domain "
            "without identities would have tokens that never learn."
        )
    return numbers.to(torch.long)
