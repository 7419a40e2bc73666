"""How a hand lies in one picture: pose, framing, light and surroundings, none of it identity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptreid.synth.drawing.camera import Look
from promptreid.synth.drawing.fields import Point
from promptreid.synth.hands.hand_identity import HandIdentity
from promptreid.synth.hands.hand_marks import finger_bones

_FAN = (0.0, -0.13, -0.01, 0.13, 0.30)  # radians away from straight up at a spread of 1
_CLOSED = (0.0, 0.03, 0.0, -0.02, -0.03)


@dataclass(frozen=True)
class Chain:
    """One finger laid out: the places of its joints and its radius at each, in the hand frame."""

    points: tuple[Point, ...]
    radii: tuple[float, ...]


@dataclass(frozen=True)
class HandPose:
    """One way to hold and to frame a hand.

    Attributes:
        spread: How far the fingers stand apart, 0 together to 1.5.
        thumb: How far the thumb stands off, 0 to 1.
        chains: The fingers, thumb first.
        thumb_root: Where the thumb's metacarpal begins.
        rotation: Turn in the picture, radians.
        scale: Length of a palm as a share of the picture's height.
        squash: Horizontal factor of the frame.
        centre: Where (0, 0.95) of the hand frame lies, as shares of width and height.
    """

    spread: float
    thumb: float
    chains: tuple[Chain, ...]
    thumb_root: Point
    rotation: float
    scale: float
    squash: float
    centre: Point

    @property
    def spread_word(self) -> str:
        """The spread in words."""
        if self.spread < 0.35:
            return "fingers together"
        return "fingers slightly apart" if self.spread < 0.9 else "fingers spread"


def calmed(value: float, rest: float, nuisance: float) -> float:
    """Draw a value back to its resting one; a nuisance of 1 leaves it to the bit, 0 gives rest."""
    return value if nuisance == 1 else rest + (value - rest) * nuisance


def sample_pose(
    identity: HandIdentity,
    rng: np.random.Generator,
    *,
    mirrored: bool = False,
    ratio: float = 1.0,
    nuisance: float = 1.0,
) -> HandPose:
    """Draw a pose around a person's bones.

    Args:
        identity: Whose hand.
        rng: Draws the pose and the framing.
        mirrored: Whether the picture shows the hand frame mirrored.
        ratio: Width of the picture over its height.
        nuisance: Share of the usual variation of pose and framing.
    """
    spread = float(np.clip(rng.choice([0.1, 0.6, 1.15]) + rng.normal(0, 0.15), 0, 1.5))
    thumb = float(np.clip(0.25 + 0.45 * spread + rng.normal(0, 0.22), 0.12, 1.1))
    spread, thumb = calmed(spread, 0.6, nuisance), calmed(thumb, 0.52, nuisance)
    root = (-0.17 * identity.palm_width, 0.2)
    chains = [_thumb_chain(identity, root, thumb, rng, nuisance)]
    chains += [_finger_chain(identity, finger, spread, rng, nuisance) for finger in range(1, 5)]
    turn = float(np.clip(rng.normal(0, 0.13), -0.45, 0.45))
    if rng.random() < 0.03:
        turn = float(rng.choice([-1, 1]) * rng.uniform(0.6, 1.6))
    turn *= nuisance
    scale = calmed(float(rng.uniform(0.36, 0.465)), 0.45, nuisance)
    slack = 0.465 - scale
    centre = (
        float(np.clip(0.5 + rng.normal(0, 0.05 + 0.5 * slack), 0.3, 0.7)),
        float(0.52 + rng.uniform(-0.02, 0.02) + slack * rng.uniform(-0.6, 1.0)),
    )
    centre = (calmed(centre[0], 0.5, nuisance), centre[1])
    squash = calmed(float(rng.uniform(0.82, 1.0)), 0.91, nuisance)
    tips = np.array([chain.points[-1] for chain in chains])
    reach = max(identity.radii) + identity.nail_length
    return HandPose(
        spread=spread,
        thumb=thumb,
        chains=tuple(chains),
        thumb_root=root,
        rotation=turn,
        scale=scale,
        squash=squash,
        centre=_fit(centre, tips, turn, scale, (squash, ratio), reach, mirrored=mirrored),
    )


def _fit(
    centre: Point,
    tips: NDArray[np.floating],
    turn: float,
    scale: float,
    widths: tuple[float, float],
    reach: float,
    *,
    mirrored: bool,
) -> Point:
    """Move a framing just so far that no fingertip leaves the picture, if all can stay."""
    x, y = (-tips[:, 0] if mirrored else tips[:, 0]), tips[:, 1] - 0.95
    c, s = np.cos(turn), np.sin(turn)
    across = (c * x - s * y) * scale * widths[0] / widths[1]
    down = -(s * x + c * y) * scale
    margin = reach * scale
    moved = []
    for place, offsets in zip(centre, (across, down), strict=True):
        low, high = margin - offsets.min(), 1 - margin - offsets.max()
        moved.append(float(np.clip(place, low, high)) if low <= high else (low + high) / 2)
    return moved[0], moved[1]


def _finger_chain(
    identity: HandIdentity, finger: int, spread: float, rng: np.random.Generator, nuisance: float
) -> Chain:
    mix = min(spread, 1.0)
    angle = _FAN[finger] * spread + _CLOSED[finger] * (1 - mix)
    angle += identity.rest[finger] * (0.4 + 0.6 * mix) + float(rng.normal(0, 0.03)) * nuisance
    x, y = identity.knuckles[finger - 1]
    bends = [0.0]
    bends += [identity.curve[finger][j] + float(rng.normal(0, 0.02)) * nuisance for j in range(2)]
    width = identity.radii[finger]
    radii = (width, width * (1 + identity.knobs), width * (0.55 + 0.45 * identity.taper))
    start = (x * identity.palm_width, y)
    lengths = finger_bones(identity, finger)
    return _chain(start, angle, lengths, bends, (*radii, width * identity.taper), rng, nuisance)


def _thumb_chain(
    identity: HandIdentity, root: Point, thumb: float, rng: np.random.Generator, nuisance: float
) -> Chain:
    angle = -(0.42 + 0.38 * thumb) + identity.rest[0] * 0.5
    length = identity.bones[0][0]
    knuckle = (root[0] + length * float(np.sin(angle)), root[1] + length * float(np.cos(angle)))
    free = -(0.08 + 0.85 * thumb) + identity.rest[0] + float(rng.normal(0, 0.05)) * nuisance
    bends = [0.0, identity.curve[0][0] * 2 + calmed(float(rng.normal(0.08, 0.08)), 0.08, nuisance)]
    width = identity.radii[0]
    radii = (width, width * (0.96 + identity.knobs), width * (0.15 + 0.85 * identity.taper))
    return _chain(knuckle, free, finger_bones(identity, 0), bends, radii, rng, nuisance)


def _chain(
    start: Point,
    angle: float,
    lengths: tuple[float, ...],
    bends: list[float],
    radii: tuple[float, ...],
    rng: np.random.Generator,
    nuisance: float,
) -> Chain:
    """Lay bones end to end; a bone that bends away from the camera looks a little shorter."""
    points = [start]
    lean = abs(rng.normal(0, 0.12)) * nuisance
    for length, bend in zip(lengths, bends, strict=True):
        angle += bend
        seen = length * float(np.cos(lean + abs(rng.normal(0, 0.08)) * nuisance))
        x, y = points[-1]
        points.append((x + seen * float(np.sin(angle)), y + seen * float(np.cos(angle))))
    return Chain(tuple(points), radii)


@dataclass(frozen=True)
class HandLight:
    """Where the light comes from and what the camera makes of it.

    Attributes:
        toward: Unit vector to the light, (x, y, z), y up in the picture.
        ambient: Share of light that comes from everywhere.
        shadow: Darkness of the cast shadow.
        look: The camera.
        word: The light in words.
    """

    toward: tuple[float, float, float]
    ambient: float
    shadow: float
    look: Look
    word: str


_LIGHTS = {
    "even": (1.05, (1.0, 1.0, 1.0)),
    "bright": (1.16, (1.0, 1.0, 1.0)),
    "dim": (0.8, (1.0, 0.99, 0.98)),
    "warm": (1.02, (1.05, 1.0, 0.90)),
    "cool": (1.0, (0.94, 1.0, 1.06)),
}


def sample_light(rng: np.random.Generator, *, nuisance: float = 1.0) -> HandLight:
    """Draw light and camera; `nuisance` is the share of their usual variation."""
    word = str(rng.choice(list(_LIGHTS), p=[0.52, 0.18, 0.08, 0.11, 0.11]))
    exposure, gains = _LIGHTS[word]
    around = calmed(float(rng.uniform(0, 2 * np.pi)), 2.0, nuisance)
    up = calmed(float(rng.uniform(0.55, 1.25)), 0.95, nuisance)
    toward = (np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up))
    red, green, blue = (calmed(float(g * rng.normal(1, 0.02)), 1.0, nuisance) for g in gains)
    look = Look(
        gains=(red, green, blue),
        exposure=calmed(float(exposure * rng.normal(1, 0.05)), 1.05, nuisance),
        contrast=calmed(float(rng.uniform(1.05, 1.25)), 1.15, nuisance),
        vignette=float(rng.uniform(0, 0.15)) * nuisance,
        softness=float(max(0.0, rng.normal(0.1, 0.3))) * nuisance,
        grain=float(abs(rng.normal(0, 0.008))) * nuisance,
        quality=int(rng.integers(72, 100)),
    )
    x, y, z = (float(v) for v in toward)
    ambient = calmed(float(rng.uniform(0.4, 0.7)), 0.55, nuisance)
    shadow = calmed(float(rng.uniform(0.05, 0.4)), 0.2, nuisance)
    return HandLight((x, y, z), ambient, shadow, look, word)
