"""Your own images in folders.

Flat: `ROOT/<identity>/*.jpg`. Identities are drawn for training and testing.
Split: `ROOT/{train,val,query,gallery,test}/<identity>/*.jpg`. `test` beside `query` is the
gallery; without `query` the roles of its images are drawn. Hidden files are left out, and so are
folders whose name means that nobody knows whom they show, such as `unknown`.
"""

from __future__ import annotations

from pathlib import Path

from promptreid.data.dataset import DataSet
from promptreid.data.manifest import Sample
from promptreid.data.readers.flat import FlatOptions, own_manifest, own_protocol, split_samples
from promptreid.data.readers.layout import contents, image_names, subfolders
from promptreid.data.unknown import rows_of_known_identity
from promptreid.errors import DataError
from promptreid.text.lists import few

ROLES = ("train", "val", "query", "gallery", "test", "distractor")


class Options(FlatOptions):
    """Options of `folder`."""


def read(root: Path, options: Options) -> DataSet:
    """Read images sorted into one folder per identity.

    Args:
        root: The folder.
        options: Checked options.

    Raises:
        DataError: When there is no such folder or no image in it, when there is a single
            identity or none is known, or when training and test share an identity.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; looked there for one folder per identity.")
    name = root.name or "folder"
    inside = [folder.name for folder in subfolders(root)]
    roles = [role for role in ROLES if role in inside and subfolders(root / role)]
    if roles:
        samples, notes = _read_split(root, roles, [n for n in inside if n not in ROLES])
    else:
        samples = _read_identities(root, "", "test")
        notes = _loose(root)
    if not samples:
        raise DataError(
            f"Looked in {root} for one folder of images per identity, but it holds "
            f"{contents(root)}."
        )
    kept, told = rows_of_known_identity(
        [sample.identity for sample in samples],
        [sample.split for sample in samples],
        options.unknown_words,
        source=str(root),
    )
    samples = [samples[row] for row in kept]
    notes += told
    if not roles:
        samples, told = split_samples(samples, options, name)
        notes += told
    manifest = own_manifest(name, root, samples, options, source=str(root))
    protocol, told = own_protocol(manifest, options)
    return DataSet(f"folder:{root}", manifest, protocol, (*notes, *told))


def _read_split(
    root: Path, roles: list[str], ignored: list[str]
) -> tuple[list[Sample], tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    samples = []
    for role in roles:
        split = "gallery" if role == "test" and "query" in roles else role
        samples += _read_identities(root / role, f"{role}/", split)
        notes += _loose(root / role)
    if ignored:
        notes += (f"Folders beside {', '.join(roles)} were left out: {few(ignored)}.",)
    return samples, notes


def _read_identities(folder: Path, prefix: str, split: str) -> list[Sample]:
    return [
        Sample(f"{prefix}{identity.name}/{name}", identity.name.strip(), split)
        for identity in subfolders(folder)
        for name in image_names(identity)
    ]


def _loose(folder: Path) -> tuple[str, ...]:
    """Say what does not lie directly in an identity's folder."""
    loose = image_names(folder)
    deep = [child.name for identity in subfolders(folder) for child in subfolders(identity)]
    notes = []
    if loose:
        notes.append(f"{len(loose):,} images directly in {folder} were left out: {few(loose)}.")
    if deep:
        notes.append(f"Folders inside identity folders of {folder} were left out: {few(deep)}.")
    return tuple(notes)
