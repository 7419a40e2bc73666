"""The bar that negative examples raise: who a picture is not, though it scores best for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promptreid.gallery.records.record_rows import NegativeRow


@dataclass(frozen=True)
class Denial:
    """A negative example that a query is more like than any image of its identity.

    Attributes:
        negative: Its number.
        score: Cosine to it.
    """

    negative: int
    score: float


class NegativeBar:
    """The vectors of all negative examples, by the name of who they do not show."""

    def __init__(
        self, rows: Iterable[NegativeRow] = (), names: Mapping[int, str] | None = None
    ) -> None:
        """Take negative examples, and the name of each identity, by number."""
        by_identity: dict[str, list[NegativeRow]] = {}
        for row in rows:
            if row.vector is not None and names is not None:
                by_identity.setdefault(names[row.identity], []).append(row)
        self._numbers = {one: [row.negative for row in rows] for one, rows in by_identity.items()}
        self._vectors: dict[str, NDArray[np.float32]] = {
            one: np.stack([row.vector for row in rows if row.vector is not None])
            for one, rows in by_identity.items()
        }

    def __len__(self) -> int:
        """Return the number of identities that have any."""
        return len(self._numbers)

    def find_denial(self, query: NDArray[np.float32], identity: str, score: float) -> Denial | None:
        """Return the negative example that is most alike, where it is more so than an identity.

        Args:
            query: (d,) vector of length 1.
            identity: Name of the identity.
            score: Cosine of the query to the image of the identity that is most alike.
        """
        if identity not in self._vectors:
            return None
        scores = self._vectors[identity] @ query
        best = int(scores.argmax())
        if scores[best] <= score:
            return None
        return Denial(self._numbers[identity][best], float(scores[best]))
