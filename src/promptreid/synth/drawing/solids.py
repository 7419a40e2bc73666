"""Shaded tubes and balls with surface coordinates, painted on a float canvas.

A canvas is (H, W, 3) float32 in 0..255. Points are (x, y) pixels, y downwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptreid.synth.drawing.fields import Array, Point


@dataclass(frozen=True)
class Patch:
    """Where a primitive lies and what each of its pixels sees.

    `alpha` (h, w) is coverage 0..1; `u` runs -1..1 from edge to edge and `t` 0..1 from end to end
    of a tube (for a ball: -1..1 in x and y); `nx`, `ny`, `nz` is the surface normal, z towards
    the viewer.
    """

    rows: slice
    columns: slice
    alpha: Array
    u: Array
    t: Array
    nx: Array
    ny: Array
    nz: Array


@dataclass(frozen=True)
class SceneLight:
    """A distant lamp from direction (x, y, z), and the share of light that comes from all sides."""

    x: float
    y: float
    z: float
    ambient: float

    def shade(self, patch: Patch) -> Array:
        """Brightness factor (h, w) of a patch, about 1 where it faces the lamp."""
        facing = patch.nx * self.x + patch.ny * self.y + patch.nz * self.z
        return self.ambient + (1.0 - self.ambient) * np.maximum(facing, 0.0)


def _window(
    shape: tuple[int, ...], low: Point, high: Point
) -> tuple[slice, slice, Array, Array] | None:
    left, top = max(int(np.floor(low[0])), 0), max(int(np.floor(low[1])), 0)
    right, bottom = (
        min(int(np.ceil(high[0])) + 1, shape[1]),
        min(int(np.ceil(high[1])) + 1, shape[0]),
    )
    if right <= left or bottom <= top:
        return None
    x = np.arange(left, right, dtype=np.float32)[None, :]
    y = np.arange(top, bottom, dtype=np.float32)[:, None]
    return slice(top, bottom), slice(left, right), x, y


def tube(
    shape: tuple[int, ...],
    start: Point,
    end: Point,
    widths: Sequence[tuple[float, float]],
    *,
    caps: Point = (1.0, 1.0),
    soft: float = 1.0,
) -> Patch | None:
    """A round limb or garment along a segment.

    Args:
        shape: Canvas shape.
        start: One end of the axis.
        end: The other end.
        widths: (t, half width in pixels) along the axis, t ascending in 0..1.
        caps: How far the two ends bulge, in units of the half width there; 0 cuts straight.
        soft: Width in pixels of the edge.

    Returns:
        The patch, or None where nothing of it lies on the canvas.
    """
    (ax, ay), (bx, by) = start, end
    length = max(float(np.hypot(bx - ax, by - ay)), 1e-3)
    dx, dy = (bx - ax) / length, (by - ay) / length
    ts = [t for t, _ in widths]
    ws = [w for _, w in widths]
    reach = max(ws) * max(1.0, *caps) + soft + 1
    found = _window(
        shape,
        (min(ax, bx) - reach, min(ay, by) - reach),
        (max(ax, bx) + reach, max(ay, by) + reach),
    )
    if found is None:
        return None
    rows, columns, x, y = found
    x, y = x - np.float32(ax), y - np.float32(ay)
    along = x * np.float32(dx) + y * np.float32(dy)
    across = x * np.float32(dy) - y * np.float32(dx)
    t = np.clip(along / np.float32(length), 0.0, 1.0)
    half = np.interp(t, ts, ws).astype(np.float32) if len(ws) > 1 else np.full_like(t, ws[0])
    over = np.maximum(
        -along / max(ws[0] * caps[0], 0.5), (along - length) / max(ws[-1] * caps[1], 0.5)
    )
    over = np.clip(over, 0.0, 1.0)
    half = half * np.sqrt(1.0 - over * over)
    alpha = np.clip((half - np.abs(across)) / np.float32(soft) + 0.5, 0.0, 1.0)
    u = np.clip(across / np.maximum(half, 0.5), -1.0, 1.0)
    nz = np.sqrt(np.maximum(1.0 - u * u, 0.0))
    return Patch(rows, columns, alpha, u, t, u * np.float32(dy), u * np.float32(-dx), nz)


def ball(shape: tuple[int, ...], centre: Point, radii: Point, *, soft: float = 1.0) -> Patch | None:
    """An ellipsoid seen from the front.

    Args:
        shape: Canvas shape.
        centre: Middle of the ellipse.
        radii: Half width and half height in pixels.
        soft: Width in pixels of the edge.

    Returns:
        The patch, or None where nothing of it lies on the canvas.
    """
    rx, ry = max(radii[0], 0.5), max(radii[1], 0.5)
    low = (centre[0] - rx - soft - 1, centre[1] - ry - soft - 1)
    found = _window(shape, low, (centre[0] + rx + soft + 1, centre[1] + ry + soft + 1))
    if found is None:
        return None
    rows, columns, x, y = found
    u, v = (x - np.float32(centre[0])) / rx, (y - np.float32(centre[1])) / ry
    radius = np.sqrt(u * u + v * v)
    alpha = np.clip((1.0 - radius) * (min(rx, ry) / soft) + 0.5, 0.0, 1.0)
    squeeze = 1.0 / np.maximum(radius, 1.0)
    nx, ny = u * squeeze, v * squeeze
    nz = np.sqrt(np.maximum(1.0 - nx * nx - ny * ny, 0.0))
    return Patch(rows, columns, alpha, nx, ny, nx, ny, nz)


def paint(
    canvas: Array,
    patch: Patch | None,
    colour: Array | Sequence[float],
    *,
    shade: Array | float = 1.0,
    mask: Array | None = None,
) -> None:
    """Lay a colour over the canvas, in place.

    Args:
        canvas: (H, W, 3).
        patch: Where; None paints nothing.
        colour: (3,) or (h, w, 3), 0..255.
        shade: Brightness factor, a number or (h, w).
        mask: (h, w) 0..1, further coverage.
    """
    if patch is None:
        return
    alpha = patch.alpha if mask is None else patch.alpha * mask
    target = np.asarray(colour, np.float32)
    target = target * (shade[..., None] if isinstance(shade, np.ndarray) else np.float32(shade))
    view = canvas[patch.rows, patch.columns]
    view += alpha[..., None] * (target - view)
