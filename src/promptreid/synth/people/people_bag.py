"""Backpacks, shoulder bags and handbags, and their straps over the trunk."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from promptreid.synth.drawing.fields import Array, band
from promptreid.synth.drawing.solids import paint
from promptreid.synth.people.people_pose import Joint
from promptreid.synth.people.people_stage import PersonStage
from promptreid.synth.people.person_identity import PALETTE, PersonIdentity


def draw_bag(stage: PersonStage, joints: dict[str, Joint]) -> tuple[Joint, Callable[[], None]]:
    """Prepare the bag.

    Returns:
        Where the bag hangs, for its place in the order of depth, and a call that paints it.
    """
    person = stage.identity
    bag, tall, yaw = person.bag, person.height, stage.view.yaw
    sine, cosine = abs(float(np.sin(yaw))), abs(float(np.cos(yaw)))
    if bag.kind == "backpack":
        back = -(0.055 * tall * person.depth + 0.06)
        anchor = (0.0, joints["neck"][1] - 0.13 * tall, back)
        wide, deep, high = 0.15 * bag.size, 0.085 * bag.size, 0.2 * bag.size
    elif bag.kind == "shoulder bag":
        out = bag.side * (0.085 * tall * person.width + 0.04)
        anchor = (out, joints["pelvis"][1] - 0.02, -0.02)
        wide, deep, high = 0.05 * bag.size, 0.14 * bag.size, 0.1 * bag.size
    else:
        hand = joints["hand_r" if bag.side < 0 else "hand_l"]
        anchor = (hand[0], hand[1] - 0.17 * bag.size, hand[2])
        wide, deep, high = 0.05 * bag.size, 0.13 * bag.size, 0.1 * bag.size
    half = float(np.hypot(wide * cosine, deep * sine))
    return anchor, lambda: _paint_bag(stage, anchor, half, high)


def _paint_bag(stage: PersonStage, anchor: Joint, half: float, high: float) -> None:
    bag = stage.identity.bag
    top, low = (anchor[0], anchor[1] + high, anchor[2]), (anchor[0], anchor[1] - high, anchor[2])
    if bag.kind == "handbag":
        grip = (anchor[0], anchor[1] + high + 0.09, anchor[2])
        stage.fill(
            stage.tube(grip, top, [(0.0, 0.012), (1.0, 0.4 * half)], caps=(1.0, 0.0)),
            bag.rgb,
            dim=0.6,
        )
    caps = (0.5, 0.25) if bag.kind == "backpack" else (0.2, 0.2)
    patch = stage.tube(top, low, [(0.0, 0.85 * half), (0.4, half), (1.0, half)], caps=caps)
    if patch is None:
        return
    shade = stage.shade(patch, 0.08)
    shade = shade * (1.0 - 0.25 * band(patch.t, 0.45, 0.03) * band(0.55 - patch.t, 0.0, 0.03))
    paint(stage.canvas, patch, bag.rgb, shade=shade)
    if bag.second:
        pocket = band(patch.t, 0.55, 0.05) * band(0.7 - np.abs(patch.u), 0.0, 0.15)
        paint(stage.canvas, patch, PALETTE[bag.second], shade=shade, mask=pocket)


def strap_mask(person: PersonIdentity, angle: Array, along: Array) -> Array | None:
    """Where a bag's straps cross the trunk, (h, w) 0..1; None when the bag has no such straps.

    Args:
        person: Whose bag.
        angle: (h, w) radians around the trunk, 0 in front, positive to the person's left.
        along: (h, w) metres down from the neck.
    """
    if person.bag.kind == "backpack":
        ahead = band(np.cos(angle), 0.0, 0.3)
        lines = band(0.13 - np.abs(np.abs(angle) - 0.62), 0.0, 0.08)
        return ahead * lines * band(0.36 - along, 0.0, 0.03)
    if person.bag.kind == "shoulder bag":
        # From the far shoulder down to the bag at the hip, in front and behind.
        fold = np.arcsin(np.sin(angle)) * person.bag.side
        return band(0.035 - np.abs(along - 0.27 - 0.2 * fold), 0.0, 0.015)
    return None
