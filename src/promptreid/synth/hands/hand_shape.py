"""The outline of a posed hand as a distance field, and which bit of skin each pixel shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptreid.synth.drawing.fields import Array, Point, capsule, smooth_min
from promptreid.synth.hands.hand_identity import HandIdentity
from promptreid.synth.hands.hand_marks import finger_bones
from promptreid.synth.hands.hand_pose import Chain, HandPose

Box = tuple[slice, slice]
_FAR = np.float32(9.0)


@dataclass(frozen=True)
class HandFrame:
    """Where in the hand frame every pixel of a picture lies.

    Attributes:
        x, y: (height, width) positions in palms.
        unit: Pixels per palm, down.
        turn: Rows that turn a picture direction (right, up) into the hand frame, (2, 2).
        origin: Picture position (column, row) of the hand frame's (0, 0.95).
    """

    x: Array
    y: Array
    unit: float
    turn: Array
    origin: Point

    def box(self, points: list[Point], margin: float) -> Box:
        """Give the rows and columns that can lie within `margin` of the points."""
        height, width = self.x.shape
        places = np.asarray(points) - np.array([0.0, 0.95])
        right, up = (places @ np.linalg.inv(self.turn).T).T
        reach = margin * self.unit + 2
        columns, rows = self.origin[0] + right * self.unit, self.origin[1] - up * self.unit
        top, bottom = int(max(rows.min() - reach, 0)), int(min(rows.max() + reach, height))
        left, end = int(max(columns.min() - reach, 0)), int(min(columns.max() + reach, width))
        return slice(top, max(bottom, top)), slice(left, max(end, left))


def frame(pose: HandPose, size: tuple[int, int], *, mirrored: bool) -> HandFrame:
    """Lay the hand frame over a picture of (height, width) pixels."""
    height, width = size
    unit = pose.scale * height
    c, s = np.cos(pose.rotation), np.sin(pose.rotation)
    # Picture direction to hand direction: undo the squash, the rotation, the mirroring.
    turn = np.array([[c, s], [-s, c]]) @ np.diag([1.0 / pose.squash, 1.0])
    if mirrored:
        turn = np.diag([-1.0, 1.0]) @ turn
    origin = (pose.centre[0] * width, pose.centre[1] * height)
    right = (np.arange(width, dtype=np.float32) + 0.5 - origin[0]) / unit
    up = (origin[1] - np.arange(height, dtype=np.float32) - 0.5) / unit
    m = turn.astype(np.float32)
    x = m[0, 0] * right[None, :] + m[0, 1] * up[:, None]
    y = m[1, 0] * right[None, :] + m[1, 1] * up[:, None] + np.float32(0.95)
    return HandFrame(x, y, unit, m, origin)


@dataclass(frozen=True)
class Shape:
    """A posed hand, pixel by pixel.

    Attributes:
        distance: (height, width), negative inside, in palms.
        finger: (height, width) index of the finger shown, meaningful where `weight` > 0.
        weight: (height, width) share of finger skin over palm skin, 0..1.
        along, across: (height, width) place on that finger.
        boxes: Per finger where it can be.
        tips: Per finger where its nail can be.
    """

    distance: Array
    finger: NDArray[np.int32]
    weight: Array
    along: Array
    across: Array
    boxes: tuple[Box, ...]
    tips: tuple[Box, ...]


def build_shape(identity: HandIdentity, pose: HandPose, place: HandFrame, *, palmar: bool) -> Shape:
    """Join palm, forearm and fingers and note what each pixel belongs to."""
    distance = _palm(identity, pose, place, palmar=palmar)
    weight = np.zeros_like(distance)
    along, across = np.zeros_like(distance), np.zeros_like(distance)
    owner = np.zeros(distance.shape, dtype=np.int32)
    nearest = np.full_like(distance, _FAR)
    boxes, tips = [], []
    for finger, chain in enumerate(pose.chains):
        margin = max(chain.radii) * 1.2 + 0.03 + identity.nail_length
        box = place.box(list(chain.points), margin)
        boxes.append(box)
        tips.append(place.box(list(chain.points[-2:]), margin))
        if distance[box].size == 0:
            continue
        depth, s, t = _finger(chain, finger_bones(identity, finger), place.x[box], place.y[box])
        web = 0.0 if finger == 0 else (0.20 if palmar else 0.12)
        fade = np.clip((s - np.float32(web - 0.05)) * np.float32(10), 0, 1)
        mine = (depth < nearest[box]) & (depth < 0.02)
        nearest[box] = np.where(mine, depth, nearest[box])
        owner[box] = np.where(mine, finger, owner[box])
        weight[box] = np.where(mine, fade, weight[box])
        along[box] = np.where(mine, s, along[box])
        across[box] = np.where(mine, t, across[box])
        distance[box] = smooth_min(distance[box], depth, 0.06 if finger == 0 else 0.035)
    return Shape(distance, owner, weight, along, across, tuple(boxes), tuple(tips))


def _finger(
    chain: Chain, lengths: tuple[float, ...], x: Array, y: Array
) -> tuple[Array, Array, Array]:
    """Measure one finger: distance, share of its length, side from -1 to 1."""
    total, last, before = sum(lengths), len(lengths) - 1, 0.0
    depth = np.full_like(x, _FAR)
    s, t = np.zeros_like(x), np.zeros_like(x)
    for bone, length in enumerate(lengths):
        ends = (chain.points[bone], chain.points[bone + 1])
        field = capsule(x, y, *ends, (chain.radii[bone], chain.radii[bone + 1]))
        low = -1.0 if bone == 0 else 0.0
        share = np.clip(field.along, low, 2.0 if bone == last else 1.0)
        closer = field.distance < depth
        s = np.where(
            closer, (np.float32(before) + share * np.float32(length)) * np.float32(1 / total), s
        )
        t = np.where(closer, field.across, t)
        depth = np.minimum(depth, field.distance)
        before += length
    return depth, s.astype(np.float32), t


def _palm(identity: HandIdentity, pose: HandPose, place: HandFrame, *, palmar: bool) -> Array:
    """Join the metacarpals, the balls of thumb and little finger, and the forearm."""
    wide = identity.palm_width
    parts: list[tuple[Point, Point, Point]] = []
    for (x, y), radius in zip(identity.knuckles, identity.radii[1:], strict=True):
        top = 1.05 if palmar else 1.0
        parts.append(((0.5 * x * wide, 0.12), (x * wide, y * top), (0.17, radius * 1.2)))
    parts.append(((0.2 * wide, 0.2), (0.29 * wide, 0.55), (0.16, 0.13)))
    parts.append((pose.thumb_root, pose.chains[0].points[0], (0.16, identity.radii[0] * 1.22)))
    parts.append(((0.0, 0.12), (0.02, -1.6), (0.285 * wide, 0.37 * wide)))
    distance = np.full_like(place.x, _FAR)
    for start, end, radii in parts:
        box = place.box([start, end], max(radii) + 0.16)
        if distance[box].size:
            field = capsule(place.x[box], place.y[box], start, end, radii)
            distance[box] = smooth_min(distance[box], field.distance, 0.12)
    return distance
