"""The gallery that `promptreid demo` ends with: other people's hands, and pictures to ask about."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from promptreid.cli.demo_hands import render_hands
from promptreid.seeds import derive_seed

if TYPE_CHECKING:
    from promptreid.progress import Lines

GALLERY, PHOTOS = "hands.gallery", "photos"
RATE = 0.1
"""The part of strangers that may be taken for somebody."""

NUISANCE = 0.1
"""Hands on a plate under a lamp, as a gate photographs them. A model that learned for minutes names
three of four of these; of hands held out freely in any light, as it learned from, one of seven."""

_STRANGERS = 4
"""One in so many people is left out, so that there are strangers to ask about."""


def make_demo_gallery(out: Path, people: int, seed: int, device: str | None, lines: Lines) -> Path:
    """Render people who were in no training and no test, and enrol them with the trained model.

    The first picture of everybody, and all of every fourth person, are not enrolled; they lie in
    `photos/enrolled` and `photos/strangers`, to be asked about. What an earlier demo did is kept.

    Returns:
        The gallery.
    """
    from promptreid.data.load_data import load_data
    from promptreid.gallery.enrolment import list_images
    from promptreid.gallery.gallery import Gallery
    from promptreid.gallery.gallery_settings import GallerySettings
    from promptreid.inference.load import load

    place, model = out / GALLERY, out / "clip-reid"
    hands = out / f"gate-{people}-seed{seed}"
    spec = render_hands(hands, people, derive_seed(seed, people), nuisance=NUISANCE, lines=lines)
    embedder = load(model, device=device)
    if place.exists():
        gallery = Gallery.open(place, embedder)
    else:
        source, settings = str(model.absolute()), GallerySettings(rate=RATE)
        gallery = Gallery.create(place, embedder, source=source, settings=settings)
    manifest = load_data(spec).manifest
    strangers = set(list(dict.fromkeys(manifest.identities))[::_STRANGERS])
    enrolled, asked = [], set()
    for row, person in enumerate(manifest.identities):
        if person not in asked:
            asked.add(person)
            folder = out / PHOTOS / ("strangers" if person in strangers else "enrolled")
            folder.mkdir(parents=True, exist_ok=True)
            path = manifest.image(row).path
            shutil.copyfile(path, folder / f"person {person}{path.suffix}")
        elif person not in strangers:
            enrolled.append(row)
    images, people_shown = list_images(manifest.select(enrolled))
    gallery.add(images, [f"person {person}" for person in people_shown], progress=lines)
    gallery.close()
    return place
