"""The gallery that `promptreid demo` ends with: test hands, and pictures to ask it about."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promptreid.progress import Progress

GALLERY, PHOTOS = "hands.gallery", "photos"
_STRANGERS = 4
"""One in so many test people is left out, so that there are strangers to ask about."""


RATE = 0.1
"""The part of strangers that may be taken for somebody. A model that learned for minutes puts the
right person first for three of four, but names hardly anybody at 1 stranger in 20."""


def make_demo_gallery(out: Path, spec: str, device: str | None, progress: Progress) -> Path:
    """Enrol test hands of the demo with its trained model, unless an earlier demo did.

    The first picture of everybody, and all of every fourth person, are not enrolled; they lie in
    `photos/enrolled` and `photos/strangers`, to be asked about.

    Returns:
        The gallery.
    """
    from promptreid.data.load_data import load_data
    from promptreid.gallery.enrolment import list_images
    from promptreid.gallery.gallery import Gallery
    from promptreid.gallery.gallery_settings import GallerySettings
    from promptreid.inference.load import load

    place, model = out / GALLERY, out / "clip-reid"
    embedder = load(model, device=device)
    if place.exists():
        gallery = Gallery.open(place, embedder)
    else:
        source, settings = str(model.absolute()), GallerySettings(rate=RATE)
        gallery = Gallery.create(place, embedder, source=source, settings=settings)
    manifest = load_data(spec).manifest
    manifest = manifest.select(manifest.indices("test"))
    people = list(dict.fromkeys(manifest.identities))
    strangers = set(people[::_STRANGERS])
    enrolled, asked = [], set()
    for row, person in enumerate(manifest.identities):
        if person in asked and person not in strangers:
            enrolled.append(row)
        elif person not in asked:
            asked.add(person)
            path = manifest.image(row).path
            kind = "strangers" if person in strangers else "enrolled"
            folder = out / PHOTOS / kind
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / f"{person}{path.suffix}".replace("/", "-"))
    images, names = list_images(manifest.select(enrolled))
    gallery.add(images, names, progress=progress)
    gallery.close()
    return place
