"""Nails and what hands wear: polish, rings, watches, bracelets, sleeves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptreid.synth.drawing.fields import Array
from promptreid.synth.hands.hand_identity import FINGERS, METALS, POLISHES, HandIdentity
from promptreid.synth.hands.hand_marks import finger_bones
from promptreid.synth.hands.hand_shape import HandFrame, Shape
from promptreid.synth.hands.hand_skin import skin_tint

SLEEVES = {
    "black": (0.09, 0.09, 0.10),
    "blue": (0.16, 0.24, 0.45),
    "grey": (0.45, 0.45, 0.47),
    "red": (0.66, 0.14, 0.20),
    "white": (0.88, 0.88, 0.88),
    "brown": (0.42, 0.34, 0.25),
}
_POWER = {"round": 2.6, "square": 6.0, "oval": 2.1, "pointed": 2.2}


@dataclass(frozen=True)
class Wear:
    """What is worn in one picture.

    Attributes:
        ring: Whether the person's ring is on this hand today.
        wristwear: "watch", "bracelet" or "".
        tint: Colour of the wristwear.
        sleeve: Colour name from `SLEEVES`, or "".
        sleeve_at: How far below the wrist the sleeve ends, in palms.
        polish: Colour name of the nail polish, or "".
        accessory: Ring and wristwear in words, "" when there is none.
    """

    ring: bool
    wristwear: str
    tint: tuple[float, float, float]
    sleeve: str
    sleeve_at: float
    polish: str
    accessory: str


def sample_wear(
    identity: HandIdentity, aspect: str, rng: np.random.Generator, *, accessories: bool | None
) -> Wear:
    """Draw what a person wears today; rings and wristwear are habits, not certainties."""
    hand = 0 if aspect.endswith("right") else 1
    draws = rng.random(4)
    owns_ring = identity.ring is not None and identity.ring.hand == hand
    ring = owns_ring and (draws[0] < 0.5 if accessories is None else accessories)
    worn = identity.wristwear and (draws[1] < 0.3 if accessories is None else accessories)
    wristwear = identity.wristwear if worn else ""
    sleeve = str(rng.choice(list(SLEEVES))) if draws[2] < 0.3 and not wristwear else ""
    metal = METALS[str(rng.choice(list(METALS)))]
    words = []
    if ring and identity.ring is not None:
        words.append(f"a {identity.ring.metal} ring on the {FINGERS[identity.ring.finger]}")
    if wristwear:
        words.append(f"a {wristwear}")
    return Wear(
        ring=ring,
        wristwear=wristwear,
        tint=metal,
        sleeve=sleeve,
        sleeve_at=float(rng.uniform(0.02, 0.4)),
        polish=identity.polish if draws[3] < 0.85 else "",
        accessory=" and ".join(words),
    )


def paint_nails(
    colour: Array,
    cover: Array,
    identity: HandIdentity,
    wear: Wear,
    shape: Shape,
    place: HandFrame,
    *,
    palmar: bool,
) -> None:
    """Paint the nails into `colour` and let long ones widen `cover`, both changed in place.

    From the palm's side only what stands out beyond the tip is seen.
    """
    if palmar and identity.nail_length < 0.03:
        return
    tint = skin_tint(identity, palmar=True)
    bed = tint * np.array([0.62, 0.5, 0.5], np.float32) + np.array([0.38, 0.36, 0.36], np.float32)
    free = np.array([0.93, 0.91, 0.86], dtype=np.float32)
    for finger, box in enumerate(shape.tips):
        if cover[box].size == 0:
            continue
        mine = shape.finger[box] == finger
        bones = finger_bones(identity, finger)
        total, tip = sum(bones), identity.radii[finger] * identity.taper
        start = 1 - 0.52 * bones[-1] / total
        end = 1 + (0.86 * tip + identity.nail_length) / total
        s, t = shape.along[box], shape.across[box]
        reach = (s - np.float32((start + end) / 2)) / np.float32((end - start) / 2)
        wide = identity.nail_width * (1.08 if finger == 0 else 1.0)
        power = _POWER[identity.nail_shape]
        side = np.abs(t) / np.float32(wide)
        if identity.nail_shape == "pointed":
            side = side / np.clip(1.25 - 0.55 * np.maximum(reach, -0.2), 0.3, 1.5)
        inside = 1 - (np.abs(reach) ** power + side**power) ** np.float32(1 / power)
        edge = 0.5 * (end - start) * total * place.unit
        mask = np.clip(inside * np.float32(edge) + 0.5, 0, 1) * mine
        beyond = s > 1 + 0.8 * tip / total
        if palmar:
            mask = mask * (1 - cover[box]) * beyond
        else:
            rim = np.clip(1 - np.abs(inside) * np.float32(edge * 0.6), 0, 1) * mine * (s < 1)
            colour[box] *= 1 - 0.22 * rim[..., None]
        paint = np.where(beyond[..., None], free, bed)
        if wear.polish:
            paint = np.broadcast_to(np.asarray(POLISHES[wear.polish], np.float32), paint.shape)
        shine = np.exp(-((t + 0.25) ** 2) * 14) * np.float32(0.2 if wear.polish else 0.07)
        paint = paint + shine[..., None]
        colour[box] += (paint - colour[box]) * mask[..., None]
        cover[box] = np.maximum(cover[box], mask)


def add_rings(
    colour: Array, identity: HandIdentity, wear: Wear, shape: Shape, *, palmar: bool
) -> None:
    """Paint the ring, if it is worn, into `colour` in place; its stone shows on the back."""
    if not wear.ring or identity.ring is None:
        return
    finger = identity.ring.finger
    box = shape.boxes[finger]
    bones = finger_bones(identity, finger)
    at, half = 0.62 * bones[0] / sum(bones), 0.022 / sum(bones)
    s, t = shape.along[box], shape.across[box]
    band = (np.abs(s - np.float32(at)) < half) & (shape.finger[box] == finger)
    glint = 0.7 + 0.5 * np.exp(-((t + 0.3) ** 2) * 9)
    metal = np.asarray(METALS[identity.ring.metal], np.float32) * glint[..., None]
    colour[box] = np.where(band[..., None], metal, colour[box])
    if identity.ring.stone and not palmar:
        stone = ((s - np.float32(at)) / (1.9 * half)) ** 2 + (t / 0.34) ** 2 < 1
        stone &= shape.finger[box] == finger
        colour[box] = np.where(
            stone[..., None], np.asarray([0.92, 0.95, 0.98], np.float32), colour[box]
        )


def paint_wrist(
    lit: Array, cover: Array, identity: HandIdentity, wear: Wear, place: HandFrame, *, palmar: bool
) -> None:
    """Paint a sleeve, watch or bracelet over the lit forearm, in place."""
    x, y = place.x, place.y
    if wear.sleeve:
        edge = y + np.float32(wear.sleeve_at) + 0.02 * np.sin(9 * x)
        half = np.float32(0.39 * identity.palm_width) - 0.04 * y
        sleeve = (edge < 0) & (np.abs(x) < half)
        folds = 0.85 + 0.15 * np.sin(14 * y + 5 * x) - 0.35 * (np.abs(x) / half) ** 4
        cloth = np.asarray(SLEEVES[wear.sleeve], np.float32) * folds[..., None]
        lit[:] = np.where(sleeve[..., None], cloth, lit)
        np.maximum(cover, sleeve, out=cover)
    if wear.wristwear:
        half = np.float32(0.31 * identity.palm_width)
        across = x / half
        bowed = y + 0.12 + 0.05 * across**2
        band = (np.abs(bowed) < 0.05) & (np.abs(across) < 1)
        tint = np.asarray(wear.tint, np.float32)
        if wear.wristwear == "bracelet":
            beads = 0.75 + 0.35 * np.sin(40 * x) * np.cos(30 * bowed)
        else:
            beads = 0.95 - 0.4 * across**2
        lit[:] = np.where(band[..., None], tint * beads[..., None], lit)
        np.maximum(cover, band, out=cover)
        if wear.wristwear == "watch" and not palmar:
            dial = x**2 + (y + 0.12) ** 2
            lit[dial < 0.0256] = tint * 0.8
            lit[dial < 0.0169] = np.asarray([0.93, 0.93, 0.9], np.float32)
            hand = (dial < 0.011) & ((np.abs(x) < 0.012) | ((np.abs(y + 0.12) < 0.012) & (x > 0)))
            lit[hand] = 0.1
            np.maximum(cover, dial < 0.0256, out=cover)
