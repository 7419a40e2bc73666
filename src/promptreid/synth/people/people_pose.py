"""How a person stands in one picture: walking phase, arms, viewpoint, and joints on the screen.

Body axes, in metres: x to the person's left, y up, z forwards. A yaw of 0 faces the camera, 90
degrees faces the right edge of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptreid.synth.people.person_identity import PersonIdentity

Joint = tuple[float, float, float]


@dataclass(frozen=True)
class PersonPose:
    """Angles in radians. `arms` names what the right and the left arm do."""

    yaw: float
    head_turn: float
    phase: float
    stride: float
    arms: tuple[str, str]
    elbow: float
    lean: float


@dataclass(frozen=True)
class Projection:
    """Orthographic camera: `origin` is the pixel of the ground below the pelvis."""

    yaw: float
    pitch: float
    scale: float
    origin: tuple[float, float]

    def point(self, joint: Joint) -> tuple[float, float]:
        """Pixel (x, y) of a joint."""
        x, y, z = joint
        right = x * np.cos(self.yaw) + z * np.sin(self.yaw)
        # A high camera looks down: what is nearer lies lower in the picture.
        down = -y * np.cos(self.pitch) + self.depth(joint) * np.sin(self.pitch)
        return float(self.origin[0] + self.scale * right), float(self.origin[1] + self.scale * down)

    def depth(self, joint: Joint) -> float:
        """Metres towards the camera."""
        return float(joint[2] * np.cos(self.yaw) - joint[0] * np.sin(self.yaw))


def sample_pose(rng: np.random.Generator, identity: PersonIdentity) -> PersonPose:
    """Draw a viewpoint (front, back, left, right, about equally often) and a posture."""
    quarter = float(rng.choice((0.0, np.pi, np.pi / 2, -np.pi / 2)))
    walking = rng.random() < 0.75
    choices = ("swing", "swing", "swing", "pocket", "phone", "hold")
    first, second = (choices[int(rng.integers(len(choices)))] for _ in range(2))
    if identity.bag.kind == "handbag":
        first, second = ("hang", second) if identity.bag.side < 0 else (first, "hang")
    return PersonPose(
        yaw=quarter + float(rng.normal(0, 0.3)),
        head_turn=float(rng.normal(0, 0.3)),
        phase=float(rng.uniform(0, 2 * np.pi)),
        stride=float(identity.gait * rng.uniform(0.3, 0.55)) if walking else 0.08,
        arms=(first, second),
        elbow=float(rng.uniform(0.1, 0.7)),
        lean=float(rng.normal(0.04, 0.05)),
    )


def view_name(yaw: float) -> str:
    """Name the side of the person that the camera sees: where the face points in the picture."""
    right, towards = np.sin(yaw), np.cos(yaw)
    if abs(towards) >= abs(right):
        return "front" if towards > 0 else "back"
    return "right" if right > 0 else "left"


def skeleton(identity: PersonIdentity, pose: PersonPose) -> dict[str, Joint]:
    """Place the joints.

    Returns:
        Joints by name; those of the right side end in "_r", of the left in "_l". The lowest foot
        stands on y = 0.
    """
    tall = identity.height
    leg = tall * identity.leg_ratio
    knee_swing = pose.stride * np.sin(pose.phase)
    joints: dict[str, Joint] = {}
    for side, sign, swing in (("_r", -1.0, knee_swing), ("_l", 1.0, -knee_swing)):
        hip = (sign * 0.05 * tall * identity.width, leg, 0.0)
        ahead = np.cos(pose.phase) * (-sign)
        bend = pose.stride * (0.25 + 1.1 * max(ahead, 0.0))
        knee = _move(hip, 0.50 * leg, swing + 0.25 * bend)
        ankle = _move(knee, 0.44 * leg, swing - bend)
        joints |= {f"hip{side}": hip, f"knee{side}": knee, f"ankle{side}": ankle}
        joints[f"toe{side}"] = _move(ankle, 0.085 * tall, swing * 0.4 + 1.45 - 0.5 * bend)
    top = tall * 0.825
    joints["neck"] = (0.0, top, (top - leg) * np.sin(pose.lean))
    joints["pelvis"] = (0.0, leg + 0.03 * tall, 0.0)
    joints["head"] = (0.0, tall * 0.924, joints["neck"][2] + 0.02 * tall)
    for side, sign, action in (("_r", -1.0, pose.arms[0]), ("_l", 1.0, pose.arms[1])):
        joints |= _arm(identity, pose, joints["neck"], side, sign, action)
    lift = min(min(joints[name][1] for name in ("ankle_r", "ankle_l")) - 0.045 * tall,
               min(joints[name][1] for name in ("toe_r", "toe_l")) - 0.018 * tall)  # fmt: skip
    return {name: (x, y - lift, z) for name, (x, y, z) in joints.items()}


def _move(start: Joint, length: float, angle: float, out: float = 0.0) -> Joint:
    """Go down by `length`, swung forwards by `angle` and outwards by `out` metres."""
    down, ahead = length * np.cos(angle), length * np.sin(angle)
    return start[0] + out, float(start[1] - down), float(start[2] + ahead)


def _arm(
    identity: PersonIdentity, pose: PersonPose, neck: Joint, side: str, sign: float, action: str
) -> dict[str, Joint]:
    tall = identity.height
    shoulder = (sign * 0.092 * tall * identity.width, neck[1] - 0.04 * tall, neck[2])
    swing = sign * 0.9 * pose.stride * np.sin(pose.phase)
    upper, fore, inwards, bend = swing, swing + pose.elbow, 0.02 * tall, 0.0
    if action == "phone":
        upper, fore, inwards = 0.35, 2.55, -0.02 * tall
    elif action == "hold":
        upper, fore, inwards = 0.1, 1.45, -0.06 * tall
    elif action == "pocket":
        upper, fore, inwards, bend = -0.25, 0.35, -0.015 * tall, 0.035 * tall
    elif action == "hang":
        upper, fore = 0.5 * swing, 0.5 * swing + 0.05
    elbow = _move(shoulder, 0.165 * tall, upper, sign * (0.02 * tall + bend))
    wrist = _move(elbow, 0.135 * tall, fore, sign * inwards)
    hand = _move(wrist, 0.035 * tall, fore)
    return {f"shoulder{side}": shoulder, f"elbow{side}": elbow, f"wrist{side}": wrist,
            f"hand{side}": hand}  # fmt: skip
