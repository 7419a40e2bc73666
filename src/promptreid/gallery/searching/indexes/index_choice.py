"""Which index a gallery is searched by."""

from __future__ import annotations

import shutil
from pathlib import Path

from promptreid.errors import GalleryError, unknown_name
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.searching.indexes.bits_index import BitsIndex
from promptreid.gallery.searching.indexes.exact_index import ExactIndex
from promptreid.gallery.searching.indexes.pgvector_index import PgvectorIndex, SearchingRecords
from promptreid.gallery.searching.indexes.vector_index import Index
from promptreid.progress import Progress

AUTOMATIC = "auto"
MILVUS = "milvus://"
KINDS = (AUTOMATIC, "exact", "bits", "pgvector", "hnsw", f"{MILVUS}HOST:PORT/COLLECTION")
"""What can be asked for."""

FINDING_ALL = ("exact", "pgvector")
"""Those that miss nothing; the others find all as far as was measured."""

BITS_FROM = 65536
"""Entries from which on codes are compared first, where nothing else is asked for."""


def check_index(name: str) -> str:
    """Return the name of an index.

    Raises:
        GalleryError: There is none of that name.
    """
    if name not in KINDS[:-1] and not name.startswith(MILVUS):
        raise GalleryError(unknown_name("index", name, KINDS))
    return name


def choose_index(
    name: str, entries: int, records: Records, current: Index, progress: Progress
) -> Index:
    """Return the index that so many entries are to be searched by; the current one where it fits.

    Args:
        name: One of `KINDS`.
        entries: Number of entries.
        records: What they are in.
        current: The index so far.
        progress: Told of an index that is made.

    Raises:
        GalleryError: The index does not go with the records, or its server cannot be reached.
    """
    folder = records.derived
    if name == "bits" and folder is None:
        raise GalleryError(
            "The index `bits` keeps vectors in a folder beside the records, and these records are "
            "in none. Leave the choice to the gallery, or ask for `exact`."
        )
    if name in ("pgvector", "hnsw") and not isinstance(records, SearchingRecords):
        raise GalleryError(
            f"The index {name} searches records in PostgreSQL, and {records.place} is a folder."
        )
    if folder is not None and name not in (AUTOMATIC, "bits"):
        delete_files(folder)
    if name.startswith(MILVUS):
        return current if current.kind == "milvus" else _open_milvus(name)
    kind = "pgvector" if name == AUTOMATIC and isinstance(records, SearchingRecords) else name
    if kind in ("pgvector", "hnsw"):
        return current if current.kind == kind else PgvectorIndex(graph=kind == "hnsw")
    # What files hold of an entry is wiped by the index that reads them, so it is used if there are.
    many = folder is not None and (entries >= BITS_FROM or folder.is_dir())
    if folder is not None and (name == "bits" or (name == AUTOMATIC and many)):
        return current if current.kind == "bits" else BitsIndex(folder, progress)
    return current if current.kind == "exact" else ExactIndex()


def delete_files(folder: Path) -> None:
    """Delete all that an index keeps in a folder; it is made anew when it is needed."""
    if folder.is_dir():
        shutil.rmtree(folder)


def _open_milvus(url: str) -> Index:
    try:
        from promptreid.gallery.searching.indexes.milvus_index import MilvusIndex
    except ImportError as error:
        raise GalleryError(
            "The index Milvus needs pymilvus: pip install 'promptreid[milvus]'."
        ) from error
    return MilvusIndex(url)
