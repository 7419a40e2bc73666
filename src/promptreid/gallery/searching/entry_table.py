"""What is known of every entry but its vector, column by column, in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.record_rows import EntryColumns
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.searching.growing_array import GrowingArray
from promptreid.gallery.searching.name_column import NameColumn


@dataclass(frozen=True)
class TableChange:
    """What became of a table.

    Attributes:
        anew: Whether everything was read anew, so that rows are others than before.
        kept: (rows before,) which rows are still there; None where all are. Those that are keep
            their order, and new ones stand behind them.
        touched: Numbers of the identities whose entries changed, before or after; empty where
            everything was read anew.
        grown: Those of them that were not there or have new entries, and whose others are as
            before.
        new: Number of new rows, which are the last ones.
    """

    anew: bool = False
    kept: NDArray[np.bool_] | None = None
    touched: frozenset[int] = frozenset()
    grown: frozenset[int] = frozenset()
    new: int = 0


class EntryTable:
    """The entries of a gallery as of one revision of its records, a row each.

    Identities have a code each, their place in `identity_numbers`; codes are given as identities
    come and stay until everything is read anew.

    Attributes:
        revision: Revision of the records that this is of; -1 for none.
        fingerprint: That of the model whose vectors are searched; None before the first.
        identity_numbers: Number of the identity of each code.
        identity_codes: Number of an identity to its code.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything; the next `refresh` reads all records."""
        self.revision = -1
        self.fingerprint: str | None = None
        self.identity_numbers: list[int] = []
        self.identity_codes: dict[int, int] = {}
        self._entries, self._codes = GrowingArray(np.int64), GrowingArray(np.int32)
        self._usable, self._visible = GrowingArray(bool), GrowingArray(bool)
        self._draws = GrowingArray(np.uint64)
        self._cameras, self._domains, self._attributes = NameColumn(), NameColumn(), NameColumn()
        self._times = GrowingArray(np.float64)
        self._rows_by_code: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    def refresh(self, records: Records) -> TableChange:
        """Take over what changed in the records; call it within `reading` or `writing`.

        Numbers of entries are never used again, so that rows that were here, but for those that
        were deleted, and rows that changed are all that there can be.
        """
        model, revision = records.model(), records.revision()
        fingerprint = None if model is None else model.fingerprint
        if revision < self.revision or fingerprint != self.fingerprint:
            self.clear()
            self.fingerprint = fingerprint
        anew, before = self.revision < 0, len(self)
        touched, changed = set[int](), set[int]()
        for columns in records.columns(self.revision):
            if not self._take(columns, changed):  # an entry has a vector that it had not
                self.clear()
                return self.refresh(records)
            touched.update(columns.identities.tolist())
        new = len(self) - before
        kept = self._drop_erased(records, changed)
        touched |= changed
        self.revision = revision
        self._rows_by_code = None
        if anew:
            return TableChange(anew=True)
        if kept is not None:
            kept = kept[:before]
        return TableChange(
            kept=kept, touched=frozenset(touched), grown=frozenset(touched - changed), new=new
        )

    def list_columns(self) -> tuple[dict[str, NDArray[Any]], dict[str, list[str]]]:
        """Return all that is known of the entries for `restore`, and of nothing that is gone.

        Returns:
            Columns by name, and of those that hold codes of names, these names.
        """
        columns = {name: column.values for name, column in self._list_arrays().items()}
        names: dict[str, list[str]] = {}
        for name, column in self._list_name_columns().items():
            names[name], columns[name] = column.list_used()
        columns["identities"] = np.array(self.identity_numbers, np.int64)
        return columns, names

    def restore(
        self,
        revision: int,
        fingerprint: str,
        columns: Mapping[str, NDArray[Any]],
        names: Mapping[str, Sequence[str]],
    ) -> None:
        """Become what another table was when `list_columns` was asked of it.

        Raises:
            KeyError: A column is missing.
        """
        self.clear()
        for name, column in self._list_arrays().items():
            column.replace(columns[name])
        for name, column in self._list_name_columns().items():
            column.replace(names[name], columns[name])
        self.identity_numbers = columns["identities"].tolist()
        self.identity_codes = {number: code for code, number in enumerate(self.identity_numbers)}
        self.revision, self.fingerprint = revision, fingerprint

    def _list_arrays(self) -> dict[str, GrowingArray]:
        return {
            "entries": self._entries,
            "codes": self._codes,
            "usable": self._usable,
            "visible": self._visible,
            "draws": self._draws,
            "times": self._times,
        }

    def _list_name_columns(self) -> dict[str, NameColumn]:
        return {
            "cameras": self._cameras,
            "domains": self._domains,
            "attributes": self._attributes,
        }

    def _take(self, columns: EntryColumns, changed: set[int]) -> bool:
        """Put in entries; return whether that is possible.

        The identities of those that were here are added to `changed`, before and after.
        """
        codes = self._find_or_make_codes(columns.identities)
        rows = self.find_rows(columns.entries)
        there = rows >= 0
        if there.any():
            known = rows[there]
            usable = columns.usable[there]
            if (usable != self._usable.values[known]).any():
                return False
            changed.update(self._find_numbers(known), columns.identities[there].tolist())
            self._codes.values[known] = codes[there]
            self._visible.values[known] = usable & ~columns.hidden[there]
        new = ~there
        for column, values in (
            (self._entries, columns.entries[new]),
            (self._codes, codes[new]),
            (self._usable, columns.usable[new]),
            (self._visible, (columns.usable & ~columns.hidden)[new]),
            (self._draws, columns.draws[new]),
            (self._times, columns.times[new]),
        ):
            column.extend(values)
        for names, texts in (
            (self._cameras, columns.cameras),
            (self._domains, columns.domains),
            (self._attributes, columns.attributes),
        ):
            names.extend([texts[place] for place in np.flatnonzero(new).tolist()])
        return True

    def _drop_erased(self, records: Records, changed: set[int]) -> NDArray[np.bool_] | None:
        """Take out entries that are not in the records any more; return which rows stay."""
        if self.revision < 0 or not records.deleted(self.revision):
            return None
        kept = np.isin(self.entries, records.entry_numbers(), assume_unique=True)
        changed.update(self._find_numbers(np.flatnonzero(~kept)))
        for column in (*self._list_arrays().values(), *self._list_name_columns().values()):
            column.keep(kept)
        return kept

    def _find_or_make_codes(self, identities: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the code of each of (N,) numbers of identities."""
        different, places = np.unique(identities, return_inverse=True)
        codes = np.empty(len(different), np.int32)
        for place, number in enumerate(different.tolist()):
            code = self.identity_codes.setdefault(number, len(self.identity_numbers))
            if code == len(self.identity_numbers):
                self.identity_numbers.append(number)
            codes[place] = code
        return codes[places]

    def _find_numbers(self, rows: NDArray[np.int64]) -> list[int]:
        """Return the numbers of the identities that some rows show, each once."""
        return [self.identity_numbers[code] for code in np.unique(self.codes[rows]).tolist()]

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def entries(self) -> NDArray[np.int64]:
        """(M,) numbers of the entries, ascending."""
        return self._entries.values

    @property
    def codes(self) -> NDArray[np.int32]:
        """(M,) codes of the identities."""
        return self._codes.values

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(M,) whether an entry may answer at all: it is not hidden and has a vector."""
        return self._visible.values

    @property
    def draws(self) -> NDArray[np.uint64]:
        """(M,) beginnings of the content hashes, which are as good as random draws."""
        return self._draws.values

    @property
    def camera_codes(self) -> NDArray[np.int32]:
        """(M,) codes of the cameras, -1 where unknown."""
        return self._cameras.codes

    @property
    def digest(self) -> str:
        """Number of entries, and a digest of which they are and of what content."""
        digest = hashlib.sha256(str(self.fingerprint).encode())
        digest.update(np.ascontiguousarray(self.entries).data)
        digest.update(np.ascontiguousarray(self.draws).data)
        return f"{len(self)}:{digest.hexdigest()}"

    def find_rows(self, entries: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of each of (N,) entries, -1 where there is none."""
        places = np.searchsorted(self.entries, entries)
        inside = np.minimum(places, len(self) - 1)
        there = (places < len(self)) & (self.entries[inside] == entries) if len(self) else False
        return np.where(there, places, -1)

    def find_codes(self, identities: Iterable[int]) -> list[int]:
        """Return the codes of those identities that have any, by number."""
        return [self.identity_codes[one] for one in identities if one in self.identity_codes]

    def find_cameras(self, rows: NDArray[np.int64]) -> list[str | None]:
        """Return the camera of each of some rows."""
        return [
            self._cameras.texts[code] if code >= 0 else None for code in self.camera_codes[rows]
        ]

    def find_camera_codes(self, cameras: Sequence[str | None]) -> NDArray[np.int64]:
        """Return the code of each camera, -2 where no entry is of it or it is not known."""
        return np.array([self._cameras.find(camera) for camera in cameras], np.int64)

    def list_rows(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return all rows of some identities, by code, in the order of the codes."""
        if self._rows_by_code is None:
            order = np.argsort(self.codes, kind="stable")
            ends = np.bincount(self.codes, minlength=len(self.identity_numbers)).cumsum()
            self._rows_by_code = order, np.concatenate([[0], ends])
        order, bounds = self._rows_by_code
        parts = [order[bounds[code] : bounds[code + 1]] for code in codes.tolist()]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def mask(self, filters: Filters, identities: Sequence[int] | None) -> NDArray[np.bool_]:
        """Say which rows may answer, (M,), but for what depends on the query.

        Args:
            filters: Conditions.
            identities: Numbers of the identities that they name; None where they name none.
        """
        allowed = self.visible.copy()
        if identities is not None:
            allowed &= np.isin(self.codes, self.find_codes(identities))
        for names, wanted in ((self._cameras, filters.cameras), (self._domains, filters.domains)):
            if wanted is not None:
                allowed &= np.isin(names.codes, [names.find(name) for name in wanted])
        if filters.since is not None:
            allowed &= self._times.values >= filters.since
        if filters.until is not None:
            allowed &= self._times.values <= filters.until
        if filters.attributes:
            fitting = [_has_all(json.loads(text), filters) for text in self._attributes.texts]
            allowed &= np.array([*fitting, False])[self._attributes.codes]
        return allowed


def _has_all(attributes: dict[str, str], filters: Filters) -> bool:
    return all(attributes.get(name) in values for name, values in filters.attributes.items())
