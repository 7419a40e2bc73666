"""Creases and veins: the lines that tell one hand from another."""

from __future__ import annotations

import numpy as np

from promptreid.synth.drawing.fields import Array
from promptreid.synth.drawing.strokes import bezier
from promptreid.synth.hands.hand_identity import HandIdentity, Surface
from promptreid.synth.hands.hand_marks import (
    FINGER_COLUMN,
    FINGER_S,
    PALM_UNIT,
    Layers,
    finger_pixel,
    joints,
    palm_pixel,
)

Random = np.random.Generator


def paint_dorsal(layers: Layers, identity: HandIdentity, surface: Surface, rng: Random) -> None:
    """Draw the back: knuckle folds, tendons, veins and hair."""
    for finger in range(5):
        places = joints(identity, finger)
        for order, place in enumerate(places):
            main = order == 0 or finger == 0
            _knuckle_folds(layers, identity, finger, place, main=main, rng=rng)
            column, row = finger_pixel(finger, place, 0.0)
            layers.fingers["red"].dot(column, row, 13, 0.8 if main else 0.5)
    for x, y in identity.knuckles:
        column, row = palm_pixel(x, y + 0.01)
        layers.palm["red"].dot(column, row, 13, 0.8)
        layers.palm["tendon"].dot(column, row, 8, 0.25 + 0.6 * identity.tendons)
        for _ in range(rng.integers(1, 4)):
            middle = np.array([x, y]) + rng.normal(0, 0.022, 2)
            tilt = rng.normal(0, 0.35)
            half = rng.uniform(0.03, 0.07) * np.array([np.cos(tilt), np.sin(tilt)])
            points = np.stack([middle - half, middle, middle + half]).astype(np.float32)
            layers.palm_stroke("crease", points, 0.011, 0.10 + 0.3 * identity.wrinkles)
        wrist = np.array([0.42 * x, 0.12])
        bow = bezier(_between(wrist, np.array([x, y]), rng, 0.015), 12)
        layers.palm_stroke("tendon", bow, 0.05, 0.15 + 0.75 * identity.tendons)
    _veins(layers, identity, rng)
    _fine_net(layers, identity, rng)
    _hair(layers, identity, rng)


def _knuckle_folds(
    layers: Layers, identity: HandIdentity, finger: int, place: float, *, main: bool, rng: Random
) -> None:
    """Draw the folds over a joint: an eye of bowed lines, its own for every joint."""
    count = int(rng.integers(4, 8) if main else rng.integers(2, 4))
    reach = rng.uniform(0.05, 0.085) if main else rng.uniform(0.02, 0.035)
    t = np.linspace(-1, 1, 9, dtype=np.float32)
    for offset in np.linspace(-1, 1, count) + rng.normal(0, 0.16, count):
        half = rng.uniform(0.4, 0.85) * (1 - 0.3 * abs(offset))
        bow = 0.02 * offset * rng.uniform(0.3, 1.5)
        wave = 0.004 * np.sin(3 * t + rng.uniform(0, 6))
        s = place + reach * offset - bow * t * t + wave + rng.normal(0, 0.008) * t
        points = np.stack([s, half * t + rng.normal(0, 0.12)], axis=1)
        strength = (0.42 + 0.5 * identity.wrinkles) * rng.uniform(0.4, 1.0) * (1 if main else 0.75)
        layers.finger_stroke("crease", finger, points, rng.uniform(0.9, 1.9), strength)


def _veins(layers: Layers, identity: HandIdentity, rng: Random) -> None:
    """Draw veins running up from the wrist, wandering and joining."""
    strength = 0.08 + 0.85 * identity.veins
    for _ in range(int(rng.integers(3, 7))):
        start = np.array([rng.uniform(-0.22, 0.26), rng.uniform(-0.35, 0.25)])
        end = np.array([rng.uniform(-0.3, 0.32), rng.uniform(0.6, 0.95)])
        curve = bezier(_between(start, end, rng, 0.12), 20)
        width = rng.uniform(0.022, 0.042)
        layers.palm_stroke("vein", curve, width, strength * rng.uniform(0.6, 1))
        if rng.random() < 0.75:
            fork = curve[int(rng.integers(6, 14))]
            goal = fork + np.array([rng.normal(0, 0.2), rng.uniform(0.12, 0.4)])
            branch = bezier(_between(fork, goal, rng, 0.06), 12)
            layers.palm_stroke("vein", branch, width * 0.8, strength * rng.uniform(0.5, 1))


def _fine_net(layers: Layers, identity: HandIdentity, rng: Random) -> None:
    """Draw the faint net of short lines that covers skin, more of it with age."""
    for _ in range(int(50 + 120 * identity.wrinkles)):
        start = np.array([rng.uniform(-0.5, 0.45), rng.uniform(-0.4, 1.1)])
        angle = rng.normal(0, 0.6) + (np.pi / 2 if rng.random() < 0.3 else 0)
        end = start + rng.uniform(0.04, 0.12) * np.array([np.cos(angle), np.sin(angle)])
        points = np.stack([start, end]).astype(np.float32)
        layers.palm_stroke(
            "crease", points, 0.006, rng.uniform(0.05, 0.09 + 0.1 * identity.wrinkles)
        )


def _hair(layers: Layers, identity: HandIdentity, rng: Random) -> None:
    for _ in range(int(150 * identity.hair)):
        start = np.array([rng.uniform(-0.05, 0.45), rng.uniform(-0.8, 0.75)])
        end = start + np.array([rng.normal(0.03, 0.02), rng.normal(0.0, 0.03)])
        points = np.stack([start, end]).astype(np.float32)
        layers.palm_stroke("crease", points, 0.007, rng.uniform(0.3, 0.6))
    for _ in range(int(60 * identity.hair)):
        s, t = rng.uniform(0.16, 0.4), rng.uniform(-0.6, 0.7)
        points = np.array([[s, t], [s - 0.02, t + 0.15]], dtype=np.float32)
        layers.finger_stroke("crease", int(rng.integers(1, 5)), points, 0.8, rng.uniform(0.2, 0.5))


def paint_palmar(layers: Layers, identity: HandIdentity, surface: Surface, rng: Random) -> None:
    """Draw the palm: flexion creases, the three great lines, and the small ones."""
    for finger in range(5):
        places = joints(identity, finger)
        doubles = (True, False) if len(places) == 2 else (True,)
        for place, double in zip(places, doubles, strict=True):
            _flexion(layers, identity, finger, place, double=double, rng=rng)
        if finger > 0:
            _flexion(layers, identity, finger, float(rng.uniform(0.2, 0.24)), double=True, rng=rng)
        column, row = finger_pixel(finger, 0.93, 0.0)
        layers.fingers["red"].dot(column, row, 0.3 * FINGER_COLUMN, 0.9, flat=FINGER_S / 90)
    for x, y, radius in ((-0.36, 0.35, 0.17), (0.28, 0.35, 0.15), (0.0, 0.9, 0.18)):
        column, row = palm_pixel(x, y)
        layers.palm["red"].dot(column, row, radius * PALM_UNIT, 0.6)
    _great_lines(layers, identity, surface, rng)
    _small_lines(layers, identity, rng)


def _flexion(
    layers: Layers, identity: HandIdentity, finger: int, place: float, *, double: bool, rng: Random
) -> None:
    t = np.linspace(-1, 1, 9, dtype=np.float32)
    gap = rng.uniform(0.018, 0.04)
    for shift in (-gap / 2, gap / 2) if double else (0.0,):
        slope, bow = rng.normal(0, 0.014), rng.normal(0, 0.012)
        s = place + shift + slope * t + bow * t * t + rng.normal(0, 0.006)
        points = np.stack([s, rng.uniform(0.8, 1.0) * t], axis=1)
        strength = rng.uniform(0.35, 0.75) + 0.15 * identity.wrinkles
        layers.finger_stroke("crease", finger, points, rng.uniform(1.0, 1.9), strength, taper=0.4)


def _great_lines(layers: Layers, identity: HandIdentity, surface: Surface, rng: Random) -> None:
    lines = {"heart line": surface.heart, "head line": surface.head, "life line": surface.life}
    depth = rng.uniform(0.5, 0.8)
    for name, controls in lines.items():
        curve = bezier(np.asarray(controls), 30)
        curve += (0.008 * np.sin(np.linspace(0, rng.uniform(5, 14), 30)))[:, None].astype(
            np.float32
        )
        width, strength = rng.uniform(0.014, 0.024), depth * rng.uniform(0.85, 1.15)
        if surface.broken == name:
            cut = int(rng.integers(11, 19))
            layers.palm_stroke("crease", curve[: cut + 2], width, strength, taper=0.5)
            shift = np.float32(rng.choice([-1, 1]) * 0.05)
            layers.palm_stroke("crease", curve[cut:] + shift, width, strength, taper=0.5)
        else:
            layers.palm_stroke("crease", curve, width, strength, taper=0.5)
        if surface.forked == name:
            root = curve[20]
            way = curve[-1] - root
            turn = rng.choice([-1, 1]) * rng.uniform(0.4, 0.7)
            c, s = np.cos(turn), np.sin(turn)
            goal = root + np.array([c * way[0] - s * way[1], s * way[0] + c * way[1]])
            branch = bezier(_between(root, goal, rng, 0.01), 10)
            layers.palm_stroke("crease", branch, width * 0.9, strength * 0.9)
    if surface.fate:
        start, end = np.array([rng.normal(0, 0.03), 0.12]), np.array([rng.normal(-0.05, 0.04), 0.8])
        fate = bezier(_between(start, end, rng, 0.05), 20)
        layers.palm_stroke("crease", fate, 0.013, depth * 0.7)


def _small_lines(layers: Layers, identity: HandIdentity, rng: Random) -> None:
    for _ in range(int(rng.integers(12, 34))):
        start = np.array([rng.uniform(-0.4, 0.38), rng.uniform(0.05, 1.0)])
        goal = start + rng.normal(0, 0.14, 2)
        branch = bezier(_between(start, goal, rng, 0.03), 8)
        layers.palm_stroke("crease", branch, 0.008, rng.uniform(0.12, 0.4))
    for y in (0.0, -0.05):
        x = np.linspace(-0.24, 0.24, 12)
        points = np.stack([x, y + 0.1 * x * x + rng.normal(0, 0.012)], axis=1).astype(np.float32)
        layers.palm_stroke("crease", points, 0.013, rng.uniform(0.25, 0.55))


def _between(start: Array, end: Array, rng: Random, jitter: float) -> Array:
    """Give four control points from `start` to `end`, the inner two moved by `jitter`."""
    way = np.asarray(end, dtype=np.float64) - start
    inner = [start + way * share + rng.normal(0, jitter, 2) for share in (0.35, 0.7)]
    return np.stack([start, *inner, end]).astype(np.float32)
