"""What is known of every entry, in a file beside the records, so that opening reads little of them.

The file says of which transaction it is, and has the stamp of that; whatever changed since is read
from the records. It is never trusted beyond its digest, and can be made anew at any time. An
erasure deletes it with all that is no segment.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptreid.files import replacing
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.entry_table import EntryTable
from promptreid.gallery.searching.indexes.row_segments import TABLE_FILE
from promptreid.gallery.searching.indexes.segment_guard import holding_segments

_FORMAT = 1
_LAG = 500
"""Transactions after which the file is written anew; records know the stamps of twice as many."""
_PART = 16
"""It is written anew, too, when one in so many entries is new or gone."""


class TableFile:
    """The file of the table of one gallery."""

    def __init__(self, folder: Path) -> None:
        """Take the folder of derived files, which need not be there."""
        self._folder = folder
        self._path = folder / TABLE_FILE
        self._revision, self._count = -1, 0
        """Of what was written or read last."""

    def load(self, table: EntryTable, records: Records) -> None:
        """Let a table be what the file holds, if that was a state of these records.

        Call it within `reading` or `writing`; `EntryTable.refresh` then reads what changed since.
        """
        model = records.model()
        if model is None:
            return
        try:
            with self._path.open("rb") as file:
                header = json.loads(file.readline())
                if (header["format"], header["fingerprint"]) != (_FORMAT, model.fingerprint):
                    return
                revision = header["revision"]
                if revision > records.revision() or records.stamp(revision) != header["stamp"]:
                    return
                names, columns = _read(file, header)
            table.restore(revision, model.fingerprint, columns, names)
        except (OSError, ValueError, KeyError, TypeError):  # not there, cut off or damaged
            return
        self._revision, self._count = revision, len(table)

    def keep(self, table: EntryTable, records: Records) -> None:
        """Write a table that is committed, if the file is far from it.

        Nothing is written of what somebody erases at this moment, where there is no segment, or
        where it cannot be written.
        """
        if not self._folder.is_dir():
            return
        changed = abs(len(table) - self._count) * _PART > len(table)
        is_near = 0 <= table.revision - self._revision < _LAG and not changed
        if table.fingerprint is None or (is_near and self._path.is_file()):
            return
        with (
            contextlib.suppress(OSError),
            holding_segments(self._folder, wait=False) as is_held,
        ):
            stamp = records.stamp(table.revision)
            if is_held and records.revision() == table.revision and stamp is not None:
                with replacing(self._path) as temporary:
                    _write(temporary, table, stamp)
                self._revision, self._count = table.revision, len(table)


def _write(path: Path, table: EntryTable, stamp: str) -> None:
    values, texts = table.list_columns()
    columns = {name: np.ascontiguousarray(one) for name, one in values.items()}
    names = json.dumps(texts).encode()
    digest = hashlib.sha256(names)
    for column in columns.values():
        digest.update(column.data)
    header = {
        "format": _FORMAT,
        "fingerprint": table.fingerprint,
        "revision": table.revision,
        "stamp": stamp,
        "names": len(names),
        "columns": [[name, one.dtype.str, len(one)] for name, one in columns.items()],
        "digest": digest.hexdigest(),
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(json.dumps(header).encode() + b"\n" + names)
        for column in columns.values():
            file.write(column.data)


def _read(
    file: io.BufferedReader, header: dict[str, Any]
) -> tuple[dict[str, list[str]], dict[str, NDArray[Any]]]:
    """Return names and columns.

    Raises:
        ValueError: They are not what was written.
    """
    names = file.read(header["names"])
    digest, columns = hashlib.sha256(names), {}
    for name, dtype, count in header["columns"]:
        column = np.empty(count, dtype)
        if file.readinto(column.data) != column.nbytes:
            raise ValueError("the file is cut off")
        digest.update(column.data)
        columns[name] = column
    if digest.hexdigest() != header["digest"]:
        raise ValueError("the digest does not fit")
    return json.loads(names), columns
