"""`python -m benchmarks.service_load`: how many searches a second a service answers, and how soon.

A gallery of drawn vectors is served by `promptreid serve` in a process of its own, with the model
`tiny`; clients of another process send pictures, each the next one as soon as it has its answer.
Then twice as many clients as the service takes come, and after ten thousand requests its memory is
compared with that after the first thousand. There is no plain side.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from benchmarks.service_gallery import FEATURES, IMAGES, NAME, make_gallery
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.gallery_settings import AUDITS
from promptreid.processor import describe_processor
from promptreid.text.tables import plain_table

_FORM = "multipart/form-data; boundary=picture"
_PICTURES = 64


@dataclass(frozen=True)
class LoadRow:
    """What clients met.

    Attributes:
        work: What was asked, in words.
        clients: Clients that asked at a time.
        queue: Requests that the service takes at a time.
        answers: Requests that were answered, by status.
        rate: Requests that were done, a second.
        p50: Seconds within which half of them came.
        p95: Seconds within which 95 % came.
        p99: Seconds within which 99 % came.
        memory_mib: Resident memory of the service afterwards.
        processor: What it ran on.
    """

    work: str
    clients: int
    queue: int
    answers: dict[int, int]
    rate: float
    p50: float
    p95: float
    p99: float
    memory_mib: float
    processor: str


@dataclass(frozen=True)
class SentForms:
    """What clients send.

    Attributes:
        route: Where to.
        make: Makes the form of the request of a number.
    """

    route: str
    make: Callable[[int], bytes]


class ServedProcess:
    """A service in a process of its own.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, place: Path, *, queue: int) -> None:
        command = ["serve", str(place), "--port", "0", "--queue", str(queue), "--device", "cpu"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "promptreid", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.queue = queue
        self.port = _read_port(self._process.stdout)

    def memory_mib(self) -> float:
        """Return its resident memory."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else float("nan")

    def stop(self) -> int:
        """Stop it, and return its exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)


def _read_port(lines: IO[str] | None) -> int:
    for line in lines or ():
        found = re.match(r"page\s+http://127\.0\.0\.1:(\d+)/", line)
        if found:
            return int(found[1])
    raise RuntimeError("the service did not start")


def draw_pictures(seed: int = 0) -> list[bytes]:
    """Return pictures of 128 x 64 pixels, as JPEG."""
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(_PICTURES):
        coarse = rng.integers(0, 256, (16, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        file = io.BytesIO()
        Image.fromarray(coarse).save(file, "JPEG", quality=85)
        pictures.append(file.getvalue())
    return pictures


def search_forms() -> SentForms:
    """Return searches for drawn pictures, over and over the same."""
    bodies = [_make_form(picture) for picture in draw_pictures()]
    return SentForms("/v1/search", lambda number: bodies[number % len(bodies)])


def enrol_forms(first: int = 0) -> SentForms:
    """Return enrolments of one new picture each, ten of an identity, from a number on."""
    pictures = draw_pictures()

    def make(number: int) -> bytes:
        shown = first + number
        # What follows the end of a JPEG makes it another content, and is not looked at.
        content = pictures[number % len(pictures)] + shown.to_bytes(8, "big")
        return _make_form(content, identity=f"newcomer {shown // IMAGES}")

    return SentForms("/v1/entries", make)


def _make_form(picture: bytes, **fields: str) -> bytes:
    """Return a form with a picture, and other fields."""
    head = 'Content-Disposition: form-data; name="pictures"; filename="a.jpg"'
    parts = [f"--picture\r\n{head}\r\n\r\n".encode() + picture + b"\r\n"]
    for name, value in fields.items():
        head = f'Content-Disposition: form-data; name="{name}"'
        parts.append(f"--picture\r\n{head}\r\n\r\n{value}\r\n".encode())
    return b"".join(parts) + b"--picture--\r\n"


def ask(
    port: int, forms: SentForms, numbers: Iterable[int], until: float, times: list, seen: Counter
) -> None:
    """Send forms one after the other, and note how long each answer took."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for number in numbers:
        begun = time.perf_counter()
        if begun > until:
            break
        body = forms.make(number)
        connection.request("POST", forms.route, body, {"Content-Type": _FORM})
        answer = connection.getresponse()
        answer.read()
        seen[answer.status] += 1
        if answer.status in (200, 201):
            times.append(time.perf_counter() - begun)
        else:  # as a client does that heeds Retry-After, only sooner
            time.sleep(0.05)
    connection.close()


def load(
    served: ServedProcess,
    work: str,
    *,
    clients: int,
    seconds: float = 1e9,
    requests: int = 1 << 40,
    forms: SentForms | None = None,
) -> LoadRow:
    """Let clients ask, for some seconds or so many requests altogether; they search by default."""
    sent = forms or search_forms()
    times: list[float] = []
    seen: Counter[int] = Counter()
    begun = time.perf_counter()
    threads = [
        threading.Thread(
            target=ask,
            args=(
                served.port,
                sent,
                range(client, requests, clients),
                begun + seconds,
                times,
                seen,
            ),
        )
        for client in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begun
    p50, p95, p99 = np.quantile(times, (0.5, 0.95, 0.99)).tolist()
    return LoadRow(
        work=work,
        clients=clients,
        queue=served.queue,
        answers=dict(seen),
        rate=len(times) / took,
        p50=p50,
        p95=p95,
        p99=p99,
        memory_mib=served.memory_mib(),
        processor=describe_processor().name,
    )


def measure(place: Path, seconds: float, requests: int, clients: Sequence[int]) -> list[LoadRow]:
    """Serve a gallery, and measure."""
    rows = []
    if clients or requests:
        served = ServedProcess(place, queue=64)
        load(served, "warm-up", clients=2, requests=20)
        rows += [load(served, "search", clients=count, seconds=seconds) for count in clients]
        if requests:
            soon = load(served, f"first {requests // 10:,} requests", clients=32,
                        requests=requests // 10)  # fmt: skip
            rows += [soon, load(served, f"{requests:,} requests later", clients=32,
                                requests=requests)]  # fmt: skip
        assert served.stop() == 0
    if seconds:
        served = ServedProcess(place, queue=8)
        load(served, "warm-up", clients=2, requests=20)
        rows.append(load(served, "twice the queue", clients=16, seconds=seconds))
        assert served.stop() == 0, "the service did not outlive the overload"
    return rows


def table_lines(rows: Sequence[LoadRow]) -> list[str]:
    """Lay rows out for people."""
    header = ("work", "clients", "queue", "searches/s", "p50", "p95", "p99", "answers", "memory")
    cells = [
        (
            row.work,
            str(row.clients),
            str(row.queue),
            f"{row.rate:.1f}",
            *(f"{1000 * value:.0f} ms" for value in (row.p50, row.p95, row.p99)),
            ", ".join(f"{count:,} x {status}" for status, count in sorted(row.answers.items())),
            f"{row.memory_mib:,.0f} MiB",
        )
        for row in rows
    ]
    return plain_table([header, *cells], right=(False, *[True] * 6, False, True))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--width", type=int, choices=FEATURES, default=128, help="of a vector")
    parser.add_argument("--audit", choices=AUDITS, default="service", help="uses written down")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--requests", type=int, default=10_000, help="for the memory; 0 for none")
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 8, 32])
    parser.add_argument("--folder", type=Path, help="where the gallery is kept for the next time")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        folder = given.folder or Path(aside)
        if not (folder / NAME).is_dir():
            make_gallery(folder, given.entries, width=given.width)
        with contextlib.closing(Gallery.open(folder / NAME)) as gallery:
            gallery.set_audit(given.audit)
            facts = gallery.info()
        rows = measure(folder / NAME, given.seconds, given.requests, given.clients)
    what = f"{facts.entries:,} entries of {facts.width} numbers, uses written down: {given.audit}"
    machine = f"{rows[0].processor}, {os.cpu_count()} cores"
    print("\n".join([machine, what, *table_lines(rows)]))
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
