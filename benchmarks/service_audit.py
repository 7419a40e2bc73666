"""`python -m benchmarks.service_audit`: what it costs to write down each use of a service.

Two services of equal galleries run beside each other, one that writes down uses and one that does
not, and clients ask them in turns, so that a drift of the machine's speed meets both. Enrolling is
no use that is written down; it shows how far two equal services are apart.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.service_gallery import NAME, make_gallery
from benchmarks.service_load import ServedProcess, enrol_forms, load
from promptreid.files import write_json
from promptreid.gallery.gallery import Gallery
from promptreid.processor import describe_processor
from promptreid.text.tables import plain_table

_WAYS = {"plain": "never", "written": "service"}


@dataclass(frozen=True)
class AuditRow:
    """What clients got done with both services.

    Attributes:
        work: "search" or "enrol".
        clients: Clients that asked at a time.
        plain: Requests a second where nothing is written down; the median of the rounds.
        written: The same where uses are.
        ratio: Median over the rounds of the second by the first.
        lowest: The lowest ratio of a round.
        highest: The highest.
        records: Uses that were written down meanwhile.
    """

    work: str
    clients: int
    plain: float
    written: float
    ratio: float
    lowest: float
    highest: float
    records: int


@contextlib.contextmanager
def serving_both(folder: Path, entries: int) -> Generator[dict[str, ServedProcess]]:
    """Serve two equal galleries, of which one writes down its uses."""
    first = folder / NAME
    if not first.is_dir():
        make_gallery(folder, entries)
    with contextlib.ExitStack() as ends:
        services = {}
        for way, audit in _WAYS.items():
            place = folder / way / NAME
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(first, place)
            with contextlib.closing(Gallery.open(place)) as gallery:
                gallery.set_audit(audit)
            services[way] = ServedProcess(place, queue=64)
            ends.callback(services[way].stop)
            load(services[way], "warm-up", clients=2, requests=20)
        yield services


def compare_services(
    folder: Path, services: dict[str, ServedProcess], work: str, clients: int, rounds: int,
    seconds: float,
) -> AuditRow:  # fmt: skip
    """Ask both services in turns, beginning with each as often."""
    before = _count_records(folder)
    rates: dict[str, list[float]] = {way: [] for way in services}
    for number in range(rounds):
        for way in sorted(services, reverse=bool(number % 2)):
            first = (clients * 100 + number) * 1_000_000  # nothing is enrolled twice
            forms = enrol_forms(first) if work == "enrol" else None
            row = load(services[way], work, clients=clients, seconds=seconds, forms=forms)
            assert set(row.answers) <= {200, 201}, row.answers
            rates[way].append(row.rate)
    ratios = [
        written / plain for plain, written in zip(rates["plain"], rates["written"], strict=True)
    ]
    return AuditRow(
        work=work,
        clients=clients,
        plain=statistics.median(rates["plain"]),
        written=statistics.median(rates["written"]),
        ratio=statistics.median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
        records=_count_records(folder) - before,
    )


def _count_records(folder: Path) -> int:
    """Count the uses that both galleries hold; there are none where none are to be."""
    counts = []
    for way in _WAYS:
        with contextlib.closing(Gallery.open(folder / way / NAME)) as gallery:
            counts.append(gallery.audit.head().count)
    assert counts[0] == 0, counts
    return counts[1]


def table_lines(rows: Sequence[AuditRow]) -> list[str]:
    """Lay rows out for people."""
    header = ("work", "clients", "not written down, 1/s", "written down, 1/s", "ratio", "records")
    cells = [
        (
            row.work,
            str(row.clients),
            f"{row.plain:.1f}",
            f"{row.written:.1f}",
            f"{row.ratio:.2f} ({row.lowest:.2f} to {row.highest:.2f})",
            f"{row.records:,}",
        )
        for row in rows
    ]
    return plain_table([header, *cells], right=(False, *[True] * 5))


def measure(
    folder: Path, entries: int, clients: Sequence[int], rounds: int, seconds: float
) -> list[AuditRow]:
    """Serve galleries of so many entries, and compare."""
    with serving_both(folder, entries) as services:
        return [
            compare_services(folder, services, work, count, rounds, seconds)
            for work in ("search", "enrol")
            for count in clients
        ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each service in a round")
    parser.add_argument("--folder", type=Path, help="where galleries are kept for the next time")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        folder = given.folder or Path(aside)
        rows = measure(folder, given.entries, given.clients, given.rounds, given.seconds)
    print(f"{describe_processor().name}, {os.cpu_count()} cores; {given.entries:,} entries")
    print("\n".join(table_lines(rows)))
    if given.json:
        write_json(given.json, {"entries": given.entries, "rows": [asdict(row) for row in rows]})


if __name__ == "__main__":
    main()
