"""Work on a gallery that never ends, for tests that kill it."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import torch
from gallery_model import draw_people, open_gallery


def work(folder: Path, log: Path, kind: str, seed: int) -> None:
    """Change a gallery for ever; a line of the log says what was acknowledged.

    A line is "begin WHAT" before a change is asked for and "done WHAT" once it was acknowledged.
    """
    torch.set_num_threads(1)
    gallery = open_gallery(folder)
    lines = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def say(text: str) -> None:
        os.write(lines, f"{text}\n".encode())

    for step in itertools.count():
        pictures, _ = draw_people(1, 5, seed=1000 * seed + step + 1)
        person = f"new {step}"
        say(f"begin add {person}")
        gallery.add(pictures, [person] * 5)
        say(f"done add {person}")
        if kind == "hide":
            say(f"begin hide {person}")
            gallery.hide(person)
            say(f"done hide {person}")
        if kind == "erase" and step % 2:
            say(f"begin erase {person}")
            gallery.erase(person)
            say(f"done erase {person}")
