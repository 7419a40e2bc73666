"""What a store of records can do with models, their vectors, and negative examples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from promptreid.gallery.records.record_rows import (
    ModelRow,
    NegativeRow,
    NewNegative,
    NewVector,
    NullRow,
    Picture,
    StoredModel,
)


class VectorStore(Protocol):
    """Models side by side, one of which is searched, and what their vectors are of."""

    def model(self) -> ModelRow | None:
        """Return the model whose vectors are searched; None before the first."""
        ...

    def models(self) -> list[StoredModel]:
        """Return all models that have vectors in the records, in the order in which they came."""
        ...

    def set_model(self, model: ModelRow) -> None:
        """Search the vectors of this model from now on.

        The one before becomes `KEPT`, and its null sample goes. A model that is searched already
        takes over the description and the text width.
        """

    def begin_model(self, model: ModelRow) -> None:
        """Let vectors of a model be made beside those that are searched (`BEING_MADE`).

        Raises:
            GalleryError: It is the one that is searched.
        """

    def drop_model(self, fingerprint: str) -> None:
        """Remove a model with its vectors; `compact` is due afterwards.

        Raises:
            GalleryError: It is not there, or the one that is searched.
        """

    def find_damaged_vectors(self) -> list[str]:
        """Say which vectors are not what was written, such as "The vector of entry 12".

        A store that keeps no checksums of its own has a server that does.
        """
        ...

    def remove_damaged_vectors(self) -> None:
        """Take out what `find_damaged_vectors` names, so that it can be made anew."""

    def missing_vectors(
        self, fingerprint: str, *, text: bool = False, negatives: bool = False
    ) -> list[int]:
        """Return the numbers of entries without a vector of a model, ascending.

        Args:
            fingerprint: That of the model.
            text: Whether vectors that compare with texts are meant.
            negatives: Whether negative examples are meant instead of entries; those that are
                entries need no vector of their own.

        Raises:
            GalleryError: There is no such model.
        """
        ...

    def put_vectors(
        self, fingerprint: str, vectors: Sequence[NewVector], *, negatives: bool = False
    ) -> None:
        """Write vectors of a model, over those that are there.

        What was deleted in the meantime is passed over. Entries take the version of this
        transaction where the model is the one that is searched.

        Args:
            fingerprint: That of the model.
            vectors: Vectors of entries.
            negatives: Whether they are of negative examples instead, which have none for texts.

        Raises:
            GalleryError: There is no such model, or a vector has another width.
        """

    def null_rows(self) -> list[NullRow]:
        """Return the null sample of the model that is searched."""
        ...

    def put_null_rows(self, rows: Iterable[NullRow], removed: Iterable[int]) -> None:
        """Write rows of the null sample, and remove those of some identities."""

    def add_negatives(self, negatives: Sequence[NewNegative]) -> list[int]:
        """Write negative examples, and return their numbers, in order.

        A content that is one of the same identity already keeps its number.

        Raises:
            GalleryError: A vector has another width.
        """
        ...

    def negatives(self, model: str | None = None) -> list[NegativeRow]:
        """Return all negative examples, by number.

        Args:
            model: Fingerprint of the model whose vectors are given; that which is searched by
                default.
        """
        ...

    def negative_picture(self, negative: int) -> Picture:
        """Return where the pixels of a negative example are, which may be those of an entry.

        Raises:
            NotEnrolledError: There is no such negative example.
        """
        ...

    def negative_bytes(self, negative: int) -> list[bytes]:
        """Return what the store holds of a negative example: crop and vectors of its own."""
        ...

    def move_negatives(self, identity: int, into: int) -> None:
        """Let negative examples of an identity be those of another, each once."""

    def remove_negatives(self, negatives: Iterable[int]) -> None:
        """Remove negative examples; `compact` is due afterwards."""
