"""One person on a canvas: legs, garments, arms, head and bag, painted from far to near."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from promptreid.synth.drawing.fields import Array
from promptreid.synth.drawing.solids import SceneLight
from promptreid.synth.people.people_bag import draw_bag
from promptreid.synth.people.people_head import draw_head, draw_loose_hair
from promptreid.synth.people.people_limbs import draw_arm, draw_leg
from promptreid.synth.people.people_pose import PersonPose, Projection, skeleton
from promptreid.synth.people.people_stage import PersonStage
from promptreid.synth.people.people_trunk import draw_pelvis, draw_skirt, draw_torso
from promptreid.synth.people.person_identity import PersonIdentity


def draw_figure(
    canvas: Array,
    identity: PersonIdentity,
    pose: PersonPose,
    view: Projection,
    *,
    light: SceneLight,
    folds: Array,
) -> None:
    """Paint a person.

    Args:
        canvas: (H, W, 3) float32, 0..255, changed in place.
        identity: Who.
        pose: Posture; its yaw is that of `view`.
        view: The map from metres of the body to pixels.
        light: The lamp.
        folds: (H, W) noise of about unit deviation: creases of cloth, strands of hair.
    """
    stage = PersonStage(canvas, identity, view, light, folds)
    joints = skeleton(identity, pose)
    facing = float(np.cos(view.yaw))
    parts: list[tuple[float, Callable[[], None]]] = [
        (-1.0, lambda: draw_pelvis(stage, joints)),
        (0.0, lambda: draw_torso(stage, joints)),
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
        parts.append((-0.9 + 0.1 * depth, lambda side=side: draw_leg(stage, joints, side)))
        reach = view.depth(joints[f"elbow{side}"]) + 0.5 * view.depth(joints[f"wrist{side}"])
        order = 0.2 + 0.01 * reach if reach > -0.06 else -1.5
        parts.append((order, lambda side=side: draw_arm(stage, joints, side)))
    if identity.bag.kind != "none":
        anchor, draw = draw_bag(stage, joints)
        parts.append((-0.6 if view.depth(anchor) < -0.05 else 0.1 + view.depth(anchor), draw))
    if identity.upper.kind == "dress" or (identity.lower and identity.lower.kind == "skirt"):
        parts.append((-0.1, lambda: draw_skirt(stage, joints)))
    for _, draw in sorted(parts, key=lambda part: part[0]):
        draw()
