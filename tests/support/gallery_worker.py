"""Changes of a gallery that go on for ever, and what a gallery holds after each of them."""

from __future__ import annotations

import functools
import itertools
import json
import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from gallery_model import draw_people, open_gallery

from promptreid.errors import PromptReIDError
from promptreid.gallery.gallery import Gallery
from promptreid.gallery.image_content import read_content
from promptreid.gallery.vector_model import GalleryImage

IMAGES = 5
"""Images of each person that is added."""

People = dict[str, dict[str, bool]]
"""By name, the content hashes of a person's images and whether each is hidden."""

KINDS = ("add", "hide", "erase", "move")


@dataclass(frozen=True)
class Change:
    """One change of a gallery.

    Attributes:
        verb: Name of the method.
        name: Who is changed.
        other: Name that the method needs besides.
        seed: For "add", what its pictures are drawn from.
    """

    verb: str
    name: str
    other: str = ""
    seed: int = 0

    def perform(self, gallery: Gallery) -> None:
        """Ask a gallery for it."""
        if self.verb == "add":
            gallery.add(draw_pictures(self.seed), [self.name] * IMAGES)
        elif self.verb == "split":
            numbers = [row.entry for row in gallery.entries(self.name)]
            gallery.split(self.name, numbers[:2], self.other)
        elif self.other:
            getattr(gallery, self.verb)(self.name, self.other)
        else:
            getattr(gallery, self.verb)(self.name)

    def fits(self, people: People) -> bool:
        """Whether it can be asked for."""
        others = (self.name, self.other) if self.verb == "merge" else (self.name,)
        return self.verb == "add" or all(name in people for name in others)

    def apply(self, people: People) -> People:
        """Say what a gallery holds afterwards."""
        after = {name: dict(images) for name, images in people.items()}
        images = after.pop(self.name, {})
        if self.verb == "add":
            after[self.name] = images | dict.fromkeys(hash_pictures(self.seed), False)
        elif self.verb in ("hide", "unhide"):
            after[self.name] = dict.fromkeys(images, self.verb == "hide")
        elif self.verb == "merge":
            after[self.other] |= images
        elif self.verb == "name":
            after[self.other] = images
        elif self.verb == "split":
            first = list(images)[:2]
            after[self.other] = {one: images.pop(one) for one in first}
            after[self.name] = images
        return after


def list_changes(kind: str, seed: int) -> Iterator[Change]:
    """Give changes of a kind, without end; each can be asked for after those before it."""
    for step in itertools.count():
        person = f"new {step}"
        yield Change("add", person, seed=1000 * seed + step + 1)
        if kind == "hide":
            yield Change("hide", person)
        if kind == "hide" and step % 2:
            yield Change("unhide", person)
        if kind == "erase" and step % 2:
            yield Change("erase", person)
        if kind == "move":
            yield Change("split", person, f"part {step}")
            yield Change("name", person, f"named {step}")
            yield Change("merge", f"part {step}", "person 0")


def draw_pictures(seed: int):
    """Draw the images of somebody who is added."""
    return draw_people(1, IMAGES, seed=seed)[0]


@functools.cache
def hash_pictures(seed: int) -> list[str]:
    """Return the content hashes of these images."""
    return [read_content(GalleryImage(picture)).digest for picture in draw_pictures(seed)]


def list_people(gallery: Gallery) -> People:
    """Return what a gallery holds, in the order of enrolment."""
    names, people = gallery.records.names(), {}
    for row, _ in gallery.records.entries():
        people.setdefault(names[row.identity], {})[row.content_hash] = row.hidden
    return people


def work(
    folder: Path, log: Path, changes: Iterator[Change], ready: Callable[[Gallery], None]
) -> None:
    """Open a gallery and change it; each line of the log says what was acknowledged.

    A line is ["begin", change] before a change is asked for, ["done", change] once it was
    acknowledged, ["told", change, words] where it was refused in words, and ["crash", words] where
    anything else was raised.
    """
    torch.set_num_threads(1)
    lines = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def say(*values: object) -> None:
        os.write(lines, f"{json.dumps(values)}\n".encode())

    try:
        gallery = open_gallery(folder)
        ready(gallery)
        for change in changes:
            say("begin", asdict(change))
            try:
                change.perform(gallery)
            except PromptReIDError as error:
                say("told", asdict(change), str(error))
            else:
                say("done", asdict(change))
        gallery.close()
    except BaseException:
        say("crash", traceback.format_exc())


@dataclass(frozen=True)
class Log:
    """What work has said.

    Attributes:
        asked: Changes that were asked for, in order.
        done: Those that were acknowledged.
        told: Those that were refused, each with the words.
        unknown: The one that was under way when the process ended; None for none.
        crash: A traceback where there is one.
    """

    asked: tuple[Change, ...]
    done: tuple[Change, ...]
    told: tuple[tuple[Change, str], ...]
    unknown: Change | None
    crash: str | None

    @classmethod
    def read(cls, path: Path) -> Log:
        """Read a log; a process that never began has an empty one."""
        lines = (
            [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        )
        asked, done = (
            tuple(Change(**line[1]) for line in lines if line[0] == word)
            for word in ("begin", "done")
        )
        told = tuple((Change(**line[1]), line[2]) for line in lines if line[0] == "told")
        crash = next((line[1] for line in lines if line[0] == "crash"), None)
        unknown = Change(**lines[-1][1]) if lines and lines[-1][0] == "begin" else None
        return cls(asked, done, told, unknown, crash)
