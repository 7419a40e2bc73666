"""English captions of synthetic people, from what can be seen in the picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from promptreid.synth.people.people_domain import SITES
from promptreid.synth.people.people_render import PersonPicture
from promptreid.synth.people.person_identity import PersonIdentity

Wanted = Callable[[float], bool]
"""Decides whether an attribute is named, more often for a larger bonus."""

_OPENINGS = (
    "a photo of {}",
    "a photo of {}",
    "a picture of {}",
    "an image of {}",
    "a surveillance photo of {}",
    "{}",
    "this is {}",
)
_VIEWS = {
    "front": ("seen from the front", "facing the camera"),
    "back": ("seen from behind", "with their back to the camera"),
    "left": ("seen from the side", "walking to the left", "facing left"),
    "right": ("seen from the side", "walking to the right", "facing right"),
}
_HAIR_WORDS = {"ponytail": "{} hair in a ponytail", "bob": "a {} bob", "bun": "{} hair in a bun"}
_LOGO_WORDS = {"text": "{} lettering", "bar": "a {} bar"}
_PAIRS = ("trousers", "jeans", "shorts")


def caption(identity: PersonIdentity, picture: PersonPicture, rng: np.random.Generator) -> str:
    """Describe a picture.

    Args:
        identity: Who is in it; gives the build, which no attribute holds.
        picture: What can be seen; nothing else is claimed.
        rng: Chooses which attributes to name, and the wording.

    Returns:
        At most 30 lower-case ASCII words, from a vocabulary of under 400, without a full stop.
    """
    seen = picture.attributes
    detail = float(rng.choice((0.0, 0.35, 0.65, 0.9), p=(0.06, 0.24, 0.4, 0.3)))

    def wanted(bonus: float) -> bool:
        return detail > 0 and bool(rng.random() < detail + bonus)

    subject = _subject(identity, seen, rng)
    with_parts = _with_parts(seen, wanted)
    worn = _worn(seen, wanted, rng)
    words = subject
    if with_parts:
        words += " with " + _join(with_parts)
    if worn:
        words += (" wearing " if rng.random() < 0.4 else " in ") + _join(worn)
    if seen["bag"] and wanted(0.0):
        verb = "carrying" if rng.random() < 0.7 else "with"
        words += f" {verb} {_article(seen['bag_colour'] + ' ' + seen['bag'])}"
    tail = ""
    if wanted(-0.25):
        choices = _VIEWS[seen["view"]]
        tail += ", " + choices[int(rng.integers(len(choices)))]
    if wanted(-0.45):
        tail += " " + _place(seen["domain"])
    text = _OPENINGS[int(rng.integers(len(_OPENINGS)))].format(words)
    return text + tail if len((text + tail).split()) <= 30 else _shorten(text)


def _subject(identity: PersonIdentity, seen: Mapping[str, str], rng: np.random.Generator) -> str:
    noun = seen["gender"] if rng.random() < 0.75 else "person"
    build = ""
    if identity.width > 1.13:
        build = "heavy"
    elif identity.width < 0.88:
        build = "slim"
    return _article(f"{build} {noun}") if build and rng.random() < 0.3 else _article(noun)


def _with_parts(seen: Mapping[str, str], wanted: Wanted) -> list[str]:
    parts = []
    if seen["hair"] == "bald":
        if wanted(-0.1):
            parts.append("a bald head")
    elif seen["hair"] and wanted(-0.1):
        pattern = _HAIR_WORDS.get(seen["hair"], f"{seen['hair']} {{}} hair")
        parts.append(pattern.format(seen["hair_colour"]))
    if seen["glasses"] and wanted(-0.3):
        parts.append("glasses")
    return parts


def _worn(seen: Mapping[str, str], wanted: Wanted, rng: np.random.Generator) -> list[str]:
    parts = []
    if wanted(0.2):
        upper = _garment(seen["upper_colour"], seen["upper_texture"], seen["upper_type"], wanted)
        if seen["logo"] and wanted(0.0):
            colour, shape = seen["logo"].split()
            logo = _LOGO_WORDS.get(shape, f"a {{}} {shape}").format(colour)
            upper += " with " + _fix_article(logo)
        parts.append(upper)
    if seen["lower_type"] and wanted(0.1):
        parts.append(
            _garment(seen["lower_colour"], seen["lower_texture"], seen["lower_type"], wanted)
        )
    if seen["shoes"] and wanted(-0.15):
        parts.append(f"{seen['shoe_colour']} {seen['shoes']}")
    if seen["hat"] and wanted(-0.1):
        parts.append(_article(f"{seen['hat_colour']} {seen['hat']}"))
    return parts


def _garment(colour: str, texture: str, kind: str, wanted: Wanted) -> str:
    words = [colour, kind] if texture == "plain" or not wanted(0.0) else [colour, texture, kind]
    phrase = " ".join(words)
    return phrase if kind in _PAIRS else _article(phrase)


def _article(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def _fix_article(phrase: str) -> str:
    return _article(phrase[2:]) if phrase.startswith("a ") else phrase


def _join(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _place(domain: str) -> str:
    # Later sites carry a number after the name of their kind.
    return next(site.phrase for site in SITES if domain.startswith(site.name))


def _shorten(text: str) -> str:
    """Keep at most 30 words, cut where a phrase ends."""
    words = text.split()
    if len(words) <= 30:
        return text
    cut = " ".join(words[:30])
    return cut[
        : max(cut.rfind(" and "), cut.rfind(","), cut.rfind(" with "), cut.rfind(" carrying "))
    ]
