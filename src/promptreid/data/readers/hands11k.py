"""11k Hands (Afifi, 2019) by the protocol of MBA-Net (Baisa et al., 2022).

`HandInfo.csv` and `Hands/Hand_0000002.jpg`. Each aspect (dorsal or palmar side of the right or
left hand) is a data set of its own. Images with accessories are left out. People up to a threshold
train, the others test. One random image of each training person is for validation. In each of ten
repeats one random image of each test person is the gallery and all others are queries.

`gallery=all` adds the gallery of the three other aspects as distractors: 290 identities, as
MBA-Net reports; a person's other hand is then another identity.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from promptreid.data.dataset import DataSet
from promptreid.data.folders.layout import describe_contents, find_root, has_all
from promptreid.data.folders.listed_images import keep_existing, note_unlisted
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.manifest.sample_columns import TRAINING_SPLITS
from promptreid.data.protocol import Protocol, Repeat
from promptreid.data.readers.handinfo import ASPECTS, Hand, read_hand_info
from promptreid.data.readers.reader_options import MissingOptions
from promptreid.data.splits.draws import draw_gallery, generator, hold_out_images, rows_by_identity
from promptreid.errors import DataError
from promptreid.text.lists import counted

MBA_THRESHOLDS: Mapping[str, int] = {
    "dorsal_right": 1050,
    "dorsal_left": 1037,
    "palmar_right": 1051,
    "palmar_left": 1042,
}
COMMON_THRESHOLD = 1050
"""Of all single thresholds the one that moves the fewest images (175 of 7,865) away from the
published halves; it leaves dorsal right exactly as published."""

FEW_SHOWN = 5


class Options(MissingOptions):
    """Options of `hands11k`."""

    aspect: Literal["dorsal_right", "dorsal_left", "palmar_right", "palmar_left", "all"] = Field(
        "dorsal_right",
        description="which hand and side; all makes every aspect of a person its own identity",
    )
    gallery: Literal["same", "all"] = Field(
        "same", description="all adds the other aspects' galleries as distractors (MBA-Net)"
    )
    repeats: int = Field(10, ge=1, description="number of query/gallery draws")
    seed: int = Field(0, ge=0, description="seed of all draws")
    thresholds: str = Field(
        "auto",
        description="people up to this number train: mba (published, one per aspect), common (one "
        "for all aspects), half (the first half of the people here), or a number; auto is mba for "
        "one aspect and common for all",
    )
    accessories: Literal["drop", "keep"] = Field(
        "drop", description="leave out images with accessories, as published, or keep them"
    )
    images: str = Field("Hands", min_length=1, description="folder of the images, inside the root")

    @field_validator("thresholds")
    @classmethod
    def _threshold(cls, value: str) -> str:
        if value not in ("auto", "mba", "common", "half") and not re.fullmatch("[0-9]{1,9}", value):
            raise ValueError("it must be auto, mba, common, half or a whole number")
        return value


def read(root: Path, options: Options) -> DataSet:
    """Read 11k Hands from the folder with HandInfo.csv, or one around it.

    Raises:
        DataError: When the layout is not found, HandInfo.csv cannot be read, listed images are
            missing, or no person is left to train or test on.
    """
    home, notes = find_root(
        root, has_all("HandInfo.csv"), wanted="HandInfo.csv", nested=("11k", "11khands")
    )
    if not (home / options.images).is_dir():
        raise DataError(
            f"Looked in {home} for the folder {options.images} with the images, but it holds "
            f"{describe_contents(home)}. The option images=DIR names another."
        )
    listed, table_notes = read_hand_info(home / "HandInfo.csv")
    hands = listed
    if options.accessories == "drop":
        hands = [hand for hand in hands if hand.attributes["accessories"] == "0"]
    limits = _thresholds(hands, options)
    roles = {hand.image: _split(hand, options.aspect, limits) for hand in hands}
    wanted = [
        hand
        for hand in hands
        if options.aspect in ("all", hand.aspect)
        or (options.gallery == "all" and roles[hand.image] == "distractor")
    ]
    if not wanted:
        raise DataError(f"{home / 'HandInfo.csv'} lists no image of {options.aspect} to use.")
    samples = [_sample(hand, roles[hand.image], options) for hand in wanted]
    samples, skipped = keep_existing(
        samples, home, missing=options.missing, listed_in="HandInfo.csv"
    )
    manifest = Manifest.of(f"hands11k-{options.aspect}", home, samples)
    manifest = hold_out_images(manifest, options.seed)
    _check_halves(manifest, max(limits[aspect] for aspect in _tested_aspects(options)))
    protocol = Protocol(
        name="hands11k/gallery_all" if options.gallery == "all" else "hands11k/gallery",
        repeats=tuple(_repeats(manifest, options)),
        same_camera="keep",
        ap="step",
        note=_protocol_note(options),
    )
    notes += (
        *table_notes,
        _threshold_note(manifest, limits),
        *_left_out(listed, hands, wanted, options),
        *note_unlisted(
            (f"{options.images}/{hand.image}" for hand in listed), home, listed_in="HandInfo.csv"
        ),
        *skipped,
        *_single_notes(manifest),
    )
    return DataSet(f"hands11k:{root}", manifest, protocol, notes)


def _left_out(
    listed: Sequence[Hand], bare: Sequence[Hand], wanted: Sequence[Hand], options: Options
) -> tuple[str, ...]:
    """Count the images that the table lists and that are not used."""
    unused = []
    if len(listed) > len(bare):
        unused.append(f"{counted(len(listed) - len(bare), 'image')} with accessories left out")
    if len(bare) > len(wanted):
        others = counted(len(bare) - len(wanted), "image")
        unused.append(f"{others} of other aspects than {options.aspect} not used")
    if not unused:
        return ()
    return (f"HandInfo.csv lists {counted(len(listed), 'image')}: {', '.join(unused)}.",)


def _tested_aspects(options: Options) -> tuple[str, ...]:
    """Return the aspects that train and are searched for."""
    return ASPECTS if options.aspect == "all" else (options.aspect,)


def _thresholds(hands: Iterable[Hand], options: Options) -> Mapping[str, int]:
    """Return the last training number of each aspect."""
    kind = options.thresholds
    if kind == "auto":
        kind = "common" if options.aspect == "all" else "mba"
    if kind == "mba":
        return MBA_THRESHOLDS
    if kind == "half":
        people = sorted({hand.person for hand in hands if options.aspect in ("all", hand.aspect)})
        limit = people[(len(people) + 1) // 2 - 1] if people else 0
    else:
        limit = COMMON_THRESHOLD if kind == "common" else int(kind)
    return dict.fromkeys(ASPECTS, limit)


def _split(hand: Hand, aspect: str, limits: Mapping[str, int]) -> str:
    if hand.person <= limits[hand.aspect]:
        return "train"
    return "test" if aspect in ("all", hand.aspect) else "distractor"


def _sample(hand: Hand, split: str, options: Options) -> Sample:
    """A distractor, or any hand when all aspects are read, is named by person and aspect."""
    by_person = options.aspect == hand.aspect
    return Sample(
        path=f"{options.images}/{hand.image}",
        identity=str(hand.person) if by_person else f"{hand.person}/{hand.aspect}",
        split=split,
        domain=f"hands11k/{hand.aspect}",
        attributes=hand.attributes,
    )


def _check_halves(manifest: Manifest, last: int) -> None:
    """Make sure that there is somebody to train on, up to number `last`, and to search for."""
    for split, role in (("train", "train on"), ("test", "test on")):
        if split not in manifest.splits:
            people = sorted({int(number) for number in manifest.attributes["id"]})
            raise DataError(
                f"No person is left to {role}: the people here are numbered {people[0]} to "
                f"{people[-1]} and those up to {last} train. The option "
                "thresholds=half trains on the first half of the people."
            )
    groups = rows_by_identity(manifest, manifest.indices("test")).values()
    if all(len(rows) == 1 for rows in groups):
        raise DataError("No test person has two images, so there is nothing to search for.")


def _repeats(manifest: Manifest, options: Options) -> Iterable[Repeat]:
    """Draw the repeats; an aspect's draw does not depend on what else is read."""
    tested = _tested_aspects(options)
    domains = np.array(manifest.domains)
    rows = manifest.indices("test", "distractor")
    for number in range(options.repeats):
        draws = {}
        for aspect in ASPECTS:
            domain = f"hands11k/{aspect}"
            rng = generator(options.seed, domain, "gallery", number)
            of_aspect = rows[domains[rows] == domain]
            draws[aspect] = draw_gallery(manifest, of_aspect, per_identity=1, rng=rng)
        if options.gallery == "all":
            query = [row for aspect in tested for row in draws[aspect][0]]
            gallery = [row for _, rows_drawn in draws.values() for row in rows_drawn]
            yield Repeat(np.array(sorted(query)), np.array(sorted(gallery)))
        else:
            for aspect in tested:
                query, gallery = draws[aspect]
                if query:
                    yield Repeat(np.array(query), np.array(gallery))


def _protocol_note(options: Options) -> str:
    aspects = "each of the four aspects" if options.aspect == "all" else options.aspect
    gallery = "all four aspects" if options.gallery == "all" else "the same aspect"
    return (
        f"{options.repeats} draws, queries of {aspects}, gallery of one random image per test "
        f"identity of {gallery}."
    )


def _threshold_note(manifest: Manifest, limits: Mapping[str, int]) -> str:
    if len(set(limits.values())) == 1:
        note = f"People up to number {limits[ASPECTS[0]]} train, in all aspects."
    else:
        note = "People up to a published number train, one number for each aspect."
    trained, others = set(), set()
    for split, number in zip(manifest.splits, manifest.attributes["id"], strict=True):
        (trained if split in TRAINING_SPLITS else others).add(number)
    both = sorted(trained & others)
    if both:
        note += (
            f" So {len(both)} people train with one hand and are tested, or distract, with another:"
            f" {', '.join(both[:FEW_SHOWN])}{' …' if len(both) > FEW_SHOWN else ''}. "
            "thresholds=common avoids this."
        )
    return note


def _single_notes(manifest: Manifest) -> tuple[str, ...]:
    notes = []
    for kind, splits, fate in (
        ("training", TRAINING_SPLITS, "trains; they have no validation image"),
        ("test", ("test",), "is in every gallery; they have no query"),
    ):
        groups = rows_by_identity(manifest, manifest.indices(*splits)).values()
        count = sum(len(rows) == 1 for rows in groups)
        if count:
            notes.append(f"{count} {kind} identities have a single image, which {fate}.")
    return tuple(notes)
