"""What a report is asked to show."""

from __future__ import annotations

from dataclasses import dataclass

from promptreid.errors import ConfigError, unknown_name
from promptreid.figures.layouts.layouts import METHODS
from promptreid.figures.style import LIGHT, most_groups


@dataclass(frozen=True)
class ReportOptions:
    """Choices of a report.

    Attributes:
        by: Attributes to break scores down by; none for those that `breakdown_attributes` picks.
        identities: Number of identities on the map of embeddings.
        queries: Number of queries in each section of rank lists.
        top: Number of gallery images in each list.
        images: Number of images under activation maps.
        pixelate: Show all pictures as coarse mosaics.
        method: Method of the map, one of `promptreid.figures.layouts.layouts.METHODS`.
        seed: Draws identities, images and resamples, and starts the map.
        names: A name for each run; none to take them from the paths.
        title: Title of the page; "" names the runs.
        command: Command that makes the report again.
        unreadable: "stop" at an image that cannot be decoded, or "skip" all of them.

    Raises:
        ConfigError: A number is out of range, or there is no such method.
    """

    by: tuple[str, ...] = ()
    identities: int = 20
    queries: int = 3
    top: int = 10
    images: int = 6
    pixelate: bool = False
    method: str = "tsne"
    seed: int = 0
    names: tuple[str, ...] = ()
    title: str = ""
    command: str = ""
    unreadable: str = "stop"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(unknown_name("map", self.method, METHODS))
        most = most_groups(LIGHT)
        if not 2 <= self.identities <= most:
            raise ConfigError(
                f"A map shows 2 to {most} identities, since more cannot be told apart; got "
                f"{self.identities}."
            )
        for name in ("queries", "top", "images"):
            number = getattr(self, name)
            if number < 1:
                raise ConfigError(f"A report needs {name} of 1 at least; got {number}.")
