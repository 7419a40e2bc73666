"""From marked boxes to a data set: names, roles, protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from promptreid.data.annotations.box_options import BoxOptions, PictureOptions
from promptreid.data.annotations.marked_box import MarkedBox
from promptreid.data.annotations.taken_boxes import Image, take_marked
from promptreid.data.dataset import DataSet
from promptreid.data.folders.listed_images import find_listed
from promptreid.data.manifest.manifest import Sample
from promptreid.data.manifest.unknown_values import clear_unknown, find_known_identities
from promptreid.data.splits.drawn_roles import choose_protocol, make_manifest, split_samples
from promptreid.errors import DataError
from promptreid.files import full_path

WITHIN_VIDEO = (
    "Each identity is of one video, so that query and match have background, light and clothes in "
    "common: scores are higher than across cameras."
)


def make_boxed_data(
    boxes: Sequence[MarkedBox],
    root: Path,
    options: BoxOptions,
    *,
    name: str,
    source: str,
    visibility: float = 0.0,
    notes: tuple[str, ...] = (),
) -> DataSet:
    """Make a data set of the boxes that are taken.

    Images are cut out when they are decoded; no picture is opened here.

    Args:
        boxes: All that was marked.
        root: Folder that the pictures' paths start from.
        options: What is taken, and how roles are drawn where the file names none.
        name: Name of the data set.
        source: Where the boxes come from, for messages.
        visibility: As for `take_marked`.
        notes: What the reader has to say so far.

    Raises:
        DataError: When nothing is taken, no identity is known, pictures are missing, or test images
            show identities that train.
    """
    taken, taken_notes = take_marked(boxes, options, source=source, visibility=visibility)
    taken, known_notes = _with_known_identity(taken, options, source=source)
    taken, missing_notes = _with_pictures(taken, root, options, source=source)
    samples, cleared = _make_samples(taken, options)
    split_notes: tuple[str, ...] = ()
    drawn = not any(sample.split for sample in samples)
    if drawn:
        samples, split_notes = split_samples(samples, options, name)
    manifest = make_manifest(name, root, samples, options, source=source)
    protocol, protocol_notes = choose_protocol(manifest, options)
    said = (*notes, *taken_notes, *known_notes, *missing_notes, *cleared, *split_notes)
    return DataSet(
        source,
        manifest,
        protocol,
        (*said, *protocol_notes),
        own=True,
        drawn=drawn and not manifest.closed,
    )


def find_picture_root(file: Path, images: Path | None, first: str) -> Path:
    """Find the folder that the names of pictures start from.

    Args:
        file: The file that names them.
        images: The folder that the user named, if any.
        first: The first picture that the file names.

    Returns:
        That folder; else the first place in which the picture lies, or the folder of the file.
    """
    if images is not None:
        return full_path(images)
    above, part = file.parent.parent, file.stem.rpartition("_")[2]  # instances_train2017
    around = [file.parent, file.parent / "images", above, above / "images"]
    around += [above / "images" / part, above / part]
    return next((folder for folder in around if (folder / first).is_file()), file.parent)


def _with_known_identity(
    taken: list[Image], options: BoxOptions, *, source: str
) -> tuple[list[Image], tuple[str, ...]]:
    identities = [marked.identity for marked, _ in taken]
    splits = [marked.split for marked, _ in taken]
    known, notes = find_known_identities(identities, splits, options.unknown_words, source=source)
    return [taken[row] for row in known], notes


def _with_pictures(
    taken: list[Image], root: Path, options: BoxOptions, *, source: str
) -> tuple[list[Image], tuple[str, ...]]:
    """Keep the boxes whose pictures are there, under the names that the disk has for them."""
    pictures = list(dict.fromkeys(marked.picture for marked, _ in taken))
    try:
        existing, notes = find_listed(pictures, root, missing=options.missing, listed_in=source)
    except DataError as error:
        if not isinstance(options, PictureOptions):
            raise
        raise DataError(
            f"{error} The option images=DIR names the folder of the pictures."
        ) from None
    names = {pictures[row]: path for row, path in existing}
    return [
        (replace(marked, picture=names[marked.picture]), box)
        for marked, box in taken
        if marked.picture in names
    ], notes


def _make_samples(
    taken: Sequence[Image], options: BoxOptions
) -> tuple[list[Sample], tuple[str, ...]]:
    """Write what is known of each image into its row; words for "not known" become empty."""
    columns: dict[str, list[str | None]] = {}
    notes: list[str] = []
    for column in ("camera", "view", "domain"):
        cells = [getattr(marked, column) for marked, _ in taken]
        columns[column], said = clear_unknown(cells, column, options.unknown_words)
        notes += said
    samples = [
        Sample(
            path=marked.picture,
            identity=marked.identity.strip(),
            split=marked.split,
            camera=columns["camera"][row],
            view=columns["view"][row],
            domain=columns["domain"][row] or "",
            attributes=_describe(marked),
            box=box,
        )
        for row, (marked, box) in enumerate(taken)
    ]
    return samples, tuple(notes)


def _describe(marked: MarkedBox) -> Mapping[str, str]:
    """Return what is known of a box beside its names, as free columns."""
    frame, visible = marked.frame, marked.visibility
    return {
        key: value
        for key, value in {
            "label": marked.label,
            "sequence": marked.sequence,
            "frame": "" if frame is None else str(frame),
            "visibility": "" if visible is None else f"{visible:.3g}",
            **marked.attributes,
        }.items()
        if value
    }
