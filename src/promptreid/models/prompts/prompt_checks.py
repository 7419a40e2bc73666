"""Options of a prompt that do not go with its data, said in words."""

from __future__ import annotations

from collections.abc import Sequence

from promptreid.config.model import PromptConfig
from promptreid.errors import ConfigError
from promptreid.models.prompts.prompt import PromptData


def check_data(options: PromptConfig, data: PromptData) -> None:
    """Raise `ConfigError` unless identities, prompts and values of fields are enough."""
    identities, templates = data.identities, options.template
    if identities < 1:
        raise ConfigError(f"An identity prompt needs at least one identity, got {identities}.")
    if len(templates) > options.ensemble:
        raise ConfigError(
            f"There are {len(templates)} templates for an ensemble of {options.ensemble} prompts; "
            f"each prompt takes one. Set prompt.ensemble to {len(templates)} or more, or give "
            "fewer templates (at least one)."
        )
    for name, values in data.fields.identity.items():
        if len(values) != identities:
            raise ConfigError(
                f"The field {name!r} has {len(values)} values for {identities} identities."
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
