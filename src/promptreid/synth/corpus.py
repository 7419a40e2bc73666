"""Pictures with captions, rendered in memory-mapped form for image-caption training."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from promptreid.errors import ConfigError, DataError
from promptreid.files import write_json
from promptreid.synth.hands import hands
from promptreid.synth.people import people, person_caption
from promptreid.synth.rendering_processes import render_each

CAPTIONS = 6
"""Captions drawn for each picture."""
_HANDS, _PEOPLE = 1, 2
_DOMAINS = 4


@dataclass(frozen=True)
class Corpus:
    """Rendered pictures and their captions.

    Attributes:
        pixels: (N, S, S, 3) uint8, memory-mapped.
        captions: `CAPTIONS` sentences for each picture.
    """

    pixels: NDArray[np.uint8]
    captions: list[list[str]]

    def __len__(self) -> int:
        return len(self.captions)


@dataclass(frozen=True)
class CorpusPlan:
    """What to render; the same plan gives the same pictures.

    Attributes:
        hands: Hand identities.
        people: Person identities.
        images: Pictures of each identity.
        size: Height and width in pixels.
        seed: Seed of everything.
    """

    hands: int
    people: int
    images: int
    size: int
    seed: int

    def __post_init__(self) -> None:
        if min(self.hands, self.people) < 0 or self.hands + self.people < 2:
            raise ConfigError(
                f"A corpus needs at least two identities; got {self.hands} hands and "
                f"{self.people} people."
            )
        if self.images < 1 or self.size < 32:
            raise ConfigError(
                f"A corpus needs at least 1 image per identity of at least 32 pixels; got "
                f"{self.images} of {self.size}."
            )

    @property
    def total(self) -> int:
        """Number of pictures."""
        return (self.hands + self.people) * self.images


def render_corpus(
    folder: Path,
    plan: CorpusPlan,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Corpus:
    """Render a corpus into `folder`, or open it when it is there already.

    Args:
        folder: Holds `pixels.npy` and `corpus.json` afterwards; the latter is written last, so that
            a folder without it is rendered anew.
        plan: What to render.
        workers: Processes that render.
        progress: Called with (pictures done, pictures in all), before the first one too.

    Raises:
        DataError: The folder holds a corpus of another plan.
    """
    pixels_file, record_file = folder / "pixels.npy", folder / "corpus.json"
    if not record_file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        shape = (plan.total, plan.size, plan.size, 3)
        pixels = np.lib.format.open_memmap(pixels_file, "w+", np.uint8, shape)
        captions: list[list[str]] = []
        jobs = [(plan, _HANDS, n) for n in range(plan.hands)]
        jobs += [(plan, _PEOPLE, n) for n in range(plan.people)]
        if progress is not None:
            progress(0, plan.total)
        with closing(render_each(_render_identity, jobs, workers=workers, at_a_time=4)) as rendered:
            for found, sentences in rendered:
                pixels[len(captions) : len(captions) + len(found)] = found
                captions += sentences
                if progress is not None:
                    progress(len(captions), plan.total)
        pixels.flush()
        write_json(record_file, {"plan": asdict(plan), "captions": captions})
    record = json.loads(record_file.read_text(encoding="utf-8"))
    if record["plan"] != asdict(plan):
        raise DataError(
            f"{folder} holds a corpus of another plan: {record['plan']}, not {asdict(plan)}. "
            "Ask for that plan, or give another folder."
        )
    return Corpus(pixels=np.load(pixels_file, mmap_mode="r"), captions=record["captions"])


def _render_identity(
    job: tuple[CorpusPlan, int, int],
) -> tuple[NDArray[np.uint8], list[list[str]]]:
    """Render all pictures of one identity from its own random stream."""
    plan, kind, number = job
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([plan.seed, kind, number])))
    render = _hand if kind == _HANDS else _person
    return render(plan, number, rng)


def _hand(
    plan: CorpusPlan, number: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], list[list[str]]]:
    identity = hands.sample_identity(rng)
    pixels, captions = [], []
    for picture_number in range(plan.images):
        aspect = hands.ASPECTS[(picture_number + number) % len(hands.ASPECTS)]
        picture = hands.render_hand(identity, aspect, rng, size=plan.size)
        pixels.append(picture.pixels)
        captions.append([hands.caption(identity, picture, rng) for _ in range(CAPTIONS)])
    return np.stack(pixels), captions


def _person(
    plan: CorpusPlan, number: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], list[list[str]]]:
    identity = people.sample_identity(rng)
    place = people.domain(number % _DOMAINS, seed=plan.seed)
    pixels, captions = [], []
    for picture_number in range(plan.images):
        size = (plan.size, plan.size // 2)
        camera = picture_number % 6
        picture = people.render_person(identity, place, camera, rng, size=size)
        square = Image.fromarray(picture.pixels).resize(
            (plan.size, plan.size), Image.Resampling.BICUBIC
        )
        pixels.append(np.asarray(square))
        captions.append([person_caption.caption(identity, picture, rng) for _ in range(CAPTIONS)])
    return np.stack(pixels), captions
