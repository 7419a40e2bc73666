"""Sentences about a synthetic hand, for image-caption training.

Every sentence names the aspect or the side, and a random handful of what can be seen: proportions,
skin, nails, marks, palm lines, veins, jewellery, light and background. All words are ASCII and
come from a small closed vocabulary.
"""

from __future__ import annotations

import numpy as np

from promptreid.synth.hands.hand_identity import HandIdentity
from promptreid.synth.hands.hand_picture import HandPicture

_STARTS = (
    "a photo of",
    "a photograph of",
    "a picture of",
    "a close-up of",
    "an image of",
    "this is",
    "a cropped photo of",
)
_MAX_WORDS = 30
_TATTOOS = {
    "cross": "a cross tattoo",
    "star": "a star tattoo",
    "heart": "a heart tattoo",
    "dots": "a tattoo of three dots",
    "line": "a tattoo of two lines",
}


def caption(identity: HandIdentity, picture: HandPicture, rng: np.random.Generator) -> str:
    """Describe a picture in one English sentence without a full stop.

    Args:
        identity: Whose hand it is; details that its aspect cannot show are left out.
        picture: What `render_hand` gave for this identity.
        rng: Chooses the template and the details.

    Returns:
        5 to 30 words, lower case, ASCII.
    """
    seen = picture.attributes
    if rng.random() < 0.12:
        return f"{_pick(rng, _STARTS)} a {seen['aspectOfHand']} hand"
    details = _details(identity, seen, rng)
    surroundings = _surroundings(seen)
    wanted = int(rng.integers(1, 5))
    order = rng.permutation(len(details))
    chosen = list(dict.fromkeys(details[i] for i in order))[:wanted]
    if rng.random() < 0.35:
        chosen.append(_pick(rng, surroundings))
    subject = _subject(identity, seen, rng)
    while True:
        sentence = " ".join([_pick(rng, _STARTS), subject, _join(chosen)]).strip()
        if len(sentence.split()) <= _MAX_WORDS:
            return sentence
        chosen = chosen[:-1]


def _pick(rng: np.random.Generator, options: tuple[str, ...] | list[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _join(parts: list[str]) -> str:
    """Put details one after the other: "with a, b and c, on a white background"."""
    held = [part for part in parts if not part.startswith(("on ", "in "))]
    rest = [part for part in parts if part.startswith(("on ", "in "))]
    listed = " and ".join([", ".join(held[:-1]), held[-1]]) if len(held) > 1 else "".join(held)
    return " ".join(([f"with {listed}"] if held else []) + rest)


def _subject(identity: HandIdentity, seen: dict[str, str], rng: np.random.Generator) -> str:
    """Name the side and, sometimes, the person."""
    side, hand = seen["aspectOfHand"].split()
    face = ("the palm", "the palmar side") if side == "palmar" else ("the back", "the dorsal side")
    person = {"male": "man", "female": "woman"}[identity.gender]
    aged = _age_word(identity.age)
    of_whom = _pick(
        rng,
        [
            "",
            "",
            f" of a {person}",
            f" of a person with {seen['skinColor']} skin",
            f" of {aged} {person}",
            f" of {aged} person",
        ],
    )
    return _pick(
        rng,
        [
            f"the {hand} hand{of_whom} seen from {face[0]}",
            f"{_pick(rng, face)} of the {hand} hand{of_whom}",
            f"a {side} {hand} hand{of_whom}",
            f"a {hand} hand{of_whom}, {side} side",
        ],
    )


def _age_word(age: int) -> str:
    return "a young" if age < 26 else "a middle-aged" if age < 50 else "an old"


def _surroundings(seen: dict[str, str]) -> list[str]:
    parts = [
        f"on a {seen['background']} background",
        seen["spread"],
        f"in {seen['light']} light",
    ]
    if seen["sleeve"]:
        parts.append(f"a {seen['sleeve']} sleeve")
    return parts


def _details(identity: HandIdentity, seen: dict[str, str], rng: np.random.Generator) -> list[str]:
    """List what can be said of this aspect; what tells people apart stands there twice."""
    palmar = seen["aspectOfHand"].startswith("palmar")
    parts = [f"{seen['skinColor']} skin", *_proportions(identity), *_marks(identity, seen, rng)]
    if seen["accessory"]:
        parts.extend([seen["accessory"]] * 2)
    parts += _palm_lines(identity, seen) if palmar else _back(identity)
    if not palmar or identity.nail_length > 0.05:
        parts += _nails(identity, seen, palmar=palmar)
    return parts


def _proportions(identity: HandIdentity) -> list[str]:
    length = _grade(identity.finger_length, (0.95, 1.05), ("short", "", "long"))
    width = _grade(identity.finger_width, (0.93, 1.07), ("thin", "", "thick"))
    words = f"{length} {width}".strip()
    parts = [f"{words} fingers"] * 2 if words else ["medium fingers"]
    palm = _grade(identity.palm_width, (0.95, 1.05), ("a narrow hand", "", "a wide hand"))
    if palm:
        parts.append(palm)
    index, ring = sum(identity.bones[1]), sum(identity.bones[3])
    if abs(index / ring - 0.957) > 0.05:
        parts.append(f"{_grade(index / ring, (0.957,), ('a short', 'a long'))} index finger")
    little = sum(identity.bones[4]) / sum(identity.bones[2])
    word = _grade(little, (0.70, 0.80), ("a short", "", "a long"))
    if word:
        parts.append(f"{word} little finger")
    if identity.knobs > 0.07:
        parts.append("thick joints")
    return parts


def _grade(value: float, limits: tuple[float, ...], words: tuple[str, ...]) -> str:
    """Give the word for the interval between `limits` in which the value lies."""
    return words[sum(value > limit for limit in limits)]


def _marks(identity: HandIdentity, seen: dict[str, str], rng: np.random.Generator) -> list[str]:
    surface = identity.surface(seen["aspectOfHand"])
    moles = [mark for mark in surface.marks if mark.kind == "mole"]
    parts = [] if moles else ["no moles"]
    if len(moles) > 1:
        parts.append(f"{('two', 'three')[len(moles) - 2]} moles")
    for mole in moles:
        big = "big " if mole.size > 0.023 and rng.random() < 0.6 else ""
        parts.extend([f"a {big}mole {mole.where}"] * 2)
    for mark in surface.marks:
        if mark.kind == "scar":
            parts.append(f"a scar {mark.where}")
        elif mark.kind == "tattoo":
            parts.extend([f"{_TATTOOS[mark.figure]} {mark.where}"] * 2)
    if identity.freckles > 0.3:
        parts.append("freckles")
    return parts


def _back(identity: HandIdentity) -> list[str]:
    """Say what only the back of a hand shows."""
    parts = [
        _grade(identity.veins, (0.25, 0.6), ("smooth skin without veins", "veins", "strong veins"))
    ]
    parts.append(
        _grade(identity.wrinkles, (0.35, 0.65), ("few wrinkles", "wrinkles", "deep wrinkles"))
    )
    if identity.tendons > 0.6:
        parts.append("visible tendons")
    if identity.hair > 0.25:
        parts.append("dark hair" if identity.hair > 0.6 else "a little hair")
    if identity.redness > 0.75:
        parts.append("red knuckles")
    return parts


def _palm_lines(identity: HandIdentity, seen: dict[str, str]) -> list[str]:
    """Say how the lines of the palm run."""
    surface = identity.surface(seen["aspectOfHand"])
    parts = []
    if surface.broken:
        parts.append(f"a broken {surface.broken}")
    if surface.forked:
        parts.append(f"a forked {surface.forked}")
    heart_end = surface.heart[-1][0]
    parts.append(
        _grade(
            heart_end, (-0.22, -0.12), ("a long heart line", "a heart line", "a short heart line")
        )
    )
    drop = surface.head[0][1] - surface.head[-1][1]
    parts.append(
        _grade(drop, (0.2, 0.32), ("a flat head line", "a head line", "a steep head line"))
    )
    life = surface.life[-1][1]
    parts.append(
        _grade(life, (0.03, 0.1), ("a long life line", "a life line", "a short life line"))
    )
    parts.append("a vertical line in the palm" if surface.fate else "no vertical line in the palm")
    if identity.redness > 0.75:
        parts.append("red fingertips")
    return parts


def _nails(identity: HandIdentity, seen: dict[str, str], *, palmar: bool) -> list[str]:
    """Say how the nails look; from the palm only long ones are seen."""
    long = "long " if identity.nail_length > 0.05 else ""
    colour = f"{seen['polish']} " if seen["polish"] else ""
    if palmar:
        return [f"long {colour}nails"]
    parts = [f"{long}{identity.nail_shape} nails"]
    if colour:
        parts += [f"{colour}nails", f"{long}{identity.nail_shape} {colour}nails", "nail polish"]
    width = _grade(identity.nail_width, (0.62, 0.75), ("narrow nails", "", "wide nails"))
    return [*parts, width] if width else parts
