"""Options of a prompt that cannot be, said in words."""

from __future__ import annotations

from collections.abc import Sequence

from promptreid.errors import ConfigError, unknown_name
from promptreid.models.prompts.sentences import SentenceFields

CONTEXTS = ("identity", "shared")


def check_counts(
    identities: int, context_tokens: int, ensemble: int, templates: Sequence[str]
) -> None:
    """Raise `ConfigError` unless there is something to learn and each prompt has a template."""
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


def check_choices(context: str, dropout: float, identities: int, fields: SentenceFields) -> None:
    """Raise `ConfigError` for an unknown context, an impossible dropout or too few values."""
    if context not in CONTEXTS:
        raise ConfigError(unknown_name("kind of context", context, CONTEXTS))
    if not 0 <= dropout < 1:
        raise ConfigError(f"The prompt's dropout is {dropout}; it must be at least 0 and below 1.")
    for name, values in fields.identity.items():
        if len(values) != identities:
            raise ConfigError(
                f"The field {name!r} has {len(values)} values for {identities} identities."
            )


def check_general(shared_tokens: int, domain_tokens: int, domain_dropout: float) -> None:
    """Raise `ConfigError` for impossible numbers of shared and domain tokens."""
    if min(shared_tokens, domain_tokens) < 0:
        raise ConfigError(
            f"A prompt has {shared_tokens} shared and {domain_tokens} domain tokens; neither can "
            "be below 0."
        )
    if not 0 <= domain_dropout < 1:
        raise ConfigError(
            f"The prompt's domain dropout is {domain_dropout}; it must be at least 0 and below 1."
        )


def check_told_apart(numbers: Sequence[Sequence[Sequence[int]]], template: str) -> None:
    """Raise `ConfigError` when all identities have the same sentences.

    Args:
        numbers: Number of the sentence by variant, identity and member of the ensemble.
        template: For the message.
    """
    identities = len(numbers[0])
    if identities > 1 and all(row == rows[0] for rows in numbers for row in rows):
        raise ConfigError(
            "With shared context tokens the sentence itself must tell identities apart, but "
            f"{template!r} reads the same for all {identities} of them, so they would have "
            "one text feature. Name attributes that are constant within an identity, or set "
            "prompt.context to identity."
        )
