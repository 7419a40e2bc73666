"""What a gallery is created with, and keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from promptreid.errors import GalleryError
from promptreid.gallery.searching.aggregate import Aggregate

KEEPS = ("crops", "paths")
"""What is kept of an image file: the image itself, or where it lies."""

AUDITS = ("service", "always", "never")
"""Which uses of a gallery are written down: those of a service's clients, all, or none."""


@dataclass(frozen=True)
class GallerySettings:
    """Choices that hold for all of a gallery.

    Attributes:
        aggregate: How the scores of an identity's images become one, for queries and for the null
            sample alike.
        keep: One of `KEEPS`; images that come from memory are kept themselves either way.
        rate: The part of strangers that may be accepted, where a search names no other.
        audit: One of `AUDITS`.
    """

    aggregate: Aggregate = field(default_factory=Aggregate)
    keep: str = "crops"
    rate: float = 0.05
    audit: str = "service"

    def __post_init__(self) -> None:
        if self.keep not in KEEPS:
            raise GalleryError(f"A gallery keeps crops or paths, not {self.keep!r}.")
        check_rate(self.rate)
        check_audit(self.audit)

    def is_audited(self, *, in_service: bool) -> bool:
        """Tell whether uses are written down, of a program's own or of a service's clients."""
        return self.audit == "always" or (in_service and self.audit == "service")

    def to_texts(self) -> dict[str, str]:
        """Return the settings as the records keep them."""
        return {
            "aggregate": str(self.aggregate),
            "keep": self.keep,
            "rate": repr(self.rate),
            "audit": self.audit,
        }

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> GallerySettings:
        """Read what `to_texts` gave.

        Raises:
            GalleryError: A setting is missing or is none.
        """
        try:
            return cls(
                Aggregate.parse(texts["aggregate"]),
                texts["keep"],
                float(texts["rate"]),
                texts.get("audit", "service"),
            )
        except (KeyError, ValueError) as error:
            raise GalleryError(
                f"The settings of the gallery are damaged ({error}). Take it from a backup."
            ) from error


def check_rate(rate: float) -> float:
    """Return a rate of strangers.

    Raises:
        GalleryError: It is not between 0 and 1.
    """
    if not 0 < rate < 1:
        raise GalleryError(
            "The rate of strangers that are accepted must lie between 0 and 1 (0.05 is one in "
            f"20), got {rate:g}."
        )
    return rate


def check_audit(audit: str) -> str:
    """Return which uses are written down.

    Raises:
        GalleryError: It is not one of `AUDITS`.
    """
    if audit not in AUDITS:
        raise GalleryError(
            f"Uses of a gallery are written down in the {', '.join(AUDITS[:-1])} or {AUDITS[-1]}, "
            f"not {audit!r}: 'service' is those of a service's clients, 'always' is all."
        )
    return audit
