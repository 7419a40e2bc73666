"""Which enrolled images may answer a search."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from promptreid.errors import GalleryError
from promptreid.gallery.records.record_rows import EARLIEST_TIME, LATEST_TIME


@dataclass(frozen=True)
class Filters:
    """Conditions that an enrolled image has to meet, all of them.

    Attributes:
        identities: Names, one of which it has; None for any.
        cameras: Cameras, one of which took it; None for any.
        domains: Domains, from one of which it is; None for any.
        since: Earliest time, in seconds since 1970 (UTC).
        until: Latest time; images without a time meet no condition on it.
        attributes: Attribute to the values of which it has one.
        other_cameras: Whether images of the query's own camera are left out; a query without a
            camera leaves out none.
    """

    identities: Collection[str] | None = None
    cameras: Collection[str] | None = None
    domains: Collection[str] | None = None
    since: float | None = None
    until: float | None = None
    attributes: Mapping[str, Collection[str]] = field(default_factory=dict)
    other_cameras: bool = False

    def __post_init__(self) -> None:
        for condition in ("identities", "cameras", "domains"):
            if isinstance(getattr(self, condition), str):
                raise GalleryError(f"{condition} must be names in a list, not a text alone.")
        for name, values in self.attributes.items():
            if isinstance(values, str):
                raise GalleryError(
                    f"The values of attribute {name!r} must be in a list, not a text alone."
                )

    @property
    def is_open(self) -> bool:
        """Whether every image may answer."""
        return self == Filters()


def parse_time(text: str) -> float:
    """Read a time as seconds since 1970, or as ISO 8601, in UTC where it names no zone.

    Raises:
        GalleryError: It is neither.
    """
    try:
        seconds = float(text)
        if EARLIEST_TIME <= seconds <= LATEST_TIME:  # not so for what is no number
            return seconds
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise GalleryError(
            f"{text!r} is no time. Write 2026-03-01, 2026-03-01T14:30, with a zone such as +01:00 "
            "if it is not UTC, or seconds since 1970."
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
