"""Enrolling people in a gallery, as the command `gallery add` and Python do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from promptreid.actions.searches.search_checks import check_is_file
from promptreid.data.images.image_formats import SUFFIXES
from promptreid.data.images.readable import load_shown
from promptreid.errors import ConfigError
from promptreid.gallery.enrolment import Enrolled, list_images
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.vector_model import GalleryImage
from promptreid.inference.shards.shard_job import JOB_FILE
from promptreid.progress import Lines, Progress
from promptreid.text.lists import list_words


def enrol(
    gallery: Gallery,
    *sources: str | os.PathLike[str],
    identity: str | None = None,
    camera: str | None = None,
    splits: str | Sequence[str] = (),
    prefix: str = "",
    unreadable: str = "stop",
    progress: Progress | None = None,
) -> Enrolled:
    """Enrol data sets, what `embed` made of them, or image files of one identity.

    The arguments are those of `promptreid gallery add`. Content that is enrolled already is passed
    over, so that a call that was stopped goes on where it was when it is made again.

    Args:
        gallery: The gallery; with its model, unless all sources are folders that `embed` made.
        sources: Data sets such as "folder:crops", folders that `embed` made, or image files.
        identity: Who is shown; `sources` are image files then.
        camera: The camera of these image files.
        splits: Enrol only these roles of the data, such as "gallery".
        prefix: What is put before the names of a data set.
        unreadable: "stop" at images that cannot be decoded, or "skip" them.
        progress: Where to report; None for lines on standard error.

    Returns:
        What was enrolled, what was there, and what is enrolled under another name.

    Raises:
        ConfigError: Arguments exclude each other.
        DataError: A data set or an image file is not there, or cannot be read.
        GalleryError: The gallery was opened without a model, or a name is empty.

    Example:
        >>> gallery = promptreid.create_gallery("gate.gallery", "runs/mine", device="cpu")
        >>> promptreid.enrol(gallery, "folder:photos").added
        60
    """
    progress = progress or Lines()
    roles = list_words(splits)
    if identity is not None:
        return _enrol_files(gallery, sources, identity, camera, progress)
    if camera is not None:
        raise ConfigError("camera goes with identity; data sets name cameras themselves.")
    total = Enrolled()
    for source in [os.fspath(source) for source in sources]:
        if is_embedded(source):
            if roles:
                raise ConfigError("splits do not go with a folder of `promptreid embed`.")
            total += gallery.add_embedded(source, prefix=prefix, progress=progress)
        elif Path(source).is_file() and Path(source).suffix.lower() in SUFFIXES:
            raise ConfigError(
                f"{source} is an image file; say whom it shows by --identity NAME (identity=)."
            )
        else:
            total += _enrol_data(gallery, source, roles, prefix, unreadable, progress)
    return total


def is_embedded(source: str) -> bool:
    """Tell whether a source is a folder that `promptreid embed` made."""
    return (Path(source) / JOB_FILE).is_file()


def _enrol_files(
    gallery: Gallery,
    sources: Sequence[str | os.PathLike[str]],
    identity: str,
    camera: str | None,
    progress: Progress,
) -> Enrolled:
    paths = [Path(source) for source in sources]
    for path in paths:
        check_is_file(path)
    images = [GalleryImage(path, camera=camera) for path in paths]
    return gallery.add(images, [identity] * len(images), progress=progress)


def _enrol_data(
    gallery: Gallery,
    spec: str,
    roles: tuple[str, ...],
    prefix: str,
    unreadable: str,
    progress: Progress,
) -> Enrolled:
    with progress.doing(f"enrolling {spec}"):
        data = load_shown(spec, policy=unreadable, progress=progress, roles=bool(roles))
        for note in (*data.lost, *data.notes) if unreadable == "stop" else ():
            progress.detail(note)
        manifest = data.manifest
        rows = [
            row
            for row in manifest.indices(*roles)
            if data.manifest.identities[row] not in data.background
        ]
        images, names = list_images(manifest.select(rows))
        return gallery.add(images, [prefix + name for name in names], progress=progress)
