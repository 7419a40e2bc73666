"""Drawing primitives shared by the renderers of synthetic pictures.

Pictures are made of distance fields (capsules joined smoothly), of smooth random fields, of
strokes drawn on a supersampled canvas, and of the things a camera does to light.
All arrays are float32; positions are in pixels or in the unit the caller draws in.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Array = NDArray[np.float32]
Point = tuple[float, float]


def smoothstep(low: float, high: float, value: Array) -> Array:
    """Rise from 0 at `low` to 1 at `high` with flat ends, element by element."""
    x = np.clip((value - np.float32(low)) * np.float32(1.0 / (high - low)), 0.0, 1.0)
    return x * x * (np.float32(3.0) - np.float32(2.0) * x)


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


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cells: Point) -> Array:
    """Draw a smooth random field with unit variance at the grid nodes.

    Args:
        rng: Where the randomness comes from.
        shape: (height, width) of the result.
        cells: Number of independent cells down and across.
    """
    rows, columns = max(2, round(cells[0])) + 1, max(2, round(cells[1])) + 1
    grid = rng.standard_normal((rows, columns), dtype=np.float32)
    image = Image.fromarray(grid).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float32)


def fractal_noise(
    rng: np.random.Generator, shape: tuple[int, int], cells: Point, *, octaves: int = 3
) -> Array:
    """Sum `octaves` smooth fields, each twice as fine and half as strong as the one before."""
    total = np.zeros(shape, dtype=np.float32)
    for octave in range(octaves):
        scale = 2.0**octave
        field = smooth_noise(rng, shape, (cells[0] * scale, cells[1] * scale))
        total += field * np.float32(1.0 / scale)
    return total


def sample_bilinear(texture: Array, rows: Array, columns: Array) -> Array:
    """Look up a texture between its pixels, clamped at its border.

    Args:
        texture: (height, width, channels).
        rows: (n,) vertical positions in texture pixels.
        columns: (n,) horizontal positions.

    Returns:
        (n, channels).
    """
    height, width, channels = texture.shape
    rows = np.clip(rows, 0.0, height - 1.001)
    columns = np.clip(columns, 0.0, width - 1.001)
    top, left = rows.astype(np.int32), columns.astype(np.int32)
    down = (rows - top)[:, None]
    right = (columns - left)[:, None]
    flat = texture.reshape(-1, channels)
    corner = top * width + left
    upper = flat.take(corner, axis=0)
    upper += (flat.take(corner + 1, axis=0) - upper) * right
    corner += width
    lower = flat.take(corner, axis=0)
    lower += (flat.take(corner + 1, axis=0) - lower) * right
    return upper + (lower - upper) * down


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


@dataclass(frozen=True)
class Look:
    """What a camera does to the light that reaches it.

    Attributes:
        gains: Factor per colour channel (white balance and colour of the light).
        exposure: Factor on all channels.
        contrast: Slope around mid-grey; 1 keeps the picture.
        vignette: Share of the light lost in the corners.
        softness: Blur in pixels of the finished picture.
        grain: Standard deviation of the sensor noise, of full scale.
        quality: JPEG quality of the round trip.
    """

    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    exposure: float = 1.0
    contrast: float = 1.0
    vignette: float = 0.0
    softness: float = 0.0
    grain: float = 0.0
    quality: int = 95


def develop(
    light: Array, look: Look, rng: np.random.Generator, *, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Turn light into the picture a camera would store.

    Args:
        light: (h, w, 3), 1 is white before exposure.
        look: The camera's settings and faults.
        rng: Draws the grain.
        size: (height, width) of the picture, usually smaller than `light`.

    Returns:
        (height, width, 3) in 0..255.
    """
    height, width = light.shape[:2]
    gains = np.asarray(look.gains, dtype=np.float32) * np.float32(look.exposure * look.contrast)
    image = light * gains
    image += np.float32(0.5 * (1.0 - look.contrast))
    if look.vignette > 0:
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
        image *= (1.0 - np.float32(look.vignette * 0.5) * (x * x + y * y))[..., None]
    np.clip(image, 0.0, 1.0, out=image)
    image *= np.float32(255)
    picture = Image.fromarray(image.astype(np.uint8))
    if picture.size != (size[1], size[0]):
        picture = picture.resize((size[1], size[0]), Image.Resampling.BOX)
    if look.softness > 0.2:
        picture = picture.filter(ImageFilter.GaussianBlur(look.softness))
    if look.grain > 0:
        noisy = np.asarray(picture, dtype=np.float32)
        noise = rng.standard_normal((size[0], size[1], 1), dtype=np.float32)
        noisy = noisy + noise * np.float32(look.grain * 255)
        picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    if look.quality < 95:
        stored = io.BytesIO()
        picture.save(stored, "JPEG", quality=look.quality)
        picture = Image.open(io.BytesIO(stored.getvalue())).convert("RGB")
    return np.asarray(picture).copy()
