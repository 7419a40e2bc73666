"""The stores of records that the contract is held against, and what a test puts into them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from postgres_server import find_reason_not_run, share_server

from promptreid.gallery.records.open_records import create_records, open_records
from promptreid.gallery.records.record_rows import ModelRow, NewEntry, NewVector
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords

SETTINGS = {"aggregate": "best", "keep": "crops", "rate": "0.05"}
MODEL = ModelRow("f" * 64, 4, {"source": "somewhere"})
NEWER = ModelRow("e" * 64, 3, {"source": "elsewhere"}, text_width=2)


@dataclass(frozen=True)
class RecordStoreKind:
    """A store of records as tests use it.

    Attributes:
        name: What it is called in what tests print.
        new_place: Names a place for a store, given a folder of the test and a word.
        create: Makes empty records at a place, with settings.
        open: Opens the records of a place.
        reason_not_run: Says why it cannot be started here; None where it can.
    """

    name: str
    new_place: Callable[[Path, str], Any]
    create: Callable[[Any, dict[str, str]], Any]
    open: Callable[[Any], Any]
    reason_not_run: Callable[[], str | None] = lambda: None


SQLITE = RecordStoreKind(
    "sqlite", lambda folder, word: folder / word, SqliteRecords.create, SqliteRecords.open
)
POSTGRES = RecordStoreKind(
    "postgres",
    lambda folder, word: share_server().new_place(word),
    create_records,
    open_records,
    find_reason_not_run,
)
STORES = {kind.name: kind for kind in (SQLITE, POSTGRES)}


def make_entry(number, identity="anna", **changes) -> NewEntry:
    """Make an entry whose contents follow from a number."""
    made = NewEntry(
        content_hash=f"{number:064x}",
        identity=identity,
        camera="gate",
        time=100.5,
        domain="site",
        attributes={"coat": "red"},
        crop=bytes([number % 256]) * 10,
        path=f"/pictures/{number}.png",
        box="",
        vector=unit(4, number),
    )
    return replace(made, **changes)


def unit(width, number) -> np.ndarray:
    """Return the unit vector (width,) along one axis."""
    vector = np.zeros(width, np.float32)
    vector[number % width] = 1
    return vector


def add(records, *entries):
    """Enrol entries in a transaction, and return their numbers."""
    with records.writing():
        return records.add(entries)


def begin_newer(records, *numbers):
    """Begin the newer model, and give it vectors of some entries."""
    with records.writing():
        records.begin_model(NEWER)
        records.put_vectors(
            NEWER.fingerprint, [NewVector(n, unit(3, n), unit(2, n)) for n in numbers]
        )
