"""The stage a figure is drawn on: canvas, person, viewpoint, light, and brushes in metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptreid.synth.drawing.fields import Array
from promptreid.synth.drawing.solids import Patch, SceneLight, ball, paint, tube
from promptreid.synth.people.people_fabric import fabric
from promptreid.synth.people.people_pose import Joint, Projection
from promptreid.synth.people.person_identity import Garment, PersonIdentity


@dataclass(frozen=True)
class PersonStage:
    """What every part of a figure is drawn with."""

    canvas: Array
    identity: PersonIdentity
    view: Projection
    light: SceneLight
    folds: Array

    def shade(self, patch: Patch, rough: float = 0.07) -> Array:
        """Light on a patch, with cloth folds (or hair strands) of strength `rough`."""
        return self.light.shade(patch) * (1.0 + rough * self.folds[patch.rows, patch.columns])

    def tube(
        self,
        start: Joint,
        end: Joint,
        widths: list[tuple[float, float]],
        *,
        caps: tuple[float, float] = (1.0, 1.0),
    ) -> Patch | None:
        """A tube between joints, half widths in metres."""
        scaled = [(t, w * self.view.scale) for t, w in widths]
        first, last = self.view.point(start), self.view.point(end)
        return tube(self.canvas.shape, first, last, scaled, caps=caps)

    def ball(self, centre: Joint, radii: tuple[float, float]) -> Patch | None:
        """A ball around a joint, radii in metres."""
        scale = self.view.scale
        return ball(
            self.canvas.shape, self.view.point(centre), (radii[0] * scale, radii[1] * scale)
        )

    def fill(
        self,
        patch: Patch | None,
        colour: Array | Sequence[float],
        *,
        rough: float = 0.07,
        dim: float = 1.0,
    ) -> None:
        """Paint a patch in light and shade."""
        if patch is not None:
            paint(self.canvas, patch, colour, shade=self.shade(patch, rough) * np.float32(dim))

    def cloth(self, garment: Garment, patch: Patch, *, radius: float, length: float) -> Array:
        """Colours (h, w, 3) of a garment on a tube of `radius` and `length` metres."""
        around = self.angle(patch) * np.float32(radius)
        return fabric(garment, around, patch.t * np.float32(length))

    def angle(self, patch: Patch) -> Array:
        """Radians (h, w) around the body, 0 in front, positive to the person's left."""
        angle = np.arcsin(patch.u) - np.float32(self.view.yaw)
        return (angle + np.pi) % (2 * np.pi) - np.pi

    def half_width(self, wide: float, deep: float) -> float:
        """Half width in metres of an elliptic trunk as seen here; sizes as shares of the height."""
        across = wide * self.identity.width * np.cos(self.view.yaw)
        through = deep * self.identity.depth * np.sin(self.view.yaw)
        return float(self.identity.height * np.hypot(across, through))

    def contact_shadow(self, start: Joint, end: Joint, radius: float) -> None:
        """Darken what lies close behind a limb of `radius` metres that is drawn next."""
        halo = tube(
            self.canvas.shape,
            self.view.point(start),
            self.view.point(end),
            [(0.0, 1.9 * radius * self.view.scale)],
            soft=2.0 * radius * self.view.scale,
        )
        if halo is not None:
            paint(self.canvas, halo, (8, 8, 12), mask=np.full_like(halo.alpha, 0.38))
