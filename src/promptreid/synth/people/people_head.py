"""Heads: face, hair, hat and glasses, laid out on a sphere so that they turn with the head."""

from __future__ import annotations

import numpy as np

from promptreid.synth.drawing.fields import Array, band
from promptreid.synth.drawing.solids import Patch, paint
from promptreid.synth.people.people_pose import Joint
from promptreid.synth.people.people_stage import PersonStage
from promptreid.synth.people.person_identity import PALETTE


def draw_head(stage: PersonStage, head: Joint, yaw: float) -> None:
    """Draw the head itself: face, cap of hair, hat. `yaw` is that of the head."""
    person = stage.identity
    tall = person.height * person.head_ratio
    wide = 0.052 * tall * (0.5 + 0.5 * person.width**0.5)
    half = float(np.hypot(wide * np.cos(yaw), 0.061 * tall * np.sin(yaw)))
    radii = (half, 0.072 * tall)
    face = stage.ball(head, radii)
    if face is None:
        return
    forward, left, up = _directions(face, yaw)
    skin = np.broadcast_to(np.asarray(person.skin, np.float32), (*face.alpha.shape, 3))
    paint(stage.canvas, face, skin, shade=stage.shade(face, 0.02) * _features(forward, left, up))
    if person.glasses:
        rims = np.exp(-(((np.abs(left) - 0.36) / 0.26) ** 4) - ((up - 0.1) / 0.17) ** 4)
        paint(stage.canvas, face, (24, 24, 28), mask=rims * band(forward, 0.15, 0.2) * 0.85)
    _draw_hair_cap(stage, head, radii, yaw)
    _draw_hat(stage, head, radii, yaw)


def _directions(patch: Patch, yaw: float) -> tuple[Array, Array, Array]:
    """Surface directions in head axes: forwards, to the left, up."""
    sine, cosine = np.float32(np.sin(yaw)), np.float32(np.cos(yaw))
    return patch.nz * cosine + patch.nx * sine, patch.nx * cosine - patch.nz * sine, -patch.ny


def _features(forward: Array, left: Array, up: Array) -> Array:
    """Darkening of eyes, brows, mouth and chin."""
    side = np.abs(left) - 0.36
    eyes = np.exp(-((side / 0.17) ** 2) - ((up - 0.1) / 0.1) ** 2)
    brows = np.exp(-((side / 0.22) ** 2) - ((up - 0.3) / 0.06) ** 2)
    mouth = np.exp(-((left / 0.3) ** 2) - ((up + 0.48) / 0.08) ** 2)
    ahead = np.maximum(forward, 0.0)
    return 1.0 - ahead * (0.6 * eyes + 0.4 * brows + 0.4 * mouth) - 0.15 * band(-up, 0.6, 0.4)


def _draw_hair_cap(stage: PersonStage, head: Joint, radii: tuple[float, float], yaw: float) -> None:
    person = stage.identity
    grow = {"curly": 1.32, "bald": 1.0, "short": 1.08}.get(person.hair, 1.13)
    patch = stage.ball((head[0], head[1] + 0.006, head[2]), (radii[0] * grow, radii[1] * grow))
    if patch is None:
        return
    forward, left, up = _directions(patch, yaw)
    nape = {"short": -0.35, "ponytail": -0.3, "bun": -0.25, "curly": -0.5}.get(person.hair, -1.0)
    if person.hair == "bald":
        mask = (
            band(-0.35 - forward, 0.0, 0.2) * band(0.25 - up, 0.0, 0.3) * band(up, -0.4, 0.2) * 0.6
        )
    else:
        fringe = 0.58 + 0.12 * (person.hair_length - 1.0) + 0.12 * np.sign(left)
        cover = 0.32 if person.hair in ("bob", "long") else 0.12
        mask = np.maximum(
            band(up, fringe if person.hair != "bob" else fringe - 0.2, 0.15),
            band(cover + 0.4 * up - forward, 0.0, 0.2) * band(up, nape, 0.2),
        )
    paint(stage.canvas, patch, person.hair_rgb, shade=stage.shade(patch, 0.14), mask=mask)


def _draw_hat(stage: PersonStage, head: Joint, radii: tuple[float, float], yaw: float) -> None:
    person = stage.identity
    if person.hat == "none":
        return
    colour = PALETTE[person.hat_colour]
    grow = 1.2 if person.hair != "curly" else 1.3
    patch = stage.ball((head[0], head[1] + 0.012, head[2]), (radii[0] * grow, radii[1] * grow))
    if patch is None:
        return
    edge = 0.2 if person.hat == "beanie" else 0.34
    mask = band(-patch.ny, edge, 0.12)
    paint(stage.canvas, patch, colour, shade=stage.shade(patch, 0.1), mask=mask)
    rim = head[1] + 0.4 * radii[1]
    ahead = (float(np.sin(yaw - stage.view.yaw)), float(np.cos(yaw - stage.view.yaw)))
    if person.hat == "cap":
        start = (head[0] + 0.05 * ahead[0], rim, head[2] + 0.05 * ahead[1])
        end = (head[0] + 0.15 * ahead[0], rim - 0.015, head[2] + 0.15 * ahead[1])
        if stage.view.depth(end) > stage.view.depth(head) - 0.08:
            stage.fill(stage.tube(start, end, [(0.0, 0.04)], caps=(0.5, 0.8)), colour, dim=0.8)
    elif person.hat == "sun hat":
        stage.fill(stage.ball((head[0], rim, head[2]), (0.2, 0.035)), colour, dim=0.9)


def draw_loose_hair(stage: PersonStage, head: Joint, neck: Joint, yaw: float) -> None:
    """Draw the hair that falls behind the neck, or is tied there."""
    person = stage.identity
    tall = person.height
    back = (float(-np.sin(yaw - stage.view.yaw)), float(-np.cos(yaw - stage.view.yaw)))

    def behind(y: float, distance: float) -> Joint:
        return head[0] + back[0] * distance, y, head[2] + back[1] * distance

    colour, length = person.hair_rgb, person.hair_length
    if person.hair == "long":
        fall = behind(neck[1] - 0.085 * tall * length, 0.075)
        widths = [(0.0, 0.056 * tall), (0.5, 0.06 * tall), (1.0, 0.038 * tall)]
        stage.fill(stage.tube(behind(head[1], 0.03), fall, widths), colour, rough=0.16)
    elif person.hair == "bob":
        fall = behind(neck[1] + 0.022 * tall, 0.01)
        widths = [(0.0, 0.06 * tall), (1.0, 0.066 * tall)]
        stage.fill(
            stage.tube(behind(head[1], 0.0), fall, widths, caps=(1.0, 0.3)), colour, rough=0.14
        )
    elif person.hair == "ponytail":
        tie, end = behind(head[1] + 0.03, 0.1), behind(neck[1] - 0.07 * tall * (length - 0.6), 0.15)
        widths = [(0.0, 0.018 * tall), (0.4, 0.024 * tall), (1.0, 0.01 * tall)]
        stage.fill(stage.tube(tie, end, widths), colour, rough=0.14)
    elif person.hair == "bun":
        stage.fill(stage.ball(behind(head[1] + 0.085, 0.06), (0.05, 0.046)), colour, rough=0.14)
