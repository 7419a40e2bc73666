"""A data set: its samples, how it is tested, and what its reader has to say about it."""

from __future__ import annotations

from dataclasses import dataclass

from promptreid.data.manifest.manifest import Manifest
from promptreid.data.protocol import Protocol
from promptreid.errors import DataError
from promptreid.text.lists import counted


@dataclass(frozen=True, repr=False)
class DataSet:
    """What a reader returns.

    Attributes:
        spec: The name that the data was loaded by.
        manifest: All samples.
        protocol: How it is tested; None when there is nothing to test on.
        notes: Sentences for people: choices made, images left out, things to beware of.
        lost: Sentences on images that should be there and are not, such as links to nothing. They
            stop the work as images that cannot be read do.
        background: Names in the identity column that stand for no one identity, such as the boxes
            on other people in a gallery; they are tested against and never learned.
        own: Whether these are somebody's own data, so that no publication says which images train
            and validation may take some of them.
        drawn: Whether the identities that train were drawn, so that they are others when rows come
            or go.

    Raises:
        DataError: When the protocol uses a row that does not exist, or a training image though it
            is no protocol of a closed set; or when one of the two is of a closed set alone.
    """

    spec: str
    manifest: Manifest
    protocol: Protocol | None
    notes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    background: frozenset[str] = frozenset()
    own: bool = False
    drawn: bool = False

    def __post_init__(self) -> None:
        if self.protocol is None:
            return
        closed = self.protocol.closed
        if closed != self.manifest.closed:
            kinds = {True: "a closed set", False: "an open set"}
            raise DataError(
                f"Protocol {self.protocol.name!r} is for {kinds[closed]}, but the manifest "
                f"{self.manifest.name!r} is {kinds[self.manifest.closed]}."
            )
        gallery = ("gallery", "test", "distractor", *(("train",) if closed else ()))
        self.protocol.check(self.manifest, query=("query", "test"), gallery=gallery)

    @property
    def summary(self) -> str:
        """What is in it, in a sentence: images and identities of each split, cameras, protocol."""
        parts = [
            f"{split} {counted(one['images'], 'image')} of "
            f"{counted(one['identities'], 'identity', 'identities')}"
            for split, one in self.manifest.counts().items()
        ]
        cameras = len({camera for camera in self.manifest.cameras if camera is not None})
        if cameras:
            parts.append(counted(cameras, "camera"))
        tested = "nothing to test on" if self.protocol is None else f"protocol {self.protocol.name}"
        return f"{'; '.join([*parts, tested])}."

    def __repr__(self) -> str:
        where = self.spec or self.manifest.name
        return f"{type(self).__name__}({where}: {self.summary.rstrip('.')})"
