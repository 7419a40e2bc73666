"""Data without published roles: draw training and test identities, queries and galleries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field, PrivateAttr

from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.manifest.unknown_values import UnknownWords
from promptreid.data.protocol import Protocol, Repeat, fixed_protocol
from promptreid.data.readers.reader_options import ReaderOptions
from promptreid.data.splits.closed_set import (
    identity_keys,
    make_closed_protocol,
    refuse_known,
    split_images,
)
from promptreid.data.splits.draws import draw_across_cameras, draw_galleries, generator, pick
from promptreid.errors import DataError, OneIdentityError


class FlatOptions(ReaderOptions):
    """Options of readers of one's own data, where any word may stand for a name."""

    unknown: str = Field(
        "auto",
        description="words that mean not known: auto for the usual ones (nan, NULL, None, unknown, "
        "n/a, ?, -, -1), further words of your own with commas between them, or keep to take all "
        "words as names",
    )
    train: float = Field(
        0.5,
        ge=0,
        le=1,
        description="fraction of the identities that train, where the data give no split; in a "
        "closed set the fraction of each identity's images",
    )
    identities: Literal["open", "closed"] = Field(
        "open",
        description="open: test identities are new to training; closed: they are known, and test "
        "images are scored against the training images",
    )
    repeats: int = Field(10, ge=1, description="number of query/gallery draws")
    gallery_per_identity: int = Field(
        1, ge=1, description="gallery images of each test identity in a draw"
    )
    seed: int = Field(0, ge=0, description="seed of all draws")
    same_camera: Literal["auto", "exclude", "keep"] = Field(
        "auto",
        description="exclude or keep gallery images of the query's identity and camera; auto "
        "excludes them when all test images have cameras and there are at least two",
    )

    _draws: bool = PrivateAttr(default=True)

    @property
    def draws_roles(self) -> bool:
        """Whether images without roles are given some, and it is chosen how to test."""
        return self._draws

    def without_roles(self) -> Self:
        """Return the options of somebody who trains nothing and tests nothing."""
        other = self.model_copy()
        other._draws = False
        return other

    @property
    def unknown_words(self) -> UnknownWords:
        """What tells words that mean "not known" from names."""
        return UnknownWords.of(self.unknown)


def split_samples(
    samples: Sequence[Sample], options: FlatOptions, name: str
) -> tuple[list[Sample], tuple[str, ...]]:
    """Give each identity to training or to testing; in a closed set, images of each to both.

    Args:
        samples: Rows whose split does not count.
        options: Fraction, seed, and whether the set is closed; or that no roles are wanted.
        name: Name of the data set: domain of samples without one.

    Returns:
        The rows with split train or test, and notes.

    Raises:
        OneIdentityError: There is only one identity.
    """
    if not options.draws_roles:
        return [replace(sample, split="test") for sample in samples], ()
    sample_keys = identity_keys(samples, name)
    keys = sorted(set(sample_keys))
    if len(keys) == 1:
        raise OneIdentityError(
            f"All {len(samples)} images show one identity ({keys[0][1]!r}); re-identification "
            "needs at least two to tell apart."
        )
    if options.identities == "closed":
        return split_images(samples, train=options.train, seed=options.seed, name=name)
    count = round(options.train * len(keys))
    if 0 < options.train < 1:
        count = min(max(count, 1), len(keys) - 1)
    trained = set(pick(keys, count, generator(options.seed, name, "train")))
    rows = [
        replace(sample, split="train" if key in trained else "test")
        for sample, key in zip(samples, sample_keys, strict=True)
    ]
    note = f"{count} of {len(keys)} identities, drawn with seed {options.seed}, train."
    return rows, (note,)


def make_manifest(
    name: str, root: Path, samples: Sequence[Sample], options: FlatOptions, *, source: str
) -> Manifest:
    """Gather the rows of one's own data; messages name the source that they come from.

    Raises:
        DataError: When test images show identities that train and the set is not said to be
            closed; or as `Manifest`.
    """
    closed = options.identities == "closed"
    if not closed:
        refuse_known(samples, name=name, source=source)
    return Manifest.of(name, root, samples, closed=closed)


def choose_protocol(
    manifest: Manifest, options: FlatOptions
) -> tuple[Protocol | None, tuple[str, ...]]:
    """Choose how to test: fixed queries and gallery, across cameras, or repeated draws.

    Returns:
        The protocol, or None when there is nothing to test on, and notes.

    Raises:
        DataError: When fixed and undecided test images are mixed in an open set, or when no test
            image of a closed set shows an identity that trains.
    """
    if not options.draws_roles:
        return None, ()
    if manifest.closed:
        rows = manifest.indices("train", "query", "gallery", "test")
        rule, notes = _camera_rule(manifest, rows, options)
        protocol, closed_notes = make_closed_protocol(manifest, same_camera=rule)
        return protocol, notes + closed_notes
    fixed = manifest.indices("query", "gallery")
    drawn = manifest.indices("test")
    if fixed.size and drawn.size:
        raise DataError(
            "Test images are either all of split test, whose role is drawn, or all of split query "
            f"or gallery; here are {drawn.size} of the first and {fixed.size} of the second kind."
        )
    rows = manifest.indices("query", "gallery", "test")
    rule, notes = _camera_rule(manifest, rows, options)
    if fixed.size:
        protocol = fixed_protocol(
            manifest, name=manifest.name, same_camera=rule, note="One query set, one gallery."
        )
        if protocol is None:
            notes += ("There are query or gallery images but not both, so nothing can be scored.",)
        return protocol, notes
    if not drawn.size:
        return None, (*notes, "There is no test image, so nothing can be scored.")
    protocol = _across_cameras(manifest, options) if rule == "exclude" else None
    if protocol is None and rule == "exclude" and options.same_camera == "auto":
        rule = "keep"
        notes += ("No test identity was seen by two cameras, so the same-camera rule is off.",)
    protocol = protocol or _repeated(manifest, options, rule)
    if protocol is None:
        notes += ("No test identity has two images, so nothing can be scored.",)
    elif len(manifest.identity_list("test", "distractor")) == 1:
        notes += ("Only one test identity: every answer is right and scores mean nothing.",)
    return protocol, notes


def _camera_rule(
    manifest: Manifest, rows: np.ndarray, options: FlatOptions
) -> tuple[str, tuple[str, ...]]:
    cameras = {manifest.cameras[row] for row in rows}
    if options.same_camera != "auto":
        return options.same_camera, ()
    if cameras <= {None}:
        return "keep", ()
    if None in cameras:
        return "keep", ("Some test images have no camera, so the same-camera rule is off.",)
    if len(cameras) == 1:
        return "keep", ("All test images are of one camera, so the same-camera rule is off.",)
    return "exclude", ()


def _across_cameras(manifest: Manifest, options: FlatOptions) -> Protocol | None:
    rows = manifest.indices("test")
    if any(manifest.cameras[row] is None for row in rows):
        return None
    repeats = []
    for number in range(options.repeats):
        rng = generator(options.seed, manifest.name, "cameras", number)
        repeat = draw_across_cameras(manifest, rows, rng=rng)
        if repeat is not None:
            gallery = np.concatenate([repeat.gallery, manifest.indices("distractor")])
            repeats.append(Repeat(repeat.query, gallery))
    if not repeats:
        return None
    return Protocol(
        f"{manifest.name}/cameras",
        tuple(repeats),
        "exclude",
        "step",
        f"{options.repeats} draws of one query per identity and camera, all others gallery.",
    )


def _repeated(manifest: Manifest, options: FlatOptions, rule: str) -> Protocol | None:
    count = options.gallery_per_identity
    repeats = draw_galleries(
        manifest, options.repeats, options.seed, manifest.name, "gallery", per_identity=count
    )
    if not repeats:
        return None
    return Protocol(
        f"{manifest.name}/gallery",
        repeats,
        rule,
        "step",
        f"{options.repeats} draws of {count} gallery image(s) per identity, all others queries.",
    )
