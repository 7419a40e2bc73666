"""A small rendered hand set that trainings of the tests share in kind."""

from __future__ import annotations

from pathlib import Path

from promptreid.synth.hands.hand_set import write_hands


def render_small_hands(root: Path, *aspects: str) -> Path:
    """Render 16 people at 48 pixels, three or four pictures of each aspect."""
    return write_hands(
        root, identities=16, seed=3, images_per_aspect=(3, 4), size=48, aspects=aspects
    )
