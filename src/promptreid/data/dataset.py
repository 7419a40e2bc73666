"""A data set: its samples, how it is tested, and what its reader has to say about it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from promptreid.data.data_spec import parse_spec
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.name_spellings import spelling_notes
from promptreid.data.protocol import Protocol
from promptreid.data.reader_registry import reader_entry
from promptreid.errors import DataError
from promptreid.files import full_path
from promptreid.text.safe import visible

if TYPE_CHECKING:
    from promptreid.data.readers.reader_options import OptionHelp


@dataclass(frozen=True)
class DataSet:
    """What a reader returns.

    Attributes:
        spec: The name that the data was loaded by.
        manifest: All samples.
        protocol: How it is tested; None when there is nothing to test on.
        notes: Sentences for people: choices made, images left out, things to beware of.
        lost: Sentences on images that should be there and are not, such as links to nothing. They
            stop the work as images that cannot be read do.
        background: Names in the identity column that stand for no one identity, such as the boxes
            on other people in a gallery; they are tested against and never learned.
        own: Whether these are somebody's own data, so that no publication says which images train
            and validation may take some of them.
        drawn: Whether the identities that train were drawn, so that they are others when rows come
            or go.

    Raises:
        DataError: When the protocol uses a row that does not exist, or a training image though it
            is no protocol of a closed set; or when one of the two is of a closed set alone.
    """

    spec: str
    manifest: Manifest
    protocol: Protocol | None
    notes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    background: frozenset[str] = frozenset()
    own: bool = False
    drawn: bool = False

    def __post_init__(self) -> None:
        if self.protocol is None:
            return
        closed = self.protocol.closed
        if closed != self.manifest.closed:
            kinds = {True: "a closed set", False: "an open set"}
            raise DataError(
                f"Protocol {self.protocol.name!r} is for {kinds[closed]}, but the manifest "
                f"{self.manifest.name!r} is {kinds[self.manifest.closed]}."
            )
        gallery = ("gallery", "test", "distractor", *(("train",) if closed else ()))
        self.protocol.check(self.manifest, query=("query", "test"), gallery=gallery)


def load_data(spec: str) -> DataSet:
    """Read a data set by name.

    Args:
        spec: `NAME:ROOT[?key=value&…]`, for example `hands11k:/data/11k?aspect=dorsal_right`.

    Returns:
        The data set. Images are not opened; `inspect_data` does that.

    Raises:
        ConfigError: When the spec, the name or an option is wrong (all options at once).
        DataError: When the data are not there or cannot be used.
    """
    from promptreid.data.readers.reader_options import parse_options
    from promptreid.data.splits.train_on_all import train_on_all

    parsed = parse_spec(spec)
    entry = reader_entry(parsed.name)
    module = importlib.import_module(entry.module)
    options = parse_options(entry.name, module.Options, parsed.options)
    root = full_path(parsed.root)
    _check_mark(root)
    try:
        dataset = module.read(root, options)
    except OSError as error:
        place = error.filename or root
        raise DataError(f"{place} cannot be read: {error.strerror or error}.") from error
    notes = (*dataset.notes, *spelling_notes(dataset.manifest))
    dataset = replace(dataset, spec=spec, notes=notes)
    return train_on_all(dataset) if options.use == "all" else dataset


def _check_mark(root: Path) -> None:
    """Explain a root that ends too early, because a `?` in its name began the options."""
    if root.exists() or not root.parent.is_dir():
        return
    longer = [path for path in root.parent.iterdir() if path.name.startswith(f"{root.name}?")]
    if longer:
        raise DataError(
            f"{root} does not exist, but {visible(longer[0].name)} lies beside it. A ? that "
            "belongs to the path is written %3F."
        )


def data_options(name: str) -> tuple[OptionHelp, ...]:
    """List the options that a data set takes in its spec.

    Args:
        name: Name of the data set.

    Returns:
        Key, allowed values, default and description of each.

    Raises:
        ConfigError: When there is no such data set.
    """
    from promptreid.data.readers.reader_options import describe_options

    return describe_options(importlib.import_module(reader_entry(name).module).Options)
