"""Rows of a gallery's records, as they go in and come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

EARLIEST_TIME, LATEST_TIME = -62_135_596_800, 253_402_300_799
"""The years 1 to 9999 in seconds since 1970, beyond which no calendar here goes."""


@dataclass(frozen=True, eq=False)
class NewEntry:
    """An image that is to be enrolled, with its vector.

    Attributes:
        content_hash: SHA-256 in hex of what is enrolled; the same content is enrolled once.
        identity: Name of who is shown.
        camera: Name of the camera, None where unknown.
        time: When it was taken, in seconds since 1970 (UTC); None where unknown.
        domain: Where it comes from.
        attributes: Free attributes.
        crop: The image itself, as the bytes of an image file; None where only `path` is kept.
        path: Where the picture lies, as given; None for an image that came from memory.
        box: The part of the picture that is the image, as `str(Box)`; empty for all of it.
        vector: (width,) float32 of length 1.
        text_vector: (text width,) float32 of length 1 that compares with texts; None where the
            model has none.
    """

    content_hash: str
    identity: str
    camera: str | None
    time: float | None
    domain: str
    attributes: Mapping[str, str]
    crop: bytes | None
    path: str | None
    box: str
    vector: NDArray[np.float32]
    text_vector: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class EntryRow:
    """An enrolled image, without its pixels.

    Attributes:
        entry: Its number, which is never used again.
        content_hash: As in `NewEntry`.
        identity: Number of its identity.
        camera: As in `NewEntry`, as are `time`, `domain`, `attributes`, `path` and `box`.
        time: Seconds since 1970.
        domain: Where it comes from.
        attributes: Free attributes.
        path: Where the picture lies.
        box: The part of it.
        hidden: Whether it is left out of every answer.
        version: Revision of the records that changed it last.
    """

    entry: int
    content_hash: str
    identity: int
    camera: str | None
    time: float | None
    domain: str
    attributes: Mapping[str, str]
    path: str | None
    box: str
    hidden: bool
    version: int


@dataclass(frozen=True, eq=False)
class EntryColumns:
    """Some entries, N of them, column by column, as a search needs them.

    Attributes:
        entries: (N,) numbers, ascending.
        draws: (N,) the first eight bytes of each content hash as a number.
        identities: (N,) numbers of the identities.
        cameras: Name of the camera of each, None where unknown.
        times: (N,) seconds since 1970, not a number where unknown.
        domains: Where each comes from.
        attributes: Free attributes of each as a JSON object.
        hidden: (N,) whether it is left out of every answer.
        usable: (N,) whether it has a vector of the model that is searched.
    """

    entries: NDArray[np.int64]
    draws: NDArray[np.uint64]
    identities: NDArray[np.int64]
    cameras: Sequence[str | None]
    times: NDArray[np.float64]
    domains: Sequence[str]
    attributes: Sequence[str]
    hidden: NDArray[np.bool_]
    usable: NDArray[np.bool_]


@dataclass(frozen=True)
class IdentityRow:
    """Somebody who is enrolled.

    Attributes:
        identity: Number, which is never used again.
        name: Name, which no other identity has.
        note: Free words.
        version: Revision of the records that changed it last.
        entries: Number of images.
        hidden: How many of them are hidden.
    """

    identity: int
    name: str
    note: str
    version: int
    entries: int
    hidden: int


@dataclass(frozen=True)
class ModelRow:
    """A model that made vectors.

    Attributes:
        fingerprint: SHA-256 in hex of all that its vectors depend on.
        width: Length of a vector.
        description: Words and values for people, such as where the model lay.
        text_width: Length of a vector that compares with texts; None where it makes none.
    """

    fingerprint: str
    width: int
    description: Mapping[str, Any]
    text_width: int | None = None


SEARCHED, BEING_MADE, KEPT = "searched", "being made", "kept"
"""States of a model: its vectors answer; some entries may lack one yet; they did answer once."""


@dataclass(frozen=True)
class StoredModel:
    """A model whose vectors are in the records.

    Attributes:
        model: What it is.
        state: `SEARCHED`, `BEING_MADE` or `KEPT`.
        entries: Number of entries that have a vector of it.
    """

    model: ModelRow
    state: str
    entries: int


@dataclass(frozen=True, eq=False)
class NewVector:
    """A vector of something that is in the records already.

    Attributes:
        number: Number of the entry, or of the negative example.
        vector: (width,) float32 of length 1.
        text_vector: (text width,) that compares with texts; None where there is none.
    """

    number: int
    vector: NDArray[np.float32]
    text_vector: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class NullRow:
    """What the image that stands for an identity scored against all others.

    Attributes:
        identity: Number of the identity.
        entry: Number of the image that stands for it.
        score: The best score of another identity.
        rival: Number of that identity.
    """

    identity: int
    entry: int
    score: float
    rival: int


@dataclass(frozen=True)
class Picture:
    """Where the pixels of an entry are; the fields are those of `NewEntry`."""

    content_hash: str
    crop: bytes | None
    path: str | None
    box: str


@dataclass(frozen=True, eq=False)
class NewNegative:
    """Something that is told not to show an identity.

    Attributes:
        identity: Number of that identity.
        content_hash: As in `NewEntry`; one content is a negative example of an identity once.
        entry: Number of the entry that it is; None for an image that is not enrolled.
        crop: As in `NewEntry`; None where it is an entry.
        path: As in `NewEntry`.
        box: As in `NewEntry`.
        vector: (width,) of the model that is searched; None where it is an entry.
    """

    identity: int
    content_hash: str
    entry: int | None = None
    crop: bytes | None = None
    path: str | None = None
    box: str = ""
    vector: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class NegativeRow:
    """A negative example, without its pixels.

    Attributes:
        negative: Its number, which is never used again.
        identity: Number of the identity that it does not show.
        content_hash: As in `NewNegative`, as are `entry`, `path` and `box`.
        entry: Number of the entry that it is.
        path: Where the picture lies.
        box: The part of it.
        version: Revision of the records that made it.
        vector: (width,) of the model that was asked for; None where there is none.
    """

    negative: int
    identity: int
    content_hash: str
    entry: int | None
    path: str | None
    box: str
    version: int
    vector: NDArray[np.float32] | None


@dataclass(frozen=True)
class AuditRow:
    """A link of the chain that records who was asked for, and what the answer was.

    `digest` covers the link before, the number, the time and the commitment; the commitment is a
    hash of the salt and the payload, which erasing removes together.

    Attributes:
        number: Its place in the chain, from 1 on.
        time: Milliseconds since 1970 (UTC).
        commitment: SHA-256 in hex.
        digest: SHA-256 in hex.
        salt: Random bytes; None where the payload was erased.
        payload: JSON; None where it was erased.
        input_hash: Content hash of the picture that was asked about, if any.
        entries: Numbers of the entries that the payload names.
    """

    number: int
    time: int
    commitment: str
    digest: str
    salt: bytes | None = None
    payload: str | None = None
    input_hash: str | None = None
    entries: tuple[int, ...] = ()


@dataclass(frozen=True)
class AuditHead:
    """The end of the chain of audit records.

    Attributes:
        count: Number of records, which is the number of the last.
        digest: That of the last; empty without any.
    """

    count: int = 0
    digest: str = ""


@dataclass(frozen=True)
class Counters:
    """The highest numbers that were ever given, whether what had them is still there or not.

    Attributes:
        revision: Number of the last transaction.
        entry: Highest number of an entry.
        identity: Highest number of an identity.
        negative: Highest number of a negative example.
    """

    revision: int
    entry: int
    identity: int
    negative: int
