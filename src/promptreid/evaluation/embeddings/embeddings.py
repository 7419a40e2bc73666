"""Embeddings of images together with what is known of each image: the input of every evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from promptreid.data.manifest.unknown_values import UnknownWords
from promptreid.errors import EvaluationError
from promptreid.evaluation.embeddings.camera_names import CameraNames
from promptreid.evaluation.embeddings.embedding_checks import (
    check_embeddings,
    check_finite,
    expected_matrix,
    identity_names,
    unit_rows,
)


@dataclass(frozen=True, eq=False)
class Embeddings:
    """One retrieval vector per image, with the identity, camera and path of each image.

    Checked when built, so that everything downstream may rely on it. Use `from_vectors` to build
    one from vectors that are not yet float32 or not yet of unit length.

    Attributes:
        vectors: (N, D) float32, finite; every row has unit length unless `normalized` is false.
        identities: N non-empty names. Names of several domains must be made unique by the caller.
        cameras: N names of cameras, None where unknown; None as a whole if there are no cameras.
            Numbers may be given for names, and words such as "unknown" or -1 for None, see
            `promptreid.data.manifest.unknown_values`.
        paths: N paths for people to read, or an empty tuple.
        normalized: Whether the rows have unit length.

    Raises:
        EvaluationError: A shape, length, type or value is not as described.
    """

    vectors: Tensor
    identities: tuple[str, ...]
    cameras: tuple[str | None, ...] | None = None
    paths: tuple[str, ...] = ()
    normalized: bool = True

    def __post_init__(self) -> None:
        check_embeddings(
            self.vectors, self.identities, self.cameras, self.paths, normalized=self.normalized
        )
        if self.cameras is not None and not isinstance(self.cameras, CameraNames):
            names = CameraNames.of(self.cameras, paths=self.paths)
            object.__setattr__(self, "cameras", names)

    @classmethod
    def from_vectors(
        cls,
        vectors: Tensor | np.ndarray,
        identities: Sequence[object],
        *,
        cameras: Sequence[object] | None = None,
        paths: Sequence[object] = (),
        normalize: bool = True,
        unknown: str = "auto",
    ) -> Embeddings:
        """Build embeddings from raw vectors.

        Args:
            vectors: (N, D) of any floating type; detached and converted to float32.
            identities: N names or numbers; each is known.
            cameras: N names or numbers of cameras, None where unknown, or None without cameras.
            paths: N paths, or empty.
            normalize: Scale every row to unit length.
            unknown: Words that mean "not known" in identities and cameras: "auto" for those of
                `promptreid.data.manifest.unknown_values`, further words with commas between them,
                or "keep" to take all words as names.

        Raises:
            EvaluationError: A value is not finite, a row is zero and cannot be scaled, a length
                does not fit, or an identity is not known.
        """
        values = torch.as_tensor(vectors).detach()
        if values.ndim != 2 or not values.is_floating_point():
            raise EvaluationError(expected_matrix(values))
        values = values.to(torch.float32)
        names = tuple(str(path) for path in paths)
        words = UnknownWords.of(unknown)
        if normalize:
            check_finite(values, names)
            values = unit_rows(values, names)
        return cls(
            vectors=values,
            identities=identity_names(identities, words),
            cameras=None if cameras is None else CameraNames.of(cameras, words=words, paths=names),
            paths=names,
            normalized=normalize,
        )

    def __len__(self) -> int:
        return self.vectors.shape[0]

    @property
    def dim(self) -> int:
        """Length D of each vector."""
        return self.vectors.shape[1]

    def select(self, indices: Sequence[int] | np.ndarray) -> Embeddings:
        """Take rows by their numbers, in the order given; a row may be taken more than once.

        Raises:
            EvaluationError: A row number is out of range.
        """
        rows = torch.tensor(np.asarray(indices, dtype=np.int64)).reshape(-1)
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(self):
            raise EvaluationError(
                f"Rows {int(rows.min())} to {int(rows.max())} are asked of {len(self)} embeddings; "
                f"allowed are 0 to {len(self) - 1}. The embeddings and the protocol must come from "
                "the same manifest."
            )
        picked = rows.tolist()
        return replace(
            self,
            vectors=self.vectors[rows.to(self.vectors.device)],
            identities=tuple(self.identities[row] for row in picked),
            cameras=None
            if self.cameras is None
            else CameraNames(self.cameras[row] for row in picked),
            paths=tuple(self.paths[row] for row in picked) if self.paths else (),
        )

    def to(self, device: torch.device | str) -> Embeddings:
        """Move the vectors to a device."""
        moved = self.vectors.to(device)
        return self if moved is self.vectors else replace(self, vectors=moved)

    def unit_vectors(self) -> Tensor:
        """Give the (N, D) vectors with unit rows, whatever `normalized` says.

        Raises:
            EvaluationError: A row is zero and has no direction.
        """
        return self.vectors if self.normalized else unit_rows(self.vectors, self.paths)
