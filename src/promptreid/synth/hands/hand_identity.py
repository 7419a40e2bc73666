"""Who a synthetic hand belongs to: everything that stays the same from picture to picture.

Lengths are in palms: the distance from the wrist to the knuckle of the middle finger is about 1.
The hand frame has y towards the fingers and the thumb on the side of negative x, for every
aspect; the camera mirrors the frame where the aspect asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ASPECTS = ("dorsal right", "dorsal left", "palmar right", "palmar left")
FINGERS = ("thumb", "index finger", "middle finger", "ring finger", "little finger")
POLISHES = {
    "red": (0.78, 0.08, 0.14),
    "pink": (0.93, 0.45, 0.60),
    "dark red": (0.40, 0.05, 0.12),
    "blue": (0.16, 0.26, 0.66),
    "black": (0.08, 0.07, 0.09),
    "purple": (0.45, 0.20, 0.55),
    "green": (0.13, 0.48, 0.36),
    "white": (0.95, 0.94, 0.92),
    "orange": (0.95, 0.45, 0.15),
}
METALS = {"gold": (0.86, 0.67, 0.30), "silver": (0.80, 0.81, 0.83), "black": (0.16, 0.16, 0.18)}
NAIL_SHAPES = ("round", "square", "oval", "pointed")
TATTOOS = ("cross", "star", "heart", "dots", "line")
PLACES = {
    "near the thumb": (-0.30, 0.42),
    "near the wrist": (0.03, 0.13),
    "in the middle of the hand": (-0.01, 0.50),
    "near the little finger": (0.26, 0.58),
    "below the index finger": (-0.24, 0.78),
    "below the ring finger": (0.12, 0.77),
}

# Phalanges from the knuckle to the tip; of the thumb: metacarpal, proximal, distal.
_BONES = (
    (0.42, 0.33, 0.25),
    (0.43, 0.26, 0.19),
    (0.47, 0.30, 0.20),
    (0.44, 0.28, 0.20),
    (0.35, 0.20, 0.18),
)
_RADII = (0.122, 0.109, 0.111, 0.105, 0.092)


@dataclass(frozen=True)
class Mark:
    """A mole, scar or tattoo.

    Attributes:
        kind: "mole", "scar" or "tattoo".
        finger: Index into `FINGERS`, or -1 on the palm or the back of the hand.
        at: (x, y) in the hand frame, or on a finger (share of its length, side from -1 to 1).
        size: Radius of a mole, half length of others, in palms.
        angle: Direction in radians.
        figure: What a tattoo shows, else "".
        where: The place in words.
    """

    kind: str
    finger: int
    at: tuple[float, float]
    size: float
    angle: float
    figure: str
    where: str


@dataclass(frozen=True)
class Surface:
    """What only one side of one hand has.

    Attributes:
        seed: Fixes the fine texture, creases, veins and freckles.
        marks: Moles, scars, tattoos.
        heart, head, life: Four control points each of the palm lines (used on palms).
        fate: Whether a vertical line runs up the palm.
        broken: Which of the three lines is interrupted, or "".
        forked: Which of the three lines ends in a fork, or "".
    """

    seed: int
    marks: tuple[Mark, ...]
    heart: tuple[tuple[float, float], ...]
    head: tuple[tuple[float, float], ...]
    life: tuple[tuple[float, float], ...]
    fate: bool
    broken: str
    forked: str


@dataclass(frozen=True)
class Jewel:
    """A ring a person wears on some days: hand 0 is the right one, 1 the left one."""

    hand: int
    finger: int
    metal: str
    stone: bool


@dataclass(frozen=True)
class HandIdentity:
    """One person's two hands.

    Attributes:
        age: Years.
        gender: "male" or "female".
        tone: Darkness of the skin, 0 palest to 1 deepest.
        undertone: -1 rosy to 1 yellowish.
        redness: How red knuckles and fingertips are, 0 to 1.
        palm_width: Factor on the width of the palm.
        finger_length: Factor on all fingers, already contained in `bones`.
        finger_width: Factor on all radii, already contained in `radii`.
        bones: Per finger the lengths of its three bones.
        radii: Per finger the radius at its base.
        knobs: How far the middle joints stand out, share of the radius.
        taper: Radius at the tip as a share of the base.
        knuckles: Per finger but the thumb, the knuckle's (x, y).
        rest: Per finger the angle it likes to rest at, in radians, added to the pose.
        curve: Per finger the sideways bend at both joints, in radians.
        nail_shape: One of `NAIL_SHAPES`.
        nail_length: How far nails stand out beyond the tip, in palms.
        nail_width: Share of the finger's width.
        polish: Colour name from `POLISHES` that the person likes, or "".
        wrinkles, veins, tendons, hair, freckles: Strengths from 0 to 1.
        surfaces: One per aspect, in the order of `ASPECTS`.
        ring: A ring worn sometimes.
        wristwear: "watch", "bracelet" or "".
    """

    age: int
    gender: str
    tone: float
    undertone: float
    redness: float
    palm_width: float
    finger_length: float
    finger_width: float
    bones: tuple[tuple[float, float, float], ...]
    radii: tuple[float, ...]
    knobs: float
    taper: float
    knuckles: tuple[tuple[float, float], ...]
    rest: tuple[float, ...]
    curve: tuple[tuple[float, float], ...]
    nail_shape: str
    nail_length: float
    nail_width: float
    polish: str
    wrinkles: float
    veins: float
    tendons: float
    hair: float
    freckles: float
    surfaces: tuple[Surface, ...]
    ring: Jewel | None
    wristwear: str

    @property
    def skin_color(self) -> str:
        """The skin in the words of 11k Hands."""
        for limit, word in ((0.12, "very fair"), (0.38, "fair"), (0.72, "medium")):
            if self.tone < limit:
                return word
        return "dark"

    def surface(self, aspect: str) -> Surface:
        """Give what this aspect alone has."""
        return self.surfaces[ASPECTS.index(aspect)]


def sample_identity(rng: np.random.Generator) -> HandIdentity:
    """Draw one person. Skin tones, widths and lengths overlap widely between people."""
    gender = "female" if rng.random() < 0.6 else "male"
    male = gender == "male"
    age = int(np.clip(18 + rng.gamma(1.6, 7.0), 18, 75))
    # Tones cluster, so that many people share one and it cannot tell them apart.
    tone = rng.choice([0.06, 0.25, 0.5, 0.62, 0.85], p=[0.06, 0.32, 0.34, 0.14, 0.14])
    length = float(np.clip(rng.normal(1.0, 0.085), 0.82, 1.2))
    width = float(np.clip(rng.normal(1.06 if male else 0.95, 0.10), 0.74, 1.28))
    polish = str(rng.choice(list(POLISHES))) if not male and rng.random() < 0.3 else ""
    return HandIdentity(
        age=age,
        gender=gender,
        tone=float(np.clip(tone + rng.normal(0, 0.045), 0, 1)),
        undertone=float(np.clip(rng.normal(0, 0.6), -1, 1)),
        redness=float(rng.uniform(0, 1)),
        palm_width=float(np.clip(rng.normal(1.03 if male else 0.97, 0.075), 0.8, 1.22)),
        finger_length=length,
        finger_width=width,
        bones=_bones(rng, length),
        radii=tuple(float(r * width * rng.normal(1, 0.03)) for r in _RADII),
        knobs=float(np.clip(rng.normal(0.03, 0.05), -0.05, 0.16)),
        taper=float(rng.uniform(0.66, 0.9)),
        knuckles=_knuckles(rng),
        rest=tuple(float(a) for a in rng.normal(0, 0.03, 5)),
        curve=tuple((float(a), float(b)) for a, b in rng.normal(0, 0.045, (5, 2))),
        nail_shape=str(rng.choice(NAIL_SHAPES)),
        nail_length=_nail_length(rng, male=male, polished=bool(polish)),
        nail_width=float(rng.uniform(0.56, 0.82)),
        polish=polish,
        wrinkles=float(np.clip((age - 18) / 60 + rng.uniform(0, 0.7), 0.1, 1)),
        veins=float(np.clip(rng.beta(1.2, 1.6) + (age - 30) / 90, 0, 1)),
        tendons=float(rng.beta(1.3, 1.6)),
        hair=float(rng.beta(1.2, 1.5)) if male and rng.random() < 0.8 else 0.0,
        freckles=float(rng.uniform(0.3, 1)) if rng.random() < 0.25 else 0.0,
        surfaces=tuple(_surface(rng, palmar=aspect.startswith("palmar")) for aspect in ASPECTS),
        ring=_ring(rng),
        wristwear=str(rng.choice(["", "watch", "bracelet"], p=[0.78, 0.11, 0.11])),
    )


def _bones(rng: np.random.Generator, length: float) -> tuple[tuple[float, float, float], ...]:
    """Scale the usual bones: the person's factor, the finger's, and each bone's own."""
    bones = []
    for finger in _BONES:
        own = length * rng.normal(1, 0.05)
        a, b, c = (float(bone * own * rng.normal(1, 0.05)) for bone in finger)
        bones.append((a, b, c))
    return tuple(bones)


def _knuckles(rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    usual = ((-0.275, 0.93), (-0.07, 0.98), (0.13, 0.93), (0.315, 0.83))
    return tuple(
        (x + float(rng.normal(0, 0.008)), y + float(rng.normal(0, 0.02))) for x, y in usual
    )


def _nail_length(rng: np.random.Generator, *, male: bool, polished: bool) -> float:
    if male:
        return float(rng.uniform(0, 0.012))
    return float(
        rng.uniform(0.02, 0.11) if polished or rng.random() < 0.35 else rng.uniform(0, 0.02)
    )


def _ring(rng: np.random.Generator) -> Jewel | None:
    if rng.random() > 0.28:
        return None
    return Jewel(
        hand=int(rng.integers(2)),
        finger=int(rng.choice([0, 1, 2, 3, 4], p=[0.05, 0.2, 0.2, 0.45, 0.1])),
        metal=str(rng.choice(list(METALS), p=[0.5, 0.4, 0.1])),
        stone=bool(rng.random() < 0.35),
    )


def _surface(rng: np.random.Generator, *, palmar: bool) -> Surface:
    """Draw one side of one hand."""
    marks = [_mark(rng, "mole") for _ in range(rng.choice(4, p=[0.25, 0.35, 0.25, 0.15]))]
    if rng.random() < 0.12:
        marks.append(_mark(rng, "scar"))
    if rng.random() < (0.03 if palmar else 0.1):
        marks.append(_mark(rng, "tattoo"))
    flaw = rng.random(2)
    lines = ("heart line", "head line", "life line")
    return Surface(
        seed=int(rng.integers(2**31)),
        marks=tuple(marks),
        heart=_line(rng, ((0.42, 0.70), (0.20, 0.66), (-0.02, 0.74), (-0.17, 0.93)), 0.045),
        head=_line(rng, ((-0.40, 0.68), (-0.15, 0.66), (0.08, 0.56), (0.28, 0.42)), 0.055),
        life=_line(rng, ((-0.40, 0.70), (-0.10, 0.66), (-0.06, 0.34), (-0.12, 0.06)), 0.05),
        fate=bool(rng.random() < 0.4),
        broken=str(rng.choice(lines)) if flaw[0] < 0.3 else "",
        forked=str(rng.choice(lines)) if flaw[1] < 0.4 else "",
    )


def _line(
    rng: np.random.Generator, usual: tuple[tuple[float, float], ...], jitter: float
) -> tuple[tuple[float, float], ...]:
    """Move the control points of a palm line; the far end wanders most, so lengths differ."""
    reach = (0.35, 1.0, 1.2, 1.7)
    return tuple(
        (x + float(rng.normal(0, jitter * r)), y + float(rng.normal(0, jitter * r)))
        for (x, y), r in zip(usual, reach, strict=True)
    )


def _mark(rng: np.random.Generator, kind: str) -> Mark:
    """Place a mark on the palm or the back of the hand, sometimes on a finger."""
    size = {
        "mole": rng.uniform(0.012, 0.028),
        "scar": rng.uniform(0.07, 0.14),
        "tattoo": rng.uniform(0.05, 0.10),
    }[kind]
    if kind != "tattoo" and rng.random() < 0.35:
        finger = int(rng.integers(5))
        at = (float(rng.uniform(0.28, 0.72)), float(rng.uniform(-0.45, 0.45)))
        where = f"on the {FINGERS[finger]}"
        size = min(size, 0.05)
    else:
        where = str(rng.choice(list(PLACES)))
        x, y = PLACES[where]
        finger, at = -1, (x + float(rng.normal(0, 0.045)), y + float(rng.normal(0, 0.045)))
    figure = str(rng.choice(TATTOOS)) if kind == "tattoo" else ""
    return Mark(kind, finger, at, float(size), float(rng.uniform(0, np.pi)), figure, where)
