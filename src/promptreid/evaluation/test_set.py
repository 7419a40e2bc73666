"""The test set: the rows of a data set that its protocol tests, numbered by it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from promptreid.data.dataset import DataSet
from promptreid.data.load_data import load_data
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.protocol import Protocol
from promptreid.errors import EvaluationError


@dataclass(frozen=True, eq=False)
class TestSet:
    """The images that a data set is tested on.

    Attributes:
        spec: Name that the data set was loaded by.
        manifest: The rows that any repeat of the protocol uses, in the order of the data set.
        protocol: Numbers the rows of `manifest`.
    """

    __test__ = False  # the name is no test class to pytest

    spec: str
    manifest: Manifest
    protocol: Protocol

    @classmethod
    def of(cls, dataset: DataSet | str) -> TestSet:
        """Take the tested rows of a data set, or of the data set that a spec names.

        Raises:
            EvaluationError: The data set has no query or no gallery images.
            DataError: The data set of the spec cannot be read.
        """
        dataset = load_data(dataset) if isinstance(dataset, str) else dataset
        if dataset.protocol is None:
            splits = Counter(dataset.manifest.splits)
            counts = ", ".join(f"{count} {split} images" for split, count in splits.items())
            raise EvaluationError(
                f"{dataset.spec} has nothing to test on: no query and gallery images. It holds "
                f"{counts or 'no images'}. Give a data set with test images."
            )
        rows, protocol = dataset.protocol.compact()
        return cls(dataset.spec, dataset.manifest.select(rows), protocol)

    def __len__(self) -> int:
        return len(self.manifest)

    @property
    def name(self) -> str:
        """Name of the data set for people."""
        return self.manifest.name

    def first_repeat(self) -> TestSet:
        """Give the same images tested by the first repeat of the protocol alone."""
        return replace(self, protocol=replace(self.protocol, repeats=self.protocol.repeats[:1]))

    def identity_names(self) -> tuple[str, ...]:
        """Name the identity of each row for people; with its domain where there are several."""
        keys = self.manifest.identity_keys()
        several = len({domain for domain, _ in keys}) > 1
        return tuple(f"{domain}/{name}" if several else name for domain, name in keys)

    def camera_names(self) -> tuple[str, ...]:
        """Name the camera of each row, empty where it is not known."""
        return tuple("" if name is None else str(name) for name in self.manifest.cameras)
