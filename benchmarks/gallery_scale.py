"""`python -m benchmarks.gallery_scale PLACE`: a gallery of a million entries is filled and opened.

PLACE is a folder or the URL of a database that a gallery may have, with an index where one is
named. Drawn vectors are written into it; then processes of their own open it, once without and once
with what was derived from its records, and find the 20 nearest, and who it is. With `--add` so many
images are then enrolled, once the gallery is calibrated; of new people, or with `--enrolled` of
some who are there. With `--index-only` the records are left out, and PLACE is a folder for the
files of the `bits` index: ten million entries need 21 GB in place of 45. There is no plain side.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.gallery_search import GeneratedRecords
from promptreid.gallery.gallery import BATCH, Gallery
from promptreid.gallery.gallery_settings import GallerySettings
from promptreid.gallery.image_content import digest_file
from promptreid.gallery.records.gallery_url import parse_gallery_url
from promptreid.gallery.records.open_records import create_records, open_records
from promptreid.gallery.records.record_rows import NewEntry
from promptreid.gallery.searching.conditions import Conditions
from promptreid.gallery.searching.entry_table import EntryTable
from promptreid.gallery.searching.indexes.bits_index import BitsIndex
from promptreid.gallery.vector_model import GalleryImage, as_image
from promptreid.processor import describe_processor

_IMAGES = 20  # of each identity
_AT_A_TIME = 2000
_NEAREST = 20
_QUERIES = 64
_ROWS = 1 << 16


@dataclass(frozen=True)
class ScaleRow:
    """What one process met.

    Attributes:
        work: What it did first, in words.
        open_seconds: From nothing to the first answer, without starting Python.
        query_ms: Median time of one query.
        queries_ms: Median time of 64 queries at once.
        answer_ms: Median time to say who one query shows; None without records.
        memory_mib: Resident memory beyond that before opening, after all queries.
        peak_mib: The most that it was meanwhile.
        processor: What it ran on.
    """

    work: str
    open_seconds: float
    query_ms: float
    queries_ms: float
    answer_ms: float | None
    memory_mib: int
    peak_mib: int
    processor: str


class DrawnVectors:
    """Unit vectors of identities that are quickly drawn: sums of rows of one table.

    Two of one identity have a cosine of about a half, others of a quarter at most.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._rows = np.random.default_rng(0).standard_normal((_ROWS, width), dtype=np.float32)

    def draw(self, identities: NDArray[np.int64], images: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return vectors (N, width), the same for the same numbers."""
        vectors = self._sum_two(identities) + self._sum_two(images + (1 << 40))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _sum_two(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # Knuth's hashing
        first, second = (mixed >> np.uint64(shift) & np.uint64(_ROWS - 1) for shift in (48, 28))
        return self._rows[first] - np.roll(self._rows[second], 1, axis=1)


class DrawnModel:
    """A model that takes pictures of identities, which hold the numbers of identity and image."""

    def __init__(self, width: int) -> None:
        self.fingerprint = "d" * 64
        self.width = width
        self.description = {"source": "drawn"}
        self.threshold = None
        self.text_width = None
        self.text_remark = ""
        self._drawn = DrawnVectors(width)

    def vectors(self, images: Sequence[GalleryImage]) -> NDArray[np.float32]:
        """Return (N, width) vectors of the identities that pictures show."""
        pixels = [np.asarray(image.pixels).ravel() for image in images]
        shown = np.array([one[:8].view(np.int64)[0] for one in pixels])
        numbers = np.array([one[8:].view(np.int32)[0] for one in pixels], np.int64)
        return self._drawn.draw(shown, numbers)

    def both_vectors(self, images: Sequence[GalleryImage]) -> tuple[NDArray[np.float32], None]:
        """Return the same, and no vectors for sentences."""
        return self.vectors(images), None

    def sentence_vectors(
        self, sentences: Sequence[str], templates: Sequence[str] = ()
    ) -> NDArray[np.float32]:
        """Refuse, since there is no text side."""
        raise NotImplementedError


class DrawnRecords(GeneratedRecords):
    """Records of drawn entries, as far as an index reads them."""

    def __init__(self, entries: int, width: int) -> None:
        super().__init__(entries, width)
        self._drawn = DrawnVectors(width)

    def vectors(self, entries: list[int]) -> NDArray[np.float32]:
        """Draw the vectors of some entries."""
        rows = np.array(entries, np.int64) - 1
        return self._drawn.draw(rows // _IMAGES, rows)


def make_picture(identity: int, image: int) -> NDArray[np.uint8]:
    """Return the picture (2, 2, 3) of an image of an identity."""
    numbers = np.int64(identity).tobytes() + np.int32(image).tobytes()
    return np.frombuffer(numbers, np.uint8).reshape(2, 2, 3)


def fill(place: str, entries: int, width: int) -> float:
    """Make a gallery with so many entries; return how many were written a second."""
    records = create_records(parse_gallery_url(place), GallerySettings().to_texts())
    Gallery(records, DrawnModel(width)).mend()  # writes down which model it is
    drawn, began = DrawnVectors(width), time.perf_counter()
    for start in range(0, entries, _AT_A_TIME):
        rows = np.arange(start, min(entries, start + _AT_A_TIME))
        with records.writing():
            records.add(
                [
                    NewEntry(
                        content_hash=digest_file(b"%d" % row),  # in no order, as real ones are
                        identity=f"person {row // _IMAGES}",
                        camera=f"camera {row % 5}",
                        time=None,
                        domain="",
                        attributes={},
                        crop=None,
                        path=f"/nowhere/{row}.jpg",
                        box="",
                        vector=vector,
                    )
                    for row, vector in zip(
                        rows.tolist(), drawn.draw(rows // _IMAGES, rows), strict=True
                    )
                ]
            )
    records.close()
    return entries / (time.perf_counter() - began)


def ask_gallery(place: str, width: int) -> ScaleRow:
    """Open a gallery and search it."""
    model = DrawnModel(width)
    model.vectors([as_image(make_picture(0, 0))])
    before, began = _read_mib("VmRSS"), time.perf_counter()
    url = parse_gallery_url(place)
    gallery = Gallery(open_records(url), model, url.index or "auto")
    count = gallery.records.count_identities()
    people = np.arange(_QUERIES) * max(1, count // _QUERIES) % count
    pictures = [make_picture(person, 10**9 + place) for place, person in enumerate(people.tolist())]

    def ask(number: int) -> None:
        found = gallery.nearest(pictures[:number], top=_NEAREST)
        names = [f"person {person}" for person in people[:number]]
        assert [near[0].identity for near in found] == names

    ask(1)
    opened = time.perf_counter() - began
    answer_ms = _time(lambda: gallery.search(pictures[:1]), 15)
    row = _measure("the gallery", opened, before, ask, answer_ms)
    gallery.close()
    return row


def add_entries(
    place: str,
    width: int,
    entries: int,
    added: int,
    *,
    at_once: int = BATCH,
    enrolled: bool = False,
) -> tuple[float, float]:
    """Enrol so many images, so many by a call, once as many were enrolled that do not count.

    Args:
        place: The gallery.
        width: Numbers of a vector.
        entries: Number of entries that it was filled with.
        added: Number of images.
        at_once: Images of a call.
        enrolled: Whether they are of people who are there, drawn by chance; else of new ones.

    Returns:
        How many a second, and how many a second of processor time.
    """
    url = parse_gallery_url(place)
    gallery = Gallery(open_records(url), DrawnModel(width), url.index or "auto")
    if not gallery.records.null_rows():
        gallery.mend()  # which calibrates
    first = gallery.records.count_entries()
    rows = np.arange(first, first + at_once + added)
    people, mark = rows // _IMAGES, " added"
    if enrolled:
        people, mark = np.random.default_rng(first).integers(entries // _IMAGES, size=len(rows)), ""
    pairs = zip(people.tolist(), rows.tolist(), strict=True)
    pictures = [make_picture(person, image) for person, image in pairs]
    names = [f"person {person}{mark}" for person in people.tolist()]
    gallery.add(pictures[:at_once], names[:at_once])
    began, work = time.perf_counter(), time.process_time()
    for start in range(at_once, len(rows), at_once):
        part = slice(start, start + at_once)
        assert gallery.add(pictures[part], names[part]).present == 0
    rates = added / (time.perf_counter() - began), added / (time.process_time() - work)
    gallery.close()
    return rates


def ask_index(folder: str, entries: int, width: int) -> ScaleRow:
    """Open the files of an index and search it, after they were made where they are not there."""
    records, table = DrawnRecords(entries, width), EntryTable()
    before, began = _read_mib("VmRSS"), time.perf_counter()
    change = table.refresh(records)  # ty: ignore[invalid-argument-type]
    index = BitsIndex(Path(folder))
    index.follow(table, change, records)  # ty: ignore[invalid-argument-type]
    index.settle()
    count = -(-entries // _IMAGES)
    people = np.arange(_QUERIES) * max(1, count // _QUERIES) % count
    drawn = DrawnVectors(width)
    queries = drawn.draw(people, np.arange(_QUERIES) + 10**9)
    own = np.minimum(people[:, None] * _IMAGES + np.arange(_IMAGES), entries - 1)
    least = [
        (drawn.draw(rows // _IMAGES, rows) @ query).max()
        for rows, query in zip(own, queries, strict=True)
    ]
    conditions = Conditions(table)

    def ask(number: int) -> None:
        found = index.search(queries[:number], conditions, _NEAREST)
        # Among ten millions a stranger may be more alike than all images of one's own.
        assert (found.scores[:, 0] >= np.array(least[:number]) - 1e-5).all()

    ask(1)
    row = _measure("the index", time.perf_counter() - began, before, ask)
    index.close()
    return row


def _measure(
    work: str,
    opened: float,
    before: int,
    ask: Callable[[int], None],
    answer_ms: float | None = None,
) -> ScaleRow:
    return ScaleRow(
        work,
        opened,
        _time(lambda: ask(1), 15),
        _time(lambda: ask(_QUERIES), 5),
        answer_ms,
        _read_mib("VmRSS") - before,
        _read_mib("VmHWM") - before,
        describe_processor().name,
    )


def _time(work: Callable[[], object], rounds: int) -> float:
    """Return the median time of some rounds, in milliseconds, after one that does not count."""
    work()
    spent = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return 1000 * statistics.median(spent)


def _read_mib(name: str) -> int:
    """Return a number of the memory of this process, as the system calls it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(f"{name}:")[2].split()[0]) >> 10


def main() -> None:
    """Fill where nothing is there, open in two processes, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("place")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=512, help="numbers of a vector")
    parser.add_argument("--add", type=int, default=0, help="images that are enrolled at last")
    parser.add_argument("--at-once", type=int, default=BATCH, help="images of a call")
    parser.add_argument("--enrolled", action="store_true", help="they are of people who are there")
    parser.add_argument("--index-only", action="store_true")
    parser.add_argument("--filled", action="store_true", help="the gallery is there already")
    parser.add_argument("--ask", action="store_true", help="open and search in this process alone")
    given = parser.parse_args()
    if given.ask:
        if given.index_only:
            row = ask_index(given.place, given.entries, given.width)
        else:
            row = ask_gallery(given.place, given.width)
        print(json.dumps(asdict(row)))
        return
    print(f"{describe_processor().name}, {given.entries:,} entries of {given.width} numbers")
    if not given.index_only and not given.filled:
        print(f"filled with {fill(given.place, given.entries, given.width):,.0f} entries a second")
    for when in ("first", "again"):
        command = [sys.executable, "-m", "benchmarks.gallery_scale", *sys.argv[1:], "--ask"]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        row = ScaleRow(**json.loads(out))
        print(
            f"{row.work} opened {when}: {row.open_seconds:.1f} s to the first answer, 1 query "
            f"{row.query_ms:.1f} ms, {_QUERIES} queries {row.queries_ms:.0f} ms, "
            f"{'' if row.answer_ms is None else f'1 answer {row.answer_ms:.1f} ms, '}"
            f"{row.memory_mib:,} MiB, {row.peak_mib:,} MiB at most"
        )
    if given.add:
        rate, work_rate = add_entries(
            given.place,
            given.width,
            given.entries,
            given.add,
            at_once=given.at_once,
            enrolled=given.enrolled,
        )
        print(
            f"{given.add:,} images enrolled at {rate:,.0f} a second, {work_rate:,.0f} a second of "
            "processor time"
        )


if __name__ == "__main__":
    main()
