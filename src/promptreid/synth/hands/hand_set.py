"""Writes a synthetic hand set in the layout of 11k Hands."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from promptreid.errors import RunError, unknown_name
from promptreid.synth.fresh_folder import fresh_folder
from promptreid.synth.hands.hand_identity import ASPECTS, HandIdentity, sample_identity
from promptreid.synth.hands.hand_picture import render_hand
from promptreid.synth.hands.hand_skin import paint_skin
from promptreid.synth.rendering_processes import render_each

COLUMNS = (
    "id",
    "age",
    "gender",
    "skinColor",
    "accessories",
    "nailPolish",
    "aspectOfHand",
    "imageName",
    "irregularities",
)
MAX_IDENTITIES = 2000
# The thresholds between training and test identities lie from 1037 to 1051, one per aspect.
_LAST_TRAIN, _FIRST_TEST, _LAST_TEST = 1037, 1052, 3400
_PERSON, _NUMBERS = len(ASPECTS) + 1, len(ASPECTS) + 2  # streams beside those of the aspects


@dataclass(frozen=True)
class _Job:
    """All pictures of one person: who, how many per aspect, how large, and where they go."""

    seed: int
    index: int
    counts: tuple[int, ...]
    names: tuple[str, ...]
    size: int
    folder: Path
    nuisance: float = 1.0


def write_hands(
    out: Path,
    *,
    identities: int,
    seed: int,
    images_per_aspect: tuple[int, int] = (6, 10),
    size: int = 224,
    aspects: Sequence[str] = ASPECTS,
    nuisance: float = 1.0,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Render a hand set: `out/Hands/Hand_NNNNNNN.jpg` and `out/HandInfo.csv`.

    The first half of the people has ids up to 1037 and the second half ids from 1052, so that
    every id threshold of the 11k Hands protocol cuts the set in half. Every picture has its own
    random stream, so the bytes depend on `seed` and not on `workers`. Pictures 0 and 1 of every
    person and aspect are free of accessories, which the protocol requires.

    The many arguments are the sizes of the set, each of which a test or a demo may choose.

    Args:
        out: Folder to make; it may exist when it is empty.
        identities: Number of people, at most 2000.
        seed: Non-negative; the same seed gives the same bytes.
        images_per_aspect: Fewest and most pictures per person and aspect.
        size: Side of the pictures in pixels.
        aspects: Sides of the hand to render; leaving some out changes no other picture's pixels.
        nuisance: Share of the usual variation of pose, framing, light and camera, 0 to 1.
        workers: Processes that render.
        progress: Called with (people done, people in all), before the first one and after each.

    Returns:
        `out`.

    Raises:
        RunError: `out` is not empty or cannot be written, or a number is out of range.
    """
    _check(identities, seed, images_per_aspect, size, workers)
    for aspect in aspects:
        if aspect not in ASPECTS:
            raise RunError(unknown_name("aspect", aspect, ASPECTS))
    if not 0 <= nuisance <= 1:
        raise RunError(f"nuisance is {nuisance}; it is a share and must lie between 0 and 1.")
    jobs, ids = _plan(identities, seed, images_per_aspect, size, frozenset(aspects))
    jobs = [replace(job, nuisance=nuisance) for job in jobs]
    with fresh_folder(out) as folder:
        (folder / "Hands").mkdir()
        rows: list[dict[str, str]] = []
        if progress is not None:
            progress(0, len(jobs))
        jobs = [replace(job, folder=folder / "Hands") for job in jobs]
        with closing(render_each(_render_person, jobs, workers=workers)) as people:
            for done, (identity, pictures) in enumerate(zip(ids, people, strict=True), start=1):
                rows += [{"id": identity} | picture for picture in pictures]
                if progress is not None:
                    progress(done, len(jobs))
        (folder / "HandInfo.csv").write_text(_table(rows), encoding="ascii", newline="")
    return out


def _check(identities: int, seed: int, counts: tuple[int, int], size: int, workers: int) -> None:
    if not 1 <= identities <= MAX_IDENTITIES:
        raise RunError(
            f"A hand set has 1 to {MAX_IDENTITIES} identities; got {identities}. The id ranges of "
            "the 11k Hands protocol hold no more."
        )
    if seed < 0:
        raise RunError(f"The seed must be 0 or more; got {seed}.")
    if not 1 <= counts[0] <= counts[1]:
        raise RunError(
            "images_per_aspect is (fewest, most) with 1 <= fewest <= most; "
            f"got ({counts[0]}, {counts[1]})."
        )
    if size < 16:
        raise RunError(f"Pictures need a size of at least 16 pixels; got {size}.")
    if workers < 1:
        raise RunError(f"At least one worker must render; got {workers}.")


def _random(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def _plan(
    identities: int, seed: int, counts: tuple[int, int], size: int, aspects: frozenset[str]
) -> tuple[list[_Job], list[str]]:
    """Draw ids, numbers of pictures and file names before anything is rendered."""
    rng = _random(seed, 0, _NUMBERS, 1)
    first = (identities + 1) // 2
    low = np.sort(rng.choice(_LAST_TRAIN + 1, first, replace=False))
    high = np.arange(_FIRST_TEST, _LAST_TEST + 1)
    high = np.sort(rng.choice(high, identities - first, replace=False))
    ids = [f"{number:07d}" for number in (*low, *high)]
    jobs, number = [], 1
    for index in range(identities):
        each = rng.integers(counts[0], counts[1] + 1, len(ASPECTS))
        each *= np.array([aspect in aspects for aspect in ASPECTS])
        # Numbers have gaps, as in a collection from which bad pictures were removed.
        numbers = number + np.cumsum(rng.integers(1, 4, int(each.sum())))
        number = int(numbers[-1])
        names = tuple(f"Hand_{value:07d}.jpg" for value in numbers)
        jobs.append(_Job(seed, index, tuple(int(n) for n in each), names, size, Path()))
    return jobs, ids


def person(seed: int, index: int) -> HandIdentity:
    """Give the person number `index` of the set that `write_hands` makes from `seed`."""
    return sample_identity(_random(seed, index, _PERSON, 1))


def _render_person(job: _Job) -> list[dict[str, str]]:
    """Write one person's pictures and give their rows, without the id."""
    identity = person(job.seed, job.index)
    rows, names = [], iter(job.names)
    for number, aspect in enumerate(ASPECTS):
        if not job.counts[number]:
            continue
        skin = paint_skin(identity, aspect)
        for k in range(job.counts[number]):
            name = next(names)
            picture = render_hand(
                identity,
                aspect,
                _random(job.seed, job.index, number, k),
                size=job.size,
                skin=skin,
                accessories=False if k < 2 else None,
                nuisance=job.nuisance,
            )
            Image.fromarray(picture.pixels).save(job.folder / name, "JPEG", quality=92)
            row = picture.attributes | {"imageName": name}
            rows.append({column: row[column] for column in COLUMNS if column != "id"})
    return rows


def _table(rows: list[dict[str, str]]) -> str:
    """Write the rows as 11k Hands does: text in quotes, numbers bare."""
    stream = io.StringIO()
    stream.write(",".join(COLUMNS) + "\n")
    text = {"id", "gender", "skinColor", "aspectOfHand", "imageName"}
    writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    for row in rows:
        writer.writerow([row[c] if c in text else int(row[c]) for c in COLUMNS])
    return stream.getvalue()
