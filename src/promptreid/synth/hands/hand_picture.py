"""One photograph of a synthetic hand: skin looked up on the posed shape, lit, and photographed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from promptreid.errors import RunError, unknown_name
from promptreid.synth.drawing.camera import develop
from promptreid.synth.drawing.fields import Array
from promptreid.synth.drawing.noise import fractal_noise, sample_bilinear
from promptreid.synth.drawing.strokes import soft_shadow
from promptreid.synth.hands.hand_extras import (
    Wear,
    add_rings,
    paint_nails,
    paint_wrist,
    sample_wear,
)
from promptreid.synth.hands.hand_identity import ASPECTS, HandIdentity
from promptreid.synth.hands.hand_marks import finger_pixel, palm_pixel
from promptreid.synth.hands.hand_pose import HandLight, sample_light, sample_pose
from promptreid.synth.hands.hand_shape import HandFrame, Shape, build_shape, frame
from promptreid.synth.hands.hand_skin import Skin, paint_skin

FINENESS = 1.5  # pictures are drawn this much finer than they are stored


@dataclass(frozen=True)
class HandPicture:
    """A rendered photograph and what is true of it.

    Attributes:
        pixels: (height, width, 3) in 0..255.
        attributes: The columns of HandInfo.csv that do not name the person or the file (age,
            gender, skinColor, accessories, nailPolish, aspectOfHand, irregularities) and what
            else can be seen: background, light, spread, sleeve, accessory ("" where none).
    """

    pixels: NDArray[np.uint8]
    attributes: dict[str, str] = field(default_factory=dict)


def render_hand(
    identity: HandIdentity,
    aspect: str,
    rng: np.random.Generator,
    *,
    size: int | tuple[int, int] = 224,
    skin: Skin | None = None,
    accessories: bool | None = None,
    nuisance: float = 1.0,
) -> HandPicture:
    """Photograph one side of one hand.

    Args:
        identity: Whose hand.
        aspect: One of `ASPECTS`.
        rng: Draws the pose, the light, the surroundings and the camera's faults.
        size: Side, or (height, width), in pixels.
        skin: What `paint_skin(identity, aspect)` gave, to save painting it again.
        accessories: Force rings and wristwear on or off; by default the person's habit decides.
        nuisance: Share of the usual variation of pose, framing, light and camera, 0 to 1.

    Raises:
        RunError: The aspect is unknown or the size is below 16 pixels.
    """
    if aspect not in ASPECTS:
        raise RunError(unknown_name("aspect of the hand", aspect, ASPECTS))
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 16:
        raise RunError(f"Pictures need at least 16 pixels a side; got {height} x {width}.")
    palmar = aspect.startswith("palmar")
    # The thumb of a right hand points left when its back is seen, and right when its palm is.
    mirrored = aspect in ("dorsal left", "palmar right")
    pose = sample_pose(identity, rng, mirrored=mirrored, ratio=width / height, nuisance=nuisance)
    light = sample_light(rng, nuisance=nuisance)
    wear = sample_wear(identity, aspect, rng, accessories=accessories)
    fine = (round(height * FINENESS), round(width * FINENESS))
    place = frame(pose, fine, mirrored=mirrored)
    shape = build_shape(identity, pose, place, palmar=palmar)
    skin = paint_skin(identity, aspect) if skin is None else skin
    colour, relief = _dress(skin, shape, place)
    cover = np.clip(0.5 - shape.distance * np.float32(place.unit), 0.0, 1.0)
    paint_nails(colour, cover, identity, wear, shape, place, palmar=palmar)
    add_rings(colour, identity, wear, shape, palmar=palmar)
    lit = colour * _shade(shape, relief, light, place)[..., None]
    paint_wrist(lit, cover, identity, wear, place, palmar=palmar)
    scene, background = _background(fine, rng, nuisance)
    _cast_shadow(scene, cover, light, place)
    scene += (lit - scene) * cover[..., None]
    pixels = develop(scene, light.look, rng, size=(height, width))
    return HandPicture(
        pixels,
        _attributes(identity, aspect, wear)
        | {
            "background": background,
            "light": light.word,
            "spread": pose.spread_word,
        },
    )


def _attributes(identity: HandIdentity, aspect: str, wear: Wear) -> dict[str, str]:
    odd = any(mark.kind in ("scar", "tattoo") for mark in identity.surface(aspect).marks)
    return {
        "age": str(identity.age),
        "gender": identity.gender,
        "skinColor": identity.skin_color,
        "accessories": str(int(wear.accessory != "")),
        "nailPolish": str(int(wear.polish != "")),
        "aspectOfHand": aspect,
        "irregularities": str(int(odd)),
        "accessory": wear.accessory,
        "polish": wear.polish,
        "sleeve": wear.sleeve,
    }


def _dress(skin: Skin, shape: Shape, place: HandFrame) -> tuple[Array, Array]:
    """Look up skin colour (h, w, 3) and relief (h, w) where the hand is."""
    height, width = shape.distance.shape
    flat = np.flatnonzero(shape.distance.ravel() < 2.0 / place.unit)
    columns, rows = palm_pixel(place.x.ravel()[flat], place.y.ravel()[flat])
    found = sample_bilinear(skin.palm, rows, columns)
    weight = shape.weight.ravel()[flat]
    on = np.flatnonzero(weight > 0)
    at = flat[on]
    across = np.clip(shape.across.ravel()[at], -1.04, 1.04)
    owner = shape.finger.ravel()[at].astype(np.float32)
    columns, rows = finger_pixel(owner, shape.along.ravel()[at], across)
    fingers = sample_bilinear(skin.fingers, rows, columns)
    found[on] += (fingers - found[on]) * weight[on][:, None]
    sheet = np.zeros((height * width, 4), dtype=np.float32)
    sheet[flat] = found
    sheet = sheet.reshape(height, width, 4)
    return np.ascontiguousarray(sheet[..., :3]), sheet[..., 3]


def _shade(shape: Shape, relief: Array, light: HandLight, place: HandFrame) -> Array:
    """Light the dome that the distance field stands for, with its edges in soft shade."""
    depth = np.clip(-shape.distance, 0.0, 0.11) * np.float32(1 / 0.11)
    rise = np.sqrt(depth * (np.float32(2) - depth)) * np.float32(0.07) + relief
    slope_y, slope_x = np.zeros_like(rise), np.zeros_like(rise)
    half = np.float32(0.5 * place.unit)
    slope_x[:, 1:-1] = (rise[:, 2:] - rise[:, :-2]) * half
    slope_y[1:-1] = (rise[:-2] - rise[2:]) * half
    np.clip(slope_x, -1.6, 1.6, out=slope_x)
    np.clip(slope_y, -1.6, 1.6, out=slope_y)
    lx, ly, lz = (np.float32(v) for v in light.toward)
    facing = (lz - lx * slope_x - ly * slope_y) / np.sqrt(1 + slope_x**2 + slope_y**2)
    direct = np.maximum(facing, 0) * np.float32((1 - light.ambient) / max(light.toward[2], 0.6))
    edge = np.float32(0.80) + np.float32(0.20) * np.minimum(depth * np.float32(2.5), 1)
    return (direct + np.float32(light.ambient)) * edge


_PAPERS = {
    "white": ((0.99, 0.99, 0.99), 0.015),
    "grey": ((0.66, 0.67, 0.68), 0.05),
    "blue": ((0.45, 0.58, 0.74), 0.05),
    "green": ((0.48, 0.62, 0.50), 0.05),
    "brown": ((0.60, 0.46, 0.34), 0.08),
    "dark": ((0.20, 0.20, 0.22), 0.05),
}


def _background(
    size: tuple[int, int], rng: np.random.Generator, nuisance: float
) -> tuple[Array, str]:
    """Draw the surface the hand lies on and name it; mostly white, as in 11k Hands."""
    word = str(rng.choice(list(_PAPERS), p=[0.84, 0.06, 0.03, 0.03, 0.02, 0.02]))
    if nuisance < 1 and rng.random() >= nuisance:
        word = "white"
    base, strength = _PAPERS[word]
    tint = np.asarray(base, dtype=np.float32) * rng.normal(1, 0.02, 3).astype(np.float32)
    field = fractal_noise(rng, size, (2, 2), octaves=2 if word == "white" else 4)
    y = np.linspace(-1, 1, size[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, size[1], dtype=np.float32)[None, :]
    fall = rng.normal(0, 0.05, 2).astype(np.float32)
    shade = 1 + np.float32(strength) * field + fall[0] * x + fall[1] * y
    return shade[..., None] * tint, word


def _cast_shadow(scene: Array, cover: Array, light: HandLight, place: HandFrame) -> None:
    """Darken the surface beside the hand, away from the light."""
    reach = 0.10 * place.unit / max(light.toward[2], 0.5)
    fall = (-light.toward[0] * reach, light.toward[1] * reach)
    shadow = soft_shadow(cover, 0.05 * place.unit, fall)
    scene *= 1 - shadow[..., None] * np.array([1.05, 1.0, 0.95], np.float32) * light.shadow
