"""One thing of `growth` that is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Work:
    """Something to be measured at one size.

    Attributes:
        name: One of `growth.LIMITS`.
        size: Gallery images, or identities.
        run: Does it.
        products: Multiplications and additions of its matrix products; None where they are not
            what it consists of.
        held: Bytes that it holds between runs, such as weights and moments of an optimizer.
    """

    name: str
    size: int
    run: Callable[[], Any]
    products: float | None = None
    held: int = 0
