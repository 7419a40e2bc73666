"""Pictures nobody has labelled: every image below a folder, for self-supervised training."""

from __future__ import annotations

from pathlib import Path

from promptreid.data.dataset import DataSet
from promptreid.data.manifest import Manifest, Sample
from promptreid.data.readers.layout import contents, image_names, subfolders
from promptreid.data.readers.options import ReaderOptions
from promptreid.errors import DataError


class Options(ReaderOptions):
    """Options of `images`: none of its own."""


def read(root: Path, options: Options) -> DataSet:
    """Read all images below a folder, however deep; each is an identity of its own.

    Hidden files and folders are left out. Everything is training data and nothing can be scored.

    Args:
        root: The folder.
        options: Checked options.

    Raises:
        DataError: When there is no such folder or no image in it.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; looked there for images.")
    names = _below(root, "")
    if not names:
        raise DataError(f"Looked in {root} for images, but it holds {contents(root)}.")
    samples = [Sample(name, name, "train") for name in names]
    manifest = Manifest.of(root.name or "images", root, samples)
    note = f"{len(names):,} images without identities: for training with labels: instance only."
    return DataSet(f"images:{root}", manifest, None, (note,))


def _below(folder: Path, prefix: str) -> list[str]:
    found = [prefix + name for name in image_names(folder)]
    for child in subfolders(folder):
        found += _below(child, f"{prefix}{child.name}/")
    return found
