"""One picture: a person in front of a camera's surroundings, and what the camera makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from promptreid.errors import ConfigError
from promptreid.synth.drawing.fields import Array
from promptreid.synth.drawing.noise import noise_between_nodes
from promptreid.synth.drawing.solids import SceneLight, ball, paint
from promptreid.synth.people.people_domain import PersonCamera, PersonDomain
from promptreid.synth.people.people_figure import draw_figure
from promptreid.synth.people.people_occlusion import draw_occluder, draw_passer
from promptreid.synth.people.people_pose import Projection, sample_pose, view_name
from promptreid.synth.people.person_identity import PersonIdentity

_WORK = (256, 102)
"""Canvas size: figures are drawn at about twice the usual crop and brought down. It is narrower
than the crop, because detectors' boxes are stretched to one shape and people look wide in them."""


@dataclass(frozen=True, eq=False)
class PersonPicture:
    """A rendered crop.

    `pixels` is (h, w, 3) uint8. `attributes` says what can be seen: gender, hair, hair_colour,
    hat, glasses, upper_colour, upper_type, upper_texture, lower_colour, lower_type,
    lower_texture, shoes, shoe_colour, logo, bag, bag_colour, view ("front", "back", "left",
    "right"), camera (0-based), domain; "" means hidden or not there.
    """

    pixels: np.ndarray
    attributes: dict[str, str]


@dataclass(frozen=True)
class Framing:
    """Where the detector's box lies: crown and sole as shares of the crop's height, x offset."""

    top: float
    bottom: float
    shift: float


def render_person(
    identity: PersonIdentity,
    domain: PersonDomain,
    camera: int,
    rng: np.random.Generator,
    *,
    size: tuple[int, int] = (128, 64),
    bad_box: bool = False,
) -> PersonPicture:
    """Photograph a person.

    Args:
        identity: Who.
        domain: Where.
        camera: Which of the domain's cameras, 0-based.
        rng: Draws everything that is not the identity's: pose, viewpoint, light, box, occlusion.
        size: Height and width of the crop in pixels.
        bad_box: Cut the person badly, as a failed detection does.

    Returns:
        The crop and what can be seen in it.

    Raises:
        ConfigError: There is no such camera, or the size is below 16 x 8.
    """
    if not 0 <= camera < len(domain.cameras):
        raise ConfigError(
            f"{domain.name!r} has cameras 0 to {len(domain.cameras) - 1}, but got camera {camera}."
        )
    if size[0] < 16 or size[1] < 8:
        raise ConfigError(
            f"A person crop needs at least 16 x 8 pixels (height x width), got {size}."
        )
    eye = domain.cameras[camera]
    framing = _framing(rng, bad_box)
    canvas = _background(eye, rng)
    pose = sample_pose(rng, identity)
    high, wide = _WORK
    scale = high * (framing.bottom - framing.top) / (identity.height * np.cos(eye.pitch))
    origin = (wide * (0.5 + framing.shift), high * framing.bottom)
    light = _light(eye, domain.site.ambient, rng)
    folds = _folds(rng)
    if rng.random() < 0.14:
        draw_passer(canvas, rng, domain, eye.pitch, scale, origin, light, folds, behind=True)
    _cast_shadow(canvas, origin, scale, domain.site.shadow, eye.light)
    view = Projection(pose.yaw, eye.pitch, float(scale), origin)
    draw_figure(canvas, identity, pose, view, light=light, folds=folds)
    hidden = ""
    if rng.random() < 0.1:
        draw_passer(canvas, rng, domain, eye.pitch, scale, origin, light, folds, behind=False)
    elif rng.random() < 0.13:
        hidden = draw_occluder(canvas, rng, light)
    pixels = _expose(canvas, eye, rng, size, domain.site.falling)
    seen = _attributes(identity, view_name(pose.yaw), framing, hidden)
    return PersonPicture(pixels, seen | {"camera": str(camera), "domain": domain.name})


def render_background(
    domain: PersonDomain,
    camera: int,
    rng: np.random.Generator,
    *,
    size: tuple[int, int] = (128, 64),
) -> np.ndarray:
    """Photograph a place without a person, as a false detection does; (h, w, 3) uint8."""
    eye = domain.cameras[camera]
    canvas = _background(eye, rng)
    if rng.random() < 0.5:
        draw_occluder(canvas, rng, _light(eye, domain.site.ambient, rng))
    return _expose(canvas, eye, rng, size, domain.site.falling)


def _framing(rng: np.random.Generator, bad_box: bool) -> Framing:
    top, bottom = float(rng.uniform(0.015, 0.07)), float(rng.uniform(0.93, 0.99))
    shift = float(rng.normal(0, 0.045))
    chance = rng.random()
    if bad_box:
        return Framing(
            top=float(rng.choice((-0.9, 0.1, 0.45)) + rng.uniform(-0.1, 0.1)),
            bottom=float(rng.uniform(1.1, 1.7)),
            shift=float(rng.choice((-0.4, 0.4))),
        )
    if chance < 0.10:
        bottom = float(rng.uniform(1.02, 1.2))
    elif chance < 0.15:
        top = float(rng.uniform(-0.07, -0.01))
    elif chance < 0.23:
        top, bottom = top + float(rng.uniform(0.05, 0.14)), bottom - float(rng.uniform(0.02, 0.1))
    return Framing(top, bottom, shift)


def _background(eye: PersonCamera, rng: np.random.Generator) -> Array:
    """Cut a crop of the panorama whose lower edge lies on the ground; the canvas, float32."""
    high, wide = eye.scene.shape[:2]
    tall = float(rng.uniform(150, 230))
    across = tall * _WORK[1] / _WORK[0]
    left = float(rng.uniform(0, wide - across))
    bottom = float(rng.uniform(max(tall, 0.72 * high), high))
    box = (left, bottom - tall, left + across, bottom)
    cut = Image.fromarray(eye.scene).resize(_WORK[::-1], Image.Resampling.BILINEAR, box=box)
    return np.array(cut, np.float32)


def _light(eye: PersonCamera, ambient: float, rng: np.random.Generator) -> SceneLight:
    azimuth = eye.light + float(rng.normal(0, 0.5))
    high = float(rng.uniform(0.3, 0.7))
    level = np.sqrt(1 - high * high)
    side, front = float(level * np.sin(azimuth)), float(level * abs(np.cos(azimuth)) + 0.25)
    soft = float(np.clip(ambient + rng.normal(0, 0.08), 0.3, 0.85))
    return SceneLight(side, -high, front, soft)


def _folds(rng: np.random.Generator) -> Array:
    """Creases of cloth: broad folds and, above them, fine ones."""
    return 0.6 * noise_between_nodes(
        rng, _WORK, (26, 9), deviation=1.3
    ) + 0.5 * noise_between_nodes(rng, _WORK, (80, 22), deviation=1.3)


def _cast_shadow(
    canvas: Array, origin: tuple[float, float], scale: float, strength: float, azimuth: float
) -> None:
    aside = -0.25 * scale * np.sin(azimuth)
    for reach, share in ((0.2, 1.0), (0.34, 0.6)):
        centre = (float(origin[0] + aside * (reach > 0.3)), origin[1] - 0.01 * scale)
        blob = ball(canvas.shape, centre, (reach * scale, 0.06 * scale), soft=0.05 * scale)
        if blob is not None:
            paint(canvas, blob, (12, 12, 16), mask=np.full_like(blob.alpha, strength * share))


def _expose(
    canvas: Array,
    eye: PersonCamera,
    rng: np.random.Generator,
    size: tuple[int, int],
    falling: str,
) -> np.ndarray:
    """Turn the scene into a picture of this camera: colour, resolution, weather, noise."""
    keep = float(np.clip(eye.blur * rng.uniform(0.75, 1.15), 0.35, 1.0))
    if rng.random() < 0.25:
        slide = int(rng.integers(1, 5))
        canvas = (canvas + np.roll(canvas, slide, axis=1) + np.roll(canvas, -slide, axis=1)) / 3
    picture = Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
    small = (max(round(size[1] * keep), 4), max(round(size[0] * keep), 8))
    picture = picture.resize(
        small, Image.Resampling.BOX if keep < 0.7 else Image.Resampling.BILINEAR
    )
    if small != size[::-1]:
        picture = picture.resize(size[::-1], Image.Resampling.BICUBIC)
    pixels = (np.asarray(picture, np.float32) / 255).astype(np.float32, copy=False)
    if falling:
        pixels = _weather(pixels, rng, falling)
    grey = pixels @ np.asarray((0.299, 0.587, 0.114), np.float32)
    pixels = grey[..., None] + np.float32(eye.saturation) * (pixels - grey[..., None])
    gain = (
        eye.exposure
        * np.exp(rng.normal(0, 0.07))
        * np.asarray(eye.tint)
        * np.exp(rng.normal(0, 0.025, 3))
    )
    pixels = np.clip(pixels * gain.astype(np.float32), 0, None) ** np.float32(eye.gamma)
    # A soft shoulder keeps bright cloth from burning out.
    pixels = 255 * pixels / (1 + np.maximum(pixels - 0.75, 0))
    pixels = eye.lift + pixels * np.float32(1 - eye.lift / 255)
    pixels += np.float32(eye.noise) * rng.standard_normal(pixels.shape, dtype=np.float32)
    return np.clip(pixels + 0.5, 0, 255).astype(np.uint8)


def _weather(pixels: Array, rng: np.random.Generator, falling: str) -> Array:
    """Snow: soft flakes; rain: short falling streaks. `pixels` are 0..1."""
    snow = falling == "snow"
    seeds = rng.random(pixels.shape[:2], dtype=np.float32) < (0.012 if snow else 0.006)
    drops = seeds.astype(np.float32)
    if snow:
        near = np.roll(drops, 1, axis=0) + np.roll(drops, 1, axis=1)
        veil = np.minimum(0.6 * drops + 0.25 * near, 0.7)
    else:
        veil = 0.25 * np.sum([np.roll(drops, step, axis=0) for step in range(5)], axis=0)
    return pixels + veil[..., None] * (np.float32(0.9) - pixels)


def _attributes(
    identity: PersonIdentity, view: str, framing: Framing, hidden: str
) -> dict[str, str]:
    """What a viewer can name in the picture; "" where it is hidden or not there."""
    upper, lower, logo, bag = identity.upper, identity.lower, identity.logo, identity.bag
    feet = framing.bottom < 1.0 and hidden != "low"
    face = view != "back" and framing.top > -0.02
    logo_side = "" if logo is None else "back" if logo.place == "back" else "front"
    shows_head = framing.top > -0.03
    return {
        "gender": identity.gender,
        "hair": identity.hair if shows_head and identity.hat == "none" else "",
        "hair_colour": identity.hair_colour if shows_head and identity.hair != "bald" else "",
        "hat": identity.hat if shows_head and identity.hat != "none" else "",
        "hat_colour": identity.hat_colour if shows_head and identity.hat != "none" else "",
        "glasses": "glasses" if identity.glasses and face else "",
        "upper_colour": upper.colour,
        "upper_type": upper.kind,
        "upper_texture": upper.texture,
        "lower_colour": lower.colour if lower else "",
        "lower_type": lower.kind if lower else "",
        "lower_texture": lower.texture if lower else "",
        "shoes": identity.shoes if feet else "",
        "shoe_colour": identity.shoe_colour if feet else "",
        "logo": f"{logo.colour} {logo.shape}" if logo and logo_side == view else "",
        "bag": "" if bag.kind == "none" else bag.kind,
        "bag_colour": "" if bag.kind == "none" else bag.colour,
        "view": view,
    }
