"""The trunk: upper garment with neckline, print and straps, hips, skirts."""

from __future__ import annotations

import numpy as np

from promptreid.synth.drawing.fields import Array, band
from promptreid.synth.drawing.solids import Patch, paint
from promptreid.synth.people.people_bag import strap_mask
from promptreid.synth.people.people_fabric import fabric, logo_mask
from promptreid.synth.people.people_pose import Joint
from promptreid.synth.people.people_stage import PersonStage
from promptreid.synth.people.person_identity import PALETTE

Joints = dict[str, Joint]
Colour = tuple[float, float, float]


def draw_pelvis(stage: PersonStage, joints: Joints) -> None:
    """Draw the seat of trousers or shorts."""
    garment = stage.identity.lower
    if garment is None or garment.kind == "skirt":
        return
    pelvis, tall = joints["pelvis"], stage.identity.height
    low = (0.0, pelvis[1] - 0.085 * tall, 0.0)
    widths = [(0.0, stage.half_width(0.088, 0.076)), (1.0, stage.half_width(0.092, 0.076))]
    patch = stage.tube((0.0, pelvis[1] + 0.07, 0.0), low, widths, caps=(0.0, 0.5))
    if patch is not None:
        stage.fill(patch, stage.cloth(garment, patch, radius=0.12, length=0.25))


def draw_skirt(stage: PersonStage, joints: Joints) -> None:
    """Draw a skirt, or the lower half of a dress."""
    garment = stage.identity.lower or stage.identity.upper
    pelvis, tall = joints["pelvis"], stage.identity.height
    drop = (0.17 + 0.17 * garment.length) * tall
    top = (0.0, pelvis[1] + 0.035 * tall, 0.0)
    hem = (0.0, pelvis[1] - drop, 0.25 * (joints["knee_r"][2] + joints["knee_l"][2]))
    flare = 0.11 + 0.025 * float(np.sin(40 * garment.pitch))
    widths = [
        (0.0, stage.half_width(0.083, 0.072)),
        (0.35, stage.half_width(0.102, 0.09)),
        (1.0, stage.half_width(flare, flare)),
    ]
    patch = stage.tube(top, hem, widths, caps=(0.0, 0.15))
    if patch is None:
        return
    colours = stage.cloth(garment, patch, radius=0.1 * tall, length=top[1] - hem[1])
    pleats = 1.0 + 0.06 * np.sin(np.arcsin(patch.u) * 16) * patch.t
    paint(stage.canvas, patch, colours, shade=stage.shade(patch, 0.08) * pleats)


def draw_torso(stage: PersonStage, joints: Joints) -> None:
    """Draw the neck and the upper garment without its sleeves."""
    person, garment, tall = stage.identity, stage.identity.upper, stage.identity.height
    neck, pelvis = joints["neck"], joints["pelvis"]
    throat = (neck[0], neck[1] + 0.045 * tall, neck[2] + 0.01)
    stage.fill(stage.tube(throat, neck, [(0.0, 0.03 * tall)]), person.skin, rough=0.02, dim=0.8)
    drop = 0.02 + 0.05 * garment.length
    if garment.kind == "coat":
        drop = 0.17 + 0.1 * garment.length
    elif garment.kind == "dress":
        drop = 0.0
    hem = (0.0, pelvis[1] - drop * tall, 0.0)
    patch = stage.tube(neck, hem, _widths(stage), caps=(0.5, 0.12))
    if patch is None:
        return
    length = neck[1] - hem[1]
    angle = stage.angle(patch)
    around, along = angle * np.float32(0.1 * tall), patch.t * np.float32(length)
    colours = np.array(fabric(garment, around, along), np.float32)
    _Front(stage, colours, around, along, band(np.cos(angle), 0.0, 0.3)).draw(length)
    _add_logo(stage, colours, around, along)
    strap = strap_mask(person, angle, along)
    if strap is not None:
        _blend(colours, strap, tuple(0.8 * value for value in person.bag.rgb))
    # The garment's lower edge keeps the light from what is below it.
    stage.contact_shadow((-0.05, hem[1], 0.0), (0.05, hem[1], 0.0), 0.03 * tall)
    _fill_flattened(stage, patch, colours)


def _fill_flattened(stage: PersonStage, patch: Patch, colours: Array) -> None:
    """Paint cloth that hangs flatter than a round body would: its edges are less dark."""
    rough = 0.11 if stage.identity.upper.kind in ("coat", "hoodie", "jacket") else 0.08
    paint(stage.canvas, patch, colours, shade=0.25 + 0.75 * stage.shade(patch, rough))


def _widths(stage: PersonStage) -> list[tuple[float, float]]:
    """Half widths in metres from neck to hem."""
    woman, kind = stage.identity.gender == "woman", stage.identity.upper.kind
    rows = (
        (0.0, 0.05, 0.05),
        (0.07, 0.09, 0.062),
        (0.17, 0.107, 0.075),
        (0.4, 0.097, 0.086 if woman else 0.078),
        (0.68, 0.078 if woman else 0.09, 0.073),
        (1.0, 0.099 if woman else 0.094, 0.082),
    )
    bulk = {"coat": 1.12, "jacket": 1.09, "hoodie": 1.08}.get(kind, 1.02)
    widths = [(t, bulk * stage.half_width(wide, deep)) for t, wide, deep in rows]
    if kind == "coat":
        widths[-1] = (1.0, stage.half_width(0.12, 0.1))
    return widths


def _blend(colours: Array, mask: Array, colour: tuple[float, ...]) -> None:
    colours += mask[..., None] * (np.asarray(colour, np.float32) - colours)


class _Front:
    """Neckline, open jacket, collar, hood and hem, blended into the cloth's colours in place."""

    def __init__(
        self, stage: PersonStage, colours: Array, around: Array, along: Array, ahead: Array
    ) -> None:
        self.person, self.garment = stage.identity, stage.identity.upper
        self.colours, self.along, self.ahead = colours, along, ahead
        self.side = np.abs(around)

    def draw(self, length: float) -> None:
        """Draw what this kind of garment has; `length` metres from neck to hem."""
        match self.garment.kind:
            case "jacket" | "coat":
                self._opening(length)
            case "shirt":
                self._buttons()
            case "hoodie":
                self._hood()
            case _:
                self._neckline()
        if self.garment.trim and self.garment.kind != "dress":
            self._blend(band(self.along, length - 0.04, 0.012), PALETTE[self.garment.trim])

    def _blend(self, mask: Array, colour: Colour) -> None:
        _blend(self.colours, mask, colour)

    def _above(self, edge: float, soft: float) -> Array:
        """1 where closer to the neck than `edge` metres."""
        return band(edge - self.along, 0.0, soft)

    def _within(self, edge: float, soft: float) -> Array:
        """1 where closer to the middle of front or back than `edge` metres."""
        return band(edge - self.side, 0.0, soft)

    def _opening(self, length: float) -> None:
        if self.garment.length > 0.5:
            inner = self.ahead * self._within(0.045, 0.01) * self._above(0.75 * length, 0.02)
            self._blend(inner, self.person.inner_rgb)
        else:
            self._blend(self.ahead * self._within(0.008, 0.008) * 0.6, (20, 20, 22))
        self._blend(self._above(0.03, 0.015) * 0.35, (0, 0, 0))

    def _buttons(self) -> None:
        self._blend(self.ahead * self._within(0.006, 0.006) * 0.4, (20, 20, 22))
        collar = PALETTE[self.garment.trim] if self.garment.trim else self.garment.rgb
        self._blend(self._above(0.028, 0.012), collar)

    def _hood(self) -> None:
        self._blend((1 - self.ahead) * self._above(0.13, 0.03) * 0.3, (0, 0, 0))
        cords = band(self.side, 0.02, 0.004) * self._within(0.035, 0.006) * self._above(0.16, 0.01)
        self._blend(self.ahead * cords, (235, 235, 230))

    def _neckline(self) -> None:
        garment = self.garment
        deep = {"tank top": 0.11, "dress": 0.1}.get(garment.kind, 0.045 + 0.035 * garment.length)
        opening = band(deep - self.along - self.side * (deep / 0.078), 0.0, 0.015)
        self._blend(opening * self.ahead, self.person.skin)
        if garment.sleeve == 0.0:
            # Bare shoulders between two straps.
            bare = 1 - band(0.025 - np.abs(self.side - 0.09), 0.0, 0.01)
            self._blend(self._above(0.06, 0.015) * bare, self.person.skin)


def _add_logo(stage: PersonStage, colours: Array, around: Array, along: Array) -> None:
    logo = stage.identity.logo
    if logo is None:
        return
    turn = 0.2 * np.pi * stage.identity.height
    centre = {"chest": 0.0, "left chest": 0.07, "back": turn / 2}[logo.place]
    x = (around - np.float32(centre) + turn / 2) % turn - turn / 2
    y = along - np.float32(0.13 if logo.place == "left chest" else 0.2)
    size = np.float32(logo.size)
    across, down = (x / size).astype(np.float32), (y / size).astype(np.float32)
    _blend(colours, logo_mask(logo.shape, across, down), PALETTE[logo.colour])
