"""Draw the test anew where a folder has changed, so that nobody who trained is tested."""

from __future__ import annotations

import importlib
from collections.abc import Set as AbstractSet
from dataclasses import replace

from promptreid.data.data_spec import parse_spec
from promptreid.data.dataset import DataSet
from promptreid.data.reader_registry import reader_entry

_DRAWN = ("train", "test")


def keep_trained(dataset: DataSet, trained: AbstractSet[tuple[str, str]]) -> DataSet:
    """Let people who have trained stay training people; everybody else is tested.

    Args:
        dataset: One whose training identities were drawn (`dataset.drawn`).
        trained: Domain and identity of those who trained; the domain is empty where it is called
            as the data set.

    Returns:
        The data set with its test drawn among the others, and a note about it.

    Raises:
        ValueError: The data set says itself who trains.
    """
    if not dataset.drawn:
        raise ValueError(f"the training identities of {dataset.spec} are not drawn")
    from promptreid.data.readers.reader_options import parse_options
    from promptreid.data.splits.drawn_roles import choose_protocol

    manifest = dataset.manifest
    keys = [
        ("" if domain == manifest.name else domain, identity)
        for domain, identity in manifest.identity_keys()
    ]
    splits = [
        ("train" if key in trained else "test") if split in _DRAWN else split
        for key, split in zip(keys, manifest.splits, strict=True)
    ]
    used = manifest.with_splits(splits)
    parsed = parse_spec(dataset.spec)
    module = importlib.import_module(reader_entry(parsed.name).module)
    options = parse_options(parsed.name, module.Options, parsed.options)
    protocol, protocol_notes = choose_protocol(used, options)
    notes = tuple(dict.fromkeys((*dataset.notes, *protocol_notes)))
    return replace(dataset, manifest=used, protocol=protocol, notes=notes)
