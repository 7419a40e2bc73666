"""What a writer and a reader of one gallery do for some time, and what they note of it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import torch
from gallery_model import draw_people, open_gallery

from promptreid.errors import PromptReIDError

STEPS_KEPT = 6
"""People that a writer keeps at a time; older ones are erased."""

LEAST_STEPS = STEPS_KEPT + 8
"""Steps that each process takes, however long a busy machine needs for them."""


def write(folder: Path, log: Path, seed: int, seconds: float) -> None:
    """Add, hide and erase people; note each erasure after it was acknowledged."""
    torch.set_num_threads(1)
    gallery, note = open_gallery(folder), _Notes(log)
    end, step = time.monotonic() + seconds, 0
    while time.monotonic() < end or step < LEAST_STEPS:
        person = f"w{seed} {step}"
        with note.refusals():
            gallery.add(draw_people(1, 3, seed=100_000 * (seed + 1) + step)[0], [person] * 3)
        with note.refusals():
            (gallery.hide if step % 2 else gallery.unhide)(f"w{seed} {max(step - 2, 0)}")
        if step >= STEPS_KEPT:
            old = f"w{seed} {step - STEPS_KEPT}"
            with note.refusals():
                gallery.erase(old)
            note.say("erased", old, time.monotonic())
        note.say("memory", _count_bytes())
        step += 1
    note.say("steps", step)
    gallery.close()


def read(folder: Path, log: Path, seed: int, seconds: float) -> None:
    """Search for people, enrolled or not; note who was named and when the search began."""
    torch.set_num_threads(1)
    gallery, note = open_gallery(folder), _Notes(log)
    known = draw_people(12, 2)[0]
    end, step = time.monotonic() + seconds, 0
    while time.monotonic() < end or step < LEAST_STEPS:
        one = known[2 * (step % 12)]
        other = draw_people(1, 1, seed=100_000 * (seed % 2 + 1) + step // 8)[0][0]
        begun = time.monotonic()
        with note.refusals():
            first, second = gallery.search([one, other], top=10)
            names = sorted({row.identity for row in (*first.candidates, *second.candidates)})
            note.say("named", begun, names)
            best = first.candidates[0]
            if best.identity != f"person {step % 12}" or best.score < 0.999:
                note.say("wrong", step, best.identity, best.score)
            if first.identities != second.identities:
                note.say("wrong", step, first.identities, second.identities)
        note.say("memory", _count_bytes())
        step += 1
    note.say("steps", step)
    gallery.close()


class _Notes:
    """Lines of a log, and what was raised."""

    def __init__(self, log: Path) -> None:
        self._lines = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def say(self, *values: object) -> None:
        os.write(self._lines, f"{json.dumps(values)}\n".encode())

    def refusals(self) -> _Notes:
        return self

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, trace) -> bool:
        if isinstance(error, PromptReIDError):
            self.say("refused", str(error))
            return True
        return False


def _count_bytes() -> int:
    """Return the resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
