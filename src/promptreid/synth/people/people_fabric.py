"""Cloth: textures that run around the body, and prints that sit at one place on it."""

from __future__ import annotations

import numpy as np

from promptreid.synth.drawing.fields import Array, band
from promptreid.synth.people.person_identity import Garment


def fabric(garment: Garment, around: Array, along: Array) -> Array:
    """Colour a piece of cloth.

    Args:
        garment: Texture, colours and pitch.
        around: (h, w) metres around the body, 0 at its front.
        along: (h, w) metres down the body.

    Returns:
        (h, w, 3) colours, 0..255.
    """
    base = np.asarray(garment.rgb, np.float32)
    weight = _second_share(garment, around, along)
    if weight is None:
        return np.broadcast_to(base, (*along.shape, 3))
    second = np.asarray(garment.second_rgb, np.float32)
    return base + weight[..., None] * (second - base)


def _second_share(garment: Garment, around: Array, along: Array) -> Array | None:
    """How much of each point has the second colour, or None for plain cloth."""
    turn = np.float32(2 * np.pi / garment.pitch)
    match garment.texture:
        case "striped":
            return band(np.sin(along * turn), 0.1, 0.7)
        case "pinstriped":
            return band(np.sin(around * turn * 1.6), 0.55, 0.5)
        case "checked":
            rows, columns = np.sin(along * turn), np.sin(around * turn)
            return 0.5 * (band(rows, 0.1, 0.5) + band(columns, 0.1, 0.5))
        case "dotted":
            rows, columns = np.sin(along * turn * 0.8), np.sin(around * turn * 0.8)
            return band(rows * columns, 0.35, 0.3)
        case "two-tone":
            return band(along, 0.12 + 1.2 * garment.pitch, 0.012)
        case "patterned":
            # Three crossed waves; the pitch shifts their phases, so two pitches look unlike.
            phase = np.float32(91.0 * garment.pitch)
            wave = np.sin(along * turn + 2.2 * np.sin(around * turn * 0.7 + phase))
            return band(wave + np.sin(around * turn * 1.3 - phase * 2), 0.3, 0.6)
        case _:
            return None


def logo_mask(shape: str, x: Array, y: Array) -> Array:
    """Coverage (h, w) of a print.

    Args:
        shape: One of `person_identity.LOGO_SHAPES`.
        x: (h, w), -1..1 across the print.
        y: (h, w), -1..1 down the print.

    Returns:
        Values 0..1.
    """
    inside: Array
    ax, ay = np.abs(x), np.abs(y)
    match shape:
        case "circle":
            inside = 1.0 - np.hypot(x, y)
        case "square":
            inside = 0.85 - np.maximum(ax, ay)
        case "triangle":
            inside = np.minimum(0.9 - y, 0.55 * (y + 1.0) - ax)
        case "star":
            angle = np.arctan2(x, -y)
            inside = 0.62 + 0.38 * np.cos(5 * angle) - np.hypot(x, y)
        case "cross":
            inside = np.maximum(np.minimum(0.34 - ax, 1.0 - ay), np.minimum(0.34 - ay, 1.0 - ax))
        case "heart":
            inside = 0.62 - np.hypot(x * 0.8, y + 0.2 - 0.75 * np.sqrt(ax + 0.02))
        case "bar":
            inside = np.minimum(1.5 - ax, 0.32 - ay)
        case _:
            # Two lines of unreadable letters.
            line = np.minimum(1.4 - ax, 0.24 - np.abs(ay - 0.42))
            inside = np.minimum(line, 0.25 + 0.5 * np.sin(x * 13.0 + 3.0 * np.sign(y)))
    return band(inside, 0.0, 0.22)
