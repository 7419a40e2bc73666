"""Folders of identities in folders of roles, for people and for classifiers of images."""

from __future__ import annotations

from promptreid.data.dataset import DataSet
from promptreid.data.layouts.export_plan import ExportPlan, image_ranks, name_ending
from promptreid.data.layouts.exported_names import are_folder_names, names_table, number_keys
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.unknown_values import UnknownWords
from promptreid.text.lists import listed


def plan_folders(dataset: DataSet) -> ExportPlan:
    """Plan `train/anna/000123.jpg`.

    Where identities have names that no folder can have, or are of several domains, folders are
    called by numbers and `identities.csv` says whose they are.
    """
    manifest = dataset.manifest
    keys = manifest.identity_keys()
    names = {name for _, name in keys}
    tables, folders = {}, dict.fromkeys(keys, "")
    if len(set(manifest.domains)) == 1 and are_folder_names(names):
        folders = {key: key[1] for key in keys}
    else:
        numbers = number_keys(keys)
        folders = {key: f"{number:04d}" for key, number in numbers.items()}
        tables["identities.csv"] = names_table(numbers)
    ranks = image_ranks(manifest)
    options = {"identities": "closed"} if manifest.closed else {}
    words = UnknownWords()
    if any(words.means_unknown(name, "identity") for name in folders.values()):
        options["unknown"] = "keep"
    return ExportPlan(
        rows=tuple(range(len(manifest))),
        paths=tuple(
            f"{split}/{folders[key]}/{ranks[row]:06d}{name_ending(manifest, row)}"
            for row, (split, key) in enumerate(zip(manifest.splits, keys, strict=True))
        ),
        reader="folder",
        options=options,
        tables=tables,
        notes=_left_behind(manifest),
    )


def _left_behind(manifest: Manifest) -> tuple[str, ...]:
    """Say which columns the layout has no place for."""
    columns = ["cameras"] if any(manifest.cameras) else []
    columns += ["views"] if any(manifest.views) else []
    columns += [f"attribute {name}" for name in manifest.attributes]
    if not columns:
        return ()
    return (f"The layout has no place for {listed(columns)}; --layout csv keeps them.",)
