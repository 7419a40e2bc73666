"""The null sample of the model that will be searched next, computed before the switch."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.record_rows import EntryColumns, ModelRow
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.aggregate import Aggregate
from promptreid.gallery.searching.entry_table import EntryTable, TableChange
from promptreid.gallery.searching.identity_ranking import IdentityRanking
from promptreid.gallery.searching.indexes import index_choice
from promptreid.gallery.searching.indexes.bits_index import BitsIndex
from promptreid.gallery.searching.indexes.exact_index import ExactIndex
from promptreid.gallery.searching.indexes.index_choice import delete_files
from promptreid.gallery.searching.indexes.vector_index import Index
from promptreid.gallery.searching.null_sample import NullSample, null_from_scratch, update_null
from promptreid.progress import Progress


class NextNullSample:
    """A null sample that follows the records, of a model whose vectors are beside the others.

    So the switch need not wait for it: it is computed while others write, and brought up to date
    within the transaction. Where many are enrolled, the vectors are not held in memory but searched
    by codes, as a gallery in a folder is then, from files that are gone afterwards. Those of a
    database are temporary files of this machine, which have no name any more once they are read.
    """

    def __init__(self, aggregate: Aggregate, model: ModelRow, folder: Path | None) -> None:
        """Take how images become one score, and the model that is searched next.

        Args:
            aggregate: How images become one score.
            model: The model.
            folder: Where files of an index are (`Records.derived`); None for temporary files.
        """
        self._model = model
        self._folder = None if folder is None else folder / "next"
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._table, self._index = EntryTable(), cast("Index", ExactIndex())
        self._ranking = IdentityRanking(aggregate, self._table, self._index)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Remove the files."""
        self._index.close()
        if self._temporary is not None:
            self._temporary.cleanup()
        if self._folder is not None and self._folder.is_dir():
            delete_files(self._folder)
            with contextlib.suppress(OSError):  # it holds files of the gallery's own index
                self._folder.parent.rmdir()

    def read(self, records: Records) -> None:
        """Read all vectors of the model; call it within `reading`."""
        if records.count_entries() >= index_choice.BITS_FROM:
            self._index = self._ranking.index = BitsIndex(self._find_folder())
        self._follow(cast("Records", _AsIfSearched(records, self._model)))
        if self._temporary is not None:
            with contextlib.suppress(OSError):  # a system that keeps what is open
                delete_files(Path(self._temporary.name))

    def compute(self, progress: Progress) -> None:
        """Compute the null sample of what was read, which takes long where many are enrolled."""
        self._sample = null_from_scratch(self._ranking, progress=progress)

    def update(self, records: Records) -> NullSample:
        """Return the null sample of now; call it where the model has become the searched one."""
        change = self._follow(records)
        if change.anew:
            return null_from_scratch(self._ranking)
        return update_null(self._ranking, self._sample, change).apply(self._sample)

    def _find_folder(self) -> Path:
        if self._folder is not None:
            return self._folder
        self._temporary = tempfile.TemporaryDirectory(
            prefix="promptreid-", ignore_cleanup_errors=True
        )
        return Path(self._temporary.name)

    def _follow(self, records: Records) -> TableChange:
        """Read what changed."""
        change = self._table.refresh(records)
        self._index.follow(self._table, change, records)
        self._ranking.forget()
        return change


class _AsIfSearched:
    """Records as if a model that is beside was the one that is searched."""

    def __init__(self, records: Records, model: ModelRow) -> None:
        self._records, self._model = records, model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    def model(self) -> ModelRow:
        """Return the model that is beside."""
        return self._model

    def columns(self, since: int = -1) -> Iterator[EntryColumns]:
        """Give columns of entries, usable where they have a vector of the model."""
        return self._records.columns(since, model=self._model.fingerprint)

    def vectors(self, entries: Sequence[int]) -> NDArray[np.float32]:
        """Return vectors of the model."""
        return self._records.vectors(entries, model=self._model.fingerprint)
