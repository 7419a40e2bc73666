"""What makes a synthetic person that person: build, skin, hair, garments, shoes, bag.

Everything here stays the same in every picture of an identity. Colours come from a short, unevenly
weighted palette, so that many people share them and only detail (texture, logo, trim, hair, bag,
shoes, build) tells them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PALETTE: dict[str, tuple[int, int, int]] = {
    "black": (30, 30, 34),
    "white": (232, 232, 228),
    "grey": (128, 130, 134),
    "blue": (52, 84, 156),
    "navy": (34, 42, 78),
    "red": (182, 36, 42),
    "green": (52, 120, 70),
    "brown": (104, 74, 52),
    "beige": (200, 180, 146),
    "yellow": (224, 190, 50),
    "pink": (222, 130, 152),
    "purple": (108, 64, 138),
    "orange": (222, 116, 44),
}
"""Garment colour names and their sRGB values in flat white light."""

HAIR_COLOURS: dict[str, tuple[int, int, int]] = {
    "black": (26, 23, 24),
    "brown": (72, 48, 34),
    "blonde": (184, 148, 92),
    "grey": (150, 148, 146),
    "red": (124, 58, 32),
}
TEXTURES = ("plain", "striped", "pinstriped", "checked", "dotted", "two-tone", "patterned")
LOGO_SHAPES = ("circle", "square", "triangle", "star", "cross", "heart", "bar", "text")
SEASONS = ("any", "summer", "winter")

_UPPER_COLOURS = (
    ("black", 20), ("white", 20), ("grey", 13), ("blue", 9), ("navy", 7), ("red", 8), ("green", 5),
    ("pink", 4), ("yellow", 4), ("purple", 3), ("orange", 2), ("beige", 4), ("brown", 3),
)  # fmt: skip
_LOWER_COLOURS = (
    ("black", 30), ("grey", 16), ("blue", 18), ("navy", 12), ("beige", 10), ("brown", 6),
    ("white", 5), ("green", 3),
)  # fmt: skip
_BAG_COLOURS = (
    ("black", 34), ("grey", 12), ("brown", 14), ("navy", 8), ("blue", 8), ("red", 10),
    ("white", 5), ("pink", 4), ("yellow", 3), ("green", 4),
)  # fmt: skip
_SHOE_COLOURS = (
    ("black", 32), ("white", 28), ("grey", 14), ("brown", 12), ("red", 6), ("blue", 8),
)  # fmt: skip
_SKINS = ((240, 206, 180), (226, 184, 150), (206, 160, 124), (172, 122, 88), (128, 86, 60),
          (88, 58, 42))  # fmt: skip
_UPPERS = {
    "summer": {
        "man": (("t-shirt", 50), ("shirt", 26), ("tank top", 8), ("hoodie", 8), ("jacket", 8)),
        "woman": (("t-shirt", 36), ("shirt", 16), ("tank top", 12), ("dress", 24), ("hoodie", 6),
                  ("jacket", 6)),
    },
    "winter": {
        "man": (("jacket", 36), ("coat", 26), ("hoodie", 28), ("shirt", 10)),
        "woman": (("jacket", 32), ("coat", 36), ("hoodie", 22), ("dress", 10)),
    },
    "any": {
        "man": (("t-shirt", 34), ("shirt", 22), ("jacket", 18), ("hoodie", 16), ("coat", 6),
                ("tank top", 4)),
        "woman": (("t-shirt", 26), ("shirt", 16), ("jacket", 14), ("hoodie", 12), ("dress", 18),
                  ("coat", 8), ("tank top", 6)),
    },
}  # fmt: skip
_LOWERS = {
    "summer": {
        "man": (("shorts", 46), ("trousers", 28), ("jeans", 26)),
        "woman": (("shorts", 34), ("skirt", 26), ("jeans", 22), ("trousers", 18)),
    },
    "winter": {
        "man": (("trousers", 50), ("jeans", 50)),
        "woman": (("trousers", 42), ("jeans", 44), ("skirt", 14)),
    },
    "any": {
        "man": (("trousers", 38), ("jeans", 36), ("shorts", 26)),
        "woman": (("jeans", 34), ("trousers", 26), ("skirt", 22), ("shorts", 18)),
    },
}  # fmt: skip
_HAIR = {
    "man": (("short", 74), ("bald", 10), ("long", 6), ("curly", 10)),
    "woman": (("long", 36), ("ponytail", 24), ("bob", 18), ("bun", 10), ("short", 6),
              ("curly", 6)),
}  # fmt: skip


@dataclass(frozen=True)
class Logo:
    """A print on the upper garment; `place` is "chest", "left chest" or "back"."""

    shape: str
    colour: str
    place: str
    size: float


@dataclass(frozen=True)
class Garment:
    """One piece of clothing.

    `pitch` is the repeat of the texture in metres, `trim` the colour of sleeve and hem bands
    ("" for none), `rgb` and `second_rgb` the cloth's own shades of the named colours.
    """

    kind: str
    colour: str
    texture: str
    second: str
    rgb: tuple[float, float, float]
    second_rgb: tuple[float, float, float]
    pitch: float
    length: float
    sleeve: float
    trim: str


@dataclass(frozen=True)
class Bag:
    """What is carried: `kind` is "none", "backpack", "shoulder bag" or "handbag"."""

    kind: str
    colour: str
    rgb: tuple[float, float, float]
    size: float
    side: int
    second: str


@dataclass(frozen=True)
class PersonIdentity:
    """A synthetic person. Lengths are metres, ratios are relative to a middling adult."""

    gender: str
    height: float
    width: float
    depth: float
    leg_ratio: float
    head_ratio: float
    skin: tuple[float, float, float]
    hair: str
    hair_colour: str
    hair_rgb: tuple[float, float, float]
    hair_length: float
    hat: str
    hat_colour: str
    glasses: bool
    upper: Garment
    inner_rgb: tuple[float, float, float]
    logo: Logo | None
    lower: Garment | None
    side_stripe: str
    shoes: str
    shoe_colour: str
    sole_colour: str
    sock_height: float
    bag: Bag
    gait: float


def sample_identity(rng: np.random.Generator, *, season: str = "any") -> PersonIdentity:
    """Draw a person.

    Args:
        rng: Source of all randomness.
        season: "any", "summer" or "winter": which garments are usual.

    Returns:
        The identity; two draws differ, yet often share the colours of their clothes.
    """
    gender = "woman" if rng.random() < 0.48 else "man"
    tall = 1.63 if gender == "woman" else 1.75
    width = float(np.clip(rng.normal(1.0, 0.13), 0.78, 1.4))
    upper = _upper(rng, gender=gender, season=season)
    lower = None if upper.kind == "dress" else _lower(rng, gender=gender, season=season)
    hair_colour = _pick(
        rng, (("black", 52), ("brown", 26), ("blonde", 11), ("grey", 7), ("red", 4))
    )
    hat_odds = (("none", 68), ("beanie", 26), ("cap", 6)) if season == "winter" else (
        ("none", 86), ("cap", 10), ("sun hat", 4))  # fmt: skip
    sporty = lower is not None and lower.kind in ("trousers", "shorts")
    shoes = _pick(rng, (("shoes", 50), ("boots", 50)) if season == "winter" else (
        ("shoes", 76), ("sandals", 14), ("boots", 10)))  # fmt: skip
    return PersonIdentity(
        gender=gender,
        height=float(np.clip(rng.normal(tall, 0.075), 1.4, 2.0)),
        width=width,
        depth=float(np.clip(width * rng.normal(1.0, 0.09), 0.75, 1.5)),
        leg_ratio=float(rng.uniform(0.455, 0.515)),
        head_ratio=float(rng.uniform(0.93, 1.07)),
        skin=_shade(rng, _SKINS[int(rng.choice(6, p=(0.2, 0.28, 0.22, 0.14, 0.1, 0.06)))], 0.05),
        hair=_pick(rng, _HAIR[gender]),
        hair_colour=hair_colour,
        hair_rgb=_shade(rng, HAIR_COLOURS[hair_colour], 0.12),
        hair_length=float(rng.uniform(0.6, 1.4)),
        hat=_pick(rng, hat_odds),
        hat_colour=_pick(rng, _BAG_COLOURS),
        glasses=bool(rng.random() < 0.22),
        upper=upper,
        inner_rgb=_shade(rng, PALETTE[_pick(rng, _UPPER_COLOURS)], 0.1),
        logo=_logo(rng, upper),
        lower=lower,
        side_stripe=_other(rng, lower.colour) if lower and sporty and rng.random() < 0.2 else "",
        shoes=shoes,
        shoe_colour=_pick(rng, _SHOE_COLOURS),
        sole_colour=_pick(rng, (("white", 50), ("black", 35), ("grey", 15))),
        sock_height=float(rng.choice((0.0, 0.05, 0.12, 0.22), p=(0.4, 0.3, 0.2, 0.1))),
        bag=_bag(rng, gender),
        gait=float(rng.uniform(0.75, 1.25)),
    )


def _pick(rng: np.random.Generator, odds: Sequence[tuple[str, float]]) -> str:
    weights = np.array([weight for _, weight in odds], float)
    return odds[int(rng.choice(len(odds), p=weights / weights.sum()))][0]


def _shade(
    rng: np.random.Generator, rgb: tuple[int, int, int], spread: float
) -> tuple[float, float, float]:
    """Give a named colour the small shade of one real cloth."""
    values = np.array(rgb, float) * rng.uniform(1 - spread, 1 + spread) + rng.normal(0, 4, 3)
    red, green, blue = np.clip(values, 8, 246)
    return float(red), float(green), float(blue)


def _other(rng: np.random.Generator, colour: str) -> str:
    """Pick a second colour that can be seen beside the first."""
    if colour == "white" or rng.random() < 0.55:
        return _pick(rng, [pair for pair in _UPPER_COLOURS if pair[0] not in (colour, "beige")])
    return "white"


def _garment(rng: np.random.Generator, kind: str, colour: str, texture: str) -> Garment:
    second = _other(rng, colour)
    long_sleeve = kind in ("jacket", "hoodie", "coat") or (kind == "shirt" and rng.random() < 0.5)
    sleeve = 1.0 if long_sleeve else float(rng.uniform(0.22, 0.46))
    if kind == "tank top" or (kind == "dress" and rng.random() < 0.5):
        sleeve = 0.0
    return Garment(
        kind=kind,
        colour=colour,
        texture=texture,
        second=second,
        rgb=_shade(rng, PALETTE[colour], 0.14),
        second_rgb=_shade(rng, PALETTE[second], 0.14),
        pitch=float(rng.uniform(0.075, 0.16)),
        length=float(rng.uniform(0.0, 1.0)),
        sleeve=sleeve,
        trim=_other(rng, colour) if rng.random() < 0.2 else "",
    )


def _upper(rng: np.random.Generator, *, gender: str, season: str) -> Garment:
    kind = _pick(rng, _UPPERS[season][gender])
    dull = kind in ("jacket", "coat")
    textured = {"shirt": 0.6, "dress": 0.5, "t-shirt": 0.35}.get(kind, 0.18)
    texture = "plain"
    if rng.random() < textured:
        usual = (("striped", 26), ("pinstriped", 12), ("checked", 22), ("dotted", 14),
                 ("two-tone", 14), ("patterned", 12))  # fmt: skip
        texture = "two-tone" if dull else _pick(rng, usual)
    return _garment(rng, kind, _pick(rng, _UPPER_COLOURS), texture)


def _lower(rng: np.random.Generator, *, gender: str, season: str) -> Garment:
    kind = _pick(rng, _LOWERS[season][gender])
    if kind == "jeans":
        colour = _pick(rng, (("blue", 60), ("navy", 14), ("black", 16), ("grey", 10)))
        return _garment(rng, kind, colour, "plain")
    texture = "plain"
    if kind in ("shorts", "skirt") and rng.random() < 0.25:
        texture = _pick(rng, (("checked", 50), ("striped", 20), ("patterned", 30)))
    return _garment(rng, kind, _pick(rng, _LOWER_COLOURS), texture)


def _logo(rng: np.random.Generator, upper: Garment) -> Logo | None:
    likely = {"t-shirt": 0.55, "hoodie": 0.5, "jacket": 0.3, "tank top": 0.3}.get(upper.kind, 0.0)
    if upper.texture not in ("plain", "two-tone") or rng.random() >= likely:
        return None
    place = _pick(rng, (("chest", 55), ("left chest", 15), ("back", 30)))
    size = rng.uniform(0.045, 0.065) if place == "left chest" else rng.uniform(0.075, 0.13)
    shape = LOGO_SHAPES[int(rng.integers(len(LOGO_SHAPES)))]
    return Logo(shape, _other(rng, upper.colour), place, float(size))


def _bag(rng: np.random.Generator, gender: str) -> Bag:
    hand = 18 if gender == "woman" else 6
    kind = _pick(rng, (("none", 48), ("backpack", 24), ("shoulder bag", 18), ("handbag", hand)))
    colour = _pick(rng, _BAG_COLOURS)
    return Bag(
        kind=kind,
        colour=colour,
        rgb=_shade(rng, PALETTE[colour], 0.14),
        size=float(rng.uniform(0.8, 1.2)),
        side=1 if rng.random() < 0.5 else -1,
        second=_other(rng, colour) if rng.random() < 0.4 else "",
    )
