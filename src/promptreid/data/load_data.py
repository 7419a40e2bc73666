"""Read a data set that is named `NAME:ROOT[?key=value&…]`."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

from promptreid.data.data_spec import parse_spec
from promptreid.data.dataset import DataSet
from promptreid.data.manifest.name_spellings import note_spellings
from promptreid.data.reader_registry import reader_entry
from promptreid.data.readers.reader_options import OptionHelp, describe_options, parse_options
from promptreid.data.splits.train_on_all import train_on_all
from promptreid.errors import DataError
from promptreid.files import full_path
from promptreid.text.safe import visible


def load_data(spec: str, *, roles: bool = True) -> DataSet:
    """Read a data set by name.

    Args:
        spec: `NAME:ROOT[?key=value&…]`, for example `hands11k:/data/11k?aspect=dorsal_right`.
        roles: Whether images of one's own that have no roles are drawn for training and testing,
            which takes two identities; False for images and names alone.

    Returns:
        The data set. Images are not opened; `inspect_data` does that.

    Raises:
        ConfigError: When the spec, the name or an option is wrong (all options at once).
        DataError: When the data are not there or cannot be used.

    Example:
        >>> data = load_data("folder:photos")
        >>> len(data.manifest), len(set(data.manifest.identities))
        (60, 12)
    """
    parsed = parse_spec(spec)
    module = importlib.import_module(reader_entry(parsed.name).module)
    options = parse_options(parsed.name, module.Options, parsed.options)
    options = options if roles else options.without_roles()
    root = full_path(parsed.root)
    _check_mark(root)
    try:
        dataset = module.read(root, options)
    except OSError as error:
        place = error.filename or root
        raise DataError(f"{place} cannot be read: {error.strerror or error}.") from error
    notes = (*dataset.notes, *note_spellings(dataset.manifest))
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
    """List the options that the data set of a name takes in its spec.

    Raises:
        ConfigError: When there is no such data set.
    """
    return describe_options(importlib.import_module(reader_entry(name).module).Options)
