"""What a gallery is created with, and keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from promptreid.errors import GalleryError
from promptreid.gallery.searching.aggregate import Aggregate

KEEPS = ("crops", "paths")
"""What is kept of an image file: the image itself, or where it lies."""


@dataclass(frozen=True)
class GallerySettings:
    """Choices that hold for all of a gallery.

    Attributes:
        aggregate: How the scores of an identity's images become one, for queries and for the null
            sample alike.
        keep: One of `KEEPS`; images that come from memory are kept themselves either way.
        rate: The part of strangers that may be accepted, where a search names no other.
    """

    aggregate: Aggregate = field(default_factory=Aggregate)
    keep: str = "crops"
    rate: float = 0.05

    def __post_init__(self) -> None:
        if self.keep not in KEEPS:
            raise GalleryError(f"A gallery keeps crops or paths, not {self.keep!r}.")
        check_rate(self.rate)

    def to_texts(self) -> dict[str, str]:
        """Return the settings as the records keep them."""
        return {"aggregate": str(self.aggregate), "keep": self.keep, "rate": repr(self.rate)}

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> GallerySettings:
        """Read what `to_texts` gave."""
        return cls(Aggregate.parse(texts["aggregate"]), texts["keep"], float(texts["rate"]))


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
