"""A table beside a folder of images, which keeps all that a data set says."""

from __future__ import annotations

import re
from dataclasses import replace

from promptreid.data.data_spec import parse_spec
from promptreid.data.dataset import DataSet
from promptreid.data.layouts.export_plan import ExportPlan, image_ranks, name_ending
from promptreid.data.layouts.exported_names import number_keys
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.manifest.unknown_values import NAMES, UnknownWords
from promptreid.data.tables.box_columns import find_box_columns

_DRAWS = ("repeats", "gallery_per_identity", "seed")
"""Options that say how queries and galleries are drawn, which no column holds."""
_UNSAFE = re.compile(r"[^\w.-]+")


def plan_table(dataset: DataSet) -> ExportPlan:
    """Plan `NAME.csv` and `images/0001/000123.jpg`; rows keep their order, draws their results."""
    manifest = dataset.manifest
    numbers = number_keys(manifest.identity_keys())
    ranks = image_ranks(manifest)
    folders = [f"images/{numbers[key]:04d}" for key in manifest.identity_keys()]
    paths = tuple(
        f"{folder}/{ranks[row]:06d}{name_ending(manifest, row)}"
        for row, folder in enumerate(folders)
    )
    name = _UNSAFE.sub("-", manifest.name).strip("-.") or "data"
    written = replace(manifest, paths=paths, boxes=(None,) * len(paths))
    return ExportPlan(
        rows=tuple(range(len(manifest))),
        paths=paths,
        reader="csv",
        options=_reading_options(dataset),
        place=f"{name}.csv",
        table=(f"{name}.csv", written),
    )


def _reading_options(dataset: DataSet) -> dict[str, str]:
    """Return the options with which the table is read as it was meant."""
    manifest = dataset.manifest
    options = {}
    if manifest.closed:
        options["identities"] = "closed"
    if _holds_words_for_unknown(manifest):
        options["unknown"] = "keep"
    if find_box_columns(list(manifest.attributes)):
        options["boxes"] = "ignore"
    if dataset.protocol is not None:
        options["same_camera"] = dataset.protocol.same_camera
    if dataset.spec and "test" in manifest.splits:
        told = parse_spec(dataset.spec).options
        options |= {name: told[name] for name in _DRAWS if name in told}
    return options


def _holds_words_for_unknown(manifest: Manifest) -> bool:
    """Tell whether a name or a value is a word that a table takes for "not known"."""
    words = UnknownWords()
    names = (manifest.identities, manifest.cameras, manifest.views)
    columns = {**dict(zip(NAMES, names, strict=True)), "domain": manifest.domains}
    return any(
        cell and words.means_unknown(cell, column)
        for column, cells in {**columns, **manifest.attributes}.items()
        for cell in set(cells)
    )
