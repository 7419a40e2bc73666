"""Strokes and spots drawn on a supersampled canvas, and soft shadows."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from promptreid.synth.drawing.fields import Array, Point


def bezier(controls: Array, steps: int = 24) -> Array:
    """Trace the cubic Bezier curve of four control points: (4, 2) to (steps, 2)."""
    t = np.linspace(0.0, 1.0, steps, dtype=np.float32)[:, None]
    a, b, c, d = np.asarray(controls, dtype=np.float32)
    s = 1.0 - t
    return (s**3 * a + 3 * s * s * t * b + 3 * s * t * t * c + t**3 * d).astype(np.float32)


class Canvas:
    """A single-channel drawing with smooth edges: drawn three times as fine, then reduced."""

    FINENESS = 3

    def __init__(self, height: int, width: int) -> None:
        fine = self.FINENESS
        self._size = (height, width)
        self._blank = True
        self._image = Image.new("L", (width * fine, height * fine), 0)
        self._draw = ImageDraw.Draw(self._image)

    def stroke(self, points: Array, width: float, strength: float, *, taper: float = 0.6) -> None:
        """Draw a line through (n, 2) points (x, y), thinner and fainter towards its ends.

        Args:
            points: Pixel positions in the order they are joined.
            width: Width in the middle, in pixels.
            strength: Darkness in the middle, from 0 to 1.
            taper: Share of width and strength that is lost at the very ends.
        """
        self._blank = False
        fine, count = self.FINENESS, len(points)
        scaled = [(float(x) * fine, float(y) * fine) for x, y in points]
        for index in range(count - 1):
            middle = abs(2.0 * (index + 0.5) / (count - 1) - 1.0)
            keep = 1.0 - taper * middle**3
            self._draw.line(
                scaled[index : index + 2],
                fill=_level(strength * keep),
                width=max(1, round(width * keep * fine)),
            )

    def dot(self, x: float, y: float, radius: float, strength: float, *, flat: float = 1.0) -> None:
        """Fill an ellipse of the given horizontal radius; `flat` scales the vertical one."""
        self._blank = False
        fine = self.FINENESS
        box = [
            (x - radius) * fine,
            (y - radius * flat) * fine,
            (x + radius) * fine,
            (y + radius * flat) * fine,
        ]
        self._draw.ellipse(box, fill=_level(strength))

    def polygon(self, points: Array, strength: float) -> None:
        """Fill the polygon of (n, 2) points."""
        self._blank = False
        fine = self.FINENESS
        self._draw.polygon(
            [(float(x) * fine, float(y) * fine) for x, y in points], _level(strength)
        )

    def finish(self, *, blur: float = 0.0) -> Array:
        """Give the drawing as (height, width) in 0..1, blurred by `blur` pixels."""
        if self._blank:
            return np.zeros(self._size, dtype=np.float32)
        image = self._image.reduce(self.FINENESS)
        if blur > 0:
            image = image.filter(ImageFilter.GaussianBlur(blur))
        return np.asarray(image, dtype=np.float32) * np.float32(1 / 255)


def _level(strength: float) -> int:
    return int(min(max(strength, 0.0), 1.0) * 255)


def soft_shadow(mask: Array, radius: float, shift: Point, *, shrink: int = 4) -> Array:
    """Blur a mask and move it, on a coarser grid.

    Args:
        mask: (height, width) in 0..1.
        radius: Radius of the blur in pixels.
        shift: How far the shadow falls (right, down), in pixels. What comes in from beyond the
            frame repeats the frame's edge.
        shrink: How much coarser the grid is.
    """
    height, width = mask.shape
    image = Image.fromarray((np.clip(mask, 0, 1) * 255).astype(np.uint8))
    coarse = np.asarray(image.reduce(shrink))
    rows = np.arange(coarse.shape[0]) - round(shift[1] / shrink)
    columns = np.arange(coarse.shape[1]) - round(shift[0] / shrink)
    coarse = coarse.take(rows, axis=0, mode="clip").take(columns, axis=1, mode="clip")
    small = Image.fromarray(coarse).filter(ImageFilter.GaussianBlur(radius / shrink))
    return np.asarray(
        small.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32
    ) * np.float32(1 / 255)
