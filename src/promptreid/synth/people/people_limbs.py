"""Legs with trousers, shorts, socks and shoes; arms with sleeves."""

from __future__ import annotations

import numpy as np

from promptreid.synth.drawing.fields import band
from promptreid.synth.drawing.solids import Patch, paint
from promptreid.synth.people.people_pose import Joint
from promptreid.synth.people.people_stage import PersonStage
from promptreid.synth.people.person_identity import PALETTE, Garment

Joints = dict[str, Joint]


def draw_leg(stage: PersonStage, joints: Joints, side: str) -> None:
    """Draw a leg, its shoe and what covers it; `side` is "_r" or "_l"."""
    person = stage.identity
    hip, knee, ankle, toe = (joints[f"{name}{side}"] for name in ("hip", "knee", "ankle", "toe"))
    girth = 0.5 * (person.width + person.depth) * person.height
    # The far leg lies in the shadow of the near one.
    dim = 0.8 if stage.view.depth(knee) < -0.03 else 1.0
    garment = person.lower
    covered = garment is not None and garment.kind in ("trousers", "jeans")
    if not covered:
        calf = [(0.0, 0.033), (0.3, 0.035), (1.0, 0.02)]
        _skin(stage, hip, knee, [(0.0, 0.056), (1.0, 0.036)], girth, dim)
        _skin(stage, knee, ankle, calf, girth, dim)
        _draw_sock(stage, knee, ankle, girth, dim)
    _draw_shoe(stage, ankle, toe, dim)
    if garment is None or garment.kind == "skirt":
        return
    if covered:
        slim = (0.026 + 0.016 * garment.length) * girth
        bend = slim + 0.01 * girth
        thigh = stage.tube(hip, knee, [(0.0, 0.06 * girth), (1.0, bend)])
        shin = stage.tube(knee, ankle, [(0.0, bend), (1.0, slim)], caps=(1.0, 0.25))
        _fill_leg(stage, garment, thigh, dim)
        _fill_leg(stage, garment, shin, dim)
        return
    end = between(hip, knee, 0.55 + 0.6 * garment.length)
    if garment.length > 0.75:
        end = between(knee, ankle, 0.4 * (garment.length - 0.75))
    wide = [(0.0, 0.061 * girth), (1.0, 0.053 * girth)]
    _fill_leg(stage, garment, stage.tube(hip, end, wide, caps=(1.0, 0.15)), dim)


def draw_arm(stage: PersonStage, joints: Joints, side: str) -> None:
    """Draw an arm, bare or in its sleeve; `side` is "_r" or "_l"."""
    person, garment = stage.identity, stage.identity.upper
    names = ("shoulder", "elbow", "wrist", "hand")
    shoulder, elbow, wrist, hand = (joints[f"{name}{side}"] for name in names)
    girth = (0.4 + 0.6 * person.width) * person.height
    far = stage.view.depth(elbow) < -0.06
    dim = 0.82 if far else 1.0
    if not far:
        stage.contact_shadow(between(shoulder, elbow, 0.35), elbow, 0.028 * girth)
        stage.contact_shadow(elbow, wrist, 0.02 * girth)
    if garment.sleeve < 1.0:
        _skin(stage, shoulder, elbow, [(0.0, 0.028), (1.0, 0.022)], girth, dim)
        _skin(stage, elbow, wrist, [(0.0, 0.022), (1.0, 0.015)], girth, dim)
    _skin(stage, wrist, hand, [(0.0, 0.016), (1.0, 0.018)], girth, dim)
    if garment.sleeve > 0.0:
        _draw_sleeve(stage, shoulder, elbow, wrist, girth, dim)


def _draw_sleeve(
    stage: PersonStage, shoulder: Joint, elbow: Joint, wrist: Joint, girth: float, dim: float
) -> None:
    garment = stage.identity.upper
    long = garment.sleeve == 1.0
    wide = 0.029 * girth * (1.22 if garment.kind in ("coat", "jacket", "hoodie") else 1.0)
    end = elbow if long else between(shoulder, elbow, min(2 * garment.sleeve, 1.0))
    pieces = [
        stage.tube(shoulder, end, [(0.0, 0.03 * girth), (1.0, wide)], caps=(1.0, float(long)))
    ]
    if long:
        pieces.append(stage.tube(elbow, wrist, [(0.0, wide), (1.0, 0.75 * wide)], caps=(1.0, 0.2)))
    for patch in pieces:
        if patch is not None:
            colours = stage.cloth(garment, patch, radius=0.055, length=0.26)
            paint(stage.canvas, patch, colours, shade=dim * (0.2 + 0.8 * stage.shade(patch)))
    if garment.trim:
        last = wrist if long else end
        first = between(last, elbow if long else shoulder, 0.18)
        cuff = stage.tube(first, last, [(0.0, wide)], caps=(0.0, 0.2))
        stage.fill(cuff, PALETTE[garment.trim], dim=dim)


def between(start: Joint, end: Joint, share: float) -> Joint:
    """The point at `share` of the way from `start` to `end`."""
    x, y, z = (a + share * (b - a) for a, b in zip(start, end, strict=True))
    return x, y, z


def _skin(
    stage: PersonStage,
    start: Joint,
    end: Joint,
    widths: list[tuple[float, float]],
    girth: float,
    dim: float,
) -> None:
    patch = stage.tube(start, end, [(t, w * girth) for t, w in widths])
    stage.fill(patch, stage.identity.skin, rough=0.02, dim=dim)


def _fill_leg(stage: PersonStage, garment: Garment, patch: Patch | None, dim: float) -> None:
    if patch is None:
        return
    colours = stage.cloth(garment, patch, radius=0.07, length=0.4)
    stage.fill(patch, colours, rough=0.1, dim=dim)
    if stage.identity.side_stripe:
        # Along both seams of each leg, which lie at right angles to the front.
        seam = -np.cos(2 * stage.angle(patch))
        colour = PALETTE[stage.identity.side_stripe]
        paint(stage.canvas, patch, colour, shade=stage.shade(patch), mask=band(seam, 0.75, 0.2))


def _draw_sock(stage: PersonStage, knee: Joint, ankle: Joint, girth: float, dim: float) -> None:
    person = stage.identity
    if person.sock_height == 0 or person.shoes != "shoes":
        return
    top = between(ankle, knee, 2.2 * person.sock_height)
    widths = [(0.0, 0.028 * girth), (1.0, 0.022 * girth)]
    stage.fill(
        stage.tube(top, ankle, widths, caps=(0.1, 1.0)), PALETTE[person.sole_colour], dim=dim
    )


def _draw_shoe(stage: PersonStage, ankle: Joint, toe: Joint, dim: float) -> None:
    person = stage.identity
    tall = person.height
    heel = (ankle[0], ankle[1] - 0.022 * tall, ankle[2] - 0.012 * tall)
    front = (toe[0], toe[1] + 0.004 * tall, toe[2])
    colour = PALETTE[person.shoe_colour]
    if person.shoes == "boots":
        shaft = (ankle[0], ankle[1] + 0.07 * tall, ankle[2])
        widths = [(0.0, 0.03 * tall), (1.0, 0.026 * tall)]
        stage.fill(stage.tube(shaft, heel, widths, caps=(0.1, 1.0)), colour, dim=dim)
    sole_from = (heel[0], heel[1] - 0.012 * tall, heel[2])
    sole_to = (front[0], front[1] - 0.01 * tall, front[2])
    sole = stage.tube(sole_from, sole_to, [(0.0, 0.021 * tall), (1.0, 0.02 * tall)])
    stage.fill(sole, PALETTE[person.sole_colour], dim=0.9 * dim)
    upper = person.skin if person.shoes == "sandals" else colour
    stage.fill(stage.tube(heel, front, [(0.0, 0.024 * tall), (1.0, 0.017 * tall)]), upper, dim=dim)
    if person.shoes == "sandals":
        strap = between(heel, front, 0.55)
        stage.fill(stage.ball(strap, (0.02 * tall, 0.018 * tall)), colour, dim=dim)
