"""One person on a canvas: legs, garments, arms, head and bag, painted from far to near."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from promptreid.data.synth.people_bag import draw_bag, strap_mask
from promptreid.data.synth.people_fabric import fabric, logo_mask
from promptreid.data.synth.people_head import draw_head, draw_loose_hair
from promptreid.data.synth.people_pose import Joint, Pose, Projection, skeleton
from promptreid.data.synth.people_raster import Array, Light, Patch, band, paint
from promptreid.data.synth.people_stage import Stage
from promptreid.data.synth.person_identity import PALETTE, Garment, PersonIdentity

Joints = dict[str, Joint]


def draw_figure(
    canvas: Array,
    identity: PersonIdentity,
    pose: Pose,
    view: Projection,
    *,
    light: Light,
    folds: Array,
) -> None:
    """Paint a person.

    Args:
        canvas: (H, W, 3) float32, 0..255, changed in place.
        identity: Who.
        pose: Posture; its yaw is that of `view`.
        view: From body metres to pixels.
        light: The lamp.
        folds: (H, W) noise of about unit deviation: creases of cloth, strands of hair.
    """
    stage = Stage(canvas, identity, view, light, folds)
    joints = skeleton(identity, pose)
    facing = float(np.cos(view.yaw))
    parts: list[tuple[float, Callable[[], None]]] = [
        (-1.0, lambda: _draw_pelvis(stage, joints)),
        (0.0, lambda: _draw_torso(stage, joints)),
        (0.30, lambda: draw_head(stage, joints["head"], view.yaw + pose.head_turn)),
        (
            -0.5 if facing > 0.25 else 0.25 if facing > -0.5 else 0.4,
            lambda: draw_loose_hair(
                stage, joints["head"], joints["neck"], view.yaw + pose.head_turn
            ),
        ),
    ]
    for side in ("_r", "_l"):
        depth = view.depth(joints[f"knee{side}"])
        parts.append((-0.9 + 0.1 * depth, lambda side=side: _draw_leg(stage, joints, side)))
        reach = view.depth(joints[f"elbow{side}"]) + 0.5 * view.depth(joints[f"wrist{side}"])
        order = 0.2 + 0.01 * reach if reach > -0.06 else -1.5
        parts.append((order, lambda side=side: _draw_arm(stage, joints, side)))
    if identity.bag.kind != "none":
        anchor, draw = draw_bag(stage, joints)
        parts.append((-0.6 if view.depth(anchor) < -0.05 else 0.1 + view.depth(anchor), draw))
    if identity.upper.kind == "dress" or (identity.lower and identity.lower.kind == "skirt"):
        parts.append((-0.1, lambda: _draw_skirt(stage, joints)))
    for _, draw in sorted(parts, key=lambda part: part[0]):
        draw()


def half_width(identity: PersonIdentity, yaw: float, wide: float, deep: float) -> float:
    """Half width in metres of an elliptic trunk, seen at a yaw; sizes are shares of the height."""
    across = wide * identity.width * np.cos(yaw)
    through = deep * identity.depth * np.sin(yaw)
    return float(identity.height * np.hypot(across, through))


def _trunk_widths(stage: Stage) -> list[tuple[float, float]]:
    """Half widths of the trunk from neck to hem, without clothes."""
    person, yaw = stage.identity, stage.view.yaw
    woman = person.gender == "woman"
    rows = (
        (0.0, 0.045, 0.045), (0.07, 0.088, 0.055), (0.16, 0.108, 0.066),
        (0.4, 0.094, 0.076 if woman else 0.068), (0.68, 0.074 if woman else 0.086, 0.062),
        (1.0, 0.094 if woman else 0.09, 0.07),
    )  # fmt: skip
    return [(t, half_width(person, yaw, wide, deep)) for t, wide, deep in rows]


def _cloth(stage: Stage, garment: Garment, patch: Patch, radius: float, length: float) -> Array:
    """Colours of a garment on a patch: `radius` and `length` of the tube in metres."""
    angle = np.arcsin(patch.u) - np.float32(stage.view.yaw)
    return fabric(garment, _wrap(angle) * np.float32(radius), patch.t * np.float32(length))


def _wrap(angle: Array) -> Array:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _draw_pelvis(stage: Stage, joints: Joints) -> None:
    garment = stage.identity.lower
    if garment is None or garment.kind == "skirt":
        return
    person, yaw = stage.identity, stage.view.yaw
    pelvis = joints["pelvis"]
    low = (0.0, pelvis[1] - 0.085 * person.height, 0.0)
    widths = [
        (0.0, half_width(person, yaw, 0.086, 0.066)),
        (1.0, half_width(person, yaw, 0.09, 0.066)),
    ]
    patch = stage.tube((0.0, pelvis[1] + 0.07, 0.0), low, widths, caps=(0.0, 0.5))
    if patch is not None:
        stage.fill(patch, _cloth(stage, garment, patch, 0.12, 0.25))


def _draw_leg(stage: Stage, joints: Joints, side: str) -> None:
    person = stage.identity
    hip, knee, ankle, toe = (joints[f"{name}{side}"] for name in ("hip", "knee", "ankle", "toe"))
    girth = 0.5 * (person.width + person.depth) * person.height
    dim = 0.82 if stage.view.depth(knee) < -0.03 else 1.0
    garment = person.lower
    covered = garment is not None and garment.kind in ("trousers", "jeans")
    if not covered:
        skin = person.skin
        stage.fill(
            stage.tube(hip, knee, [(0.0, 0.05 * girth), (1.0, 0.034 * girth)]),
            skin,
            rough=0.02,
            dim=dim,
        )
        calf = [(0.0, 0.033 * girth), (0.3, 0.034 * girth), (1.0, 0.02 * girth)]
        stage.fill(stage.tube(knee, ankle, calf), skin, rough=0.02, dim=dim)
        _draw_sock(stage, knee, ankle, girth, dim)
    _draw_shoe(stage, ankle, toe, dim)
    if garment is None or garment.kind == "skirt":
        return
    if covered:
        slim = 0.026 + 0.016 * garment.length
        thigh = [(0.0, 0.056 * girth), (1.0, (slim + 0.01) * girth)]
        shin = [(0.0, (slim + 0.01) * girth), (1.0, slim * girth)]
        _fill_leg(stage, garment, stage.tube(hip, knee, thigh), dim)
        _fill_leg(stage, garment, stage.tube(knee, ankle, shin, caps=(1.0, 0.25)), dim)
    else:
        end = _between(hip, knee, 0.55 + 0.6 * garment.length)
        if garment.length > 0.75:
            end = _between(knee, ankle, 0.4 * (garment.length - 0.75))
        wide = [(0.0, 0.058 * girth), (1.0, 0.05 * girth)]
        _fill_leg(stage, garment, stage.tube(hip, end, wide, caps=(1.0, 0.15)), dim)


def _fill_leg(stage: Stage, garment: Garment, patch: Patch | None, dim: float) -> None:
    if patch is None:
        return
    stage.fill(patch, _cloth(stage, garment, patch, 0.07, 0.4), rough=0.09, dim=dim)
    if stage.identity.side_stripe:
        # A stripe along the outer seam: left side of the left leg, right side of the right one.
        angle = np.cos(2 * (np.arcsin(patch.u) - np.float32(stage.view.yaw)))
        colour = PALETTE[stage.identity.side_stripe]
        paint(stage.canvas, patch, colour, shade=stage.shade(patch), mask=band(-angle, 0.75, 0.2))


def _draw_sock(stage: Stage, knee: Joint, ankle: Joint, girth: float, dim: float) -> None:
    if stage.identity.sock_height == 0 or stage.identity.shoes != "shoes":
        return
    top = _between(ankle, knee, 2.2 * stage.identity.sock_height)
    widths = [(0.0, 0.028 * girth), (1.0, 0.022 * girth)]
    stage.fill(
        stage.tube(top, ankle, widths, caps=(0.1, 1.0)),
        PALETTE[stage.identity.sole_colour],
        dim=dim,
    )


def _draw_shoe(stage: Stage, ankle: Joint, toe: Joint, dim: float) -> None:
    person = stage.identity
    tall = person.height
    heel = (ankle[0], ankle[1] - 0.022 * tall, ankle[2] - 0.012 * tall)
    front = (toe[0], toe[1] + 0.004 * tall, toe[2])
    colour = PALETTE[person.shoe_colour]
    if person.shoes == "boots":
        shaft = (ankle[0], ankle[1] + 0.07 * tall, ankle[2])
        stage.fill(
            stage.tube(shaft, heel, [(0.0, 0.03 * tall), (1.0, 0.026 * tall)], caps=(0.1, 1.0)),
            colour,
            dim=dim,
        )
    sole_from = (heel[0], heel[1] - 0.012 * tall, heel[2])
    sole_to = (front[0], front[1] - 0.01 * tall, front[2])
    sole = [(0.0, 0.021 * tall), (1.0, 0.02 * tall)]
    stage.fill(stage.tube(sole_from, sole_to, sole), PALETTE[person.sole_colour], dim=0.9 * dim)
    upper = person.skin if person.shoes == "sandals" else colour
    stage.fill(stage.tube(heel, front, [(0.0, 0.024 * tall), (1.0, 0.017 * tall)]), upper, dim=dim)
    if person.shoes == "sandals":
        strap = _between(heel, front, 0.55)
        stage.fill(stage.ball(strap, (0.02 * tall, 0.018 * tall)), colour, dim=dim)


def _between(start: Joint, end: Joint, share: float) -> Joint:
    x, y, z = (a + share * (b - a) for a, b in zip(start, end, strict=True))
    return x, y, z


def _draw_arm(stage: Stage, joints: Joints, side: str) -> None:
    person, garment = stage.identity, stage.identity.upper
    shoulder, elbow, wrist, hand = (
        joints[f"{name}{side}"] for name in ("shoulder", "elbow", "wrist", "hand")
    )
    girth = (0.4 + 0.6 * person.width) * person.height
    dim = 0.85 if stage.view.depth(elbow) < -0.06 else 1.0
    if garment.sleeve < 1.0:
        skin = person.skin
        stage.fill(
            stage.tube(shoulder, elbow, [(0.0, 0.028 * girth), (1.0, 0.022 * girth)]),
            skin,
            rough=0.02,
            dim=dim,
        )
        stage.fill(
            stage.tube(elbow, wrist, [(0.0, 0.022 * girth), (1.0, 0.015 * girth)]),
            skin,
            rough=0.02,
            dim=dim,
        )
    stage.fill(
        stage.tube(wrist, hand, [(0.0, 0.016 * girth), (1.0, 0.018 * girth)]),
        person.skin,
        rough=0.02,
        dim=dim,
    )
    if garment.sleeve == 0.0:
        return
    bulk = 1.25 if garment.kind in ("coat", "jacket", "hoodie") else 1.0
    end = (
        elbow if garment.sleeve == 1.0 else _between(shoulder, elbow, min(2 * garment.sleeve, 1.0))
    )
    upper = [(0.0, 0.035 * girth), (1.0, 0.031 * girth * bulk)]
    _fill_sleeve(
        stage, stage.tube(shoulder, end, upper, caps=(1.0, 0.2 if end is not elbow else 1.0)), dim
    )
    if garment.sleeve == 1.0:
        fore = [(0.0, 0.031 * girth * bulk), (1.0, 0.023 * girth * bulk)]
        _fill_sleeve(stage, stage.tube(elbow, wrist, fore, caps=(1.0, 0.2)), dim)
    if garment.trim:
        last = wrist if garment.sleeve == 1.0 else end
        first = _between(last, elbow if garment.sleeve == 1.0 else shoulder, 0.18)
        stage.fill(
            stage.tube(first, last, [(0.0, 0.031 * girth * bulk)], caps=(0.0, 0.2)),
            PALETTE[garment.trim],
            dim=dim,
        )


def _fill_sleeve(stage: Stage, patch: Patch | None, dim: float) -> None:
    if patch is not None:
        stage.fill(patch, _cloth(stage, stage.identity.upper, patch, 0.055, 0.26), dim=dim)


def _draw_torso(stage: Stage, joints: Joints) -> None:
    person, garment, yaw = stage.identity, stage.identity.upper, stage.view.yaw
    tall = person.height
    neck, pelvis = joints["neck"], joints["pelvis"]
    throat = (neck[0], neck[1] + 0.045 * tall, neck[2] + 0.01)
    stage.fill(stage.tube(throat, neck, [(0.0, 0.03 * tall)]), person.skin, rough=0.02, dim=0.85)
    drop = {"coat": 0.17 + 0.1 * garment.length, "dress": 0.0}.get(
        garment.kind, 0.02 + 0.05 * garment.length
    )
    hem = (0.0, pelvis[1] - drop * tall, 0.0)
    bulk = {"coat": 1.13, "jacket": 1.1, "hoodie": 1.08}.get(garment.kind, 1.02)
    widths = [(t, w * bulk) for t, w in _trunk_widths(stage)]
    if garment.kind == "coat":
        widths[-1] = (1.0, half_width(person, yaw, 0.12, 0.1))
    patch = stage.tube(neck, hem, widths, caps=(0.5, 0.12))
    if patch is None:
        return
    length = neck[1] - hem[1]
    angle = _wrap(np.arcsin(patch.u) - np.float32(yaw))
    around, along = angle * np.float32(0.1 * tall), patch.t * np.float32(length)
    colours = np.array(fabric(garment, around, along), np.float32)
    _add_front(stage, colours, angle, around, along, length)
    _add_logo(stage, colours, around, along)
    strap = strap_mask(person, angle, along)
    if strap is not None:
        colours += strap[..., None] * (np.asarray(person.bag.rgb, np.float32) * 0.8 - colours)
    stage.fill(patch, colours, rough=0.1 if garment.kind in ("coat", "hoodie", "jacket") else 0.07)


def _add_front(
    stage: Stage, colours: Array, angle: Array, around: Array, along: Array, length: float
) -> None:
    """Neckline, open jacket, collar, hood and hem, in place."""
    person, garment = stage.identity, stage.identity.upper

    def blend(mask: Array, rgb: tuple[float, float, float] | tuple[int, int, int]) -> None:
        colours[...] += mask[..., None] * (np.asarray(rgb, np.float32) - colours)

    ahead = band(np.cos(angle), 0.0, 0.3)
    side = np.abs(around)
    if garment.kind in ("jacket", "coat"):
        if garment.length > 0.5:
            blend(
                ahead * band(0.045 - side, 0.0, 0.01) * band(0.75 * length - along, 0.0, 0.02),
                person.inner_rgb,
            )
        else:
            blend(ahead * band(0.008 - side, 0.0, 0.008) * 0.6, (20, 20, 22))
        blend(band(0.03 - along, 0.0, 0.015) * 0.35, (0, 0, 0))
    elif garment.kind == "shirt":
        blend(ahead * band(0.006 - side, 0.0, 0.006) * 0.4, (20, 20, 22))
        blend(
            band(0.028 - along, 0.0, 0.012), PALETTE[garment.trim] if garment.trim else garment.rgb
        )
    elif garment.kind == "hoodie":
        blend(
            (1 - ahead) * band(0.13 - along, 0.0, 0.02) * band(0.1 - side % 0.3, 0.0, 0.02) * 0.3,
            (0, 0, 0),
        )
        blend(
            ahead
            * band(side, 0.02, 0.004)
            * band(0.035 - side, 0, 0.006)
            * band(0.16 - along, 0, 0.01),
            (235, 235, 230),
        )
    if garment.kind in ("t-shirt", "tank top", "dress"):
        deep = {"tank top": 0.11, "dress": 0.1}.get(garment.kind, 0.045 + 0.035 * garment.length)
        opening = band(deep - along - 0.9 * side * deep / 0.07, 0.0, 0.015)
        blend(opening * ahead, person.skin)
        if garment.kind != "t-shirt" and garment.sleeve == 0.0:
            bare = band(0.06 - along, 0.0, 0.015) * (
                1 - band(0.025 - np.abs(side - 0.09), 0.0, 0.01)
            )
            blend(bare, person.skin)
    if garment.trim and garment.kind != "dress":
        blend(band(along, length - 0.04, 0.012), PALETTE[garment.trim])


def _add_logo(stage: Stage, colours: Array, around: Array, along: Array) -> None:
    logo = stage.identity.logo
    if logo is None:
        return
    tall = stage.identity.height
    centre = {"chest": 0.0, "left chest": 0.07, "back": np.pi * 0.1 * tall}[logo.place]
    turn = 0.2 * np.pi * tall
    x = (around - np.float32(centre) + turn / 2) % turn - turn / 2
    y = along - np.float32(0.13 if logo.place == "left chest" else 0.2)
    mask = logo_mask(logo.shape, x / np.float32(logo.size), y / np.float32(logo.size))
    colours += mask[..., None] * (np.asarray(PALETTE[logo.colour], np.float32) - colours)


def _draw_skirt(stage: Stage, joints: Joints) -> None:
    person, yaw = stage.identity, stage.view.yaw
    garment = person.lower or person.upper
    tall = person.height
    pelvis = joints["pelvis"]
    drop = (0.17 + 0.17 * garment.length) * tall
    top = (0.0, pelvis[1] + 0.035 * tall, 0.0)
    hem = (0.0, pelvis[1] - drop, 0.25 * (joints["knee_r"][2] + joints["knee_l"][2]))
    flare = 0.11 + 0.025 * np.sin(40 * garment.pitch)
    widths = [(0.0, half_width(person, yaw, 0.08, 0.062)), (0.35, half_width(person, yaw, 0.1, 0.08)),
              (1.0, half_width(person, yaw, flare, flare))]  # fmt: skip
    patch = stage.tube(top, hem, widths, caps=(0.0, 0.15))
    if patch is None:
        return
    colours = _cloth(stage, garment, patch, 0.1 * tall, top[1] - hem[1])
    pleats = 1.0 + 0.06 * np.sin(np.arcsin(patch.u) * 16) * patch.t
    paint(stage.canvas, patch, colours, shade=stage.shade(patch, 0.08) * pleats)
