"""Combinations of records and index that galleries are held against, where they can be started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import milvus_server
import postgres_server
from gallery_model import PixelModel

from promptreid.gallery.gallery import Gallery
from promptreid.gallery.gallery_settings import GallerySettings
from promptreid.gallery.records.gallery_url import parse_gallery_url
from promptreid.gallery.records.open_records import create_records, open_records
from promptreid.gallery.searching.aggregate import Aggregate
from promptreid.gallery.searching.indexes.index_choice import AUTOMATIC


@dataclass(frozen=True)
class Combination:
    """Records and an index.

    Attributes:
        records: "sqlite" or "postgres".
        index: Name of the index, as a URL has it; of Milvus without the server.
    """

    records: str
    index: str

    def __str__(self) -> str:
        return f"{self.records}-{self.index}"

    def find_reason_not_run(self) -> str | None:
        """Say why it cannot be started here; None where it can."""
        reasons = []
        if self.records == "postgres":
            reasons.append(postgres_server.find_reason_not_run())
        if self.index == "milvus":
            reasons.append(milvus_server.find_reason_not_run())
        return next(filter(None, reasons), None)

    def new_place(self, folder: Path) -> str:
        """Return the URL of a gallery that is not there yet."""
        postgres = self.records == "postgres"
        place = postgres_server.share_server().new_place() if postgres else str(folder)
        index = self.index
        if index == "milvus":
            index = milvus_server.share_server().new_place()
        return f"{place}?index={index}"


COMBINATIONS = tuple(
    Combination(*words.split("-"))
    for words in (
        "sqlite-exact",
        "sqlite-bits",
        "sqlite-milvus",
        "postgres-exact",
        "postgres-pgvector",
        "postgres-hnsw",
        "postgres-milvus",
    )
)


def create_gallery(place: str, *, aggregate: str = "best") -> Gallery:
    """Create a gallery of the pixel model at a URL."""
    url = parse_gallery_url(place)
    settings = GallerySettings(Aggregate.parse(aggregate))
    return Gallery(create_records(url, settings.to_texts()), PixelModel(), url.index or AUTOMATIC)


def open_gallery_at(place: str) -> Gallery:
    """Open it."""
    url = parse_gallery_url(place)
    return Gallery(open_records(url), PixelModel(), url.index or AUTOMATIC)
