"""What comes between camera and person: passers-by, poles, bushes, car bonnets, wheels."""

from __future__ import annotations

import numpy as np

from promptreid.synth.drawing.fields import Array
from promptreid.synth.drawing.solids import SceneLight, ball, paint, tube
from promptreid.synth.people.people_domain import PersonDomain
from promptreid.synth.people.people_figure import draw_figure
from promptreid.synth.people.people_pose import Projection, sample_pose
from promptreid.synth.people.person_identity import sample_identity


def draw_passer(
    canvas: Array,
    rng: np.random.Generator,
    domain: PersonDomain,
    pitch: float,
    scale: float,
    origin: tuple[float, float],
    light: SceneLight,
    folds: Array,
    *,
    behind: bool,
) -> None:
    """Draw somebody else at the border: farther away and higher up, or nearer and cut off.

    The many arguments are what the picture has drawn for the person in front.
    """
    other = sample_identity(rng, season=domain.season)
    pose = sample_pose(rng, other)
    side = 1.0 if rng.random() < 0.5 else -1.0
    wide = canvas.shape[1]
    near = rng.uniform(0.65, 0.92) if behind else rng.uniform(1.0, 1.15)
    aside = rng.uniform(0.22, 0.5) if behind else rng.uniform(0.5, 0.62)
    down = -rng.uniform(0.02, 0.12) if behind else rng.uniform(0.0, 0.12)
    spot = (origin[0] + side * aside * wide, origin[1] + down * canvas.shape[0])
    view = Projection(pose.yaw, pitch, float(scale * near), (float(spot[0]), float(spot[1])))
    draw_figure(canvas, other, pose, view, light=light, folds=folds)


def draw_occluder(canvas: Array, rng: np.random.Generator, light: SceneLight) -> str:
    """Draw a thing in front of the person.

    Returns:
        "low" when it hides the feet, else "".
    """
    kind = ("pole", "bush", "bonnet", "wheel")[int(rng.integers(4))]
    high, wide = canvas.shape[:2]
    if kind == "pole":
        x, thick = float(rng.uniform(0.05, 0.95) * wide), float(rng.uniform(3, 8))
        grey = float(rng.uniform(40, 170))
        patch = tube(canvas.shape, (x, -20.0), (x, high + 20.0), [(0.0, thick)])
        if patch is not None:
            paint(canvas, patch, (grey, grey, grey + 4), shade=light.shade(patch))
        return ""
    if kind == "bush":
        side, top = float(rng.choice((0.0, 1.0))) * wide, high * rng.uniform(0.6, 0.9)
        for _ in range(40):
            centre = (float(side + rng.normal(0, 0.2) * wide), float(rng.uniform(top, high)))
            size = float(rng.uniform(5, 14))
            leaf = np.asarray((66, 104, 52)) * rng.uniform(0.5, 1.4)
            paint(canvas, ball(canvas.shape, centre, (size, 0.7 * size)), leaf)
        return ""
    if kind == "bonnet":
        top = high * float(rng.uniform(0.7, 0.88))
        body = ((214, 214, 216), (34, 36, 40), (120, 124, 130), (150, 30, 34))[int(rng.integers(4))]
        left = float(rng.uniform(-0.6, 0.3)) * wide
        start, end = (left, top + 60.0), (left + 1.3 * wide, top + 60.0)
        patch = tube(canvas.shape, start, end, [(0.0, 60.0)], caps=(0.6, 0.6))
        if patch is not None:
            paint(canvas, patch, body, shade=light.shade(patch))
        return "low"
    centre = (float(rng.uniform(0.0, 1.0) * wide), high * float(rng.uniform(0.84, 0.95)))
    size = float(rng.uniform(26, 40))
    wheel = ball(canvas.shape, centre, (size, size))
    if wheel is not None:
        radius = np.hypot(wheel.nx, wheel.ny)
        spokes = np.abs(np.sin(6 * np.arctan2(wheel.ny, wheel.nx))) < 0.12
        mask = ((radius > 0.88) | (spokes & (radius < 0.9))).astype(np.float32)
        paint(canvas, wheel, (36, 36, 40), mask=mask)
    frame = (centre[0] + float(rng.choice((-1.0, 1.0))) * 60.0, centre[1] - 30.0)
    paint(canvas, tube(canvas.shape, centre, frame, [(0.0, 2.5)]), (60, 60, 66))
    return ""
