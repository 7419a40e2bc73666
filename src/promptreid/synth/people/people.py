"""Synthetic people in the layout of Market-1501: the public face of the renderer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np
from PIL import Image

from promptreid.errors import ConfigError
from promptreid.synth.fresh_folder import fresh_folder
from promptreid.synth.people.people_domain import PersonDomain, domain
from promptreid.synth.people.people_render import PersonPicture, render_background, render_person
from promptreid.synth.people.person_caption import caption
from promptreid.synth.people.person_identity import PersonIdentity, sample_identity
from promptreid.synth.rendering_processes import render_each

__all__ = [
    "PersonDomain",
    "PersonIdentity",
    "PersonPicture",
    "caption",
    "domain",
    "render_person",
    "sample_identity",
    "write_people",
]

FOLDERS = ("bounding_box_train", "query", "bounding_box_test")
_TOGETHER = 4
"""Subjects that a process renders before it is asked again; a stop waits for them."""
_FRAMES = 39_999
"""Frame numbers, 25 apart, that fit the six digits of a file name within one sequence."""


@dataclass(frozen=True)
class _Plan:
    """Everything a worker needs to render any subject on its own."""

    seed: int
    domain_index: int
    cameras: int
    images: tuple[int, int]
    size: tuple[int, int]
    identities: int
    distractors: int
    workers: int

    def check(self) -> None:
        """Raise a `ConfigError` when a number is out of range."""
        limits = (
            ("identities", self.identities, 1, 9_999),
            ("seed", self.seed, 0, 2**63 - 1),
            ("cameras", self.cameras, 1, 9),
            ("domain_index", self.domain_index, 0, 9_999),
            ("the fewest images per camera", self.images[0], 1, 1_000),
            ("the most images per camera", self.images[1], self.images[0], 1_000),
            ("the height", self.size[0], 16, 4_096),
            ("the width", self.size[1], 8, 4_096),
            ("distractors", self.distractors, 0, 1_000_000),
            ("workers", self.workers, 1, 1_024),
        )
        for name, value, low, high in limits:
            if not low <= value <= high:
                raise ConfigError(
                    f"Synthetic people: {name} must be between {low} and {high}, but got {value}."
                )

    @cached_property
    def training(self) -> frozenset[int]:
        """The identities that train: the larger half."""
        order = np.random.default_rng([23, self.seed, self.domain_index]).permutation(
            self.identities
        )
        return frozenset(order[: (self.identities + 1) // 2].tolist())


def write_people(
    out: Path,
    *,
    identities: int,
    seed: int,
    cameras: int = 6,
    domain_index: int = 0,
    images_per_camera: tuple[int, int] = (1, 4),
    size: tuple[int, int] = (128, 64),
    distractors: int | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a synthetic person set as Market-1501 is laid out.

    `bounding_box_train`, `query` and `bounding_box_test` hold files such as
    `0002_c1s1_000451_03.jpg`: identity, camera (from 1), sequence, frame and box. Half of the
    identities (the larger half of an odd number) train, the others test. Each is seen by two or
    more cameras. A test identity has one query a camera, and its other images are the gallery;
    identity 0000 marks distractors (strangers and empty boxes), -1 junk boxes that cut a person
    badly.

    One identity gives no query and no gallery; one camera gives queries without any match in
    another camera. Such sets are written all the same.

    The many arguments are the sizes of the set, each of which a test or a demo may choose.

    Args:
        out: Folder to make; it must not exist, or be empty.
        identities: Number of people, 1 to 9,999.
        seed: The same seed gives the same bytes, whatever the number of workers.
        cameras: Number of cameras, 1 to 9.
        domain_index: Which site, see `domain`; people of two sites are different people.
        images_per_camera: Fewest and most images of an identity in a camera, queries apart.
        size: Height and width of the images in pixels.
        distractors: Number of distractor images, a quarter as many junk boxes are added; by
            default as many as identities.
        workers: Number of processes.
        progress: Called with the number of finished and of all subjects, before the first one too.

    Returns:
        `out`.

    Raises:
        ConfigError: A number is out of range.
        RunError: `out` is a file or not empty, or cannot be written; a process died.
    """
    plan = _Plan(
        seed=seed,
        domain_index=domain_index,
        cameras=cameras,
        images=images_per_camera,
        size=size,
        identities=identities,
        distractors=identities if distractors is None else distractors,
        workers=workers,
    )
    plan.check()
    with fresh_folder(Path(out)) as folder:
        for name in FOLDERS:
            (folder / name).mkdir()
        _render_all(plan, folder, progress)
    return Path(out)


def _render_all(plan: _Plan, folder: Path, progress: Callable[[int, int], None] | None) -> None:
    """Render identities, distractors and junk into `folder`, in as many processes as asked."""
    junk = -(-plan.distractors // 4)
    subjects = plan.identities + plan.distractors + junk
    if progress:
        progress(0, subjects)
    work = partial(_render_subject, plan, folder)
    rendered = render_each(work, range(subjects), workers=plan.workers, at_a_time=_TOGETHER)
    with closing(rendered):
        for done, _ in enumerate(rendered, start=1):
            if progress:
                progress(done, subjects)


@lru_cache(maxsize=1)
def _site(index: int, seed: int, cameras: int) -> PersonDomain:
    """A site, kept by a process from one subject to the next."""
    return domain(index, seed=seed, cameras=cameras)


def _render_subject(plan: _Plan, folder: Path, subject: int) -> None:
    site = _site(plan.domain_index, plan.seed, plan.cameras)
    if subject < plan.identities:
        _write_identity(plan, folder, site, subject)
    else:
        _write_stranger(plan, folder, site, subject)


def _write_identity(plan: _Plan, folder: Path, site: PersonDomain, subject: int) -> None:
    root = [plan.seed, plan.domain_index, subject]
    rng = _generator(*root)
    person = sample_identity(rng, season=site.season)
    fewest = min(2, plan.cameras)
    count = int(rng.integers(fewest, plan.cameras + 1))
    training = subject in plan.training
    for camera in sorted(rng.permutation(plan.cameras)[:count].tolist()):
        images = int(rng.integers(plan.images[0], plan.images[1] + 1)) + (not training)
        query = -1 if training else int(rng.integers(images))
        for number in range(images):
            draw = _generator(*root, camera, number)
            picture = render_person(person, site, camera, draw, size=plan.size)
            role = FOLDERS[0] if training else FOLDERS[1] if number == query else FOLDERS[2]
            name = _name(
                f"{subject + 1:04d}", camera, subject * (plan.images[1] + 1) + number, draw
            )
            _save(folder / role / name, picture.pixels, site, camera)


def _write_stranger(plan: _Plan, folder: Path, site: PersonDomain, subject: int) -> None:
    """Write one distractor (subjects after the identities) or junk box (those after them)."""
    rng = _generator(plan.seed, plan.domain_index, subject)
    person = sample_identity(rng, season=site.season)
    camera = int(rng.integers(plan.cameras))
    junk = subject >= plan.identities + plan.distractors
    draw = _generator(plan.seed, plan.domain_index, subject, camera, 0)
    if not junk and rng.random() < 0.3:
        pixels = render_background(site, camera, draw, size=plan.size)
    else:
        bad = junk or bool(rng.random() < 0.3)
        pixels = render_person(person, site, camera, draw, size=plan.size, bad_box=bad).pixels
    name = _name("-1" if junk else "0000", camera, subject * (plan.images[1] + 1), draw)
    _save(folder / FOLDERS[2] / name, pixels, site, camera)


def _generator(*words: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


def _name(identity: str, camera: int, moment: int, rng: np.random.Generator) -> str:
    sequence, frame = 1 + moment // _FRAMES, 1 + 25 * (moment % _FRAMES)
    return f"{identity}_c{camera + 1}s{sequence}_{frame:06d}_{int(rng.integers(1, 8)):02d}.jpg"


def _save(path: Path, pixels: np.ndarray, site: PersonDomain, camera: int) -> None:
    quality = site.cameras[camera].quality
    Image.fromarray(pixels).save(path, "JPEG", quality=quality, subsampling=2, optimize=False)
