"""Fresh heads and their parts in a line: options of a recipe beside what the data says."""

from __future__ import annotations

from typing import Any

import torch

from promptreid.config.model import HeadConfig, PartsConfig
from promptreid.models.heads.head import Head, HeadShape
from promptreid.models.heads.parts import PARTS_KINDS, MGNParts, Parts, PCBParts


def small_head(
    widths: Any,
    identities: int,
    *,
    neck: bool = True,
    classifiers: Any = ("linear",),
    domains: Any = None,
    tower: Any = None,
    generator: torch.Generator | None = None,
    **options: Any,
) -> Head:
    """Build a head with necks and linear classifiers unless told otherwise."""
    shape = HeadShape(
        identities=identities,
        classifiers=tuple(classifiers),
        domains=None if domains is None else tuple(domains),
    )
    config = HeadConfig(kind="bnneck" if neck else "linear", **options)
    return Head(config, shape, widths, tower=tower, generator=generator)


def restored_head(head: Head, widths: Any, tower: Any) -> Head:
    """Build an empty head from what another says of itself."""
    return Head(*Head.read_description(head.describe()), widths, tower=tower)


def small_parts(tower: Any, *, generator: torch.Generator | None = None, **options: Any) -> Parts:
    """Build part branches of the kind that the options name."""
    config = PartsConfig(**options)
    return PARTS_KINDS[config.kind](config, tower, generator or torch.Generator().manual_seed(0))


def pcb_parts(tower: Any, stripes: int = 6, width: int = 256) -> PCBParts:
    """Build stripes of PCB."""
    return PCBParts(PartsConfig(stripes=stripes, width=width), tower, torch.Generator())


def mgn_parts(tower: Any, width: int = 256) -> MGNParts:
    """Build branches of MGN."""
    return MGNParts(PartsConfig(kind="mgn", width=width), tower, torch.Generator())
