"""Pictures nobody has labelled: every image below a folder, for self-supervised training."""

from __future__ import annotations

from pathlib import Path

from promptreid.data.dataset import DataSet
from promptreid.data.folders.layout import describe_contents
from promptreid.data.folders.walk import Walk
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.readers.reader_options import ReaderOptions
from promptreid.errors import DataError
from promptreid.text.lists import counted


class Options(ReaderOptions):
    """Options of `images`: none of its own."""


def read(root: Path, options: Options) -> DataSet:
    """Read all images below a folder, however deep; each is an identity of its own.

    Hidden files and folders are left out, and each real folder is read once, whatever links lead
    to it. Everything is training data and nothing can be scored.

    Raises:
        DataError: When there is no such folder or no image in it.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; looked there for images.")
    walk = Walk(root)
    names = list(walk.images_below(root, walk.enter(root)))
    if not names:
        reasons = "".join(f" {sentence}" for sentence in (*walk.lost, *walk.notes))
        raise DataError(
            f"Looked in {root} for images, but it holds {describe_contents(root)}.{reasons}"
        )
    samples = [Sample(name, name, "train") for name in names]
    manifest = Manifest.of(root.name or "images", root, samples)
    note = (
        f"{counted(len(names), 'image')} without identities: each stands for itself, in training "
        "with labels: instance."
    )
    return DataSet(f"images:{root}", manifest, None, (note, *walk.notes), lost=walk.lost)
