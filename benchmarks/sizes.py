"""Sizes that several benchmarks share."""

from __future__ import annotations

from benchmarks.compare import Settings


def backbone_name(settings: Settings) -> str:
    """Name the dual encoder; its weights are random, which costs the same."""
    return "tiny" if settings.quick else "ViT-B-16"


def image_size(settings: Settings) -> tuple[int, int]:
    """Height and width of images: those of pedestrian re-identification."""
    return (64, 32) if settings.quick else (256, 128)
