"""Records at a place, whichever store keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from promptreid.errors import GalleryError
from promptreid.gallery.records.gallery_url import GalleryUrl, parse_gallery_url
from promptreid.gallery.records.record_store import Records
from promptreid.gallery.records.sqlite.sqlite_records import SqliteRecords

if TYPE_CHECKING:
    from promptreid.gallery.records.postgres.postgres_records import PostgresRecords


def create_records(place: str | Path | GalleryUrl, settings: Mapping[str, str]) -> Records:
    """Make empty records with settings of the gallery.

    Raises:
        GalleryError: There is something already, or the database cannot be used.
    """
    url = parse_gallery_url(place)
    if url.folder is not None:
        return SqliteRecords.create(url.folder, settings)
    return _import_postgres().create(url, settings)


def open_records(place: str | Path | GalleryUrl) -> Records:
    """Open records that are there.

    Raises:
        GalleryError: There are none, they are damaged or of another format, or the database cannot
            be used.
    """
    url = parse_gallery_url(place)
    if url.folder is not None:
        return SqliteRecords.open(url.folder)
    return _import_postgres().open(url)


def open_or_create_records(place: str | Path | GalleryUrl, settings: Mapping[str, str]) -> Records:
    """Open the records of a place, or make empty ones where there are none.

    Raises:
        GalleryError: The place holds something else, or cannot be reached.
    """
    url = parse_gallery_url(place)
    if url.folder is not None:
        is_there = SqliteRecords.is_there(url.folder)
    else:
        is_there = _import_postgres().is_there(url)
    return open_records(url) if is_there else create_records(url, settings)


def _import_postgres() -> type[PostgresRecords]:
    try:
        from promptreid.gallery.records.postgres.postgres_records import PostgresRecords
    except ImportError as error:
        raise GalleryError(
            "Galleries in PostgreSQL need psycopg and pgvector: pip install 'promptreid[postgres]'."
        ) from error
    return PostgresRecords
