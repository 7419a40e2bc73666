"""What becomes of images that cannot be decoded: a word that a user chooses."""

from __future__ import annotations

from promptreid.errors import ConfigError, unknown_name

CHOICES = ("stop", "skip")


def check_choice(unreadable: str) -> None:
    """Refuse a word that says nothing of images that cannot be decoded.

    Raises:
        ConfigError: It is none of `CHOICES`.
    """
    if unreadable not in CHOICES:
        raise ConfigError(unknown_name("value of unreadable", str(unreadable), CHOICES))
