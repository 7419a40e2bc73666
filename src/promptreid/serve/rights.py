"""What a caller of the service may be allowed to do."""

from __future__ import annotations

from typing import Literal, get_args

Right = Literal["search", "enrol", "erase", "audit"]
"""Ask; add and change; remove for good; read what was asked."""

RIGHTS: tuple[Right, ...] = get_args(Right)
"""All rights, from the least to the most far-reaching."""
