"""A client that changes a gallery over HTTP, and knows what was acknowledged."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx2
from gallery_model import draw_people
from served_gallery import attach, png

IMAGES = 2
"""Pictures of each person that is enrolled."""

Enrolled = dict[str, set[str]]
"""By name, the content hashes of a person's pictures."""

_ANY = {"If-Match": "*"}


@dataclass(frozen=True)
class SentChange:
    """One change that is sent.

    Attributes:
        verb: "enrol", "merge" or "erase".
        name: Who is changed.
        into: For "merge", who gets the pictures.
        seed: For "enrol", what the pictures are drawn from.
    """

    verb: str
    name: str
    into: str = ""
    seed: int = 0

    def draw(self) -> list[bytes]:
        """Draw the pictures, as PNG files."""
        return [png(picture) for picture in draw_people(1, IMAGES, seed=self.seed)[0]]

    def apply(self, people: Enrolled) -> Enrolled:
        """Say who is enrolled afterwards."""
        after = {name: set(hashes) for name, hashes in people.items()}
        if self.verb == "enrol":
            after[self.name] = {hashlib.sha256(file).hexdigest() for file in self.draw()}
        elif self.verb == "merge":
            after[self.into] |= after.pop(self.name)
        else:
            del after[self.name]
        return after


def list_sent_changes(client: int, seed: int) -> Iterator[SentChange]:
    """Give changes without end; names are those of the client alone."""
    for step in itertools.count():
        name = f"client {client} step {step}"
        yield SentChange("enrol", name, seed=1 + step + 1000 * (client + 10 * seed))
        if step % 3 == 1:
            yield SentChange("merge", name, f"client {client} step {step - 1}")
        if step % 3 == 2:
            yield SentChange("erase", name)


class WritingClient(threading.Thread):
    """Sends one change after the other until its server is gone.

    Attributes:
        done: Changes that were answered with 2xx.
        unknown: The one that was sent and not answered; None for none.
        refused: What was answered otherwise.
        erased: Content hashes of pictures whose erasure was acknowledged.
    """

    def __init__(self, url: str, client: int, seed: int, told: Callable[[], None]) -> None:
        """Take where to send, and what is called after each acknowledged change."""
        super().__init__()
        self.done: list[SentChange] = []
        self.unknown: SentChange | None = None
        self.refused: list[str] = []
        self.erased: set[str] = set()
        self._changes = list_sent_changes(client, seed)
        self._client = httpx2.Client(base_url=url, timeout=30, trust_env=False)
        self._numbers: dict[str, int] = {}
        self._told = told

    def run(self) -> None:
        """Send changes."""
        with self._client:
            for change in self._changes:
                self.unknown = change
                try:
                    answer = self._send(change)
                except httpx2.TransportError:
                    return
                self.unknown = None
                if not answer.is_success:
                    self.refused.append(answer.text)
                    return
                if change.verb == "erase":
                    self.erased |= self.list_people()[change.name]
                self.done.append(change)
                self._told()

    def list_people(self) -> Enrolled:
        """Return who of this client's people is enrolled after what was acknowledged."""
        people: Enrolled = {}
        for change in self.done:
            people = change.apply(people)
        return people

    def _send(self, change: SentChange) -> httpx2.Response:
        if change.verb == "enrol":
            answer = self._client.post(
                "/v1/entries", files=attach(*change.draw()), data={"identity": change.name}
            )
            if answer.is_success:
                entry = answer.json()["pictures"][0]["entry"]
                row = self._client.get(f"/v1/entries/{entry}").json()
                self._numbers[change.name] = row["identity"]
            return answer
        address = f"/v1/identities/{self._numbers[change.name]}"
        if change.verb == "merge":
            into = {"into": self._numbers[change.into]}
            return self._client.post(f"{address}/merge", json=into, headers=_ANY)
        return self._client.delete(address, headers=_ANY)
