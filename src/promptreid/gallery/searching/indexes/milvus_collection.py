"""One collection in Milvus, over the wire: numbers of entries, their content and their vectors."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Generator, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import numpy as np
from numpy.typing import NDArray
from pymilvus import DataType, MilvusClient, MilvusException

from promptreid.errors import GalleryError, first_line
from promptreid.gallery.gallery_errors import StoreFailedError
from promptreid.gallery.records.gallery_url import hide_credentials

LONGEST = 16384
"""Rows that Milvus gives for a query, at most."""

_FORM = "milvus://[USER:PASSWORD@]HOST[:PORT]/COLLECTION[?type=FLAT][&database=NAME][&tls=yes]"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,200}")
_ROWS_AT_A_TIME = 1000
_PATIENCE_SECONDS = 10.0
_PINGS = {"grpc.keepalive_time_ms": 60_000, "grpc.keepalive_permit_without_calls": False}
"""How often the server is asked, within a call alone, whether it is there: servers that keep the
usual rules of gRPC end a connection that asks every ten seconds without a call ("Too many pings"),
which is what pymilvus does by itself."""
_STATE_WIDTH = 2  # every collection has vectors, those of the state say nothing


class MilvusCollection:
    """Rows of entry, content and vector in one collection, and a note of what they are of.

    Attributes:
        place: Its URL without user and password.
    """

    def __init__(self, url: str) -> None:
        """Connect.

        Args:
            url: `milvus://[USER:PASSWORD@]HOST[:PORT]/COLLECTION`.

        Raises:
            GalleryError: The URL is none, or the server cannot be reached.
        """
        self.place = hide_credentials(url)
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it would print what it raises
        try:
            parts = urlsplit(url)
            options = dict(parse_qsl(parts.query))
            address = f"{parts.hostname}:{parts.port or 19530}"
        except ValueError as error:
            raise GalleryError(f"{self.place} is no URL of an index: {_FORM}.") from error
        self._name = parts.path.removeprefix("/")
        if not parts.hostname or not _NAME.fullmatch(self._name):
            raise GalleryError(
                f"{self.place} does not name a server and a collection of its own: {_FORM}."
            )
        self._kind = options.get("type", "AUTOINDEX")
        with self._told():
            self._client = MilvusClient(
                uri=f"{'https' if 'tls' in options else 'http'}://{address}",
                user=unquote(parts.username or ""),
                password=unquote(parts.password or ""),
                token=options.get("token", ""),
                db_name=options.get("database", ""),
                timeout=_PATIENCE_SECONDS,
                grpc_options=_PINGS,
            )

    def prepare(self, width: int) -> None:
        """Make the collection, anew where its vectors have another width, and load it."""
        with self._told():
            if self._client.has_collection(self._name) and self._find_width() != width:
                self.drop()
            if not self._client.has_collection(self._name):
                self._make(self._name, width, self._kind)
            if not self._client.has_collection(self._state):
                self._make(self._state, _STATE_WIDTH, "FLAT")
            self._client.load_collection(self._name)
            self._client.load_collection(self._state)

    def drop(self) -> None:
        """Remove the collection."""
        with self._told():
            for name in (self._name, self._state):
                if self._client.has_collection(name):
                    self._client.drop_collection(name)

    def count(self) -> int:
        """Return the number of rows."""
        with self._told():
            rows = self._client.query(self._name, filter="", output_fields=["count(*)"])
            return int(rows[0]["count(*)"])

    def list_rows(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Return entries (M,), ascending, and what stands for their contents (M,)."""
        entries, contents = [], []
        with self._told():
            rows = self._client.query_iterator(
                self._name, batch_size=_ROWS_AT_A_TIME, output_fields=["entry", "content"]
            )
            while part := rows.next():
                entries += [row["entry"] for row in part]
                contents += [row["content"] for row in part]
            rows.close()
        numbers = np.array(entries, np.int64)
        order = np.argsort(numbers)
        return numbers[order], np.array(contents, np.int64)[order].view(np.uint64)

    def put(
        self,
        entries: NDArray[np.int64],
        contents: NDArray[np.uint64],
        vectors: NDArray[np.float32],
    ) -> None:
        """Write rows over those that are there."""
        signed = contents.view(np.int64)
        for start in range(0, len(entries), _ROWS_AT_A_TIME):
            rows = [
                {"entry": int(entry), "content": int(content), "vector": vector}
                for entry, content, vector in zip(
                    entries[start : start + _ROWS_AT_A_TIME],
                    signed[start : start + _ROWS_AT_A_TIME],
                    vectors[start : start + _ROWS_AT_A_TIME],
                    strict=True,
                )
            ]
            with self._told():
                self._client.upsert(self._name, rows)

    def delete(self, entries: NDArray[np.int64]) -> None:
        """Remove rows."""
        for start in range(0, len(entries), _ROWS_AT_A_TIME):
            with self._told():
                self._client.delete(
                    self._name, ids=entries[start : start + _ROWS_AT_A_TIME].tolist()
                )

    def search(self, queries: NDArray[np.float32], limit: int) -> list[NDArray[np.int64]]:
        """Return the entries that are most alike, best first, for each of (Q, d) queries."""
        with self._told():
            answers = self._client.search(
                self._name, list(queries), limit=limit, output_fields=[], anns_field="vector"
            )
        return [np.array([hit["entry"] for hit in hits], np.int64) for hits in answers]

    def note(self) -> str:
        """Return what was noted of the rows; empty where nothing was."""
        with self._told():
            rows = self._client.query(self._state, filter="entry == 0", output_fields=["words"])
        return rows[0]["words"] if rows else ""

    def set_note(self, words: str) -> None:
        """Note something of the rows once they are on the disk; nothing by an empty text."""
        with self._told():
            if words:
                self._client.flush(self._name)
            row = {"entry": 0, "content": 0, "words": words, "vector": [0.0] * _STATE_WIDTH}
            self._client.upsert(self._state, [row])

    def close(self) -> None:
        """Let go of the connection."""
        with contextlib.suppress(MilvusException):
            self._client.close()

    @property
    def _state(self) -> str:
        return f"{self._name}_state"

    def _find_width(self) -> int:
        fields: Sequence[Any] = self._client.describe_collection(self._name)["fields"]
        widths = [field["params"]["dim"] for field in fields if field["name"] == "vector"]
        return int(widths[0]) if widths else 0

    def _make(self, name: str, width: int, kind: str) -> None:
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("entry", DataType.INT64, is_primary=True)
        schema.add_field("content", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=width)
        if name == self._state:
            schema.add_field("words", DataType.VARCHAR, max_length=200)
        index = self._client.prepare_index_params()
        index.add_index("vector", index_type=kind, metric_type="IP")
        self._client.create_collection(
            name, schema=schema, index_params=index, consistency_level="Strong"
        )

    @contextlib.contextmanager
    def _told(self) -> Generator[None]:
        """Turn what the server or the wire raises into a sentence."""
        try:
            yield
        except MilvusException as error:
            raise StoreFailedError(
                f"The index {self.place} cannot be used: {first_line(error)}. The gallery has "
                "everything that it had; use it with ?index=exact until the server is back."
            ) from error
