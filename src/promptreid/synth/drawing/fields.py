"""Distance fields of capsules, joined smoothly, and steps with soft edges.

Arrays are float32; positions are in pixels or in the unit the caller draws in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Point = tuple[float, float]


def smooth_min(first: Array, second: Array, width: float) -> Array:
    """Polynomial smooth minimum: rounds the seam of two distance fields over `width`."""
    gap = np.maximum(np.float32(width) - np.abs(first - second), 0.0)
    return np.minimum(first, second) - gap * gap * np.float32(0.25 / width)


@dataclass(frozen=True)
class CapsuleField:
    """Distance to a tapered capsule and the position along and across it, per pixel.

    Attributes:
        distance: Signed distance to the skin, negative inside.
        along: Position on the axis, 0 at the start and 1 at the end, not clipped.
        across: Signed distance from the axis in units of the local radius.
    """

    distance: Array
    along: Array
    across: Array


def capsule(x: Array, y: Array, start: Point, end: Point, radii: Point) -> CapsuleField:
    """Measure a capsule whose radius goes from `radii[0]` at `start` to `radii[1]` at `end`.

    Args:
        x: Horizontal positions, any shape.
        y: Vertical positions, same shape.
        start: One end of the axis.
        end: The other end; must differ from `start`.
        radii: Radius at both ends, in the unit of the positions.
    """
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = float(np.hypot(dx, dy))
    ux, uy = np.float32(dx / length), np.float32(dy / length)
    px, py = x - np.float32(start[0]), y - np.float32(start[1])
    along = (px * ux + py * uy) * np.float32(1.0 / length)
    side = px * uy - py * ux
    inside = np.clip(along, 0.0, 1.0)
    radius = np.float32(radii[0]) + np.float32(radii[1] - radii[0]) * inside
    beyond = (along - inside) * np.float32(length)
    distance = np.sqrt(side * side + beyond * beyond) - radius
    return CapsuleField(distance, along, side / radius)


def band(value: Array, edge: float, soft: float) -> Array:
    """Step from 0 to 1 around `edge`, `soft` wide."""
    return np.clip((value - edge) / soft + 0.5, 0.0, 1.0)
