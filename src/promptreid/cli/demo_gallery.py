"""The gallery that `promptreid demo` ends with: other people's hands, and pictures to ask about."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptreid.cli.demo_hands import render_hands
from promptreid.errors import RunError
from promptreid.files import write_json
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


_RECORD = "gallery.json"
"""Says of which people the gallery is to be, and whether all of them are enrolled."""

_VERSION = 1
"""Of who is enrolled and asked about; raised when that changes for the same people and seed."""


def check_demo_gallery(out: Path, people: int, seed: int) -> bool:
    """Return whether the gallery in the folder of a demo is finished.

    Raises:
        RunError: It is of other people, or of an earlier version, so that more of it would be a
            gallery of two demos.
    """
    record: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        record = json.loads((out / _RECORD).read_text(encoding="utf-8"))
    if (out / GALLERY).exists() and record | _describe(people, seed) != record:
        raise RunError(
            f"{out / GALLERY} was made by a demo of another version, or with other --identities or "
            f"another --seed, and this one would put other people among those. Give another --out, "
            f"or remove {out / GALLERY} and {out / PHOTOS}."
        )
    return (out / GALLERY).exists() and record["finished"]


def make_demo_gallery(out: Path, people: int, seed: int, device: str | None, lines: Lines) -> Path:
    """Render people who were in no training and no test, and enrol them with the trained model.

    The first picture of everybody, and all of every fourth person, are not enrolled; they lie in
    `photos/enrolled` and `photos/strangers`, to be asked about. A gallery that is finished stays as
    it is, with all that was changed in it since.

    Returns:
        The gallery.

    Raises:
        RunError: As `check_demo_gallery` says.
        GalleryError: The gallery that is there is of another model.
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
    if check_demo_gallery(out, people, seed):
        Gallery.open(place, embedder).close()
        lines.message(f"the gallery is there already: {place}")
        return place
    if place.exists():
        gallery = Gallery.open(place, embedder)
    else:
        write_json(out / _RECORD, {**_describe(people, seed), "finished": False})
        source, settings = str(model.absolute()), GallerySettings(rate=RATE)
        gallery = Gallery.create(place, embedder, source=source, settings=settings)
    with contextlib.closing(gallery):
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
    write_json(out / _RECORD, {**_describe(people, seed), "finished": True})
    return place


def _describe(people: int, seed: int) -> dict[str, int]:
    """Return what a gallery of a demo hangs on."""
    return {"version": _VERSION, "people": people, "seed": seed}
