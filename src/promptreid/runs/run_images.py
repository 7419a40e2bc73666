"""`images.csv`: the images of a run, who they show, what they were for, and how their files looked.

It keeps the people that trained training people when a folder changes, and tells whether an image
file is still the one that the run was started with. Contents are told apart by size, time of change
and a hash of three pieces of the file, so that a hundred thousand images take seconds.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path

from promptreid.data.dataset import DataSet
from promptreid.data.manifest.manifest import Manifest
from promptreid.runs.record_reading import report_damage

_PIECE = 4096
_THREADS = 8


@dataclass(frozen=True)
class FileLook:
    """The look of an image file: size in bytes, time of change in nanoseconds, hash of pieces."""

    size: int
    time: int
    hash: str


@dataclass(frozen=True)
class ImageRow:
    """One image of a run.

    Attributes:
        data_set: Number of its data set among those of the run, from 0.
        split: What it was for.
        domain: Its domain; empty where that is called as the data set.
        identity: Who it shows.
        path: Relative to the data set's root.
        look: The look of its file.
    """

    data_set: int
    split: str
    domain: str
    identity: str
    path: str
    look: FileLook

    @property
    def key(self) -> tuple[str, str]:
        """Domain and identity."""
        return self.domain, self.identity


_COLUMNS = ("data_set", "split", "domain", "identity", "path", "size", "time", "hash")


def list_images(datasets: Sequence[DataSet]) -> tuple[ImageRow, ...]:
    """Look at every image of all data sets of a new run."""
    rows: list[ImageRow] = []
    for number, manifest in enumerate(dataset.manifest for dataset in datasets):
        looks = _looks(manifest.root / path for path in manifest.paths)
        columns = manifest.splits, name_people(manifest), manifest.paths, looks
        for split, key, path, look in zip(*columns, strict=True):
            rows.append(ImageRow(number, split, *key, path, look))
    return tuple(rows)


def name_people(manifest: Manifest) -> list[tuple[str, str]]:
    """Return domain and identity of each row; a domain called as the data set is none."""
    return [
        ("" if domain == manifest.name else domain, identity)
        for domain, identity in manifest.identity_keys()
    ]


def write_rows(rows: Iterable[ImageRow]) -> bytes:
    """Return the rows as CSV."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    table.writerows(
        (row.data_set, row.split, row.domain, row.identity, row.path, *astuple(row.look))
        for row in rows
    )
    return text.getvalue().encode("utf-8", "surrogateescape")


def read_rows(content: bytes, path: Path) -> tuple[ImageRow, ...]:
    """Read what `write_rows` gave.

    Raises:
        RunError: It is not such a table.
    """
    try:
        text = io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")
        header, *rows = csv.reader(text, strict=True)
        if tuple(header) != _COLUMNS:
            raise report_damage(path, f"its columns are {', '.join(header)[:80]}")
        return tuple(
            ImageRow(
                int(number), split, domain, identity, name, FileLook(int(size), int(time), mark)
            )
            for number, split, domain, identity, name, size, time, mark in rows
        )
    except (ValueError, csv.Error) as error:
        raise report_damage(path, f"it is not a table of images ({str(error)[:80]})") from error


def find_changed_files(rows: Sequence[ImageRow], datasets: Sequence[DataSet]) -> list[str]:
    """Name the images whose files are not those that the run was started with.

    A file of the same size and time is taken as the same; of the others the pieces are compared, so
    that a copy of the data is the same data. The data sets are the run's, as they are now.
    """
    roots = [dataset.manifest.root for dataset in datasets]
    paths = [roots[row.data_set] / row.path for row in rows]
    doubted = [
        place
        for place, (row, path) in enumerate(zip(rows, paths, strict=True))
        if _stamp(path) != (row.look.size, row.look.time)
    ]
    now = _looks(paths[place] for place in doubted)
    return [
        rows[place].path
        for place, look in zip(doubted, now, strict=True)
        if (look.size, look.hash) != (rows[place].look.size, rows[place].look.hash)
    ]


def _looks(paths: Iterable[Path]) -> list[FileLook]:
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(_look, paths, chunksize=64))


def _look(path: Path) -> FileLook:
    size, time = _stamp(path)
    digest = hashlib.blake2b(digest_size=8)
    if size >= 0:
        try:
            with path.open("rb", buffering=0) as file:
                last = max(0, size - _PIECE)
                for start in dict.fromkeys((0, last // 2, last)):
                    file.seek(start)
                    digest.update(file.read(_PIECE))
        except OSError:
            size = -1
    return FileLook(size, time, digest.hexdigest())


def _stamp(path: Path) -> tuple[int, int]:
    """Return size and time of change; -1 and 0 where there is no file."""
    try:
        status = path.stat()
    except OSError:
        return -1, 0
    return status.st_size, status.st_mtime_ns
