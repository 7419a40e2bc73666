"""The flat sheets a skin is painted on, and the single marks on them: moles, scars, tattoos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from promptreid.synth.drawing.fields import Array
from promptreid.synth.drawing.strokes import Canvas
from promptreid.synth.hands.hand_identity import HandIdentity, Mark, Surface

PALM_UNIT = 140.0  # pixels per palm
PALM_LEFT, PALM_TOP = -0.9, 1.3
PALM_SIZE = (308, 224)
FINGER_COLUMN = 44  # pixels of one finger's width, t from -1.1 to 1.1
FINGER_T, FINGER_S = 20.0, 104.0  # pixels per unit of t and s
FINGER_SIZE = (132, 220)
_SHEETS = ("crease", "vein", "tendon", "red", "spot", "scar", "ink")
_BLUR = {"vein": 1.6, "tendon": 3.2, "red": 7.0, "crease": 0.5, "spot": 0.45, "scar": 0.5}


@overload
def palm_pixel(x: float, y: float) -> tuple[float, float]: ...
@overload
def palm_pixel(x: Array, y: Array) -> tuple[Array, Array]: ...
def palm_pixel(x: float | Array, y: float | Array) -> tuple[float | Array, float | Array]:
    """Turn a place in the hand frame into (column, row) on the palm sheet."""
    return (x - PALM_LEFT) * PALM_UNIT, (PALM_TOP - y) * PALM_UNIT


@overload
def finger_pixel(finger: float, s: float, t: float) -> tuple[float, float]: ...
@overload
def finger_pixel(finger: float | Array, s: Array, t: Array) -> tuple[Array, Array]: ...
def finger_pixel(
    finger: float | Array, s: float | Array, t: float | Array
) -> tuple[float | Array, float | Array]:
    """Turn a place on a finger into (column, row) on the finger sheet."""
    return (finger + 0.5) * FINGER_COLUMN + t * FINGER_T, (s + 0.08) * FINGER_S


def finger_bones(identity: HandIdentity, finger: int) -> tuple[float, ...]:
    """Give the lengths of the bones that stand free of the palm, knuckle to tip."""
    bones = identity.bones[finger]
    return bones[1:] if finger == 0 else bones


def joints(identity: HandIdentity, finger: int) -> tuple[float, ...]:
    """Give where the inner joints lie, as shares of the finger's length."""
    bones = finger_bones(identity, finger)
    return tuple(float(v) for v in np.cumsum(bones)[:-1] / sum(bones))


@dataclass(frozen=True)
class Layers:
    """One canvas per kind of mark, for the palm and for the fingers."""

    palm: dict[str, Canvas]
    fingers: dict[str, Canvas]

    @classmethod
    def empty(cls) -> Layers:
        """Start with nothing drawn."""
        return cls(
            palm={name: Canvas(*PALM_SIZE) for name in _SHEETS},
            fingers={name: Canvas(*FINGER_SIZE) for name in _SHEETS},
        )

    def finish(self, *, palm: bool) -> dict[str, Array]:
        """Give the sheets as arrays in 0..1, veins and redness softened."""
        sheets = self.palm if palm else self.fingers
        return {name: sheet.finish(blur=_BLUR.get(name, 0.0)) for name, sheet in sheets.items()}

    def palm_stroke(
        self, sheet: str, points: Array, width: float, strength: float, *, taper: float = 0.6
    ) -> None:
        """Draw through (n, 2) places in the hand frame, `width` in palms."""
        column, row = palm_pixel(points[:, 0], points[:, 1])
        pixels = np.stack([column, row], axis=1)
        self.palm[sheet].stroke(pixels, width * PALM_UNIT, strength, taper=taper)

    def finger_stroke(
        self,
        sheet: str,
        finger: int,
        points: Array,
        width: float,
        strength: float,
        *,
        taper: float = 0.6,
    ) -> None:
        """Draw through (n, 2) places (s, t) of a finger, `width` in pixels of the sheet."""
        column, row = finger_pixel(finger, points[:, 0], np.clip(points[:, 1], -1.05, 1.05))
        pixels = np.stack([column, row], axis=1)
        self.fingers[sheet].stroke(pixels, width, strength, taper=taper)


def paint_marks(
    layers: Layers, identity: HandIdentity, surface: Surface, rng: np.random.Generator
) -> None:
    """Draw moles, scars, tattoos and freckles."""
    for mark in surface.marks:
        _paint_mark(layers, identity, mark)
    for _ in range(round(110 * identity.freckles)):
        x, y = rng.uniform(-0.5, 0.5), rng.uniform(-0.4, 1.05)
        column, row = palm_pixel(x, y)
        radius, strength = rng.uniform(0.5, 1.2), rng.uniform(0.2, 0.45)
        layers.palm["spot"].dot(column, row, radius, strength)


def _paint_mark(layers: Layers, identity: HandIdentity, mark: Mark) -> None:
    if mark.finger >= 0:
        column, row = finger_pixel(mark.finger, *mark.at)
        across = FINGER_T / identity.radii[mark.finger]
        down = FINGER_S / sum(finger_bones(identity, mark.finger))
        sheets = layers.fingers
    else:
        column, row = palm_pixel(*mark.at)
        across = down = PALM_UNIT
        sheets = layers.palm
    if mark.kind == "mole":
        sheets["spot"].dot(column, row, mark.size * across, 0.92, flat=down / across)
        return
    scale = np.array([mark.size * across, mark.size * down], dtype=np.float32)
    turn = np.array(
        [[np.cos(mark.angle), -np.sin(mark.angle)], [np.sin(mark.angle), np.cos(mark.angle)]],
        dtype=np.float32,
    )
    name = "scar" if mark.kind == "scar" else mark.figure
    sheet = sheets["scar" if mark.kind == "scar" else "ink"]
    for points, closed in _figure(name):
        pixels = (points @ turn.T) * scale + np.array([column, row], dtype=np.float32)
        if closed:
            sheet.polygon(pixels, 1.0)
        else:
            sheet.stroke(pixels, max(1.4, 0.13 * float(scale.mean())), 0.95, taper=0.2)


def _figure(name: str) -> list[tuple[Array, bool]]:
    """Give the lines (open) and patches (closed) of a figure that fits into -1..1."""
    turn = np.linspace(0, 2 * np.pi, 25)
    if name == "scar":
        x = np.linspace(-1, 1, 9)
        return [(np.stack([x, 0.18 * np.sin(2.3 * x)], axis=1).astype(np.float32), False)]
    if name == "cross":
        bars = [[(-1, 0), (1, 0)], [(0, -1), (0, 1)]]
        return [(np.array(bar, dtype=np.float32), False) for bar in bars]
    if name == "star":
        angle = np.arange(10) * np.pi / 5
        reach = np.where(np.arange(10) % 2 == 0, 1.0, 0.42)
        return [(_ring(angle, reach), True)]
    if name == "heart":
        x = np.sin(turn) ** 3
        y = -(13 * np.cos(turn) - 5 * np.cos(2 * turn) - 2 * np.cos(3 * turn)) / 16
        return [(np.stack([x, y], axis=1).astype(np.float32), True)]
    if name == "dots":
        return [
            (_ring(turn, 0.3) + np.array([shift, 0], np.float32), True)
            for shift in (-0.85, 0, 0.85)
        ]
    return [(np.array([(-1, y), (1, y)], dtype=np.float32), False) for y in (-0.3, 0.3)]


def _ring(angle: NDArray[np.floating], reach: NDArray[np.floating] | float) -> Array:
    return np.stack([np.cos(angle) * reach, np.sin(angle) * reach], axis=1).astype(np.float32)
