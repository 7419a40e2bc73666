"""The skin of one side of one hand, painted flat and fixed to the bones.

Two small colour pictures hold it: the palm (or back) in the hand frame, and the five fingers side
by side, each straightened. A pose only decides where they are looked up, so every crease, mole
and pore moves with the hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptreid.synth.drawing.fields import Array
from promptreid.synth.drawing.noise import fractal_noise, smooth_noise
from promptreid.synth.hands.hand_creases import paint_dorsal, paint_palmar
from promptreid.synth.hands.hand_identity import HandIdentity
from promptreid.synth.hands.hand_marks import (
    FINGER_SIZE,
    PALM_SIZE,
    Layers,
    paint_marks,
)

# Palest to deepest, on the back of the hand and on the palm.
_TONES = (0.0, 0.2, 0.45, 0.7, 1.0)
_BACK = ((242, 208, 188), (226, 178, 146), (196, 143, 106), (134, 90, 62), (78, 50, 36))
_PALM = ((244, 206, 188), (234, 184, 160), (218, 164, 138), (182, 130, 104), (142, 98, 78))


@dataclass(frozen=True)
class Skin:
    """Colour and relief of a hand's side.

    Attributes:
        palm: (height, width, 4): red, green, blue in 0..1 and height in palms.
        fingers: The same for the five straightened fingers, side by side.
    """

    palm: Array
    fingers: Array


def skin_tint(identity: HandIdentity, *, palmar: bool) -> Array:
    """Mix a person's plain skin colour, (3,) in 0..1."""
    table = np.asarray(_PALM if palmar else _BACK, dtype=np.float32) / 255
    tint = np.array([np.interp(identity.tone, _TONES, table[:, c]) for c in range(3)])
    shift = 0.035 * identity.undertone
    return (tint * np.array([1 - 0.3 * shift, 1 + 0.6 * shift, 1 - 1.6 * shift])).astype(np.float32)


def paint_skin(identity: HandIdentity, aspect: str) -> Skin:
    """Paint what a person shows on one aspect; the same arguments give the same picture."""
    palmar = aspect.startswith("palmar")
    surface = identity.surface(aspect)
    rng = np.random.Generator(np.random.PCG64(surface.seed))
    layers = Layers.empty()
    if palmar:
        paint_palmar(layers, identity, surface, rng)
    else:
        paint_dorsal(layers, identity, surface, rng)
    paint_marks(layers, identity, surface, rng)
    tint = skin_tint(identity, palmar=palmar)
    return Skin(
        palm=_mix(tint, layers.finish(palm=True), identity, PALM_SIZE, rng, cells=(11, 8)),
        fingers=_mix(tint, layers.finish(palm=False), identity, FINGER_SIZE, rng, cells=(9, 15)),
    )


def _mix(
    tint: Array,
    layers: dict[str, Array],
    identity: HandIdentity,
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    cells: tuple[float, float],
) -> Array:
    """Lay creases, veins, spots and redness over the plain colour."""
    blotches = fractal_noise(rng, shape, cells, octaves=3)
    grain = smooth_noise(rng, shape, (shape[0] / 2.2, shape[1] / 2.2))
    shade = 1.0 + np.float32(0.038) * blotches + np.float32(0.022) * grain
    colour = tint[None, None, :] * shade[..., None]
    flush = smooth_noise(rng, shape, (cells[0] / 2, cells[1] / 2))
    red = np.clip(layers["red"] * (0.35 + 0.65 * identity.redness) + 0.12 * flush, -0.3, 1.0)
    colour *= 1.0 + red[..., None] * np.array([0.03, -0.20, -0.19], dtype=np.float32)
    vein = layers["vein"][..., None] * np.float32(0.75)
    colour *= 1.0 - vein * np.array([0.42, 0.22, 0.16], dtype=np.float32)
    crease = layers["crease"][..., None]
    colour *= 1.0 - crease * np.array([0.46, 0.56, 0.58], dtype=np.float32)
    scar = layers["scar"][..., None]
    pale = tint * np.float32(0.55) + np.array([0.44, 0.36, 0.34], dtype=np.float32)
    colour += (pale - colour) * scar * np.float32(0.85)
    spot = layers["spot"][..., None]
    colour += (tint * np.array([0.34, 0.25, 0.22], dtype=np.float32) - colour) * spot
    ink = layers["ink"][..., None]
    colour += (tint * 0.15 + np.array([0.02, 0.05, 0.09], dtype=np.float32) - colour) * ink * 0.9
    relief = 0.022 * layers["vein"] + 0.05 * layers["tendon"] - 0.016 * layers["crease"]
    relief += np.float32(0.0005) * grain + np.float32(0.0012) * blotches
    return np.concatenate([colour, relief[..., None]], axis=2).astype(np.float32)
